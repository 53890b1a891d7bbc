/* Memory in granules, on the driver of tests/fake_cuda: as good as cuMemAlloc()'s,
 * taken and brought back to the granule, and never a reason to fail. */
#define _GNU_SOURCE /* RTLD_NOLOAD, dlsym */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "gpu/memory.h"
#include "keraser.h"
#include "topic.h"

enum { MIB = 1 << 20, GRANULE = 2 << 20, OUT_OF_MEMORY = 2, LAUNCH_FAILED = 719 };

static void *library;
static krs_gpu_granules granules;
static const char *lacks; /* this function is not in the driver */

#define DRIVER(X)                                                                      \
    X(cuInit, int, (unsigned))                                                         \
    X(cuDevicePrimaryCtxRetain, int, (void **, int))                                   \
    X(cuCtxSetCurrent, int, (void *))                                                  \
    X(cuCtxGetCurrent, int, (void **))                                                 \
    X(fake_cuda_calls, uint64_t, (const char *))                                       \
    X(fake_cuda_figure, uint64_t, (const char *))                                      \
    X(fake_cuda_fail, void, (const char *, uint64_t, uint64_t, int))

static struct {
#define X(name, result, arguments) result(*name) arguments;
    DRIVER(X)
#undef X
} cuda;

void *__real_dlsym(void *handle, const char *symbol);
void *__wrap_dlsym(void *handle, const char *symbol);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_dlsym(void *handle, const char *symbol) {
    return lacks != NULL && strcmp(symbol, lacks) == 0 ? NULL
                                                       : __real_dlsym(handle, symbol);
}

void *__wrap_calloc(size_t count, size_t size) {
    return --failing == 0 ? NULL : __real_calloc(count, size);
}

static int start(void **state) {
    void *context;
    (void)state;
    library = dlopen(FAKE_CUDA, RTLD_NOW);
    assert_non_null(library);
#define X(name, result, arguments) *(void **)&cuda.name = __real_dlsym(library, #name);
    DRIVER(X)
#undef X
    krs__gpu_granules_use(FAKE_CUDA);
    krs_gpu_granules_get(&granules);
    return cuda.cuInit(0) != 0 || cuda.cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
           cuda.cuCtxSetCurrent(context) != 0;
}

static uint64_t figure(const char *name) {
    return cuda.fake_cuda_figure(name);
}

/* Nothing may be left. */
static int end(void **state) {
    (void)state;
    unsetenv("FAKE_CUDA_MEMORY");
    const bool clean = figure("allocated") == 0 && figure("created") == 0 &&
                       figure("mapped") == 0 && figure("reserved") == 0;
    krs__gpu_granules_use(NULL);
    dlclose(library);
    return !clean;
}

static uint64_t allocated(size_t bytes) {
    uint64_t address = 0;
    assert_int_equal(granules.allocate(&address, bytes), 0);
    return address;
}

static void drop(uint64_t address) {
    assert_int_equal(granules.deallocate(address), 0);
}

static void fill(uint64_t address, int byte, size_t bytes) {
    memset((void *)(uintptr_t)address, byte, bytes);
}

static void assert_is(uint64_t address, int byte, size_t bytes) {
    const unsigned char *at = (const unsigned char *)(uintptr_t)address;
    assert_int_equal(at[0], byte);
    assert_memory_equal(at, at + 1, bytes - 1);
}

static uint64_t mapped_at(uint64_t address) {
    uint64_t mapped = 7;
    int device = 7;
    assert_true(granules.describe(address, &mapped, &device));
    assert_int_equal(device, 0);
    return mapped;
}

static void what_is_mapped_is_told_of_all_that_was_allocated_in_one(void **state) {
    (void)state;
    uint64_t mapped = 7;
    int device = 7;
    const uint64_t small = allocated(100), large = allocated(9 * MIB);
    assert_false(granules.describe(small, &mapped, &device));
    assert_true(mapped == 7 && device == 7);
    assert_int_equal(mapped_at(large), 5 * GRANULE);
    assert_int_equal(granules.take(large + 1, large + 8 * MIB), 3 * GRANULE);
    assert_int_equal(mapped_at(large + 9 * MIB), 2 * GRANULE);
    assert_int_equal(mapped_at(large), figure("mapped"));
    assert_true(granules.bring(large, large + 8 * MIB));
    assert_int_equal(mapped_at(large), 5 * GRANULE);
    drop(small);
    drop(large);
}

/* ---- as cuMemAlloc ---- */

static void what_is_large_is_in_granules_and_what_is_small_as_ever(void **state) {
    (void)state;
    const uint64_t small = allocated(100), large = allocated(5 * MIB);
    assert_int_equal(figure("allocated"), 100);
    assert_int_equal(figure("mapped"), 3 * GRANULE);
    assert_int_equal(granules.granule(small), 0);
    assert_int_equal(granules.granule(large), GRANULE);
    assert_int_equal(granules.granule(large + 6 * MIB - 1), GRANULE);
    assert_int_equal(granules.granule(large + 6 * MIB), 0);
    fill(large, 7, 5 * MIB);
    assert_is(large, 7, 5 * MIB);
    assert_int_not_equal(granules.deallocate(large + GRANULE), 0);
    drop(small);
    const uint64_t waits = cuda.fake_cuda_calls("cuCtxSynchronize");
    drop(large);
    assert_int_equal(cuda.fake_cuda_calls("cuCtxSynchronize"), waits + 1);
    assert_int_not_equal(granules.deallocate(large), 0);
}

static void a_large_range_has_few_granules(void **state) {
    (void)state;
    setenv("FAKE_CUDA_MEMORY", "68719476736", 1);
    const uint64_t address = allocated((size_t)20 << 30);
    assert_int_equal(granules.granule(address), 4 * GRANULE);
    assert_true(cuda.fake_cuda_calls("cuMemCreate") <= 4096);
    assert_int_equal(granules.take(address, address + ((uint64_t)20 << 30)),
                     (uint64_t)20 << 30);
    drop(address);
}

static void an_allocation_that_fails_in_granules_is_made_as_ever(void **state) {
    (void)state;
    static const char *const calls[] = {
        "cuCtxGetCurrent",     "cuCtxGetDevice", "cuMemGetAllocationGranularity",
        "cuMemAddressReserve", "cuMemCreate",    "cuMemMap",
        "cuMemSetAccess",
    };
    for (size_t i = 0; i < LENGTH_OF(calls); i++) {
        cuda.fake_cuda_fail(calls[i], 1, 1, LAUNCH_FAILED);
        const uint64_t address = allocated(8 * MIB);
        assert_int_equal(figure("allocated"), 8 * MIB);
        assert_int_equal(figure("created") | figure("reserved"), 0);
        drop(address);
    }
    cuda.fake_cuda_fail("cuMemCreate", 4, 1, OUT_OF_MEMORY); /* the last granule */
    drop(allocated(8 * MIB));
}

static void memory_for_our_own_book_may_run_out(void **state) {
    (void)state;
    uint64_t ranges[300];
    for (size_t i = 0; i < LENGTH_OF(ranges); i++) {
        failing = (long)(i % 3) + 1;
        ranges[i] = allocated(4 * MIB);
        failing = 0;
    }
    assert_int_equal(figure("allocated") + figure("created"),
                     LENGTH_OF(ranges) * 4 * MIB);
    assert_true(figure("allocated") > 200 * 4 * MIB);
    for (size_t i = 0; i < LENGTH_OF(ranges); i++)
        drop(ranges[i]);
}

static void a_driver_without_these_functions_gives_memory_as_ever(void **state) {
    (void)state;
    lacks = "cuMemSetAccess";
    krs__gpu_granules_use(FAKE_CUDA);
    const uint64_t address = allocated(8 * MIB);
    lacks = NULL;
    assert_int_equal(figure("allocated"), 8 * MIB);
    drop(address);
}

static void without_memory_or_a_driver_the_answer_is_the_drivers(void **state) {
    (void)state;
    uint64_t address;
    assert_int_equal(granules.allocate(&address, (size_t)9 << 30), OUT_OF_MEMORY);
    krs__gpu_granules_use("/nowhere/libcuda.so.1");
    assert_int_not_equal(granules.allocate(&address, 8 * MIB), 0);
    assert_int_not_equal(granules.deallocate(1), 0);
    assert_int_not_equal(granules.settle(1), 0);
    krs__gpu_granules_use(FAKE_CUDA);
}

/* ---- taking and bringing back ---- */

static void only_whole_granules_are_taken_and_the_rest_keeps_its_bytes(void **state) {
    (void)state;
    const uint64_t at = allocated(8 * GRANULE);
    fill(at, 7, 8 * GRANULE);
    assert_int_equal(granules.take(at + 100, at + 3 * GRANULE + 100), 2 * GRANULE);
    const uint64_t calls = cuda.fake_cuda_calls("cuMemUnmap");
    assert_int_equal(granules.take(at + 100, at + 3 * GRANULE + 100), 0);
    assert_int_equal(cuda.fake_cuda_calls("cuMemUnmap"), calls);
    assert_int_equal(figure("created"), 6 * GRANULE);
    assert_is(at, 7, GRANULE);
    assert_is(at + 3 * GRANULE, 7, 5 * GRANULE);
    assert_int_equal(granules.take(at + 4 * GRANULE + 1, at + 5 * GRANULE), 0);
    assert_int_equal(granules.take(at, at + 9 * GRANULE), 0); /* beyond it */
    assert_int_equal(granules.take(at + GRANULE, at + GRANULE), 0);
    assert_int_equal(granules.take(100, 100 + 4 * GRANULE), 0); /* not ours */
    assert_true(granules.bring(at + 100, at + 3 * GRANULE + 100));
    assert_int_equal(figure("mapped"), 8 * GRANULE);
    fill(at, 9, 4 * GRANULE);
    assert_is(at, 9, 4 * GRANULE);
    assert_is(at + 4 * GRANULE, 7, 4 * GRANULE);
    assert_true(granules.bring(at, at + 8 * GRANULE));
    assert_int_equal(figure("mapped"), 8 * GRANULE);
    granules.take(at, at + 8 * GRANULE);
    assert_true(granules.bring(at + 100, at + 3 * GRANULE + 100));
    assert_int_equal(figure("mapped"), 4 * GRANULE);
    drop(at);
}

static void what_cannot_be_brought_back_whole_stays_as_it_was(void **state) {
    (void)state;
    static const char *const calls[] = {"cuMemCreate", "cuMemMap", "cuMemSetAccess"};
    const uint64_t at = allocated(8 * GRANULE), last = at + 7 * GRANULE;
    fill(at, 7, 8 * GRANULE);
    assert_int_equal(granules.take(at, at + 2 * GRANULE), 2 * GRANULE);
    assert_int_equal(granules.take(at + 4 * GRANULE, last), 3 * GRANULE);
    for (size_t i = 0; i < LENGTH_OF(calls); i++) {
        const uint64_t most = i == 2 ? 2 : 5; /* one for each row of granules */
        for (uint64_t nth = 1; nth <= most; nth++) {
            cuda.fake_cuda_fail(calls[i], nth, 1, OUT_OF_MEMORY);
            assert_false(granules.bring(at, at + 8 * GRANULE));
            assert_int_equal(figure("mapped"), 3 * GRANULE);
            assert_int_equal(figure("created"), 3 * GRANULE);
        }
    }
    failing = 1;
    assert_false(granules.bring(at, at + 8 * GRANULE));
    failing = 0;
    assert_is(at + 2 * GRANULE, 7, 2 * GRANULE);
    assert_is(last, 7, GRANULE);
    assert_true(granules.bring(at, at + 8 * GRANULE));
    fill(at, 1, 8 * GRANULE);
    drop(at);
}

static void a_range_with_holes_is_freed_whole_and_only_after_its_work(void **state) {
    (void)state;
    const uint64_t at = allocated(8 * GRANULE);
    granules.take(at + GRANULE, at + 3 * GRANULE);
    cuda.fake_cuda_fail("cuCtxSynchronize", 1, 1, LAUNCH_FAILED);
    assert_int_equal(granules.deallocate(at), LAUNCH_FAILED);
    assert_int_equal(figure("mapped"), 6 * GRANULE);
    drop(at);
}

static void what_the_driver_does_not_unmap_is_not_taken(void **state) {
    (void)state;
    const uint64_t at = allocated(4 * GRANULE);
    fill(at, 7, 4 * GRANULE);
    cuda.fake_cuda_fail("cuMemUnmap", 1, 1, LAUNCH_FAILED);
    assert_int_equal(granules.take(at, at + 4 * GRANULE), 0);
    assert_is(at, 7, 4 * GRANULE);
    drop(at);
}

static void work_is_waited_for_unless_a_graph_is_captured(void **state) {
    (void)state;
    const uint64_t at = allocated(4 * GRANULE);
    const uint64_t waits = cuda.fake_cuda_calls("cuCtxSynchronize");
    void *current = library;
    cuda.cuCtxSetCurrent(NULL); /* as in a thread of ours */
    assert_int_equal(granules.settle(at), 0);
    cuda.cuCtxGetCurrent(&current);
    assert_null(current);
    assert_int_equal(cuda.fake_cuda_calls("cuCtxSynchronize"), waits + 1);
    cuda.fake_cuda_fail("cuStreamIsCapturing", 1, 1, 906);
    assert_int_equal(granules.settle(at), 906);
    assert_int_equal(cuda.fake_cuda_calls("cuCtxSynchronize"), waits + 1);
    cuda.fake_cuda_fail("cuCtxSynchronize", 1, 1, LAUNCH_FAILED);
    assert_int_equal(granules.settle(at), LAUNCH_FAILED);
    cuda.fake_cuda_fail("cuCtxPushCurrent_v2", 1, 1, LAUNCH_FAILED);
    assert_int_equal(granules.settle(at), LAUNCH_FAILED);
    void *context;
    assert_int_equal(cuda.cuDevicePrimaryCtxRetain(&context, 0), 0);
    assert_int_equal(cuda.cuCtxSetCurrent(context), 0);
    drop(at);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(what_is_mapped_is_told_of_all_that_was_allocated_in_one),
        TEST(what_is_large_is_in_granules_and_what_is_small_as_ever),
        TEST(a_large_range_has_few_granules),
        TEST(an_allocation_that_fails_in_granules_is_made_as_ever),
        TEST(memory_for_our_own_book_may_run_out),
        TEST(a_driver_without_these_functions_gives_memory_as_ever),
        TEST(without_memory_or_a_driver_the_answer_is_the_drivers),
        TEST(only_whole_granules_are_taken_and_the_rest_keeps_its_bytes),
        TEST(what_cannot_be_brought_back_whole_stays_as_it_was),
        TEST(a_range_with_holes_is_freed_whole_and_only_after_its_work),
        TEST(what_the_driver_does_not_unmap_is_not_taken),
        TEST(work_is_waited_for_unless_a_graph_is_captured),
    };
    return cmocka_run_group_tests_name("granules", tests, NULL, NULL);
}
