#define _GNU_SOURCE
#include "fake_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topic.h"

fake_faults fake;

static char base[64], root[80];
static int groups;
static bool is_on; /* else the kernel is asked itself */

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_write(int file, const void *bytes, size_t size);
ssize_t __wrap_write(int file, const void *bytes, size_t size);
int __wrap_kill(pid_t pid, int signal);

/* ---- plain files -------------------------------------------------------------- */

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *path_of(const char *group, const char *file) {
    static char path[8192];
    snprintf(path, sizeof path, "%s%s/%s", root, strcmp(group, "/") == 0 ? "" : group,
             file);
    return path;
}

void fake_write(const char *path, const char *file, const char *text) {
    put(path_of(path, file), text);
}

const char *fake_read(const char *path, const char *file) {
    static char text[256];
    FILE *opened = fopen(path_of(path, file), "r");
    assert_non_null(opened);
    text[fread(text, 1, sizeof text - 1, opened)] = '\0';
    fclose(opened);
    return text;
}

void fake_start(void) {
    fake = (fake_faults){.lacks = NULL};
    is_on = true;
    strcpy(base, "/tmp/keraser-cgroup-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(root, sizeof root, "%s/fs", base);
    assert_int_equal(__real_mkdir(root, 0700), 0);
    fake_write("/", "cgroup.controllers", "cpu memory pids\n");
    fake_write("/", "cgroup.subtree_control", "cpu memory\n");
    fake_write("/", "cgroup.procs", "1\n2\n");
}

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void fake_stop(void) {
    is_on = false;
    fake = (fake_faults){.lacks = NULL};
    assert_int_equal(nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const krs__cgroup_files *fake_files(const char *own) {
    static char cgroup[96], mountinfo[96];
    static const krs__cgroup_files files = {cgroup, mountinfo};
    char text[8192];
    snprintf(cgroup, sizeof cgroup, "%s/cgroup", base);
    snprintf(mountinfo, sizeof mountinfo, "%s/mountinfo", base);
    snprintf(text, sizeof text, "4:cpu:/elsewhere\n0::%s\n", own);
    put(cgroup, text);
    snprintf(text, sizeof text, "30 23 0:26 / %s rw - cgroup2 cgroup2 rw\n", root);
    put(mountinfo, text);
    return &files;
}

void fake_group(const char *path, const char *controllers, const char *passed_on,
                const char *procs) {
    assert_int_equal(__real_mkdir(path_of(path, ""), 0700), 0);
    fake_write(path, "cgroup.type", "domain\n");
    fake_write(path, "cgroup.controllers", controllers);
    fake_write(path, "cgroup.subtree_control", passed_on);
    fake_write(path, "cgroup.procs", procs);
    fake_write(path, "memory.max", "max\n");
    fake_write(path, "memory.high", "max\n");
}

static int count_one(const char *path, const struct stat *status, int kind) {
    (void)path;
    (void)status;
    groups += kind == FTW_D;
    return 0;
}

int fake_groups(void) {
    groups = -1; /* the root is none below it */
    assert_int_equal(ftw(root, count_one, 16), 0);
    return groups;
}

const char *fake_root(void) {
    return root;
}

/* ---- what the kernel does -------------------------------------------------------- */

static const struct {
    const char *name, *text;
    bool memory; /* there only where the controller is passed on */
} new_files[] = {
    {"cgroup.procs", "", false},
    {"cgroup.kill", "", false},
    {"cgroup.type", "domain\n", false},
    {"memory.max", "max\n", true},
    {"memory.swap.max", "max\n", true},
    {"memory.oom.group", "0\n", true},
    {"memory.current", "0\n", true},
    {"memory.peak", "0\n", true},
    {"memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
     true},
};

/* Whether the group above the folder passes memory on. */
static bool has_memory(const char *folder) {
    char path[8192], text[256] = "";
    snprintf(path, sizeof path, "%s", folder);
    strcpy(strrchr(path, '/'), "/cgroup.subtree_control");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return strstr(text, "memory") != NULL;
}

int __wrap_mkdir(const char *path, mode_t mode) {
    errno = fake.mkdir_error;
    if (fake.mkdir_error != 0 || __real_mkdir(path, mode) != 0)
        return -1;
    const bool memory = is_on && has_memory(path);
    for (size_t i = 0; is_on && i < LENGTH_OF(new_files); i++) {
        char file[8192];
        snprintf(file, sizeof file, "%s/%s", path, new_files[i].name);
        if ((memory || !new_files[i].memory) &&
            (fake.lacks == NULL || strcmp(fake.lacks, new_files[i].name) != 0))
            put(file, new_files[i].text);
    }
    return 0;
}

int __wrap_rmdir(const char *path) {
    errno = fake.rmdir_error;
    if (fake.rmdir_error != 0)
        return -1;
    for (size_t i = 0; is_on && i < LENGTH_OF(new_files); i++) {
        char file[8192];
        snprintf(file, sizeof file, "%s/%s", path, new_files[i].name);
        unlink(file);
    }
    return __real_rmdir(path);
}

int __wrap_access(const char *path, int mode) {
    if (fake.read_only && mode == W_OK) {
        errno = EROFS;
        return -1;
    }
    return __real_access(path, mode);
}

static bool write_fails; /* to the file that was opened last */

int __wrap_open(const char *path, int flags, ...) {
    write_fails = fake.write_fails != NULL &&
                  strcmp(strrchr(path, '/') + 1, fake.write_fails) == 0;
    if (is_on && (flags & O_ACCMODE) == O_WRONLY && __real_access(path, F_OK) == 0 &&
        !write_fails)
        assert_int_equal(truncate(path, 0), 0); /* a setting, not a text */
    return __real_open(path, flags);
}

ssize_t __wrap_write(int file, const void *bytes, size_t size) {
    if (fake.interruptions > 0) {
        fake.interruptions--;
        errno = EINTR;
        return -1;
    }
    if (write_fails) {
        errno = EINVAL;
        return -1;
    }
    return __real_write(file, bytes, size);
}

int __wrap_kill(pid_t pid, int signal) {
    assert_int_equal(signal, SIGKILL);
    assert_true(fake.kills < LENGTH_OF(fake.killed));
    fake.killed[fake.kills++] = pid;
    if (fake.procs_after != NULL)
        fake_write("/place/trial", "cgroup.procs", fake.procs_after[fake.kills - 1]);
    return 0;
}
