/* Growth of arrays: geometric, and never to a size that wrapped round. */
#include <stdlib.h>

#include "base/array.h"
#include "topic.h"

static void capacity_doubles_until_it_suffices(void **state) {
    (void)state;
    const size_t first = krs__array_capacity(0, 1, 8);
    assert_true(first >= 1);
    assert_int_equal(krs__array_capacity(first, first, 8), first);
    assert_int_equal(krs__array_capacity(first, first + 1, 8), 2 * first);
    assert_int_equal(krs__array_capacity(first, 4 * first + 1, 8), 8 * first);
}

static void capacity_stops_at_what_size_t_can_count(void **state) {
    (void)state;
    const size_t most = SIZE_MAX / 8;
    assert_int_equal(krs__array_capacity(most / 2 + 1, most, 8), most);
    assert_int_equal(krs__array_capacity(8, most + 1, 8), 0);
    assert_int_equal(krs__array_capacity(8, SIZE_MAX, 1), SIZE_MAX);
}

static void a_size_that_would_wrap_round_is_refused(void **state) {
    (void)state;
    /* Times 8 this is 16 bytes to a size_t. */
    assert_null(krs__array_resize(NULL, SIZE_MAX / 8 + 3, 8));
    assert_null(krs__array_resize(NULL, 0, 8));
}

static void items_survive_a_move(void **state) {
    (void)state;
    uint64_t *items = krs__array_resize(NULL, 2, sizeof *items);
    assert_non_null(items);
    items[0] = 3, items[1] = 5;
    uint64_t *moved = krs__array_resize(items, 4096, sizeof *items);
    assert_non_null(moved);
    assert_int_equal(moved[0], 3);
    assert_int_equal(moved[1], 5);
    free(moved);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacity_doubles_until_it_suffices),
        cmocka_unit_test(capacity_stops_at_what_size_t_can_count),
        cmocka_unit_test(a_size_that_would_wrap_round_is_refused),
        cmocka_unit_test(items_survive_a_move),
    };
    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
