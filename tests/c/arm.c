/* Arming: what TensorFlow's calls lead to afterwards, and builds that are refused. On
 * the library of fake_regions.c; tests/python/gpu has the rest, on the real TensorFlow.
 */
#define _GNU_SOURCE /* dlsym */
#include <dlfcn.h>
#include <string.h>

#include "fake_regions.h"
#include "keraser.h"
#include "tensorflow/call_slot.h"
#include "tensorflow/pages.h"
#include "topic.h"

static const char *lacks; /* this symbol is not there */

void *__real_dlsym(void *handle, const char *symbol);
void *__wrap_dlsym(void *handle, const char *symbol);

void *__wrap_dlsym(void *handle, const char *symbol) {
    return lacks != NULL && strcmp(symbol, lacks) == 0 ? NULL
                                                       : __real_dlsym(handle, symbol);
}

static int allocate(uint64_t *address, size_t bytes) {
    *address = 4096 * bytes;
    return 17;
}

static int deallocate(uint64_t address) {
    return (int)address;
}

static void *taken_from; /* while pages are taken */

/* Asked while pages are taken: by then whoever lacks memory must know that some is on
 * its way, and be kept waiting. */
static size_t granule(uint64_t address) {
    krs__armed *a = krs__armed_state();
    (void)address;
    taken_from = a->taking_from;
    assert_int_not_equal(pthread_mutex_trylock(&a->at_work), 0);
    return 1 << 21;
}

static const krs_gpu_granules granules = {
    .allocate = allocate, .deallocate = deallocate, .granule = granule};

static krs_arming armed(void) {
    krs_arming arming = {.late = 7};
    assert_int_equal(krs_tensorflow_arm(&granules, &arming), KRS_OK);
    return arming;
}

/* The words of a library that calls may go through. */
static size_t read_words(void *library, void **words) {
    static const char *const calls[] = {KRS__EXTEND, KRS__RELEASE_REGIONS, KRS__LOCK,
                                        KRS__UNLOCK};
    void *inside = __real_dlsym(library, "_ZN3tsl12BFCAllocator15RecordMemoryMapEv");
    size_t count = 0;
    for (size_t i = 0; i < LENGTH_OF(calls); i++) {
        void **slot;
        if (krs__call_slot_find(inside, calls[i], &slot) == KRS_REFUSAL_NONE)
            words[count++] = *slot;
    }
    return count;
}

static void assert_refused(const char *path, krs_refusal refusal) {
    void *library = dlopen(path, RTLD_LAZY), *before[4], *after[4];
    assert_non_null(library);
    const size_t count = read_words(library, before);
    const krs_arming arming = armed();
    assert_int_equal(arming.refusal, refusal);
    assert_int_equal(read_words(library, after), count);
    assert_memory_equal(before, after, count * sizeof *before);
    assert_false(krs_tensorflow_is_armed());
    dlclose(library);
}

static void what_is_not_known_is_refused_and_left_alone(void **state) {
    (void)state;
    krs_arming arming;
    assert_int_equal(krs_tensorflow_arm(NULL, &arming), KRS_INVALID);
    assert_int_equal(krs_tensorflow_arm(&granules, NULL), KRS_INVALID);
    assert_int_equal(armed().refusal, KRS_REFUSAL_ABSENT);
    assert_refused(FAKE_REGIONS_NOW, KRS_REFUSAL_READ_ONLY);
    assert_refused(FAKE_REGIONS_BOUND, KRS_REFUSAL_CALLS);
    assert_refused(FAKE_REGIONS_DRIVER, KRS_REFUSAL_CODE);
    static const char *const needed[] = {
#define X(name, symbol, result, arguments) symbol,
        KRS__PAGE_FUNCTIONS(X) KRS__REGION_FUNCTIONS(X) KRS__TENSORFLOW_FUNCTIONS(X)
#undef X
    };
    for (size_t i = 0; i < LENGTH_OF(needed); i++) {
        lacks = needed[i];
        assert_refused(FAKE_REGIONS_LAZY, KRS_REFUSAL_SYMBOL);
        lacks = NULL;
    }
    lacks = "cuMemFree_v2";
    assert_refused(FAKE_REGIONS_LAZY, KRS_REFUSAL_CODE);
    lacks = NULL;
}

static void nothing_is_taken_where_it_is_not_armed(void **state) {
    (void)state;
    krs_pool_trim trim;
    size_t count = 7;
    assert_int_equal(krs_tensorflow_take_pages(&trim, 1, &count), KRS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(krs_tensorflow_take_pages(NULL, 1, &count), KRS_INVALID);
    assert_int_equal(krs_tensorflow_take_pages(&trim, 1, NULL), KRS_INVALID);
}

/* Last: it is for the rest of the process. */
static void the_driver_is_called_here_and_a_pool_grows_as_ever(void **state) {
    (void)state;
    void *library = dlopen(FAKE_REGIONS_LAZY, RTLD_LAZY);
    fake_state_function *make;
    int (*driver_allocate)(uint64_t *, size_t);
    int (*driver_free)(uint64_t);
    bool (*grow)(fake_pool *);
    uint64_t address;
    *(void **)&make = __real_dlsym(library, "fake_regions");
    *(void **)&driver_allocate = __real_dlsym(library, "cuMemAlloc_v2");
    *(void **)&driver_free = __real_dlsym(library, "cuMemFree_v2");
    *(void **)&grow = __real_dlsym(library, "fake_grow");
    fake_tensorflow *fake = make();

    assert_true(grow(&fake->gpus[0])); /* so that the lock's word has its function */
    fake->extends = 0;
    const krs_arming arming = armed();
    assert_int_equal(arming.refusal, KRS_REFUSAL_NONE);
    assert_false(arming.late);
    assert_true(krs_tensorflow_is_armed());
    assert_int_equal(driver_allocate(&address, 3), 17);
    assert_int_equal(address, 3 * 4096);
    assert_int_equal(driver_free(23), 23);
    assert_true(grow(&fake->gpus[0]));
    assert_int_equal(fake->extends, 1);
    assert_int_equal(fake->releases, 0);

    krs__is_taking = true; /* then a pool must do neither */
    assert_false(grow(&fake->gpus[0]));
    krs__is_taking = false;
    assert_int_equal(fake->extends, 1);
    assert_int_equal(fake->releases, 0);
    assert_int_equal(armed().refusal, KRS_REFUSAL_NONE); /* once more is no harm */
    assert_true(grow(&fake->gpus[0]));
    assert_int_equal(fake->extends, 2);

    void *before[4], *after[4];
    const size_t count = read_words(library, before);
    assert_ptr_equal(krs__armed_find_lock(&fake->gpus[1]), &fake->gpus[1].locked);
    assert_int_equal(read_words(library, after), count);
    assert_memory_equal(before, after, count * sizeof *before);
    assert_int_equal(fake->gpus[1].locked, 0);
    fake->other_dump = true;
    assert_null(krs__armed_find_lock(&fake->gpus[1]));
    fake->other_dump = false;
    fake->dumps = 0;

    krs_pool_trim trims[KRS_POOLS];
    size_t trimmed;
    fake->elements[0][2] = (uintptr_t)&fake->gpus[0];
    fake->elements[1][0] = (uintptr_t)&fake->host; /* not of the GPU: let be */
    fake->state.end = fake->elements + 2;
    fake->gpus[0].regions[0] = (fake_region){64 << 20, 1 << 20};
    assert_int_equal(krs_tensorflow_take_pages(trims, KRS_POOLS, &trimmed), KRS_OK);
    assert_int_equal(trimmed, 1);
    assert_string_equal(trims[0].name, "GPU_0_bfc");
    assert_int_equal(trims[0].trim.refusal, KRS_REFUSAL_NONE);
    assert_int_equal(trims[0].trim.before, 64 << 20);
    assert_int_equal(trims[0].trim.returned, 0);
    assert_int_equal(fake->requests, 1); /* which was too late */
    assert_int_equal(fake->extends, 2);  /* and made nothing grow */
    assert_int_equal(fake->dumps, 0);
    assert_false(krs__is_taking);
    assert_ptr_equal(taken_from, &fake->gpus[0]);
    assert_null(krs__armed_state()->taking_from);
    assert_int_equal(pthread_mutex_trylock(&krs__armed_state()->at_work), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_refused_and_left_alone),
        cmocka_unit_test(nothing_is_taken_where_it_is_not_armed),
        cmocka_unit_test(the_driver_is_called_here_and_a_pool_grows_as_ever),
    };
    return cmocka_run_group_tests_name("arm", tests, NULL, NULL);
}
