/* Which pieces come back when a pool finds nothing free: as little as will do. */
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "tensorflow/pages.h"
#include "topic.h"

enum { MIB = 1 << 20, MOST = 64 };

static int pools[3];         /* three pools, by their addresses */
static uint64_t freed[MOST]; /* where pieces were given to the pool again */
static size_t freed_count;
static uint64_t lacking; /* no memory for the piece that begins here */

static int bring(uint64_t begin, uint64_t end) {
    assert_true(end > begin);
    return begin != lacking;
}

static void give(void *pool, void *memory) {
    assert_true(pool == &pools[0] || pool == &pools[1]);
    freed[freed_count++] = (uintptr_t)memory;
}

static int start(void **state) {
    krs__armed *a = krs__armed_state();
    (void)state;
    free(a->pieces);
    a->pieces = NULL;
    a->piece_count = a->capacity = freed_count = 0;
    a->granules.bring = bring;
    a->tf.deallocate_raw = give;
    lacking = 0;
    return 0;
}

static void add(int pool, uint64_t begin, uint64_t mib) {
    const krs__piece piece = {&pools[pool], begin * MIB, (begin + mib) * MIB,
                              mib * MIB};
    assert_true(krs__pieces_add(&piece));
}

/* What comes back for a request of so many MiB. */
static void assert_brings(uint64_t mib, const uint64_t *expected, size_t count) {
    freed_count = 0;
    assert_true(krs__pieces_bring(&pools[0], mib * MIB));
    assert_int_equal(freed_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(freed[i], expected[i] * MIB);
}

#define BRINGS(mib, ...)                                                               \
    do {                                                                               \
        const uint64_t expected_[] = {__VA_ARGS__};                                    \
        assert_brings(mib, expected_, LENGTH_OF(expected_));                           \
    } while (0)

static void the_smallest_piece_that_is_large_enough_comes_back(void **state) {
    (void)state;
    add(0, 1000, 300);
    add(0, 100, 64);
    add(0, 500, 100);
    BRINGS(65, 500);
    BRINGS(64, 100);
    BRINGS(1, 1000);
}

static void neighbours_come_back_together_where_they_are_less(void **state) {
    (void)state;
    add(0, 1000, 300);
    add(0, 228, 64);
    add(0, 100, 64);
    add(0, 164, 64);
    BRINGS(150, 100, 164, 228);
    add(0, 164, 64);
    add(0, 100, 64);
    BRINGS(100, 100, 164);
    BRINGS(200, 1000);
}

static void where_none_is_large_enough_all_of_the_pool_come_back(void **state) {
    (void)state;
    add(1, 150, 60); /* a neighbour, but of another pool */
    add(0, 100, 50);
    add(0, 300, 50);
    BRINGS(60, 100, 300);
    assert_int_equal(krs__armed_state()->piece_count, 1);
    assert_int_equal(krs__pieces_taken(&pools[1]), 60 * MIB);
    assert_int_equal(krs__pieces_taken(&pools[0]), 0);
    assert_brings(1, NULL, 0);
}

static void a_piece_without_memory_stays_a_piece(void **state) {
    (void)state;
    add(0, 100, 50);
    add(0, 150, 50);
    add(0, 200, 50);
    lacking = UINT64_C(150) * MIB;
    assert_false(krs__pieces_bring(&pools[0], 1000 * (uint64_t)MIB));
    assert_int_equal(freed_count, 1);
    assert_int_equal(krs__armed_state()->piece_count, 2);
    lacking = 0;
    BRINGS(100, 150, 200);
}

static void memory_for_the_book_may_run_out(void **state) {
    (void)state;
    const krs__piece piece = {&pools[0], MIB, 2 * MIB, 0};
    failing = 1;
    assert_false(krs__pieces_add(&piece));
    failing = 0;
    add(0, 1, 1);
    failing = 1;
    assert_false(krs__pieces_bring(&pools[0], 1));
    failing = 0;
    BRINGS(1, 1);
}

static void a_pool_has_a_lock_while_something_of_it_is_away(void **state) {
    (void)state;
    krs__armed *a = krs__armed_state();
    int mutexes[2];
    a->pools[0] = (krs__armed_pool){&pools[0], &mutexes[0]};
    a->pools[1] = (krs__armed_pool){&pools[1], &mutexes[1]};
    a->pool_count = 2;
    assert_null(krs__pieces_lock_of(&pools[0]));
    add(0, 100, 50);
    assert_ptr_equal(krs__pieces_lock_of(&pools[0]), &mutexes[0]);
    assert_null(krs__pieces_lock_of(&pools[1]));
    a->taking_from = &pools[1];
    assert_ptr_equal(krs__pieces_lock_of(&pools[1]), &mutexes[1]);
    assert_null(krs__pieces_lock_of(&pools[2]));
    a->taking_from = NULL;
    a->pool_count = 0;
}

/* The fewest bytes of neighbours in a row that have `bytes`, looked for in every row.
 */
static uint64_t naive(const uint64_t (*pieces)[2], size_t count, uint64_t bytes) {
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t sum = 0;
        for (size_t j = i; j < count; j++) {
            if (j > i && pieces[j - 1][0] + pieces[j - 1][1] != pieces[j][0])
                break;
            sum += pieces[j][1];
            if (sum >= bytes && sum < best)
                best = sum;
        }
    }
    return best;
}

static void a_thousand_times_as_few_bytes_as_there_are_come_back(void **state) {
    for (unsigned seed = 0; seed < SAMPLES; seed++) {
        uint64_t pieces[12][2], at = 1, all = 0, brought = 0;
        srand(seed);
        start(state);
        const size_t count = 1 + (size_t)rand() % LENGTH_OF(pieces);
        for (size_t i = 0; i < count; i++) {
            at += rand() % 2 ? 0 : 1 + (uint64_t)rand() % 5;
            pieces[i][0] = at;
            pieces[i][1] = 1 + (uint64_t)rand() % 9;
            at += pieces[i][1];
            all += pieces[i][1];
            add(0, pieces[i][0], pieces[i][1]);
        }
        const uint64_t wanted = 1 + (uint64_t)rand() % 30;
        assert_true(krs__pieces_bring(&pools[0], wanted * MIB));
        for (size_t i = 0; i < freed_count; i++)
            for (size_t j = 0; j < count; j++)
                brought += pieces[j][0] * MIB == freed[i] ? pieces[j][1] : 0;
        const uint64_t best = naive((const uint64_t(*)[2])pieces, count, wanted);
        assert_int_equal(brought, best == UINT64_MAX ? all : best);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        TEST(the_smallest_piece_that_is_large_enough_comes_back),
        TEST(neighbours_come_back_together_where_they_are_less),
        TEST(where_none_is_large_enough_all_of_the_pool_come_back),
        TEST(a_piece_without_memory_stays_a_piece),
        TEST(memory_for_the_book_may_run_out),
        TEST(a_pool_has_a_lock_while_something_of_it_is_away),
        TEST(a_thousand_times_as_few_bytes_as_there_are_come_back),
    };
    const int failed = cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
    free(krs__armed_state()->pieces);
    return failed;
}
