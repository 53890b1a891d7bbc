/* GPU memory of a process, by libraries of our own in the driver's place; and whether
 * this process has a device open. */
#include "gpu/nvml.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "fake_nvml.h"
#include "gpu/device.h"
#include "topic.h"

enum { PID = 4711 };

static fake_nvml_state *fake;
static long failing; /* the allocation that fails, from 1 */
static void *kept;   /* so that the state outlives a close */

static krs__nvml *opened(const char *path) {
    krs__nvml *nvml;
    kept = dlopen(path, RTLD_NOW);
    assert_non_null(kept);
    fake_nvml_state *(*state)(void);
    *(void **)&state = dlsym(kept, "fake_nvml");
    fake = state();
    memset(fake, 0, sizeof *fake);
    assert_int_equal(krs__nvml_open(path, &nvml), KRS_OK);
    return nvml;
}

static void close_all(krs__nvml *nvml) {
    krs__nvml_close(nvml);
    assert_int_equal(fake->started, 0);
    dlclose(kept);
}

static void use(unsigned gpu, uint32_t pid, uint64_t bytes) {
    fake_gpu *g = &fake->gpus[gpu];
    g->pids[g->processes] = pid;
    g->used[g->processes++] = bytes;
}

static void memory_is_summed_over_devices_and_instances(void **state) {
    (void)state;
    const char *const paths[] = {FAKE_NVML_3, FAKE_NVML_2};
    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        krs__nvml *nvml = opened(paths[i]);
        uint64_t bytes = 7;
        assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
        assert_int_equal(bytes, 0);
        use(0, PID - 1, 1000);
        use(0, PID, 30);
        use(0, PID, UINT64_C(5) << 40);
        use(1, PID, 2);
        use(1, PID + 1, UINT64_MAX); /* what another's is, is not asked */
        assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
        assert_true(bytes == (UINT64_C(5) << 40) + 32);
        close_all(nvml);
    }
}

static void a_gpu_with_many_processes_is_read_whole(void **state) {
    (void)state;
    krs__nvml *nvml = opened(FAKE_NVML_3);
    uint64_t bytes;
    use(0, PID, 30);
    fake->gpus[0].processes = 500;
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
    assert_int_equal(bytes, 30);
    fake->gpus[0].more_each_time = 5; /* and a few more come meanwhile */
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
    fake->gpus[0].more_each_time = 1000; /* not to be kept up with */
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_UNSUPPORTED);
    close_all(nvml);
}

static void what_is_not_told_is_unsupported_and_never_a_number(void **state) {
    (void)state;
    krs__nvml *nvml = opened(FAKE_NVML_3);
    uint64_t bytes = 7;
    use(0, PID, 30);
    use(1, PID, UINT64_MAX);
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_UNSUPPORTED);
    fake->gpus[1].used[0] = 1;
    fake->gpus[1].list_answer = 3;
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_UNSUPPORTED);
    fake->gpus[1].list_answer = 0;
    fake->gpus[1].handle_answer = 999;
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_UNSUPPORTED);
    fake->gpus[1].handle_answer = 0;
    fake->count_answer = 1;
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_UNSUPPORTED);
    assert_int_equal(bytes, 7);
    close_all(nvml);
}

static void a_gpu_that_we_may_not_use_is_passed_over(void **state) {
    (void)state;
    krs__nvml *nvml = opened(FAKE_NVML_3);
    uint64_t bytes;
    use(1, PID, 30);
    fake->gpus[0].handle_answer = 4; /* no permission */
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
    assert_int_equal(bytes, 30);
    fake->gpus[0].handle_answer = 15; /* fallen off the bus */
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
    close_all(nvml);
}

static void a_library_that_is_none_or_does_not_start_is_unsupported(void **state) {
    (void)state;
    krs__nvml *const untouched = (krs__nvml *)&fake, *nvml = untouched;
    assert_int_equal(krs__nvml_open("/nowhere/libnvidia-ml.so.1", &nvml),
                     KRS_UNSUPPORTED);
    assert_int_equal(krs__nvml_open(FAKE_NVML_0, &nvml), KRS_UNSUPPORTED);
    close_all(opened(FAKE_NVML_3));
    kept = dlopen(FAKE_NVML_3, RTLD_NOW);
    fake->init_answer = 9; /* driver not loaded */
    assert_int_equal(krs__nvml_open(FAKE_NVML_3, &nvml), KRS_UNSUPPORTED);
    assert_int_equal(fake->started, 0);
    assert_ptr_equal(nvml, untouched);
    fake->init_answer = 0;
    dlclose(kept);
    krs__nvml_close(NULL);
}

static void users_of_one_gpu_come_by_number_each_once(void **state) {
    (void)state;
    krs__nvml *nvml = opened(FAKE_NVML_3);
    krs_gpu_user users[4];
    size_t count = 7;
    use(0, 5, 1);
    use(1, PID, 30);
    use(1, 3, 1000);
    use(1, PID, 12);
    use(1, 4, 5);
    assert_int_equal(krs__nvml_users(nvml, "0000:02:00.0", users, 4, &count), KRS_OK);
    assert_int_equal(count, 3);
    assert_true(users[0].pid == 3 && users[0].bytes == 1000);
    assert_true(users[1].pid == 4 && users[1].bytes == 5);
    assert_true(users[2].pid == PID && users[2].bytes == 42);
    assert_int_equal(krs__nvml_users(nvml, "0000:01:00.0", users, 4, &count), KRS_OK);
    assert_int_equal(count, 1);
    fake->gpus[0].processes = 0;
    assert_int_equal(krs__nvml_users(nvml, "0000:01:00.0", users, 4, &count), KRS_OK);
    assert_int_equal(count, 0);
    close_all(nvml);
}

static void users_that_are_not_told_in_full_are_not_told(void **state) {
    (void)state;
    krs__nvml *nvml = opened(FAKE_NVML_3);
    const char *const bus = "0000:01:00.0";
    krs_gpu_user users[4];
    size_t count = 7;
    use(0, PID, 30);
    use(0, 3, UINT64_MAX);
    assert_int_equal(krs__nvml_users(nvml, bus, users, 4, &count), KRS_UNSUPPORTED);
    fake->gpus[0].used[1] = 1;
    assert_int_equal(krs__nvml_users(nvml, bus, users, 1, &count), KRS_UNSUPPORTED);
    fake->gpus[0].instance = 2; /* a part of a GPU */
    assert_int_equal(krs__nvml_users(nvml, bus, users, 4, &count), KRS_UNSUPPORTED);
    fake->gpus[0].instance = 0;
    fake->gpus[0].list_answer = 3;
    assert_int_equal(krs__nvml_users(nvml, bus, users, 4, &count), KRS_UNSUPPORTED);
    fake->gpus[0].list_answer = 0;
    fake->gpus[0].handle_answer = 4;
    assert_int_equal(krs__nvml_users(nvml, bus, users, 4, &count), KRS_UNSUPPORTED);
    fake->gpus[0].handle_answer = 0;
    assert_int_equal(krs__nvml_users(nvml, "0000:09:00.0", users, 4, &count),
                     KRS_UNSUPPORTED);
    assert_int_equal(count, 7);
    failing = 1;
    fake->gpus[0].processes = 100; /* more room is needed */
    assert_int_equal(krs__nvml_users(nvml, bus, users, 4, &count), KRS_NOMEM);
    failing = 0;
    assert_int_equal(count, 7);
    close_all(nvml);
}

/* ---- devices -------------------------------------------------------------------- */

static const char *link_target; /* of whatever link is read */

ssize_t __real_readlinkat(int folder, const char *path, char *target, size_t size);
ssize_t __wrap_readlinkat(int folder, const char *path, char *target, size_t size);
void *__real_opendir(const char *path);
void *__wrap_opendir(const char *path);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

static int opendir_error;

ssize_t __wrap_readlinkat(int folder, const char *path, char *target, size_t size) {
    if (link_target == NULL || strcmp(path, "0") != 0)
        return __real_readlinkat(folder, path, target, size);
    const size_t length = strlen(link_target) < size ? strlen(link_target) : size;
    memcpy(target, link_target, length);
    return (ssize_t)length;
}

void *__wrap_opendir(const char *path) {
    errno = opendir_error;
    return opendir_error != 0 ? NULL : __real_opendir(path);
}

void *__wrap_calloc(size_t count, size_t size) {
    return --failing == 0 ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return --failing == 0 ? NULL : __real_realloc(block, size);
}

static krs__gpu_devices devices_with(const char *target) {
    krs__gpu_devices devices = {true, true};
    link_target = target;
    assert_int_equal(krs__gpu_devices_read(&devices), KRS_OK);
    link_target = NULL;
    return devices;
}

static void a_device_is_known_by_its_path(void **state) {
    (void)state;
    char longest[300];
    const char *const cuda[] = {"/dev/nvidia-uvm", "/dev/dxg"};
    const char *const others[] = {"/dev/nvidia0", "/dev/nvidiactl",
                                  "/dev/nvidia-uvm-tools", "/dev/nvidia-caps/c1"};
    const char *const none[] = {"/dev/null", "/home/dev/nvidia0", "/dev/nvidi",
                                "/dev/dxgi", "socket:[4711]",     longest};
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < LENGTH_OF(cuda); i++)
        assert_true(devices_with(cuda[i]).cuda && devices_with(cuda[i]).any);
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_true(!devices_with(others[i]).cuda && devices_with(others[i]).any);
    for (size_t i = 0; i < LENGTH_OF(none); i++)
        assert_false(devices_with(none[i]).any || devices_with(none[i]).cuda);
}

static void descriptors_that_cannot_be_listed_are_no_answer(void **state) {
    (void)state;
    krs__gpu_devices devices = {true, false};
    opendir_error = EMFILE;
    assert_int_equal(krs__gpu_devices_read(&devices), KRS_SYSTEM);
    assert_int_equal(errno, EMFILE);
    opendir_error = 0;
    assert_true(devices.any && !devices.cuda);
}

static void memory_may_run_out(void **state) {
    (void)state;
    krs__nvml *nvml = opened(FAKE_NVML_3), *none;
    uint64_t bytes = 7;
    use(0, PID, 30);
    failing = 1;
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_NOMEM);
    assert_int_equal(bytes, 7);
    failing = 1;
    assert_int_equal(krs__nvml_open(FAKE_NVML_3, &none), KRS_NOMEM);
    failing = 0;
    assert_int_equal(krs__nvml_used(nvml, PID, &bytes), KRS_OK);
    assert_int_equal(bytes, 30);
    close_all(nvml);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_summed_over_devices_and_instances),
        cmocka_unit_test(a_gpu_with_many_processes_is_read_whole),
        cmocka_unit_test(what_is_not_told_is_unsupported_and_never_a_number),
        cmocka_unit_test(a_gpu_that_we_may_not_use_is_passed_over),
        cmocka_unit_test(users_of_one_gpu_come_by_number_each_once),
        cmocka_unit_test(users_that_are_not_told_in_full_are_not_told),
        cmocka_unit_test(a_library_that_is_none_or_does_not_start_is_unsupported),
        cmocka_unit_test(a_device_is_known_by_its_path),
        cmocka_unit_test(descriptors_that_cannot_be_listed_are_no_answer),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("nvml", tests, NULL, NULL);
}
