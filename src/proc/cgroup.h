/* A limit on memory that the kernel itself keeps: groups of cgroup v2, where we may
 * make them. A place is a group below which ours are made, for as long as the server
 * runs; a group is for one trial. Paths, not descriptors, so that nothing is inherited
 * by a fork. */
#ifndef KRS_PROC_CGROUP_H
#define KRS_PROC_CGROUP_H

#include <stddef.h>
#include <sys/types.h>

#include "keraser.h"

typedef struct krs__cgroup_place krs__cgroup_place;
typedef struct krs__cgroup krs__cgroup;

/* Where the kernel tells which group we are in and what is mounted. */
typedef struct {
    const char *cgroup;    /* NULL: /proc/self/cgroup */
    const char *mountinfo; /* NULL: /proc/self/mountinfo */
} krs__cgroup_files;

/* Writes the folder of our own group and of the mount it lies in (a prefix of it), each
 * into `room` bytes. KRS_UNSUPPORTED where cgroup v2 is not mounted or does not show
 * our group, and `*reason`, static storage, says so; KRS_FORMAT where a text is not as
 * the kernel writes it. Texts end in a NUL. */
krs_status krs__cgroup_find(const char *cgroup, const char *mountinfo, char *folder,
                            char *mount, size_t room, const char **reason);

/* Finds the nearest group, from ours upwards, below which a group with a limit on
 * memory can be made, by making one and removing it again; `files` NULL for the
 * kernel's own. Where a group has the memory controller and does not pass it on, it is
 * told to, if it is the root or holds no process; that stays so if the group is chosen,
 * since others may have come to count on it. KRS_UNSUPPORTED where there is none, with
 * `*reason`, static storage; nothing is left behind then. */
krs_status krs__cgroup_place_open(const krs__cgroup_files *files,
                                  krs__cgroup_place **place, const char **reason);
void krs__cgroup_place_close(krs__cgroup_place *place);
const char *krs__cgroup_place_folder(const krs__cgroup_place *place);

/* Removes groups that a process which was killed has left here: empty ones, called
 * `prefix`, the number of a process that is no more, a dash, and anything. */
void krs__cgroup_place_sweep(const krs__cgroup_place *place, const char *prefix);

/* Makes the group `name`, not there yet, that may have `memory` bytes (whole pages of
 * it), no swap, and whose processes end together when it wants more. The place may be
 * closed before the group is freed. KRS_SYSTEM, with nothing left behind. */
krs_status krs__cgroup_new(const krs__cgroup_place *place, const char *name,
                           uint64_t memory, krs__cgroup **group);

/* Moves the process `pid` in. What it has in memory by then stays where it was charged:
 * only what it makes or changes from now on counts. */
krs_status krs__cgroup_enter(const krs__cgroup *group, pid_t pid);

typedef struct {
    uint64_t current;   /* with files it has read and what the kernel keeps for it */
    uint64_t peak;      /* 0 where the kernel does not tell: before 5.19 */
    uint64_t oom_kills; /* times that the kernel ended one of its processes for want of
                           memory; Linux 6.1 counts the first of them twice */
} krs__cgroup_figures;

krs_status krs__cgroup_read(const krs__cgroup *group, krs__cgroup_figures *figures);

/* Ends every process in the group by SIGKILL. They go in a moment, not at once. */
krs_status krs__cgroup_kill(const krs__cgroup *group);

/* Removes the group and frees it; NULL is accepted. KRS_SYSTEM, with the group still
 * good, while processes are in it: errno is EBUSY for a moment after a kill. */
krs_status krs__cgroup_free(krs__cgroup *group);

/* Frees it without removing it: for a process that inherited it by fork. */
void krs__cgroup_forget(krs__cgroup *group);

#endif
