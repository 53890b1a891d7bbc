/* Figures of the C heap: found at run time, and moved by malloc. */
#include <stdbool.h>
#include <stdlib.h>

#include "keraser.h"
#include "topic.h"

/* A libc of choice: NULL leaves dlsym() as it is. */
static void *stand_in;
static int libc_lacks_it;

void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);

void *__wrap_dlsym(void *handle, const char *name) {
    if (libc_lacks_it)
        return NULL;
    return stand_in != NULL ? stand_in : __real_dlsym(handle, name);
}

typedef struct {
    size_t figure[10]; /* as in struct mallinfo2, each its own power of two */
} figures;

static figures told(void) {
    figures all;
    for (size_t i = 0; i < LENGTH_OF(all.figure); i++)
        all.figure[i] = (size_t)1 << i;
    return all;
}

static void in_use_counts_mapped_blocks_too(void **state) {
    (void)state;
    enum { HBLKHD = 1 << 4, UORDBLKS = 1 << 7, FORDBLKS = 1 << 8 };
    krs_heap heap;
    *(figures(**)(void)) & stand_in = told;
    assert_int_equal(krs_heap_read(&heap), KRS_OK);
    stand_in = NULL;
    assert_int_equal(heap.in_use, UORDBLKS + HBLKHD);
    assert_int_equal(heap.free, FORDBLKS);
}

static void a_libc_without_mallinfo2_is_unsupported(void **state) {
    (void)state;
    krs_heap heap = {1, 2};
    libc_lacks_it = 1;
    assert_int_equal(krs_heap_read(&heap), KRS_UNSUPPORTED);
    libc_lacks_it = 0;
    assert_int_equal(heap.in_use, 1);
    assert_int_equal(heap.free, 2);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/* Where a sanitizer, valgrind or a preloaded allocator takes the place of glibc's
 * malloc, its figures stand still. */
static bool malloc_is_glibcs(void) {
    krs_heap heap;
    return !SANITIZED && getenv("LD_PRELOAD") == NULL && krs_heap_read(&heap) == KRS_OK;
}

static void a_block_shows_up_and_goes_away_again(void **state) {
    (void)state;
    const size_t sizes[] = {10000, (size_t)64 << 20}; /* in the heap, and mapped */
    krs_heap before, during, after;
    if (!malloc_is_glibcs())
        skip();
    for (size_t i = 0; i < LENGTH_OF(sizes); i++) {
        assert_int_equal(krs_heap_read(&before), KRS_OK);
        char *volatile block = malloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal(krs_heap_read(&during), KRS_OK);
        free(block);
        assert_int_equal(krs_heap_read(&after), KRS_OK);
        assert_in_range(during.in_use - before.in_use, sizes[i], sizes[i] + 8192);
        assert_int_equal(after.in_use, before.in_use);
    }
}

static void nowhere_to_write_is_refused(void **state) {
    (void)state;
    assert_int_equal(krs_heap_read(NULL), KRS_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_use_counts_mapped_blocks_too),
        cmocka_unit_test(a_libc_without_mallinfo2_is_unsupported),
        cmocka_unit_test(a_block_shows_up_and_goes_away_again),
        cmocka_unit_test(nowhere_to_write_is_refused),
    };
    return cmocka_run_group_tests_name("glibc", tests, NULL, NULL);
}
