/* Small pages are joined where that costs no memory, and nothing else is touched. */
#define _GNU_SOURCE /* memfd_create, MAP_ANONYMOUS */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keraser.h"
#include "topic.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { HUGE_BYTES = 2 << 20, PAGE = 4096, PAGES = HUGE_BYTES / PAGE, REGIONS = 3 };

/* What was asked of the kernel. The real call is let through, unless it is not known.
 */
static struct {
    bool unknown;
    unsigned char *first, *end; /* of the memory under test */
    size_t calls[REGIONS];      /* for each of its huge pages */
    size_t others;
} asked;

int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice);

int __wrap_madvise(void *address, size_t length, int advice) {
    const unsigned char *at = address;
    if (advice == MADV_COLLAPSE && asked.unknown) {
        errno = EINVAL;
        return -1;
    }
    if (advice == MADV_COLLAPSE && length > 0) {
        assert_int_equal(length, HUGE_BYTES);
        assert_int_equal((uintptr_t)at % HUGE_BYTES, 0);
        if (at >= asked.first && at < asked.end)
            asked.calls[(at - asked.first) / HUGE_BYTES]++;
        else
            asked.others++;
    }
    return __real_madvise(address, length, advice);
}

static bool is_supported(void) {
    return sysconf(_SC_PAGESIZE) == PAGE && __real_madvise(NULL, 0, MADV_COLLAPSE) == 0;
}

static void need_support(const char *test) {
    if (!is_supported()) {
        print_message("%s: this kernel cannot join pages\n", test);
        skip();
    }
}

/* REGIONS huge pages' worth of memory, aligned, in small pages. */
static unsigned char *map_regions(int flags, int file) {
    const size_t length = (REGIONS + 1) * (size_t)HUGE_BYTES;
    unsigned char *made = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, file, 0);
    assert_true(made != MAP_FAILED);
    const uintptr_t mask = HUGE_BYTES - 1;
    asked.first = (unsigned char *)(((uintptr_t)made + mask) & ~mask);
    asked.end = asked.first + REGIONS * (size_t)HUGE_BYTES;
    memset(asked.calls, 0, sizeof asked.calls);
    asked.others = 0;
    return (unsigned char *)(((uintptr_t)made + mask) & ~mask);
}

static void touch(unsigned char *at, size_t pages, unsigned seed) {
    for (size_t i = 0; i < pages; i++)
        memset(at + i * PAGE, (int)((seed + i) % 251), PAGE);
}

static void assert_holds(const unsigned char *at, size_t pages, unsigned seed) {
    for (size_t i = 0; i < pages; i++)
        for (size_t j = 0; j < PAGE; j++)
            assert_int_equal(at[i * PAGE + j], (seed + i) % 251);
}

static size_t count_resident(unsigned char *at) {
    unsigned char in[PAGES];
    size_t count = 0;
    assert_int_equal(mincore(at, HUGE_BYTES, in), 0);
    for (size_t i = 0; i < PAGES; i++)
        count += in[i] & 1;
    return count;
}

static uint64_t collapse(void) {
    uint64_t joined = UINT64_MAX;
    assert_int_equal(krs_memory_collapse(&joined), KRS_OK);
    assert_int_equal(joined % HUGE_BYTES, 0);
    return joined;
}

/* Bytes in huge pages of this process, by the kernel. */
static uint64_t huge_bytes(void) {
    char line[256];
    unsigned long long kilobytes, sum = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "AnonHugePages: %llu kB", &kilobytes) == 1)
            sum = kilobytes * 1024;
    fclose(file);
    return sum;
}

static void touched_memory_is_joined_and_keeps_what_it_holds(void **state) {
    (void)state;
    need_support(__func__);
    unsigned char *at = map_regions(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(at, 2 * PAGES, 7);
    const uint64_t before = huge_bytes();
    assert_true(collapse() >= 2 * (uint64_t)HUGE_BYTES);
    assert_true(huge_bytes() >= before + 2 * (uint64_t)HUGE_BYTES);
    assert_int_equal(asked.calls[0], 1);
    assert_int_equal(asked.calls[1], 1);
    assert_int_equal(asked.calls[2], 0);
    assert_holds(at, 2 * PAGES, 7);
    assert_int_equal(count_resident(at + 2 * HUGE_BYTES), 0);
}

static void what_is_mostly_untouched_is_left_alone(void **state) {
    (void)state;
    need_support(__func__);
    unsigned char *at = map_regions(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(at, PAGES / 2, 1);
    touch(at + HUGE_BYTES, PAGES / 2 + 1, 2);
    collapse();
    assert_int_equal(asked.calls[0], 0);
    assert_int_equal(asked.calls[1], 1);
    assert_int_equal(asked.calls[2], 0);
    assert_int_equal(count_resident(at), PAGES / 2);
    assert_holds(at, PAGES / 2, 1);
    assert_holds(at + HUGE_BYTES, PAGES / 2 + 1, 2);
    for (size_t i = (PAGES / 2 + 1) * PAGE; i < HUGE_BYTES; i++)
        assert_int_equal(at[HUGE_BYTES + i], 0);
}

static void shared_memory_files_and_what_cannot_be_written_are_left_alone(void **s) {
    (void)s;
    need_support(__func__);
    const size_t length = (REGIONS + 1) * (size_t)HUGE_BYTES;
    const int file = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(ftruncate(file, (off_t)length), 0);
    const struct {
        int flags, file;
    } mappings[] = {{MAP_SHARED | MAP_ANONYMOUS, -1},
                    {MAP_SHARED, file},
                    {MAP_PRIVATE, file},
                    {MAP_PRIVATE | MAP_ANONYMOUS, -1}};
    for (size_t i = 0; i < LENGTH_OF(mappings); i++) {
        unsigned char *at = map_regions(mappings[i].flags, mappings[i].file);
        touch(at, REGIONS * PAGES, (unsigned)i);
        if (i == LENGTH_OF(mappings) - 1)
            assert_int_equal(mprotect(at, REGIONS * (size_t)HUGE_BYTES, PROT_READ), 0);
        collapse();
        for (size_t region = 0; region < REGIONS; region++)
            assert_int_equal(asked.calls[region], 0);
        assert_holds(at, REGIONS * PAGES, (unsigned)i);
    }
    close(file);
}

static void address_space_set_aside_is_not_gone_through(void **state) {
    (void)state;
    need_support(__func__);
    const size_t length = (size_t)1 << 40;
    unsigned char *aside = mmap(NULL, length, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (aside == MAP_FAILED)
        skip();
    asked.first = (unsigned char *)(((uintptr_t)aside + HUGE_BYTES - 1) &
                                    ~(uintptr_t)(HUGE_BYTES - 1));
    asked.end = asked.first + REGIONS * (size_t)HUGE_BYTES;
    memset(asked.calls, 0, sizeof asked.calls);
    touch(asked.first, PAGES, 3);
    collapse();
    assert_int_equal(asked.calls[0], 0);
    munmap(aside, length);
}

static void a_kernel_that_cannot_is_said_to_and_asked_no_more(void **state) {
    (void)state;
    uint64_t joined = 42;
    map_regions(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    asked.unknown = true;
    assert_int_equal(krs_memory_collapse(&joined), KRS_UNSUPPORTED);
    asked.unknown = false;
    assert_int_equal(joined, 42);
    assert_int_equal(asked.others, 0);
    assert_int_equal(krs_memory_collapse(NULL), KRS_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(touched_memory_is_joined_and_keeps_what_it_holds),
        cmocka_unit_test(what_is_mostly_untouched_is_left_alone),
        cmocka_unit_test(shared_memory_files_and_what_cannot_be_written_are_left_alone),
        cmocka_unit_test(address_space_set_aside_is_not_gone_through),
        cmocka_unit_test(a_kernel_that_cannot_is_said_to_and_asked_no_more),
    };
    return cmocka_run_group_tests_name("collapse", tests, NULL, NULL);
}
