/* Figures of the process: read right, or refused. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "keraser.h"
#include "topic.h"

#define HEAD "Name:\tpython3\nVmPeak:\t 9000 kB\n"
#define RSS "VmRSS:\t  300 kB\n"
#define HWM "VmHWM:\t  500 kB\n"
#define FILES "RssFile:\t  200 kB\n"
#define SHMEM "RssShmem:\t    40 kB\n"
#define SWAP "VmSwap:\t       7 kB\n"
#define THREADS "Threads:\t12\n"
#define WHOLE HEAD HWM RSS FILES SHMEM SWAP THREADS "SigQ:\t0/96365\n"

static const krs_process untouched = {11, 12, 13, 14, 15, 16};

/* Field by field: the struct ends in padding. */
static void assert_untouched(const krs_process *process) {
    assert_int_equal(process->rss, untouched.rss);
    assert_int_equal(process->peak, untouched.peak);
    assert_int_equal(process->file, untouched.file);
    assert_int_equal(process->shared, untouched.shared);
    assert_int_equal(process->swap, untouched.swap);
    assert_int_equal(process->threads, untouched.threads);
}

static krs_process parsed(const char *text) {
    krs_process process = untouched;
    assert_int_equal(krs_process_parse(text, strlen(text), &process), KRS_OK);
    return process;
}

static void assert_refused(const char *text, size_t length) {
    krs_process process = untouched;
    assert_int_equal(krs_process_parse(text, length, &process), KRS_FORMAT);
    assert_untouched(&process);
}

static void fields_are_found_wherever_they_stand_and_given_in_bytes(void **state) {
    (void)state;
    const krs_process process = parsed(WHOLE);
    const krs_process turned = parsed(THREADS SWAP SHMEM FILES RSS HWM);
    assert_int_equal(process.rss, 300 * 1024);
    assert_int_equal(process.peak, 500 * 1024);
    assert_int_equal(process.file, 200 * 1024);
    assert_int_equal(process.shared, 40 * 1024);
    assert_int_equal(process.swap, 7 * 1024);
    assert_int_equal(process.threads, 12);
    assert_int_equal(turned.rss, process.rss);
    assert_int_equal(turned.file, process.file);
    assert_int_equal(turned.shared, process.shared);
    assert_int_equal(turned.threads, process.threads);
}

static void
a_sandbox_that_tells_resident_set_and_threads_alone_is_understood(void **state) {
    (void)state;
    const krs_process process = parsed(HEAD RSS THREADS);
    assert_int_equal(process.rss, 300 * 1024);
    assert_int_equal(process.peak, 0);
    assert_int_equal(process.file, 0);
    assert_int_equal(process.shared, 0);
    assert_int_equal(process.swap, 0);
}

static void a_field_that_must_be_there_and_is_not_is_refused(void **state) {
    (void)state;
    const char *const texts[] = {"",
                                 "\n",
                                 HEAD,
                                 HEAD HWM RSS SWAP,
                                 HEAD HWM THREADS,
                                 "XVmRSS:\t1 kB\n" THREADS,
                                 "VmRSS\t1 kB\n" THREADS};
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        assert_refused(texts[i], strlen(texts[i]));
}

static void text_cut_anywhere_before_its_last_field_ends_is_refused(void **state) {
    (void)state;
    const char text[] = HEAD HWM RSS FILES SHMEM SWAP THREADS;
    for (size_t length = 0; length < sizeof text - 1; length++)
        assert_refused(text, length);
    assert_int_equal(parsed(text).threads, 12);
}

static void the_text_ends_where_its_length_says(void **state) {
    (void)state;
    krs_process process;
    const char text[] = RSS THREADS RSS;
    assert_int_equal(krs_process_parse(text, strlen(RSS THREADS), &process), KRS_OK);
    assert_refused(text, strlen(text));
}

static void the_largest_numbers_fit_and_larger_ones_are_refused(void **state) {
    (void)state;
    const krs_process most =
        parsed("VmRSS: 18014398509481983 kB\nThreads: 4294967295\n");
    assert_true(most.rss == UINT64_MAX - 1023);
    assert_true(most.threads == UINT32_MAX);
    const char *const texts[] = {
        "VmRSS: 18014398509481984 kB\n" THREADS,
        "VmRSS: 99999999999999999999999999 kB\n" THREADS,
        RSS "Threads: 4294967296\n",
        RSS "Threads: 18446744073709551617\n",
        RSS THREADS "VmSwap: 18446744073709551616 kB\n",
        RSS THREADS "RssFile: 18014398509481984 kB\n",
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        assert_refused(texts[i], strlen(texts[i]));
}

static void a_field_not_as_the_kernel_writes_it_is_refused(void **state) {
    (void)state;
    const char *const fields[] = {
        "VmRSS:\t\n",      "VmRSS:\t kB\n",      "VmRSS:\t1\n",      "VmRSS:\t1kB\n",
        "VmRSS:\t1 MB\n",  "VmRSS:\t-1 kB\n",    "VmRSS:\t+1 kB\n",  "VmRSS:\t0x1 kB\n",
        "VmRSS:\t1 kB \n", "VmRSS:\t1 kB\r\n",   "VmRSS:\t1 2 kB\n", RSS RSS,
        RSS "VmHWM:\tx\n", RSS "VmSwap:\n",      RSS THREADS,        RSS "RssFile: 1\n",
        FILES FILES RSS,   RSS "RssShmem: kB\n",
    };
    for (size_t i = 0; i < LENGTH_OF(fields); i++) {
        char text[128] = "";
        strcat(strcat(text, fields[i]), THREADS);
        assert_refused(text, strlen(text));
    }
    assert_refused("VmRSS:\t1 kB\0\nThreads:\t1\n", 25);
    assert_refused(RSS "Threads:\t\n", strlen(RSS "Threads:\t\n"));
}

static void what_cannot_be_asked_is_refused(void **state) {
    (void)state;
    krs_process process;
    assert_int_equal(krs_process_parse(NULL, 0, &process), KRS_INVALID);
    assert_int_equal(krs_process_parse(WHOLE, strlen(WHOLE), NULL), KRS_INVALID);
    assert_int_equal(krs_process_read(NULL), KRS_INVALID);
}

/* What the linker puts in the way of the core: failures on request, open files counted
 * by the numbers they got. */
static int open_error, read_interruptions, read_error, last_file;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_read(int file, void *bytes, size_t size);
ssize_t __wrap_read(int file, void *bytes, size_t size);

int __real_close(int file);
int __wrap_close(int file);

int __wrap_open(const char *path, int flags, ...) {
    if (open_error != 0) {
        errno = open_error;
        return -1;
    }
    return last_file = __real_open(path, flags);
}

ssize_t __wrap_read(int file, void *bytes, size_t size) {
    if (read_interruptions > 0) {
        read_interruptions--;
        errno = EINTR;
        return -1;
    }
    if (read_error != 0) {
        errno = read_error;
        return -1;
    }
    return __real_read(file, bytes, size);
}

int __wrap_close(int file) {
    const int closed = __real_close(file);
    errno = EBADF; /* as POSIX lets any call that succeeds */
    return closed;
}

static void this_process_has_memory_and_a_thread(void **state) {
    (void)state;
    krs_process process;
    assert_int_equal(krs_process_read(&process), KRS_OK);
    assert_true(process.rss > 100 * 1024);
    assert_true(process.peak == 0 || process.peak >= process.rss);
    assert_true(process.file + process.shared < process.rss);
    assert_int_equal(process.threads, 1);
    assert_int_equal(fcntl(last_file, F_GETFD), -1); /* closed again */
}

static void an_interrupted_read_is_read_again(void **state) {
    (void)state;
    krs_process process;
    read_interruptions = 2;
    assert_int_equal(krs_process_read(&process), KRS_OK);
    assert_int_equal(read_interruptions, 0);
}

static void a_file_that_cannot_be_read_leaves_its_reason_in_errno(void **state) {
    (void)state;
    krs_process process = untouched;
    open_error = EMFILE;
    assert_int_equal(krs_process_read(&process), KRS_SYSTEM);
    assert_int_equal(errno, EMFILE);
    open_error = 0;
    read_error = EIO;
    assert_int_equal(krs_process_read(&process), KRS_SYSTEM);
    assert_int_equal(errno, EIO);
    assert_int_equal(fcntl(last_file, F_GETFD), -1);
    read_error = 0;
    assert_untouched(&process);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_wherever_they_stand_and_given_in_bytes),
        cmocka_unit_test(
            a_sandbox_that_tells_resident_set_and_threads_alone_is_understood),
        cmocka_unit_test(a_field_that_must_be_there_and_is_not_is_refused),
        cmocka_unit_test(text_cut_anywhere_before_its_last_field_ends_is_refused),
        cmocka_unit_test(the_text_ends_where_its_length_says),
        cmocka_unit_test(the_largest_numbers_fit_and_larger_ones_are_refused),
        cmocka_unit_test(a_field_not_as_the_kernel_writes_it_is_refused),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(this_process_has_memory_and_a_thread),
        cmocka_unit_test(an_interrupted_read_is_read_again),
        cmocka_unit_test(a_file_that_cannot_be_read_leaves_its_reason_in_errno),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
