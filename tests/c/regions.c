/* Regions of TensorFlow's pools: those that are free go back, under the pool's lock;
 * what is not known for sure is left alone. On a library that is made for this, in
 * builds that make their calls in different ways. */
#define _GNU_SOURCE /* dlsym, RTLD_NOLOAD */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "fake_regions.h"
#include "keraser.h"
#include "tensorflow/call_slot.h"
#include "tensorflow/symbols.h"
#include "topic.h"

enum { MIB = 1 << 20, ALL = KRS_POOLS_OF_CPU | KRS_POOLS_OF_GPU };

static void *library;
static fake_tensorflow *fake;
static fake_record_function *record_map;
static const char *lacks; /* this symbol is not there */

void *__real_dlsym(void *handle, const char *symbol);
void *__wrap_dlsym(void *handle, const char *symbol);

void *__wrap_dlsym(void *handle, const char *symbol) {
    return lacks != NULL && strcmp(symbol, lacks) == 0 ? NULL
                                                       : __real_dlsym(handle, symbol);
}

/* A pool of four regions, of which the second and the fourth are free. */
static void fill(fake_pool *pool) {
    static const fake_region regions[REGIONS] = {
        {4 * MIB, MIB}, {16 * MIB, 0}, {MIB, MIB}, {2 * MIB, 0}};
    memcpy(pool->regions, regions, sizeof regions);
}

static void set_element(size_t i, void *pool) {
    fake->elements[i][1] = (uintptr_t)pool;
    fake->state.end = fake->elements + i + 1;
}

static void load(const char *path) {
    fake_state_function *state;
    library = dlopen(path, RTLD_LAZY);
    assert_non_null(library);
    *(void **)&state = __real_dlsym(library, "fake_regions");
    *(void **)&record_map =
        __real_dlsym(library, "_ZN3tsl12BFCAllocator15RecordMemoryMapEv");
    fake = state();
    fill(&fake->cpu);
    fill(&fake->gpus[0]);
    fill(&fake->gpus[1]);
    set_element(0, &fake->gpus[0]);
}

static int load_usual(void **state) {
    (void)state;
    load(FAKE_REGIONS_LAZY);
    return 0;
}

/* Whoever calls it next must find everything as it was. */
static void assert_calls_lead_where_they_did(void) {
    void **slot, *function;
    if (krs__call_slot_find(*(void **)&record_map, KRS__RECORD_LOCKED, &slot) !=
        KRS_REFUSAL_NONE)
        return;
    function = __real_dlsym(library, KRS__RECORD_LOCKED);
    assert_ptr_equal(*slot, function);
    assert_int_equal(krs__call_slot_find(*(void **)&record_map, KRS__LOG_FLUSH, &slot),
                     KRS_REFUSAL_NONE);
    Dl_info info;
    assert_true(dladdr(*slot, &info) != 0 && info.dli_fbase != NULL);
    assert_non_null(strstr(info.dli_fname, "fake_regions"));
}

static int unload(void **state) {
    (void)state;
    lacks = NULL;
    failing = 0;
    if (fake->releases > 0)
        assert_calls_lead_where_they_did();
    assert_int_equal(fake->unlocked, 0);
    assert_int_equal(fake->dumps, 0);
    assert_int_equal(fake->cpu.locked | fake->gpus[0].locked, 0);
    dlclose(library);
    return 0;
}

static size_t release(unsigned which, krs_pool_trim *trims) {
    size_t count = 77;
    assert_int_equal(krs_tensorflow_release(which, trims, KRS_POOLS, &count), KRS_OK);
    return count;
}

static void assert_untouched(const fake_pool *pool) {
    fake_pool full = {.table = NULL};
    fill(&full);
    assert_memory_equal(pool->regions, full.regions, sizeof full.regions);
}

/* ---- what is given back ---- */

static void free_regions_go_back_and_those_in_use_stay(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 1);
    assert_string_equal(trims[0].name, "GPU_0_bfc");
    const krs_trim *trim = &trims[0].trim;
    assert_int_equal(trim->refusal, KRS_REFUSAL_NONE);
    assert_int_equal(trim->before, 23 * MIB);
    assert_int_equal(trim->after, 5 * MIB);
    assert_int_equal(trim->size, 5 * MIB);
    assert_int_equal(trim->returned, 18 * MIB);
    assert_int_equal(fake->gpus[0].regions[0].size, 4 * MIB);
    assert_int_equal(fake->gpus[0].regions[1].size, 0);
    assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 1);
    assert_int_equal(trims[0].trim.returned, 0);
    assert_untouched(&fake->cpu);
}

static void looking_gives_nothing_back(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    assert_int_equal(release(ALL | KRS_POOLS_LOOK, trims), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(trims[i].trim.refusal, KRS_REFUSAL_NONE);
        assert_int_equal(trims[i].trim.before, 23 * MIB);
        assert_int_equal(trims[i].trim.size, 23 * MIB);
        assert_int_equal(trims[i].trim.after, 23 * MIB);
        assert_int_equal(trims[i].trim.returned, 0);
    }
    assert_string_equal(trims[1].name, "GPU_0_bfc");
    assert_int_equal(fake->releases, 0);
    assert_untouched(&fake->cpu);
    assert_untouched(&fake->gpus[0]);
}

static void a_pool_that_may_not_do_so_by_itself_does_and_then_may_not(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    fake->gpus[0].flag = 0;
    assert_int_equal(release(ALL, trims), 2);
    assert_string_equal(trims[0].name, "cpu");
    assert_int_equal(trims[0].trim.returned, 18 * MIB);
    assert_int_equal(trims[1].trim.returned, 18 * MIB);
    assert_int_equal(fake->cpu.flag | fake->gpus[0].flag, 0);
}

static void the_warning_is_not_logged_and_errors_are(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    release(KRS_POOLS_OF_GPU, trims);
    assert_int_equal(fake->warnings, 0);
    assert_int_equal(fake->errors, 1);
}

static void pools_are_found_wherever_a_vector_stands_each_once(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    for (size_t i = 0; i < LENGTH_OF(fake->state.wild); i++)
        fake->state.wild[i] = UINTPTR_MAX / 3 * i;
    set_element(0, (void *)(uintptr_t)0x1234);
    set_element(1, &fake->gpus[1]);
    set_element(2, &fake->gpus[1]);
    set_element(3, NULL);
    set_element(4, &fake->state); /* something else that can be read */
    set_element(5, &fake->gpus[0]);
    fake->state.more[40] = (uintptr_t)fake->elements; /* a vector to itself */
    fake->state.more[41] = fake->state.more[42] = (uintptr_t)(fake->elements + 2);
    assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 2);
    assert_string_equal(trims[0].name, "GPU_1_bfc");
    assert_string_equal(trims[1].name, "GPU_0_bfc");
    size_t count;
    assert_int_equal(krs_tensorflow_release(ALL, trims, 1, &count), KRS_OK);
    assert_int_equal(count, 1);
    fake->state.end = fake->elements; /* an empty vector */
    fake->state.more[41] = 0;
    fake->cpu_is_other = true;
    assert_int_equal(release(ALL, trims), 0);
}

/* ---- other threads ---- */

static void *record_and_forget(void *pool) {
    max_align_t dump[4096 / sizeof(max_align_t)];
    void (*destroy)(void *);
    *(void **)&destroy = __real_dlsym(library, "_ZN10tensorflow10MemoryDumpD1Ev");
    record_map((void *)dump, pool);
    destroy((void *)dump);
    return NULL;
}

static void record_others(void) {
    pthread_t thread;
    record_and_forget(&fake->gpus[1]); /* on this very thread */
    assert_int_equal(pthread_create(&thread, NULL, record_and_forget, &fake->cpu), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void maps_that_others_record_meanwhile_change_nothing(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    fake->meanwhile = record_others;
    assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 1);
    assert_int_equal(trims[0].trim.returned, 18 * MIB);
    assert_int_equal(fake->releases, 1);
    assert_untouched(&fake->cpu);
    assert_untouched(&fake->gpus[1]);
}

static int turn; /* of the two threads below */

static void take_turns(void) {
    __atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 2)
        ;
}

static void *release_one(void *unused) {
    krs_pool_trim trims[KRS_POOLS];
    size_t count;
    (void)unused;
    fake->meanwhile = take_turns;
    krs_tensorflow_release(KRS_POOLS_OF_CPU, trims, KRS_POOLS, &count);
    return NULL;
}

static void whoever_has_released_before_may_record_while_another_does(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    pthread_t thread;
    release(KRS_POOLS_OF_GPU, trims);
    turn = 0;
    assert_int_equal(pthread_create(&thread, NULL, release_one, NULL), 0);
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 1)
        ;
    record_and_forget(&fake->gpus[1]);
    __atomic_store_n(&turn, 2, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(fake->releases, 2);
    assert_untouched(&fake->gpus[1]);
}

static void release_again(void) {
    krs_pool_trim trims[KRS_POOLS];
    fake->meanwhile = NULL;
    assert_int_equal(release(KRS_POOLS_OF_CPU, trims), 1);
    assert_int_equal(trims[0].trim.refusal, KRS_REFUSAL_BUSY);
}

static void of_two_at_once_one_does_nothing(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    fake->meanwhile = release_again;
    assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 1);
    assert_int_equal(trims[0].trim.returned, 18 * MIB);
    assert_untouched(&fake->cpu);
    assert_int_equal(release(KRS_POOLS_OF_CPU, trims), 1);
    assert_int_equal(trims[0].trim.returned, 18 * MIB);
}

/* ---- refusals ---- */

static void assert_refused(krs_refusal refusal) {
    krs_pool_trim trims[KRS_POOLS];
    const unsigned char flag = fake->gpus[0].flag;
    assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 1);
    assert_int_equal(trims[0].trim.refusal, refusal);
    assert_int_equal(trims[0].trim.returned, 0);
    assert_int_equal(trims[0].trim.before | trims[0].trim.after, 0);
    assert_int_equal(fake->releases, 0);
    assert_int_equal(fake->gpus[0].flag, flag);
    assert_untouched(&fake->gpus[0]);
}

static void a_pool_that_is_not_understood_is_left_alone(void **state) {
    (void)state;
    fake->gpus[0].lie = 1;
    assert_refused(KRS_REFUSAL_MAP);
    fake->gpus[0].lie = 0;
    fake->other_dump = true;
    assert_refused(KRS_REFUSAL_MAP);
    fake->other_dump = false;
    fake->dumps = 0; /* what it is we do not know, so it was not destroyed */
    fake->gpus[0].flag = 2;
    assert_refused(KRS_REFUSAL_CODE);
}

static void builds_that_call_in_another_way_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *path;
        krs_refusal refusal;
    } builds[] = {
        {FAKE_REGIONS_NOW, KRS_REFUSAL_READ_ONLY},
        {FAKE_REGIONS_BOUND, KRS_REFUSAL_CALLS},
        {FAKE_REGIONS_CODE, KRS_REFUSAL_CODE},
    };
    for (size_t i = 0; i < LENGTH_OF(builds); i++) {
        load(builds[i].path);
        assert_refused(builds[i].refusal);
        unload(state);
    }
}

static void *(*true_record)(void *dump, void *pool);

/* Somebody else has been here before. */
static void *record_for_another(void *dump, void *pool) {
    return true_record(dump, pool);
}

static void calls_that_lead_elsewhere_already_are_left_alone(void **state) {
    (void)state;
    void **slot;
    void *(*const another)(void *dump, void *pool) = record_for_another;
    record_and_forget(&fake->cpu); /* so that the word has its function */
    assert_int_equal(
        krs__call_slot_find(*(void **)&record_map, KRS__RECORD_LOCKED, &slot),
        KRS_REFUSAL_NONE);
    *(void **)&true_record = *slot;
    memcpy(slot, &another, sizeof another);
    assert_refused(KRS_REFUSAL_CALLS);
    assert_memory_equal(slot, &another, sizeof another);
    *slot = *(void **)&true_record;
}

static void a_missing_symbol_is_named_where_gpus_are_asked_for(void **state) {
    (void)state;
    static const char *const needed[] = {
#define X(name, symbol, result, arguments) symbol,
#define Y(name, symbol) symbol,
        KRS__TENSORFLOW_FUNCTIONS(X) KRS__REGION_FUNCTIONS(X) KRS__TENSORFLOW_TABLES(Y)
            KRS__REGION_TABLES(Y)
#undef X
#undef Y
    };
    krs_pool_trim trims[KRS_POOLS];
    for (size_t i = 0; i < LENGTH_OF(needed); i++) {
        lacks = needed[i];
        assert_refused(KRS_REFUSAL_SYMBOL);
        assert_int_equal(release(KRS_POOLS_OF_GPU, trims), 1);
        assert_string_equal(trims[0].trim.symbol, needed[i]);
        assert_string_equal(trims[0].name, "");
        assert_int_equal(release(KRS_POOLS_OF_CPU, trims), 0);
    }
}

static void without_tensorflow_there_is_no_pool(void **state) {
    (void)state;
    krs_pool_trim trims[KRS_POOLS];
    dlclose(library);
    assert_int_equal(release(ALL, trims), 0);
    load(FAKE_REGIONS_LAZY);
    assert_int_equal(krs_tensorflow_release(ALL, NULL, 1, NULL), KRS_INVALID);
    assert_int_equal(krs_tensorflow_release(ALL, trims, 1, NULL), KRS_INVALID);
}

static void memory_may_run_out(void **state) {
    (void)state;
    krs_status status = KRS_NOMEM;
    for (long nth = 1; status == KRS_NOMEM; nth++) {
        krs_pool_trim trims[KRS_POOLS];
        size_t count = 77;
        failing = nth;
        status = krs_tensorflow_release(KRS_POOLS_OF_GPU, trims, KRS_POOLS, &count);
        failing = 0;
        assert_int_equal(fake->dumps, 0);
        assert_int_equal(count, status == KRS_OK ? 1 : 77);
        assert_true(nth < 20);
    }
    assert_int_equal(status, KRS_OK);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, load_usual, unload)
    const struct CMUnitTest tests[] = {
        TEST(free_regions_go_back_and_those_in_use_stay),
        TEST(looking_gives_nothing_back),
        TEST(a_pool_that_may_not_do_so_by_itself_does_and_then_may_not),
        TEST(the_warning_is_not_logged_and_errors_are),
        TEST(pools_are_found_wherever_a_vector_stands_each_once),
        TEST(maps_that_others_record_meanwhile_change_nothing),
        TEST(whoever_has_released_before_may_record_while_another_does),
        TEST(of_two_at_once_one_does_nothing),
        TEST(a_pool_that_is_not_understood_is_left_alone),
        cmocka_unit_test(builds_that_call_in_another_way_are_refused_by_name),
        TEST(calls_that_lead_elsewhere_already_are_left_alone),
        TEST(a_missing_symbol_is_named_where_gpus_are_asked_for),
        TEST(without_tensorflow_there_is_no_pool),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("regions", tests, NULL, NULL);
}
