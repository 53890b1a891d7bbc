/* Allocators in malloc's place, asked to give back what they keep. Which of them a
 * process has is told by its symbols; glibc's is nearly always there, and has nothing
 * to give where another one has taken its place. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <dlfcn.h>
#include <stdbool.h>

#include "keraser.h"

/* Gives back; false where the allocator says that it did not. */
typedef bool give(void *function);

static krs_status anonymous(uint64_t *bytes) {
    krs_process process;
    const krs_status status = krs_process_read(&process);
    if (status != KRS_OK)
        return status;
    const uint64_t others = process.file + process.shared;
    *bytes = process.rss > others ? process.rss - others : 0;
    return KRS_OK;
}

static krs_status trim(const char *symbol, give *give_back, krs_trim *told) {
    if (told == NULL)
        return KRS_INVALID;
    krs_trim done = {.refusal = KRS_REFUSAL_ABSENT};
    void *const function = dlsym(RTLD_DEFAULT, symbol);
    if (function != NULL) {
        krs_status status = anonymous(&done.before);
        if (status == KRS_OK)
            done.refusal = give_back(function) ? KRS_REFUSAL_NONE : KRS_REFUSAL_FAILED;
        if (status == KRS_OK)
            status = anonymous(&done.after);
        if (status != KRS_OK)
            return status;
        done.returned = done.before > done.after ? done.before - done.after : 0;
    }
    if (done.refusal != KRS_REFUSAL_NONE)
        done = (krs_trim){.refusal = done.refusal};
    *told = done;
    return KRS_OK;
}

/* Where nothing is to be given this takes no longer than mallinfo2(), which would tell:
 * there is no cheaper look to take first. It returns 0 then, which is no failure. */
static bool give_glibcs(void *function) {
    int (*malloc_trim)(size_t pad);
    *(void **)&malloc_trim = function;
    malloc_trim(0);
    return true;
}

/* 4096 is MALLCTL_ARENAS_ALL since jemalloc 5; older ones know no such arena. */
static bool give_jemallocs(void *function) {
    int (*mallctl)(const char *name, void *old, size_t *old_length, void *new_value,
                   size_t new_length);
    *(void **)&mallctl = function;
    mallctl("thread.tcache.flush", NULL, NULL, NULL, 0); /* fails where there is none */
    return mallctl("arena.4096.purge", NULL, NULL, NULL, 0) == 0;
}

static bool give_tcmallocs(void *function) {
    void (*release)(void);
    *(void **)&release = function;
    release();
    return true;
}

krs_status krs_glibc_trim(krs_trim *told) {
    return trim("malloc_trim", give_glibcs, told);
}

krs_status krs_jemalloc_trim(krs_trim *told) {
    return trim("mallctl", give_jemallocs, told);
}

krs_status krs_tcmalloc_trim(krs_trim *told) {
    return trim("MallocExtension_ReleaseFreeMemory", give_tcmallocs, told);
}
