/* The outside reader on made memory: what is there is found, in the layout of each
 * version; what is torn or garbage is passed over or refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_heap.h"
#include "keraser.h"
#include "outside/process.h"
#include "topic.h"

static fake_heap heap;

static krs_status open_heap(krs_outside **outside, krs_outside_error *error) {
    fake_bytes bytes = {heap.bytes, sizeof heap.bytes};
    const krs__made_memory memory = fake_memory(&bytes, heap.layout.minor);
    return krs__outside_open_memory(&memory, outside, error);
}

static krs_outside_refusal refusal_of_heap(void) {
    krs_outside *outside = NULL;
    krs_outside_error error;
    const krs_status status = open_heap(&outside, &error);
    krs_outside_free(outside);
    if (status != KRS_OK)
        assert_int_equal(status, KRS_UNSUPPORTED);
    assert_true((error.refusal == KRS_OUTSIDE_READ) == (status == KRS_OK));
    return error.refusal;
}

static void for_each_version(void (*check)(void)) {
    for (unsigned minor = 10; minor <= 13; minor++) {
        fake_heap_make(&heap, minor);
        check();
    }
}

/* ---- what is there ------------------------------------------------------------------
 */

static void check_model(void) {
    krs_outside *outside;
    krs_outside_error error;
    krs_outside_figures figures;
    krs_outside_holder holders[4];
    size_t count;
    assert_int_equal(open_heap(&outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    assert_int_equal(figures.python >> 16, 0x0300 | heap.layout.minor);
    assert_int_equal(figures.torn, 0);
    const krs_outside_model *models = krs_outside_models(outside, &count);
    assert_int_equal(count, 1);
    assert_string_equal(models[0].name, "seq");
    assert_string_equal(models[0].type, "keras.src.models.model.Model");
    assert_int_equal(models[0].address, heap.model);
    assert_int_equal(models[0].weights, 1);
    assert_int_equal(models[0].weight_bytes, 300 * 70 * 4);
    assert_int_equal(models[0].unsized, 0);
    assert_int_equal(models[0].part_of, UINT32_MAX);
    assert_int_equal(krs_outside_holders(outside, 0, holders, 4, &count), KRS_OK);
    assert_int_equal(count, 1);
    assert_string_equal(holders[0].path, "variable \"models\"[0]");
    assert_string_equal(holders[0].fix, "del models[0]");
    assert_int_equal(krs_outside_holders(outside, 1, holders, 4, &count), KRS_INVALID);
    krs_outside_free(outside);
}

static void a_model_and_its_holder_are_found_in_each_layout(void **state) {
    (void)state;
    for_each_version(check_model);
}

/* ---- refusals
 * -------------------------------------------------------------------------- */

static void check_no_collector(void) {
    fake_heap_set(&heap, heap.interpreter + 512 + 72, 0);
    assert_int_equal(refusal_of_heap(), KRS_OUTSIDE_LAYOUT);
}

static void check_no_sys(void) {
    fake_heap_set(&heap, heap.sys_dict + KRS__DICT_KEYS, 8);
    assert_int_equal(refusal_of_heap(), KRS_OUTSIDE_NO_INTERPRETER);
}

static void check_version(void) {
    fake_heap_set(&heap, heap.version + heap.layout.int_digits, 0x3090000);
    assert_int_equal(refusal_of_heap(), KRS_OUTSIDE_VERSION);
}

/* All lists whole, and empty: the collector has their objects. */
static void check_empty_lists(void) {
    krs_outside *outside;
    krs_outside_error error;
    krs_outside_figures figures;
    size_t count;
    fake_heap_set(&heap, heap.list_head, heap.list_head);
    fake_heap_set(&heap, heap.list_head + 8, heap.list_head);
    assert_int_equal(open_heap(&outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    assert_int_equal(figures.objects, 0);
    assert_true(figures.torn > 0);
    krs_outside_models(outside, &count);
    assert_int_equal(count, 1); /* reached from its module */
    krs_outside_free(outside);
}

static void lists_that_the_collector_has_taken_are_told(void **state) {
    (void)state;
    for_each_version(check_empty_lists);
}

static void check_no_interpreter(void) {
    fake_heap_set(&heap, FAKE_BASE + heap.layout.runtime_interpreters + 8, 0);
    assert_int_equal(refusal_of_heap(), KRS_OUTSIDE_NO_INTERPRETER);
}

static void what_is_not_as_known_is_refused_by_name(void **state) {
    (void)state;
    for_each_version(check_no_collector);
    for_each_version(check_no_sys);
    for_each_version(check_version);
    for_each_version(check_no_interpreter);
}

static void a_free_threaded_python_is_refused(void **state) {
    (void)state;
    fake_heap_make(&heap, 13);
    fake_heap_set(&heap, FAKE_BASE + 16, 1);
    assert_int_equal(refusal_of_heap(), KRS_OUTSIDE_FREE_THREADED);
}

/* ---- torn and garbage
 * --------------------------------------------------------------------- */

static void check_tear(void) {
    krs_outside *outside;
    krs_outside_error error;
    krs_outside_figures figures;
    size_t count;
    const uint64_t head = heap.model - 16, next = fake_heap_word(&heap, head);
    assert_int_equal(open_heap(&outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    const uint64_t objects = figures.objects;
    krs_outside_free(outside);
    fake_heap_set(&heap, next + 8, heap.list_head); /* no longer leads back */
    assert_int_equal(open_heap(&outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    assert_int_equal(figures.torn, 1);
    assert_int_equal(figures.objects, objects);
    krs_outside_models(outside, &count);
    assert_int_equal(count, 1);
    krs_outside_free(outside);
}

static void a_torn_list_is_read_from_both_ends_and_told(void **state) {
    (void)state;
    for_each_version(check_tear);
}

/* A holder that was freed after its own holder was read: its count is 0, or what stands
 * there is the next free block. */
static void check_freed(uint64_t count_of_references) {
    krs_outside *outside;
    krs_outside_error error;
    krs_outside_figures figures;
    krs_outside_holder holders[4];
    size_t count;
    fake_heap_set(&heap, heap.models_list, count_of_references);
    assert_int_equal(open_heap(&outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    assert_true(figures.torn > 0);
    krs_outside_models(outside, &count);
    assert_int_equal(count, 1);
    assert_int_equal(krs_outside_holders(outside, 0, holders, 4, &count), KRS_OK);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(holders[i].kind, "c");
    krs_outside_free(outside);
}

static void check_both_freed(void) {
    check_freed(0);
    check_freed(UINT64_C(0x7f0012345670));
}

static void what_was_freed_holds_nothing_and_is_told(void **state) {
    (void)state;
    for_each_version(check_both_freed);
}

/* Each word in turn becomes what must be survived. */
static void check_garbage(void) {
    static fake_heap whole;
    whole = heap;
    const uint64_t words[] = {0,         8,          UINT64_MAX,      (uint64_t)1 << 62,
                              FAKE_BASE, heap.model, heap.interpreter};
    for (uint64_t at = FAKE_BASE; at < FAKE_BASE + whole.used; at += 8) {
        heap = whole;
        fake_heap_set(&heap, at, words[at / 8 % LENGTH_OF(words)]);
        refusal_of_heap();
    }
}

static void any_word_may_be_garbage(void **state) {
    (void)state;
    for_each_version(check_garbage);
}

/* ---- memory
 * ------------------------------------------------------------------------------------
 */

static ptrdiff_t read_little(void *context, uint64_t address, void *to, size_t size) {
    const uint64_t end = *(const uint64_t *)context;
    const size_t left = address < end ? (size_t)(end - address) : 0;
    memset(to, 7, size < left ? size : left);
    return (ptrdiff_t)(size < left ? size : left);
}

static void what_cannot_be_read_is_told_and_nothing_else(void **state) {
    (void)state;
    uint64_t end = FAKE_BASE + KRS__PAGE_BYTES * 2 + 8, word;
    krs__memory memory;
    krs__memory_init(&memory, read_little, &end, SIZE_MAX);
    assert_int_equal(
        krs__memory_add(&memory, FAKE_BASE, FAKE_BASE + KRS__PAGE_BYTES * 8), KRS_OK);
    assert_true(krs__memory_word(&memory, FAKE_BASE, &word));
    assert_int_equal(word, 0x0707070707070707);
    assert_true(krs__memory_word(&memory, FAKE_BASE + KRS__PAGE_BYTES * 2 - 8, &word));
    /* Half a page is none; neither is what no range has. */
    assert_false(krs__memory_word(&memory, FAKE_BASE + KRS__PAGE_BYTES * 2, &word));
    assert_false(krs__memory_word(&memory, FAKE_BASE + KRS__PAGE_BYTES * 2 - 4, &word));
    assert_false(krs__memory_word(&memory, FAKE_BASE - 8, &word));
    assert_false(krs__memory_word(&memory, UINT64_MAX - 3, &word));
    assert_int_equal(krs__memory_status(&memory), KRS_OK);
    assert_int_equal(memory.copied, KRS__PAGE_BYTES * 2 + 8);
    krs__memory_free(&memory);
}

/* The second of four pages cannot be read. */
static ptrdiff_t read_around_hole(void *context, uint64_t address, void *to,
                                  size_t size) {
    const uint64_t hole = FAKE_BASE + KRS__PAGE_BYTES;
    (void)context;
    if (address >= hole && address < hole + KRS__PAGE_BYTES) {
        errno = EFAULT;
        return -1;
    }
    if (address < hole && size > hole - address)
        size = hole - address;
    memset(to, 7, size);
    return (ptrdiff_t)size;
}

static void pages_behind_a_hole_are_read(void **state) {
    (void)state;
    uint64_t word;
    krs__memory memory;
    krs__memory_init(&memory, read_around_hole, NULL, SIZE_MAX);
    assert_int_equal(
        krs__memory_add(&memory, FAKE_BASE, FAKE_BASE + KRS__PAGE_BYTES * 4), KRS_OK);
    assert_true(krs__memory_word(&memory, FAKE_BASE, &word));
    assert_false(krs__memory_word(&memory, FAKE_BASE + KRS__PAGE_BYTES, &word));
    assert_true(krs__memory_word(&memory, FAKE_BASE + KRS__PAGE_BYTES * 2, &word));
    assert_true(krs__memory_word(&memory, FAKE_BASE + KRS__PAGE_BYTES * 4 - 8, &word));
    assert_int_equal(memory.copied, KRS__PAGE_BYTES * 3);
    krs__memory_free(&memory);
}

static ptrdiff_t read_nobody(void *context, uint64_t address, void *to, size_t size) {
    (void)address, (void)to, (void)size;
    ++*(int *)context;
    errno = ESRCH;
    return -1;
}

static void a_process_that_is_gone_is_asked_once(void **state) {
    (void)state;
    int asked = 0;
    uint64_t word;
    krs__memory memory;
    krs__memory_init(&memory, read_nobody, &asked, SIZE_MAX);
    assert_int_equal(krs__memory_add(&memory, 0, KRS__PIECE_BYTES * 4), KRS_OK);
    for (uint64_t i = 0; i < 4; i++)
        assert_false(krs__memory_word(&memory, i * KRS__PIECE_BYTES, &word));
    assert_int_equal(asked, 1);
    assert_int_equal(memory.failure, ESRCH);
    assert_int_equal(krs__memory_status(&memory), KRS_SYSTEM);
    krs__memory_free(&memory);
}

static void ranges_are_whole_pages_in_rising_order(void **state) {
    (void)state;
    krs__memory memory;
    krs__memory_init(&memory, NULL, NULL, 0);
    assert_int_equal(krs__memory_add(&memory, 0x3000, 0x5000), KRS_OK);
    assert_int_equal(krs__memory_add(&memory, 0x2000, 0x6000), KRS_INVALID);
    assert_int_equal(krs__memory_add(&memory, 0x6000, 0x6000), KRS_INVALID);
    assert_int_equal(krs__memory_add(&memory, 0x6008, 0x7000), KRS_INVALID);
    assert_int_equal(krs__memory_add(&memory, 0x5000, 0x6000), KRS_OK);
    assert_int_equal(memory.range_count, 1);
    /* Told again, grown into the next one: the kernel's list is not of one moment. */
    assert_int_equal(krs__memory_add(&memory, 0x3000, 0x8000), KRS_OK);
    assert_int_equal(krs__memory_add(&memory, 0x4000, 0x5000), KRS_OK);
    assert_int_equal(memory.range_count, 1);
    assert_int_equal(memory.ranges[0].begin, 0x3000);
    assert_int_equal(memory.ranges[0].end, 0x8000);
    assert_int_equal(krs__memory_add(&memory, 0x9000, 0xa000), KRS_OK);
    assert_int_equal(memory.range_count, 2);
    krs__memory_free(&memory);
}

static void the_copy_has_a_limit(void **state) {
    (void)state;
    uint64_t end = UINT64_MAX, word;
    krs__memory memory;
    krs__memory_init(&memory, read_little, &end, KRS__PIECE_BYTES);
    assert_int_equal(krs__memory_add(&memory, 0, KRS__PIECE_BYTES * 4), KRS_OK);
    assert_true(krs__memory_word(&memory, 0, &word));
    assert_false(krs__memory_word(&memory, KRS__PIECE_BYTES, &word));
    assert_int_equal(krs__memory_status(&memory), KRS_LIMIT);
    assert_true(krs__memory_word(&memory, 64, &word));
    krs__memory_forget(&memory);
    assert_true(krs__memory_word(&memory, KRS__PIECE_BYTES, &word));
    krs__memory_free(&memory);
}

/* ---- /proc/PID/stat
 * ---------------------------------------------------------------------------- */

#define FIELDS " 1 2 3 4 -1 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20 21"

static void the_state_of_a_process_is_behind_its_name(void **state) {
    (void)state;
    static const char *const whole[] = {"12 (python) T" FIELDS "\n",
                                        "12 (a) R 1 2) T" FIELDS "\n",
                                        "12 ()) T" FIELDS "\n"};
    for (size_t i = 0; i < LENGTH_OF(whole); i++) {
        krs__process process = {.pid = 12};
        assert_true(krs__process_parse(whole[i], strlen(whole[i]), &process));
        assert_int_equal(process.state, 'T');
        assert_int_equal(process.start, 987654);
    }
    const char *text = whole[0];
    for (size_t length = 0; length < strlen("12 (python) T 1 2"); length++) {
        krs__process process;
        assert_false(krs__process_parse(text, length, &process));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_and_its_holder_are_found_in_each_layout),
        cmocka_unit_test(what_is_not_as_known_is_refused_by_name),
        cmocka_unit_test(a_free_threaded_python_is_refused),
        cmocka_unit_test(a_torn_list_is_read_from_both_ends_and_told),
        cmocka_unit_test(lists_that_the_collector_has_taken_are_told),
        cmocka_unit_test(what_was_freed_holds_nothing_and_is_told),
        cmocka_unit_test(any_word_may_be_garbage),
        cmocka_unit_test(what_cannot_be_read_is_told_and_nothing_else),
        cmocka_unit_test(pages_behind_a_hole_are_read),
        cmocka_unit_test(a_process_that_is_gone_is_asked_once),
        cmocka_unit_test(ranges_are_whole_pages_in_rising_order),
        cmocka_unit_test(the_copy_has_a_limit),
        cmocka_unit_test(the_state_of_a_process_is_behind_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
