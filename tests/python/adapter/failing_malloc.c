/* Preloaded: fails the N-th allocation that one library asks for, and no other, and
 * counts the blocks that it has not given back.
 *
 * A call counts when its return address lies in that library, so what the interpreter
 * allocates for itself always succeeds, and a count means the same from run to run. A
 * test arms it through ctypes; one thread at a time. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own names: dlsym(RTLD_NEXT, ...) would allocate before it answers. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static struct {
    uintptr_t start, end; /* the library that is watched */
    long seen;            /* allocations it asked for since it was armed */
    long fail_at;         /* the one to fail; 0 fails none */
    long live;            /* blocks it has and has not freed */
} watch;

static int watch_library(struct dl_phdr_info *library, size_t size, void *name) {
    (void)size;
    if (strcmp(library->dlpi_name, name) != 0)
        return 0;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        watch.start = library->dlpi_addr + part->p_vaddr;
        watch.end = watch.start + part->p_memsz;
        return 1;
    }
    return 0;
}

/* Watches the loaded library at `path`; 0 where there is none. */
int failing_malloc_watch(const char *path) {
    return dl_iterate_phdr(watch_library, (void *)path);
}

/* Counts from 0 again and fails allocation `nth`, from 1; 0 fails none. */
void failing_malloc_arm(long nth) {
    watch.seen = 0;
    watch.fail_at = nth;
}

/* Fails nothing from here on; says how many allocations there were. */
long failing_malloc_disarm(void) {
    watch.fail_at = 0;
    return watch.seen;
}

/* Blocks that the library has now, less those it had when the watch began. */
long failing_malloc_live(void) {
    return watch.live;
}

static int is_watched(const void *caller) {
    return (uintptr_t)caller - watch.start < watch.end - watch.start;
}

static int must_fail(int watched) {
    if (!watched || ++watch.seen != watch.fail_at)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    int watched = is_watched(__builtin_return_address(0));
    void *block = must_fail(watched) ? NULL : __libc_malloc(size);
    watch.live += watched && block != NULL;
    return block;
}

void *calloc(size_t count, size_t size) {
    int watched = is_watched(__builtin_return_address(0));
    void *block = must_fail(watched) ? NULL : __libc_calloc(count, size);
    watch.live += watched && block != NULL;
    return block;
}

void *realloc(void *old, size_t size) {
    int watched = is_watched(__builtin_return_address(0));
    void *block = must_fail(watched) ? NULL : __libc_realloc(old, size);
    watch.live += watched && old == NULL && block != NULL;
    return block;
}

void free(void *block) {
    watch.live -= is_watched(__builtin_return_address(0)) && block != NULL;
    __libc_free(block);
}
