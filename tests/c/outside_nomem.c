/* The outside reader where each of its allocations in turn fails: it says so, leaks
 * nothing, and finds what it finds where none does. */
#include <stdlib.h>

#include "failing.h"
#include "fake_heap.h"
#include "topic.h"

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size) {
    return --failing == 0 ? NULL : __real_calloc(count, size);
}

static krs_status read_all(fake_heap *heap) {
    fake_bytes bytes = {heap->bytes, sizeof heap->bytes};
    const krs__made_memory memory = fake_memory(&bytes, heap->layout.minor);
    krs_outside *outside = NULL;
    krs_outside_error error;
    krs_outside_holder holders[4];
    size_t count = 0;
    krs_status status = krs__outside_open_memory(&memory, &outside, &error);
    if (status == KRS_OK)
        status = krs_outside_holders(outside, 0, holders, 4, &count);
    failing = 0;
    if (status == KRS_OK) {
        assert_int_equal(count, 1);
        assert_string_equal(holders[0].path, "variable \"models\"[0]");
    } else {
        assert_int_equal(status, KRS_NOMEM);
    }
    krs_outside_free(outside);
    return status;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    static fake_heap heap;
    fake_heap_make(&heap, 12);
    long nth = 0;
    krs_status status;
    do {
        failing = ++nth;
        status = read_all(&heap);
    } while (status != KRS_OK && nth < 100000);
    assert_int_equal(status, KRS_OK);
    assert_true(nth > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
