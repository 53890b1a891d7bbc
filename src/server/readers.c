/* The table of readers that the system itself answers. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "proc/process.h"
#include "server/watch.h"

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t krs__now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t now(void *context) {
    (void)context;
    return krs__now();
}

static uint64_t spent(void *context) {
    (void)context;
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static krs_status process(void *context, pid_t pid, krs_process *p) {
    (void)context;
    return krs__process_read_of(pid, p);
}

static krs_status footprint(void *context, pid_t pid, krs__footprint *f) {
    (void)context;
    return krs__footprint_read(pid, f);
}

static krs_status cpu(void *context, pid_t pid, uint64_t *ns) {
    (void)context;
    return krs__cpu_read(pid, ns);
}

static krs_status gpu(void *nvml, pid_t pid, uint64_t *bytes) {
    return krs__nvml_used(nvml, pid, bytes);
}

static krs_status group(void *context, const krs__cgroup *g, krs__cgroup_figures *f) {
    (void)context;
    return krs__cgroup_read(g, f);
}

krs__readers krs__readers_of_system(krs__nvml *nvml) {
    return (krs__readers){.context = nvml,
                          .now = now,
                          .spent = spent,
                          .process = process,
                          .footprint = footprint,
                          .cpu = cpu,
                          .gpu = nvml == NULL ? NULL : gpu,
                          .group = group};
}
