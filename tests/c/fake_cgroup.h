/* fake_cgroup.h - a hierarchy of cgroup v2 made of plain files in a folder of its own,
 * with what the kernel does at mkdir, rmdir, open and write put in by the linker. */
#ifndef KRS_TESTS_FAKE_CGROUP_H
#define KRS_TESTS_FAKE_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "proc/cgroup.h"

typedef struct {
    const char *lacks;       /* no new group has this file */
    const char *write_fails; /* writing to a file so called fails with EINVAL */
    int mkdir_error;
    int rmdir_error;
    bool read_only;    /* access() says so */
    int interruptions; /* of the next writes */
    pid_t killed[8];   /* whom kill() was called for */
    size_t kills;
    const char *const *procs_after; /* what cgroup.procs names after each kill */
} fake_faults;

extern fake_faults fake;

/* A new tree, its root having the memory controller; and its end. */
void fake_start(void);
void fake_stop(void);

/* What the kernel would tell: that we are in the group `own`, "/" or "/a/b". */
const krs__cgroup_files *fake_files(const char *own);

/* Makes the group `path`, "/a" say, as others would: what its own group gets of
 * controllers, what it passes on, and who is in it. */
void fake_group(const char *path, const char *controllers, const char *passed_on,
                const char *procs);

/* Writes `text` to FILE of the group; and reads it. */
void fake_write(const char *path, const char *file, const char *text);
const char *fake_read(const char *path, const char *file);

/* How many groups there are below the root. */
int fake_groups(void);
const char *fake_root(void);

#endif
