/* The outside reader on made memory: what is there is found, in the layout of each
 * version; what is torn or garbage is passed over or refused. */
#include <string.h>

#include "fake_heap.h"
#include "keraser.h"
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

/* ---- what is there ---------------------------------------------------------- */

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

/* ---- refusals --------------------------------------------------------------- */

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

/* ---- torn and garbage ------------------------------------------------------- */

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

/* What an object says it has is nowhere: each such part counts. */
static void check_lost_parts(void) {
    const uint64_t parts[] = {heap.models_list + KRS__LIST_ITEMS,
                              heap.main_dict + KRS__DICT_KEYS};
    krs_outside *outside;
    krs_outside_error error;
    krs_outside_figures figures;
    for (uint32_t i = 0; i < LENGTH_OF(parts); i++) {
        fake_heap_set(&heap, parts[i], 8);
        assert_int_equal(open_heap(&outside, &error), KRS_OK);
        krs_outside_figures_get(outside, &figures);
        assert_int_equal(figures.torn, i + 1);
        krs_outside_free(outside);
    }
}

/* list.sort() takes the items away, and leaves room for -1. */
static void check_sorted(void) {
    krs_outside *outside;
    krs_outside_error error;
    krs_outside_figures figures;
    fake_heap_set(&heap, heap.models_list + KRS__OBJECT_SIZE, 0);
    fake_heap_set(&heap, heap.models_list + KRS__LIST_ITEMS, 0);
    fake_heap_set(&heap, heap.models_list + KRS__LIST_ITEMS + 8, UINT64_MAX);
    assert_int_equal(open_heap(&outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    assert_int_equal(figures.torn, 1);
    krs_outside_free(outside);
}

static void what_an_object_has_lost_is_told(void **state) {
    (void)state;
    for_each_version(check_lost_parts);
    for_each_version(check_sorted);
}

/* The last page is mapped from the second time on. */
static krs_status map_more(void *context, krs__memory *memory) {
    fake_bytes *bytes = context;
    const uint64_t end = FAKE_BASE + bytes->size;
    const krs_status status = krs__memory_add(memory, FAKE_BASE, end);
    bytes->size = sizeof heap.bytes;
    return status;
}

static krs_status open_grown(unsigned tries, krs_outside **outside,
                             krs_outside_error *error) {
    fake_bytes bytes = {heap.bytes, sizeof heap.bytes - KRS__PAGE_BYTES};
    krs__made_memory memory = fake_memory(&bytes, heap.layout.minor);
    memory.map = map_more;
    memory.tries = tries;
    return krs__outside_open_memory(&memory, outside, error);
}

static void check_growth(void) {
    const size_t last = sizeof heap.bytes - KRS__PAGE_BYTES;
    const uint64_t modules = fake_heap_word(&heap, heap.interpreter + 256);
    const uint64_t keys = fake_heap_word(&heap, modules + KRS__DICT_KEYS);
    krs_outside *outside = NULL;
    krs_outside_error error;
    krs_outside_figures figures;
    memcpy(heap.bytes + last, heap.bytes + (keys - FAKE_BASE), 512);
    fake_heap_set(&heap, modules + KRS__DICT_KEYS, FAKE_BASE + last);
    assert_int_equal(open_grown(1, &outside, &error), KRS_UNSUPPORTED);
    assert_int_equal(error.refusal, KRS_OUTSIDE_NO_INTERPRETER);
    assert_int_equal(open_grown(4, &outside, &error), KRS_OK);
    krs_outside_figures_get(outside, &figures);
    assert_int_equal(figures.tries, 2);
    assert_int_equal(figures.torn, 0);
    krs_outside_free(outside);
}

static void each_try_reads_what_is_mapped_by_then(void **state) {
    (void)state;
    for_each_version(check_growth);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_and_its_holder_are_found_in_each_layout),
        cmocka_unit_test(what_is_not_as_known_is_refused_by_name),
        cmocka_unit_test(a_free_threaded_python_is_refused),
        cmocka_unit_test(a_torn_list_is_read_from_both_ends_and_told),
        cmocka_unit_test(lists_that_the_collector_has_taken_are_told),
        cmocka_unit_test(what_was_freed_holds_nothing_and_is_told),
        cmocka_unit_test(what_an_object_has_lost_is_told),
        cmocka_unit_test(each_try_reads_what_is_mapped_by_then),
        cmocka_unit_test(any_word_may_be_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
