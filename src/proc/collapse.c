/* Huge pages for a process that is going to be forked often. A fork copies one entry of
 * the page tables for each resident page of private memory, the end of the child takes
 * them down again; a huge page is one entry for 512. Of an imported TensorFlow's 230 MB
 * some 150 can be joined: fork and end then take 0.3 to 0.5 of the time
 * (bench/isolate.py), and what a child changes is still copied in small pages. */
#define _GNU_SOURCE /* mincore */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keraser.h"

#ifndef MADV_COLLAPSE /* Linux 6.1; the headers may be older than the kernel */
#define MADV_COLLAPSE 25
#endif

enum { HUGE_BYTES = 2 << 20, PAGES = HUGE_BYTES / 4096, LINE_BYTES = 8192 };

/* More than this in one piece is address space set aside, such as the 14 TiB of
 * AddressSanitizer's shadow: to look at each 2 MiB of that took 40 s. */
static const uintptr_t MOST_BYTES = (uintptr_t)64 << 30;

/* Memory of malloc and of the interpreter: neither a file's nor shared. */
static bool is_anonymous(const krs_mapping *m) {
    static const char heap[] = "[heap]";
    return m->writable && m->is_private && m->end - m->begin <= MOST_BYTES &&
           (m->path_length == 0 || (m->path_length == sizeof heap - 1 &&
                                    memcmp(m->path, heap, m->path_length) == 0));
}

/* To join takes all of a huge page: of one that is mostly untouched, such as the end of
 * a stack, that would be new memory. */
static bool is_mostly_resident(void *at) {
    unsigned char in[PAGES];
    size_t resident = 0;
    if (mincore(at, HUGE_BYTES, in) < 0)
        return false;
    for (size_t i = 0; i < PAGES; i++)
        resident += in[i] & 1;
    return resident > PAGES / 2;
}

/* What the kernel cannot join now stays as it is. */
static uint64_t collapse_mapping(const krs_mapping *m) {
    uint64_t joined = 0;
    const uintptr_t mask = HUGE_BYTES - 1;
    for (uintptr_t at = (m->begin + mask) & ~mask;
         at < m->end && m->end - at >= HUGE_BYTES; at += HUGE_BYTES) {
        if (is_mostly_resident((void *)at) &&
            madvise((void *)at, HUGE_BYTES, MADV_COLLAPSE) == 0)
            joined += HUGE_BYTES;
    }
    return joined;
}

/* One call for nothing tells whether the kernel knows the advice. */
static bool is_known(void) {
    return madvise(NULL, 0, MADV_COLLAPSE) == 0;
}

krs_status krs_memory_collapse(uint64_t *joined) {
    if (joined == NULL)
        return KRS_INVALID;
    if (sysconf(_SC_PAGESIZE) != HUGE_BYTES / PAGES || !is_known())
        return KRS_UNSUPPORTED;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return KRS_SYSTEM;
    char line[LINE_BYTES];
    uint64_t all = 0;
    while (fgets(line, sizeof line, maps) != NULL) {
        krs_mapping mapping;
        const char *newline = strchr(line, '\n');
        if (newline != NULL && /* cut off: the path of a file, whose rest is no line */
            krs_mapping_parse(line, (size_t)(newline - line), &mapping) == KRS_OK &&
            is_anonymous(&mapping))
            all += collapse_mapping(&mapping);
    }
    fclose(maps);
    *joined = all;
    return KRS_OK;
}
