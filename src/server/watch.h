/* watch.h - when to look at a trial, and when it has had enough.
 *
 * The policy alone: it reads through a table and is told the time, so that a test can
 * make up both. One watch a trial, embedded in the worker's record; nothing to free. */
#ifndef KRS_SERVER_WATCH_H
#define KRS_SERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gpu/nvml.h"
#include "keraser.h"
#include "proc/cgroup.h"
#include "proc/footprint.h"

/* Bytes and ns; 0: none. `memory` limits what the trial made or changed, not what it
 * still has in common with the server it was forked from. With a group the kernel keeps
 * that limit, and this one is not looked at. */
typedef struct {
    uint64_t memory, wall, cpu, gpu;
} krs__limits;

/* As last seen. `own` is what `memory` limits: exact where it was looked at closely,
 * else the least it can be; with a group what the kernel charges to it. `peak` is the
 * most of it that was seen. */
typedef struct {
    uint64_t rss, own, peak, wall, cpu, gpu;
} krs__figures;

typedef enum {
    KRS__WITHIN,
    KRS__OVER_MEMORY,
    KRS__OVER_WALL,
    KRS__OVER_CPU,
    KRS__OVER_GPU,
    KRS__GONE, /* ended, or nothing left of it to measure: figures are the last ones */
} krs__verdict;

/* CLOCK_MONOTONIC in ns. */
uint64_t krs__now(void);

/* How a trial is looked at. The first argument of each is `context`. */
typedef struct {
    void *context;
    uint64_t (*now)(void *context);   /* CLOCK_MONOTONIC in ns */
    uint64_t (*spent)(void *context); /* processor time of this thread: a close look
                                         costs no more for being kept waiting */
    krs_status (*process)(void *context, pid_t pid, krs_process *process);
    krs_status (*footprint)(void *context, pid_t pid, krs__footprint *footprint);
    krs_status (*cpu)(void *context, pid_t pid, uint64_t *ns);
    krs_status (*gpu)(void *context, pid_t pid, uint64_t *bytes); /* NULL: no GPU */
    krs_status (*group)(void *context, const krs__cgroup *group,
                        krs__cgroup_figures *figures);
} krs__readers;

/* Those of the system; `nvml` may be NULL and outlives the table. */
krs__readers krs__readers_of_system(krs__nvml *nvml);

/* A reading that is dear: when it may be made again is known from what it cost. */
typedef struct {
    uint64_t at, cost; /* when the last one ended, and how long it took */
    bool made, failed; /* whether it gave a figure; neither where there was none yet */
} krs__dear;

typedef struct {
    krs__limits limits;
    krs__figures figures;
    const krs__readers *readers;
    const krs__cgroup *group;
    pid_t pid;
    uint64_t start, cpu_before;
    uint64_t inherited; /* anonymous memory that can be the server's at most */
    uint64_t common; /* of what may be its own, what was not at the last close look */
    uint64_t exact;  /* what was its own then */
    double rate;     /* at which that had grown since the one before, bytes a ns */
    uint64_t threads;
    krs__dear close;
    uint64_t gpu_due;
} krs__watch;

/* Begins to watch the process `pid`, forked or set to work at `now`. `inherited` is
 * krs__process_anonymous() of the server as it forked; 0 for a process that shares
 * nothing. Processor time counts from now on. `group` is the one the process is in, or
 * NULL: memory is watched here then. `readers` and `group` must outlive the watch.
 * Returns when to look first at a child that was forked just now and has nothing yet; a
 * process that was at work before is to be looked at at once. */
uint64_t krs__watch_start(krs__watch *watch, const krs__limits *limits,
                          const krs__readers *readers, const krs__cgroup *group,
                          pid_t pid, uint64_t inherited, uint64_t now);

/* Looks, and says when to look next. Call it as well when the process is known to have
 * ended but is not yet reaped: with a group that tells whether the kernel ended it for
 * want of memory. After a verdict other than KRS__WITHIN `*next` is not written. */
krs__verdict krs__watch_look(krs__watch *watch, uint64_t now, uint64_t *next);

#endif
