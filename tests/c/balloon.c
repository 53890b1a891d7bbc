/* Trimming TensorFlow's pool: what is free goes back, what is in use stays, the pool
 * does not grow for it, and what is not known is not touched. */
#define _GNU_SOURCE /* madvise */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_tensorflow.h"
#include "keraser.h"
#include "topic.h"

/* ---- the kernel, which may fail ---- */

static int failing_advice, failing_look, all_is_resident;

int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice);
int __real_mincore(void *address, size_t length, unsigned char *pages);
int __wrap_mincore(void *address, size_t length, unsigned char *pages);

int __wrap_madvise(void *address, size_t length, int advice) {
    errno = EPERM;
    return failing_advice ? -1 : __real_madvise(address, length, advice);
}

int __wrap_mincore(void *address, size_t length, unsigned char *pages) {
    errno = EAGAIN;
    const int result = failing_look ? -1 : __real_mincore(address, length, pages);
    if (all_is_resident)
        memset(pages, 1, (length + FAKE_PAGE - 1) / FAKE_PAGE);
    return result;
}

static int start(void **state) {
    (void)state;
    fake_start();
    return 0;
}

static int stop(void **state) {
    (void)state;
    fake_stop();
    return 0;
}

static krs_trim trimmed(void) {
    krs_trim trim;
    assert_int_equal(krs_tensorflow_trim(&trim), KRS_OK);
    assert_int_equal(fake_dumps(), 0);
    return trim;
}

static void assert_all_is(const void *tensor, uint8_t byte, size_t bytes) {
    const uint8_t *data = fake_data(tensor);
    assert_int_equal(data[0], byte);
    assert_memory_equal(data, data + 1, bytes - 1);
}

/* ---- what is given back ---- */

/* A page that two parts of a chunk share is whole in neither. */
enum { SIZES = 5, BETWEEN_PARTS = 2 * FAKE_PAGE };
static const size_t sizes[SIZES] = {300 * FAKE_KIB, FAKE_MIB, 2 * FAKE_MIB,
                                    3 * FAKE_MIB + 256, 9 * FAKE_MIB};

static void free_chunks_of_any_size_are_given_back_and_tensors_stay(void **state) {
    (void)state;
    void *kept[SIZES], *dying[SIZES][2];
    size_t live = 0;
    for (size_t i = 0; i < SIZES; i++) {
        dying[i][0] = fake_tensor(sizes[i]);
        kept[i] = fake_tensor(sizes[i]);
        dying[i][1] = fake_tensor(sizes[i]);
        live += sizes[i];
    }
    for (size_t i = 0; i < 2 * SIZES; i++)
        fake_delete(dying[i / 2][i % 2]);
    const size_t idle = fake_idle(), size = fake_pool_bytes();
    assert_true(idle > 20 * FAKE_MIB);
    const krs_trim trim = trimmed();
    assert_int_equal(trim.refusal, KRS_REFUSAL_NONE);
    assert_true(fake_idle() <= BETWEEN_PARTS);
    assert_int_equal(trim.returned, idle - fake_idle());
    assert_in_range(trim.before - idle, live, live + SIZES * 256);
    assert_int_equal(trim.after, trim.before - trim.returned);
    assert_int_equal(trim.size, size);
    assert_int_equal(fake_pool_bytes(), size);
    assert_false(trim.grew);
    for (size_t i = 0; i < SIZES; i++) {
        assert_all_is(kept[i], 0x5A, sizes[i]);
        fake_delete(kept[i]);
    }
}

static void a_single_chunk_is_given_back_whole(void **state) {
    (void)state;
    for (size_t bytes = 256 * FAKE_KIB; bytes < 6 * FAKE_MIB; bytes += 111 * 256) {
        fake_start();
        fake_delete(fake_tensor(bytes));
        const size_t idle = fake_idle(), size = fake_pool_bytes();
        const uint64_t returned = trimmed().returned;
        assert_int_equal(returned, idle - fake_idle());
        assert_true(fake_idle() <= BETWEEN_PARTS);
        assert_int_equal(fake_pool_bytes(), size);
        fake_stop();
        fake_start();
    }
}

/* Beside the largest are some that are nearly half of it, a quarter, and equal to it.
 */
static void no_neighbour_keeps_the_largest_from_being_given_back(void **state) {
    (void)state;
    const size_t quarters[] = {1, 2, 3, 4, 5, 7, 8, 9, 16};
    for (size_t i = 0; i < LENGTH_OF(quarters); i++) {
        fake_start();
        void *small = fake_tensor(quarters[i] * FAKE_MIB / 2);
        void *wall = fake_tensor(FAKE_MIB / 2);
        void *large = fake_tensor(8 * FAKE_MIB);
        fake_delete(small);
        fake_delete(large);
        const size_t size = fake_pool_bytes();
        assert_true(fake_idle() > 8 * FAKE_MIB);
        assert_int_equal(trimmed().refusal, KRS_REFUSAL_NONE);
        assert_true(fake_idle() <= BETWEEN_PARTS);
        assert_int_equal(fake_pool_bytes(), size);
        fake_delete(wall);
        fake_stop();
        fake_start();
    }
}

static void where_nothing_is_to_be_given_nothing_is_allocated(void **state) {
    (void)state;
    assert_int_equal(trimmed().returned, 0);
    void *tensor = fake_tensor(FAKE_MIB);
    fake_delete(fake_tensor(4 * FAKE_MIB));
    assert_true(trimmed().returned > 0);
    const unsigned allocations = fake_allocations();
    const krs_trim again = trimmed();
    assert_int_equal(again.returned, 0);
    assert_int_equal(again.before, again.after);
    assert_int_equal(fake_allocations(), allocations);
    fake_delete(tensor);
}

/* ---- other threads ---- */

/* Takes a quarter of what was the largest chunk, writes to it, and frees it later. */
static struct {
    void *held[4];
    size_t bytes;
    unsigned turn;
} other;

static void allocate_a_quarter(void) {
    const unsigned at = other.turn++ % LENGTH_OF(other.held);
    if (other.held[at] != NULL) {
        assert_all_is(other.held[at], 0x5A, other.bytes);
        fake_delete(other.held[at]);
        other.held[at] = NULL;
    } else if (at == 0) {
        other.held[at] = fake_tensor(other.bytes);
    }
}

static void a_quarter_of_the_largest_is_free_for_others_at_every_moment(void **state) {
    (void)state;
    for (unsigned first = 0; first < LENGTH_OF(other.held); first++) {
        fake_start();
        other.turn = first;
        fake_delete(fake_tensor(16 * FAKE_MIB));
        other.bytes = fake_largest_free() / 4 / 256 * 256 - 256;
        const size_t size = fake_pool_bytes();
        fake.meanwhile = allocate_a_quarter;
        assert_int_equal(trimmed().refusal, KRS_REFUSAL_NONE);
        fake.meanwhile = NULL;
        assert_int_equal(fake_pool_bytes(), size);
        if (other.held[0] != NULL)
            fake_delete(other.held[0]);
        other.held[0] = NULL;
        assert_true(trimmed().returned < 16 * FAKE_MIB);
        assert_true(fake_idle() <= BETWEEN_PARTS);
        fake_stop();
        fake_start();
    }
}

static void *taken[64];
static unsigned taken_count, taken_from;

/* All that is free, from the given call on: whatever we ask for comes too late. */
static void take_all_there_is(void) {
    if (taken_from > 0 && --taken_from > 0)
        return;
    while (fake_largest_free() >= 256 * FAKE_KIB && taken_count < LENGTH_OF(taken))
        taken[taken_count++] = fake_tensor(fake_largest_free());
}

static void a_pool_that_others_empty_at_any_moment_grows_once_at_most(void **state) {
    (void)state;
    for (unsigned call = 1; call < 30; call++) {
        fake_start();
        void *wall = fake_tensor(FAKE_MIB);
        for (size_t i = 0; i < SIZES; i++)
            fake_delete(fake_tensor(sizes[i]));
        const unsigned regions = fake_regions();
        taken_count = 0;
        taken_from = call;
        fake.meanwhile = take_all_there_is;
        const krs_trim trim = trimmed();
        fake.meanwhile = NULL;
        assert_true(fake_regions() <= regions + 1);
        assert_int_equal(trim.grew, fake_regions() > regions);
        for (unsigned i = 0; i < taken_count; i++)
            fake_delete(taken[i]);
        fake_delete(wall);
        fake_stop();
        fake_start();
    }
}

/* The same but for the moments between our look at the map and our request. */
static void take_all_but_overtake_nobody(void) {
    if (!fake_is_allocating())
        take_all_there_is();
}

static void a_pool_that_others_empty_between_our_calls_does_not_grow(void **state) {
    (void)state;
    for (unsigned call = 1; call < 30; call++) {
        fake_start();
        void *wall = fake_tensor(FAKE_MIB);
        for (size_t i = 0; i < SIZES; i++)
            fake_delete(fake_tensor(sizes[i]));
        const size_t size = fake_pool_bytes();
        taken_count = 0;
        taken_from = call;
        fake.meanwhile = take_all_but_overtake_nobody;
        assert_int_equal(trimmed().grew, 0);
        fake.meanwhile = NULL;
        assert_int_equal(fake_pool_bytes(), size);
        for (unsigned i = 0; i < taken_count; i++)
            fake_delete(taken[i]);
        fake_delete(wall);
        fake_stop();
        fake_start();
    }
}

static void add_a_region(void) {
    if (fake_regions() == 1 && --taken_from == 0)
        taken[0] = fake_tensor(64 * FAKE_MIB);
}

static void a_pool_that_others_make_grow_is_left_alone(void **state) {
    (void)state;
    unsigned grew = 0;
    for (unsigned call = 1; call < 12; call++) {
        fake_start();
        taken[0] = NULL;
        taken_from = call;
        fake_delete(fake_tensor(2 * FAKE_MIB));
        fake.meanwhile = add_a_region;
        const krs_trim trim = trimmed();
        fake.meanwhile = NULL;
        assert_int_equal(trim.refusal, KRS_REFUSAL_NONE);
        grew += trim.grew;
        if (taken[0] != NULL) {
            assert_all_is(taken[0], 0x5A, 64 * FAKE_MIB);
            fake_delete(taken[0]);
        }
        fake_stop();
        fake_start();
    }
    assert_true(grew > 5);
}

/* ---- refusals ---- */

/* A pool with something to give, and a trim that must leave all of it. */
static void assert_refused(fake_faults faults, krs_refusal refusal, unsigned asked) {
    fake_start();
    void *kept = fake_tensor(FAKE_MIB);
    fake_delete(fake_tensor(4 * FAKE_MIB));
    const size_t idle = fake_idle(), size = fake_pool_bytes();
    fake = faults;
    krs_trim trim;
    assert_int_equal(krs_tensorflow_trim(&trim), KRS_OK);
    fake = (fake_faults){0};
    assert_int_equal(trim.refusal, refusal);
    assert_int_equal(trim.symbol != NULL, faults.lacks != NULL);
    if (trim.symbol != NULL)
        assert_string_equal(trim.symbol, faults.lacks);
    assert_int_equal(trim.returned, 0);
    assert_int_equal(fake_idle(), idle);
    assert_int_equal(fake_pool_bytes(), size);
    assert_int_equal(fake_allocations(), asked);
    assert_all_is(kept, 0x5A, FAKE_MIB);
    fake_delete(kept);
    fake_stop();
    fake_start();
}

static void what_is_not_known_is_refused_and_not_touched(void **state) {
    (void)state;
    static const uint8_t garbage[] = {0x1A, 0xFF, 0xFF, 7, 0xA5};
    static const uint8_t overlapping[] = {0x1A, 4, 8, 16, 16, 16,
                                          0x1A, 4, 8, 20, 16, 4};
    assert_refused((fake_faults){.absent = true}, KRS_REFUSAL_ABSENT, 0);
    assert_refused((fake_faults){.other_allocator = true}, KRS_REFUSAL_ALLOCATOR, 0);
    assert_refused((fake_faults){.null_allocator = true}, KRS_REFUSAL_ALLOCATOR, 0);
    assert_refused((fake_faults){.wild_words = true}, KRS_REFUSAL_POOL, 0);
    assert_refused((fake_faults){.other_dump = true}, KRS_REFUSAL_MAP, 0);
    assert_refused((fake_faults){.refuses_to_write = true}, KRS_REFUSAL_MAP, 0);
    assert_refused((fake_faults){.text = garbage, .text_length = sizeof garbage},
                   KRS_REFUSAL_MAP, 0);
    assert_refused(
        (fake_faults){.text = overlapping, .text_length = sizeof overlapping},
        KRS_REFUSAL_MAP, 0);
    assert_refused((fake_faults){.outside = true}, KRS_REFUSAL_TEST, 1);
    assert_refused((fake_faults){.lies = true}, KRS_REFUSAL_TEST, 1);
    assert_refused((fake_faults){.fails = 1}, KRS_REFUSAL_FAILED, 1);
}

static void each_symbol_that_is_missing_is_named(void **state) {
    (void)state;
    krs_capability lines[KRS_CAPABILITIES];
    size_t count, named = 0;
    assert_int_equal(krs_tensorflow_probe(lines, KRS_CAPABILITIES, &count), KRS_OK);
    for (size_t i = 0; i < count; i++) {
        if (strchr(lines[i].what, ' ') != NULL) /* a check */
            continue;
        assert_refused((fake_faults){.lacks = lines[i].what}, KRS_REFUSAL_SYMBOL, 0);
        named++;
    }
    assert_int_equal(named, 11);
}

static void a_tensor_that_cannot_be_had_later_only_ends_the_trim(void **state) {
    (void)state;
    for (long nth = 2; nth < 8; nth++) {
        fake_start();
        fake_delete(fake_tensor(4 * FAKE_MIB));
        const size_t size = fake_pool_bytes();
        fake.fails = nth;
        const krs_trim trim = trimmed();
        assert_int_equal(trim.refusal, KRS_REFUSAL_NONE);
        assert_int_equal(trim.before - trim.after, trim.returned);
        assert_int_equal(fake_pool_bytes(), size);
        fake_stop();
        fake_start();
    }
}

static void a_system_that_says_no_is_an_error_and_leaves_no_tensor(void **state) {
    (void)state;
    int *const failing[] = {&failing_look, &failing_advice};
    const int expected[] = {EAGAIN, EPERM};
    for (size_t i = 0; i < LENGTH_OF(failing); i++) {
        krs_trim trim = {.returned = 42};
        fake_delete(fake_tensor(4 * FAKE_MIB));
        *failing[i] = 1;
        assert_int_equal(krs_tensorflow_trim(&trim), KRS_SYSTEM);
        *failing[i] = 0;
        assert_int_equal(errno, expected[i]);
        assert_int_equal(trim.returned, 42);
        assert_int_equal(fake_tensors(), 0);
        assert_int_equal(fake_dumps(), 0);
    }
}

static void a_sandbox_that_calls_all_resident_is_not_believed(void **state) {
    (void)state;
    fake_delete(fake_tensor(4 * FAKE_MIB));
    all_is_resident = 1;
    const krs_trim trim = trimmed();
    all_is_resident = 0;
    assert_int_equal(trim.refusal, KRS_REFUSAL_NONE);
    assert_int_equal(trim.returned, 0);
    assert_true(fake_idle() <= BETWEEN_PARTS); /* it was given back all the same */
}

/* ---- the table ---- */

static krs_refusal probed(fake_faults faults, size_t *count) {
    krs_capability lines[KRS_CAPABILITIES];
    fake_faults none = {0};
    fake = faults;
    assert_int_equal(krs_tensorflow_probe(lines, KRS_CAPABILITIES, count), KRS_OK);
    fake = none;
    assert_int_equal(fake_tensors(), 0);
    return *count == 0 ? KRS_REFUSAL_ABSENT : lines[*count - 1].refusal;
}

static void the_table_ends_with_the_check_that_fails(void **state) {
    (void)state;
    size_t count;
    assert_int_equal(probed((fake_faults){0}, &count), KRS_REFUSAL_UNTRIED);
    assert_int_equal(count, 15);
    fake_delete(fake_tensor(FAKE_MIB));
    assert_int_equal(probed((fake_faults){0}, &count), KRS_REFUSAL_NONE);
    assert_int_equal(count, 15);
    assert_int_equal(probed((fake_faults){.absent = true}, &count), KRS_REFUSAL_ABSENT);
    assert_int_equal(count, 0);
    assert_int_equal(probed((fake_faults){.lacks = "TF_TensorData"}, &count),
                     KRS_REFUSAL_SYMBOL);
    assert_int_equal(count, 12);
    assert_int_equal(probed((fake_faults){.other_allocator = true}, &count),
                     KRS_REFUSAL_ALLOCATOR);
    assert_int_equal(count, 13);
    assert_int_equal(probed((fake_faults){.lies = true}, &count), KRS_REFUSAL_TEST);
    assert_int_equal(count, 15);
}

static void the_hash_of_a_type_is_tensorflows(void **state) {
    (void)state;
    uint64_t hash = 42;
    assert_int_equal(krs_tensorflow_hash("abc", &hash), KRS_OK);
    assert_int_equal(hash, 3000 + 'a');
    fake.lacks = "_ZN3tsl6Hash64EPKcmm";
    assert_int_equal(krs_tensorflow_hash("b", &hash), KRS_UNSUPPORTED);
    assert_int_equal(hash, 3000 + 'a');
}

static void nowhere_to_write_is_refused(void **state) {
    (void)state;
    uint64_t hash;
    size_t count;
    assert_int_equal(krs_tensorflow_trim(NULL), KRS_INVALID);
    assert_int_equal(krs_tensorflow_probe(NULL, 1, &count), KRS_INVALID);
    assert_int_equal(krs_tensorflow_probe(NULL, 0, NULL), KRS_INVALID);
    assert_int_equal(krs_tensorflow_hash(NULL, &hash), KRS_INVALID);
    assert_int_equal(krs_tensorflow_hash("a", NULL), KRS_INVALID);
}

static void each_refusal_has_a_text_of_its_own(void **state) {
    (void)state;
    for (int i = KRS_REFUSAL_NONE; i <= KRS_REFUSAL_FAILED; i++) {
        for (int j = KRS_REFUSAL_NONE; j <= KRS_REFUSAL_FAILED; j++)
            assert_int_equal(strcmp(krs_refusal_text((krs_refusal)i),
                                    krs_refusal_text((krs_refusal)j)) == 0,
                             i == j);
    }
    assert_string_equal(krs_refusal_text((krs_refusal)99), "unknown refusal");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(free_chunks_of_any_size_are_given_back_and_tensors_stay),
        TEST(a_single_chunk_is_given_back_whole),
        TEST(no_neighbour_keeps_the_largest_from_being_given_back),
        TEST(where_nothing_is_to_be_given_nothing_is_allocated),
        TEST(a_quarter_of_the_largest_is_free_for_others_at_every_moment),
        TEST(a_pool_that_others_empty_at_any_moment_grows_once_at_most),
        TEST(a_pool_that_others_empty_between_our_calls_does_not_grow),
        TEST(a_pool_that_others_make_grow_is_left_alone),
        TEST(what_is_not_known_is_refused_and_not_touched),
        TEST(each_symbol_that_is_missing_is_named),
        TEST(a_tensor_that_cannot_be_had_later_only_ends_the_trim),
        TEST(a_system_that_says_no_is_an_error_and_leaves_no_tensor),
        TEST(a_sandbox_that_calls_all_resident_is_not_believed),
        TEST(the_table_ends_with_the_check_that_fails),
        TEST(the_hash_of_a_type_is_tensorflows),
        TEST(nowhere_to_write_is_refused),
        TEST(each_refusal_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests_name("balloon", tests, NULL, NULL);
}
