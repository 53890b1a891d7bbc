/* Memory and threads of this process, from /proc/self/status: what proc_pid_status(5)
 * says, not getrusage(), whose resident set is only ever a peak.
 *
 * The parser is strict, because a figure read wrong would be reported as truth: a field
 * that is there must look as the kernel writes it, its newline included, so text cut
 * short in a number is refused and not believed. VmHWM, RssFile, RssShmem and VmSwap
 * may be absent, since gVisor (pkg/sentry/fsimpl/proc) writes none of them; VmRSS and
 * Threads may not. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "keraser.h"
#include "proc/text.h"

/* The file is 1.5 to 4 KB; only a user in a thousand groups has a longer one. */
enum { STATUS_BYTES = 16384 };

typedef enum { RSS, PEAK, MAPPED, SHARED, SWAP, THREADS, FIELD_COUNT } field;

static const struct {
    const char *name;
    const char *unit;
    uint64_t scale;
    uint64_t most; /* before scaling */
    bool required;
} fields[FIELD_COUNT] = {
    [RSS] = {"VmRSS:", " kB", 1024, UINT64_MAX / 1024, true},
    [PEAK] = {"VmHWM:", " kB", 1024, UINT64_MAX / 1024, false},
    [MAPPED] = {"RssFile:", " kB", 1024, UINT64_MAX / 1024, false},
    [SHARED] = {"RssShmem:", " kB", 1024, UINT64_MAX / 1024, false},
    [SWAP] = {"VmSwap:", " kB", 1024, UINT64_MAX / 1024, false},
    [THREADS] = {"Threads:", "", 1, UINT32_MAX, true},
};

/* Reads what follows the name of a field, up to the end of its line. */
static bool read_value(const char *at, const char *end, field f, uint64_t *value) {
    while (at < end && (*at == '\t' || *at == ' '))
        at++;
    uint64_t number;
    if (!krs__text_number(&at, end, 10, fields[f].most, &number) ||
        !krs__text_skip(&at, end, fields[f].unit) || at != end)
        return false;
    *value = number * fields[f].scale;
    return true;
}

/* Takes up one line, `end` being its newline; false if it is a field gone wrong. */
static bool read_line(const char *at, const char *end, uint64_t *values, bool *found) {
    for (field f = 0; f < FIELD_COUNT; f++) {
        if (!krs__text_skip(&at, end, fields[f].name))
            continue;
        if (found[f])
            return false;
        found[f] = true;
        return read_value(at, end, f, &values[f]);
    }
    return true;
}

krs_status krs_process_parse(const char *text, size_t length, krs_process *process) {
    if (text == NULL || process == NULL)
        return KRS_INVALID;
    uint64_t values[FIELD_COUNT] = {0};
    bool found[FIELD_COUNT] = {false};
    const char *newline;
    for (; (newline = memchr(text, '\n', length)) != NULL; text = newline + 1) {
        if (!read_line(text, newline, values, found))
            return KRS_FORMAT;
        length -= (size_t)(newline + 1 - text);
    }
    for (field f = 0; f < FIELD_COUNT; f++) {
        if (fields[f].required && !found[f])
            return KRS_FORMAT;
    }
    *process = (krs_process){.rss = values[RSS],
                             .peak = values[PEAK],
                             .file = values[MAPPED],
                             .shared = values[SHARED],
                             .swap = values[SWAP],
                             .threads = (uint32_t)values[THREADS]};
    return KRS_OK;
}

krs_status krs_process_read(krs_process *process) {
    if (process == NULL)
        return KRS_INVALID;
    const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return KRS_SYSTEM;
    char text[STATUS_BYTES];
    ssize_t length;
    do /* one read sees one moment: the kernel composes the text anew for each */
        length = read(file, text, sizeof text);
    while (length < 0 && errno == EINTR);
    const int error = errno;
    close(file);
    errno = error;
    return length < 0 ? KRS_SYSTEM : krs_process_parse(text, (size_t)length, process);
}
