#define _POSIX_C_SOURCE 200809L
#include "proc/footprint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc/fields.h"
#include "proc/text.h"

/* The file is 800 bytes long. */
enum { ROLLUP_BYTES = 8192 };

typedef enum { RSS, PSS, CLEAN, DIRTY, HUGE, SWAP, LAST, FIELD_COUNT } field;

/* All of them since Linux 4.14, which brought the file; the last one closes the text.
 * Huge pages of hugetlbfs are in none of the other figures. */
static const krs__field fields[FIELD_COUNT] = {
    [RSS] = KRS__FIELD_KB("Rss:", true),
    [PSS] = KRS__FIELD_KB("Pss:", true),
    [CLEAN] = KRS__FIELD_KB("Private_Clean:", true),
    [DIRTY] = KRS__FIELD_KB("Private_Dirty:", true),
    [HUGE] = KRS__FIELD_KB("Private_Hugetlb:", true),
    [SWAP] = KRS__FIELD_KB("SwapPss:", true),
    [LAST] = KRS__FIELD_KB("Locked:", true),
};

/* Sums of kB can pass what a uint64_t holds only where the text is made up. */
static bool add(uint64_t *sum, uint64_t value) {
    if (*sum > UINT64_MAX - value)
        return false;
    *sum += value;
    return true;
}

/* The first line is the range of addresses with a name of its own; /proc/PID/smaps,
 * which has the same fields for each mapping, does not. */
static bool has_head(const char *text, size_t length) {
    static const char name[] = "[rollup]";
    const char *newline = memchr(text, '\n', length);
    const size_t line = newline == NULL ? 0 : (size_t)(newline - text);
    return line >= strlen(name) &&
           memcmp(newline - strlen(name), name, strlen(name)) == 0;
}

krs_status krs__footprint_parse(const char *text, size_t length,
                                krs__footprint *footprint) {
    uint64_t v[FIELD_COUNT], found;
    if (!has_head(text, length) ||
        !krs__fields_read(text, length, fields, FIELD_COUNT, v, &found) ||
        !krs__fields_complete(fields, FIELD_COUNT, found))
        return KRS_FORMAT;
    uint64_t own = v[CLEAN], made = v[DIRTY];
    if (!add(&own, v[DIRTY]) || !add(&own, v[HUGE]) || !add(&made, v[HUGE]) ||
        !add(&made, v[SWAP]))
        return KRS_FORMAT;
    *footprint =
        (krs__footprint){.rss = v[RSS], .pss = v[PSS], .own = own, .made = made};
    return KRS_OK;
}

/* Where there is no such file the process may be gone or the kernel too old. */
static bool is_gone(pid_t pid) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    return access(path, F_OK) != 0;
}

krs_status krs__footprint_read(pid_t pid, krs__footprint *footprint) {
    char path[32], text[ROLLUP_BYTES];
    size_t length;
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    const krs_status status = krs__text_read(path, text, sizeof text, &length);
    if (status == KRS_SYSTEM && errno == ENOENT)
        errno = is_gone(pid) ? ESRCH : ENOENT;
    return status != KRS_OK ? status : krs__footprint_parse(text, length, footprint);
}
