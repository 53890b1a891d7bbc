/* The rules of the driver of tests/fake_cuda: a check that it does not make, no test on
 * it can make. Linked in, not loaded. */
#define _DEFAULT_SOURCE /* fork */
#include "../fake_cuda/fake_cuda.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topic.h"

enum { GRANULE = 2 << 20 };

extern int cuInit(unsigned flags);
extern int cuDevicePrimaryCtxRetain(void **context, int device);
extern int cuCtxSetCurrent(void *context);
extern int cuMemAlloc_v2(fake_address *address, size_t bytes);
extern int cuMemFree_v2(fake_address address);
extern int cuMemGetInfo_v2(size_t *available, size_t *total);
extern int cuMemAddressReserve(fake_address *begin, size_t bytes, size_t alignment,
                               fake_address wish, uint64_t flags);
extern int cuMemAddressFree(fake_address begin, size_t bytes);
extern int cuMemCreate(void **handle, size_t bytes, const void *prop, uint64_t flags);
extern int cuMemRelease(void *handle);
extern int cuMemMap(fake_address begin, size_t bytes, size_t offset, void *handle,
                    uint64_t flags);
extern int cuMemUnmap(fake_address begin, size_t bytes);
extern int cuMemSetAccess(fake_address begin, size_t bytes, const void *access,
                          size_t count);

static const int prop[8] = {1, 0, 1, 0};    /* pinned, on device 0 */
static const int read_write[3] = {1, 0, 3}; /* by device 0 */
static fake_address range;

enum { RANGE = 8 * GRANULE };

static int start(void **state) {
    (void)state;
    void *context;
    return cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
           cuCtxSetCurrent(context) != 0 ||
           cuMemAddressReserve(&range, RANGE, 0, 0, 0) != 0;
}

/* Gives the range back, so that nothing is mapped in it and nothing is left. */
static int end(void **state) {
    (void)state;
    return cuMemAddressFree(range, RANGE) != 0 || fake_cuda_figure("created") != 0 ||
           fake_cuda_figure("mapped") != 0 || fake_cuda_figure("allocated") != 0 ||
           fake_cuda_figure("reserved") != 0;
}

static void *created(size_t bytes) {
    void *handle;
    assert_int_equal(cuMemCreate(&handle, bytes, prop, 0), SUCCESS);
    return handle;
}

static void *mapped(size_t at, size_t bytes) {
    void *handle = created(bytes);
    assert_int_equal(cuMemMap(range + at, bytes, 0, handle, 0), SUCCESS);
    return handle;
}

static void unmap(size_t at, size_t bytes) {
    assert_int_equal(cuMemUnmap(range + at, bytes), SUCCESS);
}

/* Whether a child that writes there comes to an end by it. */
static bool is_closed(fake_address address) {
    int status;
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the test */
        signal(SIGBUS, SIG_DFL);
        *(volatile char *)(uintptr_t)address = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static size_t available(void) {
    size_t free_bytes, total;
    assert_int_equal(cuMemGetInfo_v2(&free_bytes, &total), SUCCESS);
    return free_bytes;
}

static void only_what_is_mapped_and_open_can_be_touched(void **state) {
    (void)state;
    fake_address address;
    assert_true(is_closed(range));
    void *handle = mapped(0, GRANULE);
    assert_true(is_closed(range));
    assert_int_equal(cuMemSetAccess(range, GRANULE, read_write, 1), SUCCESS);
    assert_false(is_closed(range));
    assert_true(is_closed(range + GRANULE));
    unmap(0, GRANULE);
    assert_true(is_closed(range));
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    assert_int_equal(cuMemAlloc_v2(&address, 100), SUCCESS);
    assert_false(is_closed(address));
    assert_int_equal(cuMemFree_v2(address), SUCCESS);
    assert_true(is_closed(address));
}

static void memory_is_counted_until_it_is_released_and_unmapped(void **state) {
    (void)state;
    const size_t before = available();
    void *handle = mapped(0, 2 * GRANULE);
    assert_int_equal(before - available(), 2 * GRANULE);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    assert_int_equal(before - available(), 2 * GRANULE);
    assert_int_equal(fake_cuda_figure("mapped"), 2 * GRANULE);
    unmap(0, 2 * GRANULE);
    assert_int_equal(available(), before);
    handle = mapped(0, GRANULE);
    unmap(0, GRANULE);
    assert_int_equal(fake_cuda_figure("created"), GRANULE);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    assert_int_equal(available(), before);
}

static void what_a_handle_holds_it_keeps_and_a_new_one_is_empty(void **state) {
    (void)state;
    char *at = (char *)(uintptr_t)range;
    void *handle = mapped(0, GRANULE);
    assert_int_equal(cuMemSetAccess(range, GRANULE, read_write, 1), SUCCESS);
    memset(at, 7, GRANULE);
    unmap(0, GRANULE);
    assert_int_equal(cuMemMap(range + GRANULE, GRANULE, 0, handle, 0), SUCCESS);
    assert_int_equal(cuMemSetAccess(range + GRANULE, GRANULE, read_write, 1), SUCCESS);
    assert_int_equal(at[GRANULE], 7);
    unmap(GRANULE, GRANULE);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    handle = mapped(0, GRANULE);
    assert_int_equal(cuMemSetAccess(range, GRANULE, read_write, 1), SUCCESS);
    assert_int_equal(at[0], 0);
    unmap(0, GRANULE);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
}

static void what_cuda_forbids_is_refused(void **state) {
    (void)state;
    const int on_host[8] = {1, 0, 2, 0};
    void *none;
    assert_int_equal(cuMemCreate(&none, GRANULE / 2, prop, 0), INVALID_VALUE);
    assert_int_equal(cuMemCreate(&none, GRANULE, on_host, 0), INVALID_VALUE);
    void *handle = mapped(GRANULE, 2 * GRANULE);
    assert_int_equal(cuMemMap(range, 2 * GRANULE, 0, handle, 0), INVALID_VALUE);
    assert_int_equal(cuMemMap(range + 4 * GRANULE, GRANULE, 0, handle, 0),
                     INVALID_VALUE);
    assert_int_equal(cuMemMap(range + 4 * GRANULE, 2 * GRANULE, GRANULE, handle, 0),
                     INVALID_VALUE);
    assert_int_equal(cuMemMap(range + RANGE, 2 * GRANULE, 0, handle, 0), INVALID_VALUE);
    assert_int_equal(cuMemUnmap(range + GRANULE, GRANULE), INVALID_VALUE);
    assert_int_equal(cuMemUnmap(range + 2 * GRANULE, GRANULE), INVALID_VALUE);
    assert_int_equal(cuMemUnmap(range, 3 * GRANULE), INVALID_VALUE);
    assert_int_equal(cuMemSetAccess(range, 3 * GRANULE, read_write, 1), INVALID_VALUE);
    assert_int_equal(cuMemAddressFree(range, RANGE), INVALID_VALUE);
    assert_int_equal(cuMemAddressFree(range, GRANULE), INVALID_VALUE);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    assert_int_equal(cuMemRelease(handle), INVALID_VALUE);
    unmap(GRANULE, 2 * GRANULE);
    assert_int_equal(cuMemUnmap(range + GRANULE, 2 * GRANULE), INVALID_VALUE);
}

static void memory_runs_out_where_the_device_ends_and_where_told(void **state) {
    (void)state;
    fake_address address;
    void *handle;
    assert_int_equal(cuMemAlloc_v2(&address, available() - GRANULE), SUCCESS);
    handle = created(GRANULE);
    void *none;
    assert_int_equal(cuMemCreate(&none, GRANULE, prop, 0), OUT_OF_MEMORY);
    assert_int_equal(cuMemFree_v2(address), SUCCESS);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    const uint64_t calls = fake_cuda_calls("cuMemCreate");
    fake_cuda_fail("cuMemCreate", 2, 1, OUT_OF_MEMORY);
    handle = created(GRANULE);
    assert_int_equal(cuMemCreate(&none, GRANULE, prop, 0), OUT_OF_MEMORY);
    void *third = created(GRANULE);
    assert_int_equal(fake_cuda_calls("cuMemCreate"), calls + 3);
    assert_int_equal(cuMemRelease(handle), SUCCESS);
    assert_int_equal(cuMemRelease(third), SUCCESS);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(only_what_is_mapped_and_open_can_be_touched),
        TEST(memory_is_counted_until_it_is_released_and_unmapped),
        TEST(what_a_handle_holds_it_keeps_and_a_new_one_is_empty),
        TEST(what_cuda_forbids_is_refused),
        TEST(memory_runs_out_where_the_device_ends_and_where_told),
    };
    return cmocka_run_group_tests_name("fake_cuda", tests, NULL, NULL);
}
