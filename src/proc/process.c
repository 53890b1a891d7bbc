/* Memory and threads of a process, from /proc/PID/status: what proc_pid_status(5) says,
 * not getrusage(), whose resident set is only ever a peak.
 *
 * VmHWM, RssFile, RssShmem and VmSwap may be absent, since gVisor (pkg/sentry/fsimpl/
 * proc) writes none of them; VmRSS and Threads may not. Linux up to 6.15 counts pages
 * by processor and adds them up late: a figure can be off by 64 pages a processor and
 * more. */
#define _POSIX_C_SOURCE 200809L
#include "proc/process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "proc/fields.h"
#include "proc/text.h"

/* The file is 1.5 to 4 KB; only a user in a thousand groups has a longer one. */
enum { STATUS_BYTES = 16384 };

typedef enum { RSS, PEAK, MAPPED, SHARED, SWAP, THREADS, FIELD_COUNT } field;

static const krs__field fields[FIELD_COUNT] = {
    [RSS] = KRS__FIELD_KB("VmRSS:", true),
    [PEAK] = KRS__FIELD_KB("VmHWM:", false),
    [MAPPED] = KRS__FIELD_KB("RssFile:", false),
    [SHARED] = KRS__FIELD_KB("RssShmem:", false),
    [SWAP] = KRS__FIELD_KB("VmSwap:", false),
    [THREADS] = {"Threads:", "", 1, UINT32_MAX, true},
};

/* `*found` says which fields there were, also where one that must be there is not. */
static krs_status parse(const char *text, size_t length, krs_process *process,
                        uint64_t *found) {
    uint64_t values[FIELD_COUNT];
    if (!krs__fields_read(text, length, fields, FIELD_COUNT, values, found)) {
        *found = 0;
        return KRS_FORMAT;
    }
    if (!krs__fields_complete(fields, FIELD_COUNT, *found))
        return KRS_FORMAT;
    *process = (krs_process){.rss = values[RSS],
                             .peak = values[PEAK],
                             .file = values[MAPPED],
                             .shared = values[SHARED],
                             .swap = values[SWAP],
                             .threads = (uint32_t)values[THREADS]};
    return KRS_OK;
}

krs_status krs_process_parse(const char *text, size_t length, krs_process *process) {
    uint64_t found;
    if (text == NULL || process == NULL)
        return KRS_INVALID;
    return parse(text, length, process, &found);
}

static krs_status read_status(const char *path, krs_process *process, uint64_t *found) {
    char text[STATUS_BYTES];
    size_t length;
    const krs_status status = krs__text_read(path, text, sizeof text, &length);
    return status != KRS_OK ? status : parse(text, length, process, found);
}

krs_status krs_process_read(krs_process *process) {
    uint64_t found;
    if (process == NULL)
        return KRS_INVALID;
    return read_status("/proc/self/status", process, &found);
}

krs_status krs__process_read_of(pid_t pid, krs_process *process) {
    char path[32];
    uint64_t found = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    krs_status status = read_status(path, process, &found);
    if (status == KRS_SYSTEM && errno == ENOENT)
        errno = ESRCH;
    /* One that has let go of its memory and not yet of its number, a zombie above all,
     * has threads and not a line about memory. */
    if (status == KRS_FORMAT && found == UINT64_C(1) << THREADS) {
        errno = ESRCH;
        status = KRS_SYSTEM;
    }
    return status;
}

uint64_t krs__process_anonymous(const krs_process *process) {
    const uint64_t other = process->file + process->shared;
    return (process->rss > other ? process->rss - other : 0) + process->swap;
}

krs_status krs__cpu_read(pid_t pid, uint64_t *ns) {
    clockid_t clock;
    struct timespec used;
    const int error = clock_getcpuclockid(pid, &clock);
    if (error != 0) {
        errno = error;
        return KRS_SYSTEM;
    }
    if (clock_gettime(clock, &used) != 0) {
        if (errno == EINVAL) /* it went between the two calls */
            errno = ESRCH;
        return KRS_SYSTEM;
    }
    *ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
    return KRS_OK;
}
