/* What krs_copy() reaches of one memcpy() of the same bytes under the same condition.
 *
 *   bench_copy [rounds]     default: 15
 *
 * Three conditions: into pages that the process has written before ("same"), into ones
 * that it has just mapped ("new"), where the kernel has to find and zero each page, and
 * into such with MADV_HUGEPAGE ("huge"), as NumPy asks for. Ways of copying take turns
 * within a round, so that what else the machine does meets all of them; medians over
 * rounds. GB/s of memcpy() is bytes copied, which is half of what is moved; the rest of
 * a line are ratios to it, above 1 where faster.
 *
 * `1` is krs_copy() on the caller's thread alone, `auto` on as many as it chooses, and
 * `populate` that after MADV_POPULATE_WRITE (Linux 5.14).
 * What bounds: the bandwidth of memory, or what one thread reaches of it; in new pages
 * the kernel's page faults. From some size on, 240 MiB on a Zen 4, glibc's memcpy()
 * stores past the cache: better into the same pages, worse into ones just zeroed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "keraser.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { MOST_ROUNDS = 1001, MIB = 1 << 20 };

#define WAY_MAP(X)                                                                     \
    X(MEMCPY, "memcpy")                                                                \
    X(ONE, "1")                                                                        \
    X(AUTO, "auto")                                                                    \
    X(POPULATE, "populate")

typedef enum {
#define X(name, text) name,
    WAY_MAP(X)
#undef X
        WAYS
} way;

static const char *const way_name[WAYS] = {
#define X(name, text) text,
    WAY_MAP(X)
#undef X
};

static void must(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "bench_copy: %s\n", what);
    exit(1);
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void *map(size_t size, int huge) {
    void *made =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(made != MAP_FAILED, "mmap");
    if (huge)
        madvise(made, size, MADV_HUGEPAGE); /* not every kernel has them */
    return made;
}

static double copy(void *to, const void *from, size_t size, way how) {
    const krs_copy_job job = {to, from, size};
    const double at = now_ms();
    if (how == POPULATE)
        must(madvise(to, size, MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE");
    if (how == MEMCPY)
        memcpy(to, from, size);
    else
        must(krs_copy(&job, 1, how == ONE ? 1 : 0) == KRS_OK, "krs_copy");
    return now_ms() - at;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *of, int count) {
    qsort(of, (size_t)count, sizeof *of, by_value);
    return of[count / 2];
}

/* Into `same`, or where that is NULL into what is mapped anew for each copy. */
static void show(const char *pages, void *same, const void *from, size_t size,
                 int rounds) {
    static double took[WAYS][MOST_ROUNDS];
    for (int round = 0; round < rounds; round++)
        for (int how = 0; how < WAYS; how++) {
            void *to = same != NULL ? same : map(size, pages[0] == 'h');
            took[how][round] = copy(to, from, size, (way)how);
            must(memcmp(to, from, size) == 0, "the copy differs");
            if (same == NULL)
                munmap(to, size);
        }
    const double base = median(took[MEMCPY], rounds);
    printf("%4zu MiB  %-4s  %6.1f GB/s", size / MIB, pages, (double)size / base / 1e6);
    for (int how = ONE; how < WAYS; how++)
        printf("  %s %5.2f", way_name[how], base / median(took[how], rounds));
    printf("\n");
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 15;
    must(rounds > 0 && rounds <= MOST_ROUNDS, "1 to 1001 rounds");
    for (size_t size = MIB; size <= (size_t)256 * MIB; size *= 4) {
        char *from = map(size, 0), *same = map(size, 0);
        for (size_t i = 0; i < size; i++)
            from[i] = (char)(i * 31 + i / 4096);
        memset(same, 1, size);
        show("same", same, from, size, rounds);
        show("new", NULL, from, size, rounds);
        show("huge", NULL, from, size, rounds);
        munmap(from, size);
        munmap(same, size);
    }
    return 0;
}
