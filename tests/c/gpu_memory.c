/* GPU memory as the driver tells it and pools give it back, on the driver of
 * tests/fake_cuda. */
#define _GNU_SOURCE /* RTLD_NOLOAD, dlsym */
#include "gpu/memory.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_nvml.h"
#include "gpu/driver.h"
#include "gpu/users.h"
#include "topic.h"

enum {
    MIB = 1 << 20,
    BLOCKS = 20,
    OUT_OF_MEMORY = 2,
    LAUNCH_FAILED = 719,
    CAPTURE_IMPLICIT = 906
};

static void *library;     /* the driver; every test begins with a fresh one */
static const char *lacks; /* this function is not in it */

void *__real_dlsym(void *handle, const char *symbol);
void *__wrap_dlsym(void *handle, const char *symbol);

void *__wrap_dlsym(void *handle, const char *symbol) {
    return lacks != NULL && strcmp(symbol, lacks) == 0 ? NULL
                                                       : __real_dlsym(handle, symbol);
}

/* ---- what a program does with the driver ---- */

#define DRIVER(X)                                                                      \
    X(cuInit, int, (unsigned))                                                         \
    X(cuDevicePrimaryCtxRetain, int, (void **, int))                                   \
    X(cuDevicePrimaryCtxGetState, int, (int, unsigned *, int *))                       \
    X(cuDevicePrimaryCtxRelease_v2, int, (int))                                        \
    X(cuCtxSetCurrent, int, (void *))                                                  \
    X(cuCtxGetCurrent, int, (void **))                                                 \
    X(cuMemAlloc_v2, int, (uint64_t *, size_t))                                        \
    X(cuMemFree_v2, int, (uint64_t))                                                   \
    X(cuDeviceGetDefaultMemPool, int, (void **, int))                                  \
    X(cuMemAllocFromPoolAsync, int, (uint64_t *, size_t, void *, void *))              \
    X(cuMemFreeAsync, int, (uint64_t, void *))                                         \
    X(cuStreamBeginCapture_v2, int, (void *, int))                                     \
    X(cuStreamEndCapture, int, (void *, void **))                                      \
    X(cuThreadExchangeStreamCaptureMode, int, (int *))                                 \
    X(fake_cuda_calls, uint64_t, (const char *))                                       \
    X(fake_cuda_figure, uint64_t, (const char *))                                      \
    X(fake_cuda_fail, void, (const char *, uint64_t, uint64_t, int))

static struct {
#define X(name, result, arguments) result(*name) arguments;
    DRIVER(X)
#undef X
} cuda;

static int load(void **state) {
    (void)state;
    setenv("FAKE_CUDA_DEVICES", "2", 1);
    unsetenv("FAKE_CUDA_NO_POOLS");
    library = dlopen(FAKE_CUDA, RTLD_NOW);
    assert_non_null(library);
#define X(name, result, arguments) *(void **)&cuda.name = __real_dlsym(library, #name);
    DRIVER(X)
#undef X
    return 0;
}

static int unload(void **state) {
    (void)state;
    lacks = NULL;
    dlclose(library);
    assert_null(dlopen(FAKE_CUDA, RTLD_NOW | RTLD_NOLOAD));
    return 0;
}

/* The driver initialized, and a primary context on `device`, current. */
static void begin(int device) {
    void *context;
    assert_int_equal(cuda.cuInit(0), 0);
    assert_int_equal(cuda.cuDevicePrimaryCtxRetain(&context, device), 0);
    assert_int_equal(cuda.cuCtxSetCurrent(context), 0);
}

static bool is_active(int device) {
    unsigned flags;
    int active;
    assert_int_equal(cuda.cuDevicePrimaryCtxGetState(device, &flags, &active), 0);
    return active != 0;
}

static uint64_t from_pool(size_t bytes) {
    uint64_t address;
    void *pool;
    assert_int_equal(cuda.cuDeviceGetDefaultMemPool(&pool, 0), 0);
    assert_int_equal(cuda.cuMemAllocFromPoolAsync(&address, bytes, pool, NULL), 0);
    return address;
}

static krs_gpu *opened(void) {
    krs_gpu *gpu;
    assert_int_equal(krs__gpu_new(FAKE_CUDA, &gpu), KRS_OK);
    return gpu;
}

/* The only GPU there is. */
static krs_gpu_state settled(const krs_gpu *gpu) {
    krs_gpu_state states[KRS_GPUS];
    size_t count;
    assert_int_equal(krs_gpu_settle(gpu, states, KRS_GPUS, &count), KRS_OK);
    assert_int_equal(count, 1);
    return states[0];
}

static krs_gpu_state seen(const krs_gpu *gpu) {
    krs_gpu_state states[KRS_GPUS];
    size_t count;
    assert_int_equal(krs_gpu_read(gpu, states, KRS_GPUS, &count), KRS_OK);
    assert_int_equal(count, 1);
    return states[0];
}

/* ---- which GPUs there are ---- */

static void without_a_driver_there_is_nothing_and_none_is_loaded(void **state) {
    (void)state;
    krs_gpu *gpu;
    krs_gpu_state states[2];
    const char *symbol = "";
    size_t count = 7;
    assert_int_equal(krs__gpu_new(FAKE_CUDA, &gpu), KRS_OK);
    assert_int_equal(krs_gpu_refusal(gpu, &symbol), KRS_REFUSAL_ABSENT);
    assert_null(symbol);
    assert_int_equal(krs_gpu_settle(gpu, states, 2, &count), KRS_OK);
    assert_int_equal(count, 0);
    krs_gpu_free(gpu);
    krs_gpu_free(NULL);
    assert_null(dlopen(FAKE_CUDA, RTLD_NOW | RTLD_NOLOAD));
}

static void a_driver_that_lacks_a_function_is_refused_by_its_name(void **state) {
    (void)state;
    static const char *const needed[] = {
#define X(name, symbol, arguments) symbol,
        KRS__DRIVER_FUNCTIONS(X)
#undef X
    };
    begin(0);
    for (size_t i = 0; i < LENGTH_OF(needed); i++) {
        krs_gpu_state states[2];
        const char *symbol;
        size_t count = 7;
        lacks = needed[i];
        krs_gpu *gpu = opened();
        assert_int_equal(krs_gpu_refusal(gpu, &symbol), KRS_REFUSAL_SYMBOL);
        assert_string_equal(symbol, needed[i]);
        assert_int_equal(krs_gpu_settle(gpu, states, 2, &count), KRS_OK);
        assert_int_equal(count, 0);
        krs_gpu_free(gpu);
    }
    assert_int_equal(cuda.fake_cuda_calls("cuCtxSynchronize"), 0);
}

static void a_driver_that_was_not_initialized_has_no_gpus(void **state) {
    (void)state;
    krs_gpu *gpu = opened();
    krs_gpu_state states[2];
    size_t count = 7;
    assert_int_equal(krs_gpu_refusal(gpu, NULL), KRS_REFUSAL_NONE);
    assert_int_equal(krs_gpu_settle(gpu, states, 2, &count), KRS_OK);
    assert_int_equal(count, 0);
    krs_gpu_free(gpu);
}

static void only_gpus_with_a_context_are_looked_at_and_none_is_made(void **state) {
    (void)state;
    begin(1);
    krs_gpu *gpu = opened();
    const uint64_t made = cuda.fake_cuda_calls("cuDevicePrimaryCtxRetain");
    assert_int_equal(settled(gpu).device, 1);
    assert_int_equal(cuda.fake_cuda_calls("cuDevicePrimaryCtxRetain"), made + 1);
    assert_false(is_active(0));
    assert_int_equal(cuda.cuDevicePrimaryCtxRelease_v2(1), 0);
    assert_false(is_active(1)); /* ours was given back */
    krs_gpu_free(gpu);
}

static void arguments_are_looked_at(void **state) {
    (void)state;
    krs_gpu *gpu = opened();
    krs_gpu_state one;
    void *ours, *current;
    size_t count;
    assert_int_equal(krs_gpu_new(NULL), KRS_INVALID);
    assert_int_equal(krs_gpu_read(NULL, &one, 1, &count), KRS_INVALID);
    assert_int_equal(krs_gpu_read(gpu, NULL, 1, &count), KRS_INVALID);
    assert_int_equal(krs_gpu_settle(gpu, &one, 1, NULL), KRS_INVALID);
    assert_int_equal(krs_gpu_trim(gpu, NULL, 1), KRS_INVALID);
    begin(0);
    begin(1);
    cuda.cuCtxGetCurrent(&ours);
    assert_int_equal(krs_gpu_read(gpu, &one, 1, &count), KRS_OK);
    assert_int_equal(count, 1);
    cuda.cuCtxGetCurrent(&current);
    assert_ptr_equal(current, ours); /* and not the one that was looked at */
    krs_gpu_free(gpu);
}

/* ---- figures and pools ---- */

static void figures_are_those_of_the_driver_to_the_byte(void **state) {
    (void)state;
    uint64_t address;
    begin(0);
    krs_gpu *gpu = opened();
    assert_int_equal(seen(gpu).used, 0);
    assert_int_equal(seen(gpu).total, UINT64_C(8) << 30);
    assert_int_equal(cuda.cuMemAlloc_v2(&address, 123457), 0);
    from_pool(3 * MIB);
    assert_int_equal(seen(gpu).used, 123457 + 4 * MIB);
    assert_int_equal(seen(gpu).pool_held, 4 * MIB);
    assert_int_equal(seen(gpu).pool_used, 4 * MIB);
    krs_gpu_free(gpu);
}

static void a_pool_gives_back_what_nobody_uses_after_its_work_is_done(void **state) {
    (void)state;
    begin(0);
    krs_gpu *gpu = opened();
    from_pool(2 * MIB);
    uint64_t dying[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        dying[i] = from_pool(2 * MIB);
    krs_gpu_state before = settled(gpu);
    for (size_t i = 0; i < BLOCKS; i++)
        assert_int_equal(cuda.cuMemFreeAsync(dying[i], NULL), 0);
    krs_gpu_state now = seen(gpu);
    assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK);
    assert_int_equal(now.used, before.used); /* the work was not waited for */
    now = settled(gpu);
    assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK);
    assert_int_equal(now.refusal, KRS_REFUSAL_NONE);
    assert_int_equal(now.used, 2 * MIB);
    assert_int_equal(now.pool_held, 2 * MIB);
    assert_int_equal(cuda.fake_cuda_figure("pooled"), 2 * MIB);
    const uint64_t trims = cuda.fake_cuda_calls("cuMemPoolTrimTo");
    assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK); /* nothing to give */
    assert_int_equal(cuda.fake_cuda_calls("cuMemPoolTrimTo"), trims);
    krs_gpu_free(gpu);
}

static void a_gpu_without_pools_has_none(void **state) {
    (void)state;
    begin(0);
    setenv("FAKE_CUDA_NO_POOLS", "1", 1);
    krs_gpu *gpu = opened();
    krs_gpu_state now = settled(gpu);
    assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK);
    assert_int_equal(now.refusal, KRS_REFUSAL_NONE);
    assert_int_equal(now.pool_held, 0);
    krs_gpu_free(gpu);
    unsetenv("FAKE_CUDA_NO_POOLS");
    cuda.cuMemFreeAsync(from_pool(MIB), NULL);
    lacks = "cuMemPoolTrimTo"; /* an old driver */
    gpu = opened();
    now = settled(gpu);
    now.pool_held = MIB; /* whatever it was before */
    assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK);
    assert_int_equal(now.refusal, KRS_REFUSAL_NONE);
    assert_int_equal(now.pool_held, 0);
    krs_gpu_free(gpu);
}

/* ---- which is which, and who has it ---- */

static void a_gpu_has_a_name_and_addresses_are_on_one(void **state) {
    (void)state;
    char name[KRS_GPU_NAME];
    uint64_t first, second;
    begin(0);
    assert_int_equal(cuda.cuMemAlloc_v2(&first, MIB), 0);
    begin(1);
    assert_int_equal(cuda.cuMemAlloc_v2(&second, MIB), 0);
    krs_gpu *gpu = opened();
    void *current, *ours;
    cuda.cuCtxGetCurrent(&ours);
    krs_gpu_name(gpu, 1, name);
    assert_string_equal(name, "Fake A100");
    assert_int_equal(krs_gpu_of(gpu, first), 0);
    assert_int_equal(krs_gpu_of(gpu, second), 1);
    cuda.cuCtxGetCurrent(&current);
    assert_ptr_equal(current, ours);
    krs_gpu_name(gpu, 7, name);
    assert_string_equal(name, "");
    cuda.fake_cuda_fail("cuPointerGetAttribute", 1, 2, LAUNCH_FAILED);
    assert_int_equal(krs_gpu_of(gpu, second), -1);
    krs_gpu_free(gpu);
    static const char *const named[] = {"cuDeviceGetName", "cuPointerGetAttribute"};
    for (size_t i = 0; i < LENGTH_OF(named); i++) {
        lacks = named[i];
        gpu = opened();
        assert_int_equal(krs_gpu_refusal(gpu, NULL), KRS_REFUSAL_NONE);
        krs_gpu_name(gpu, 0, name);
        assert_int_equal(name[0] == '\0', i == 0);
        assert_int_equal(krs_gpu_of(gpu, second), i == 0 ? 1 : -1);
        krs_gpu_free(gpu);
    }
    assert_int_equal(cuda.cuDevicePrimaryCtxRelease_v2(0), 0);
    assert_false(is_active(0)); /* ours was given back */
}

static void who_uses_a_gpu_is_asked_by_its_bus_of_a_library_that_stays(void **state) {
    (void)state;
    krs_gpu_user users[4];
    size_t count = 7;
    void *kept = dlopen(FAKE_NVML_3, RTLD_NOW);
    fake_nvml_state *(*of_nvml)(void);
    assert_non_null(kept);
    *(void **)&of_nvml = __real_dlsym(kept, "fake_nvml");
    fake_nvml_state *nvml = of_nvml();
    memset(nvml, 0, sizeof *nvml);
    nvml->gpus[1] = (fake_gpu){.processes = 1, .pids = {42}, .used = {MIB}};
    krs__gpu_users_use(FAKE_NVML_3);
    begin(1);
    krs_gpu *gpu = opened();
    for (int i = 0; i < 3; i++)
        assert_int_equal(krs_gpu_users(gpu, 1, users, 4, &count), KRS_OK);
    assert_string_equal(nvml->bus, "0000:02:00.0");
    assert_true(count == 1 && users[0].pid == 42 && users[0].bytes == MIB);
    assert_int_equal(nvml->starts, 1);
    const pid_t child = fork(); /* what it has of the library is its parent's */
    if (child == 0)
        _exit(krs_gpu_users(gpu, 1, users, 4, &count) != KRS_UNSUPPORTED);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(krs_gpu_users(gpu, 9, users, 4, &count), KRS_UNSUPPORTED);
    assert_int_equal(krs_gpu_users(NULL, 1, users, 4, &count), KRS_INVALID);
    assert_int_equal(krs_gpu_users(gpu, 1, NULL, 4, &count), KRS_INVALID);
    assert_int_equal(krs_gpu_users(gpu, 1, users, 4, NULL), KRS_INVALID);
    krs_gpu_free(gpu);
    krs__gpu_users_use("/nowhere/libnvidia-ml.so.1");
    assert_int_equal(nvml->started, 0);
    lacks = "cuDeviceGetPCIBusId";
    gpu = opened();
    assert_int_equal(krs_gpu_users(gpu, 1, users, 4, &count), KRS_UNSUPPORTED);
    krs_gpu_free(gpu);
    lacks = NULL;
    gpu = opened();
    assert_int_equal(krs_gpu_users(gpu, 1, users, 4, &count), KRS_UNSUPPORTED);
    krs__gpu_users_use(NULL);
    krs_gpu_free(gpu);
    dlclose(kept);
}

/* ---- what fails ---- */

static void a_call_that_fails_is_named_and_nothing_is_left_behind(void **state) {
    (void)state;
    static const char *const failing[] = {
        "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent_v2", "cuStreamIsCapturing",
        "cuCtxSynchronize",         "cuMemGetInfo_v2",     "cuMemPoolGetAttribute",
    };
    void *current, *ours;
    begin(0);
    cuda.cuCtxGetCurrent(&ours);
    cuda.cuMemFreeAsync(from_pool(64 * MIB), NULL);
    krs_gpu *gpu = opened();
    for (size_t i = 0; i < LENGTH_OF(failing); i++) {
        cuda.fake_cuda_fail(failing[i], 1, 1, LAUNCH_FAILED);
        krs_gpu_state now = settled(gpu);
        assert_int_equal(now.refusal, KRS_REFUSAL_DRIVER);
        assert_string_equal(now.call, failing[i]);
        assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK);
        assert_string_equal(now.call, failing[i]);
        cuda.cuCtxGetCurrent(&current);
        assert_ptr_equal(current, ours);
    }
    cuda.fake_cuda_fail("cuMemGetInfo_v2", 1, 1, LAUNCH_FAILED);
    cuda.fake_cuda_fail("cuMemPoolGetAttribute", 1, 1, CAPTURE_IMPLICIT);
    assert_string_equal(seen(gpu).call, "cuMemGetInfo_v2"); /* the first to fail */
    assert_int_equal(cuda.fake_cuda_calls("cuMemPoolTrimTo"), 0);
    cuda.fake_cuda_fail("cuMemPoolTrimTo", 1, 1, LAUNCH_FAILED);
    krs_gpu_state now = settled(gpu);
    assert_int_equal(krs_gpu_trim(gpu, &now, 1), KRS_OK);
    assert_string_equal(now.call, "cuMemPoolTrimTo");
    assert_int_equal(now.pool_held, 64 * MIB);
    krs_gpu_free(gpu);
    assert_int_equal(cuda.cuDevicePrimaryCtxRelease_v2(0), 0);
    assert_false(is_active(0));
}

static void while_a_graph_is_captured_nothing_is_done(void **state) {
    (void)state;
    void *graph;
    begin(0);
    krs_gpu *gpu = opened();
    cuda.fake_cuda_fail("cuStreamIsCapturing", 1, 1, CAPTURE_IMPLICIT);
    const uint64_t waits = cuda.fake_cuda_calls("cuCtxSynchronize");
    assert_int_equal(settled(gpu).refusal, KRS_REFUSAL_CAPTURE);
    assert_int_equal(cuda.fake_cuda_calls("cuCtxSynchronize"), waits);
    assert_int_equal(cuda.cuStreamBeginCapture_v2(NULL, 0), 0);
    const krs_gpu_state now = settled(gpu);
    assert_int_equal(now.refusal, KRS_REFUSAL_CAPTURE);
    assert_string_equal(now.call, "cuCtxSynchronize");
    assert_int_equal(cuda.cuStreamEndCapture(NULL, &graph), 0);
    free(graph);
    assert_int_equal(settled(gpu).refusal, KRS_REFUSAL_NONE);
    krs_gpu_free(gpu);
}

static void meanwhile_this_thread_may_free_beside_a_capture_and_then_not(void **state) {
    (void)state;
    uint64_t address;
    void *graph;
    begin(0);
    assert_int_equal(cuda.cuMemAlloc_v2(&address, MIB), 0);
    assert_int_equal(cuda.cuStreamBeginCapture_v2(NULL, 0), 0);
    assert_int_not_equal(cuda.cuMemFree_v2(address), 0);
    krs_gpu *gpu = opened();
    assert_int_equal(cuda.cuMemFree_v2(address), 0);
    krs_gpu_free(gpu);
    assert_int_not_equal(cuda.cuMemAlloc_v2(&address, MIB), 0);
    assert_int_equal(cuda.cuStreamEndCapture(NULL, &graph), 0);
    free(graph);
    cuda.fake_cuda_fail("cuThreadExchangeStreamCaptureMode", 1, 1, LAUNCH_FAILED);
    gpu = opened();
    assert_int_equal(krs_gpu_refusal(gpu, NULL), KRS_REFUSAL_DRIVER);
    krs_gpu_free(gpu);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, load, unload)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_driver_there_is_nothing_and_none_is_loaded),
        TEST(a_driver_that_lacks_a_function_is_refused_by_its_name),
        TEST(a_driver_that_was_not_initialized_has_no_gpus),
        TEST(only_gpus_with_a_context_are_looked_at_and_none_is_made),
        TEST(arguments_are_looked_at),
        TEST(figures_are_those_of_the_driver_to_the_byte),
        TEST(a_pool_gives_back_what_nobody_uses_after_its_work_is_done),
        TEST(a_gpu_without_pools_has_none),
        TEST(a_gpu_has_a_name_and_addresses_are_on_one),
        TEST(who_uses_a_gpu_is_asked_by_its_bus_of_a_library_that_stays),
        TEST(a_call_that_fails_is_named_and_nothing_is_left_behind),
        TEST(while_a_graph_is_captured_nothing_is_done),
        TEST(meanwhile_this_thread_may_free_beside_a_capture_and_then_not),
    };
    return cmocka_run_group_tests_name("gpu_memory", tests, NULL, NULL);
}
