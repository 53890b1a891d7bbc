/* What is read of another process: right, refused, or gone. */
#define _GNU_SOURCE
#include "proc/footprint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/process.h"
#include "topic.h"

#define HEAD "561be7970000-7ffda76dd000 ---p 00000000 00:00 0    [rollup]\n"
#define SIZES "Rss:    1000 kB\nPss:     700 kB\nPss_Anon:  9 kB\nShared_Clean: 9 kB\n"
#define CLEAN "Private_Clean:        100 kB\n"
#define DIRTY "Private_Dirty:        200 kB\n"
#define HUGE "Shared_Hugetlb:  9 kB\nPrivate_Hugetlb:      30 kB\n"
#define SWAP "Swap:       9 kB\nSwapPss:        4 kB\n"
#define LAST "Locked:       0 kB\n"
#define WHOLE HEAD SIZES CLEAN DIRTY HUGE SWAP LAST

enum { MIB = 1024 * 1024 };

static const krs__footprint untouched = {11, 12, 13, 14};

static void assert_refused(const char *text, size_t length) {
    krs__footprint f = untouched;
    assert_int_equal(krs__footprint_parse(text, length, &f), KRS_FORMAT);
    assert_memory_equal(&f, &untouched, sizeof f);
}

static void own_is_what_would_go_and_made_what_was_changed(void **state) {
    (void)state;
    krs__footprint f;
    assert_int_equal(krs__footprint_parse(WHOLE, strlen(WHOLE), &f), KRS_OK);
    assert_int_equal(f.rss, 1000 * 1024);
    assert_int_equal(f.pss, 700 * 1024);
    assert_int_equal(f.own, (100 + 200 + 30) * 1024);
    assert_int_equal(f.made, (200 + 30 + 4) * 1024);
}

static void text_cut_anywhere_is_refused(void **state) {
    (void)state;
    for (size_t length = 0; length < strlen(WHOLE); length++)
        assert_refused(WHOLE, length);
}

static void what_is_no_rollup_or_lacks_a_field_is_refused(void **state) {
    (void)state;
    const char *const texts[] = {
        SIZES CLEAN DIRTY HUGE SWAP LAST,
        "[rollup] \n" SIZES CLEAN DIRTY HUGE SWAP LAST,
        "\n" WHOLE,
        HEAD CLEAN DIRTY HUGE SWAP LAST,
        HEAD SIZES DIRTY HUGE SWAP LAST,
        HEAD SIZES CLEAN HUGE SWAP LAST,
        HEAD SIZES CLEAN DIRTY SWAP LAST,
        HEAD SIZES CLEAN DIRTY HUGE LAST,
        HEAD SIZES CLEAN DIRTY HUGE SWAP,
        WHOLE DIRTY,
        HEAD SIZES CLEAN "Private_Dirty: 200\n" HUGE SWAP LAST,
        HEAD SIZES CLEAN "Private_Dirty: -1 kB\n" HUGE SWAP LAST,
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        assert_refused(texts[i], strlen(texts[i]));
}

static void sums_that_do_not_fit_are_refused(void **state) {
    (void)state;
#define MOST "18014398509481983 kB\n"
    const char *const texts[] = {
        HEAD SIZES CLEAN "Private_Dirty: " MOST HUGE SWAP LAST,
        HEAD SIZES "Private_Clean: 0 kB\n" DIRTY "Private_Hugetlb: " MOST SWAP LAST,
        HEAD SIZES CLEAN DIRTY HUGE "SwapPss: " MOST LAST,
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        assert_refused(texts[i], strlen(texts[i]));
}

/* Has a child forked, told to do `work` on `block` and then to wait. */
static pid_t forked(void (*work)(char *block), char *block) {
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (work != NULL)
            work(block);
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

enum { BLOCK = 32 * MIB, HALF = BLOCK / 2 };

static char *mapped(void) {
    char *block =
        mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(block != MAP_FAILED);
    memset(block, 1, BLOCK);
    return block;
}

static void change_half(char *block) {
    memset(block, 2, HALF);
}

static void a_forked_child_owns_what_it_changes_and_no_more(void **state) {
    (void)state;
    char *block = mapped();
    krs__footprint idle, changed;
    krs_process process;
    pid_t pid = forked(NULL, block);
    assert_int_equal(krs__footprint_read(pid, &idle), KRS_OK);
    assert_int_equal(krs__process_read_of(pid, &process), KRS_OK);
    end(pid);
    pid = forked(change_half, block);
    assert_int_equal(krs__footprint_read(pid, &changed), KRS_OK);
    end(pid);
    munmap(block, BLOCK);
    assert_true(process.rss >= BLOCK && krs__process_anonymous(&process) >= BLOCK);
    assert_true(idle.rss >= BLOCK && idle.made < 8 * MIB);
    assert_true(changed.made >= idle.made + HALF - MIB);
    assert_true(changed.made <= idle.made + HALF + 8 * MIB);
    assert_true(changed.own >= changed.made - MIB);
}

static void
a_process_that_has_ended_is_gone_before_and_after_it_is_reaped(void **state) {
    (void)state;
    krs_process process = {.rss = 11};
    krs__footprint f = untouched;
    uint64_t ns = 7;
    const pid_t pid = forked(NULL, NULL);
    kill(pid, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    for (int reaped = 0; reaped <= 1; reaped++) {
        errno = 0;
        assert_int_equal(krs__process_read_of(pid, &process), KRS_SYSTEM);
        assert_int_equal(errno, ESRCH);
        errno = 0;
        assert_int_equal(krs__footprint_read(pid, &f), KRS_SYSTEM);
        assert_int_equal(errno, ESRCH);
        if (reaped == 0)
            assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    errno = 0;
    assert_int_equal(krs__cpu_read(pid, &ns), KRS_SYSTEM);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(process.rss, 11);
    assert_memory_equal(&f, &untouched, sizeof f);
    assert_int_equal(ns, 7);
}

static void spin(char *unused) {
    (void)unused;
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (used.tv_sec == 0 && used.tv_nsec < 50000000);
}

static void processor_time_is_that_of_the_process_asked_for(void **state) {
    (void)state;
    uint64_t before, after;
    const pid_t idle = forked(NULL, NULL), busy = forked(spin, NULL);
    assert_int_equal(krs__cpu_read(idle, &before), KRS_OK);
    assert_int_equal(krs__cpu_read(busy, &after), KRS_OK);
    end(idle);
    end(busy);
    assert_true(before < 50000000);
    assert_true(after >= 50000000);
}

static void anonymous_memory_never_wraps_and_counts_what_is_swapped_out(void **state) {
    (void)state;
    const krs_process usual = {.rss = 100, .file = 30, .shared = 20, .swap = 7};
    const krs_process torn = {.rss = 100, .file = 90, .shared = 20, .swap = 7};
    assert_int_equal(krs__process_anonymous(&usual), 57);
    assert_int_equal(krs__process_anonymous(&torn), 7);
}

/* What the linker puts in the way: files that are not there, and a text in their
 * place. */
static const char *text_in_place;
static size_t text_given, text_size;
static int open_error;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_read(int file, void *bytes, size_t size);
ssize_t __wrap_read(int file, void *bytes, size_t size);

int __wrap_open(const char *path, int flags, ...) {
    if (open_error != 0) {
        errno = open_error;
        return -1;
    }
    return __real_open(text_in_place != NULL ? "/dev/null" : path, flags);
}

ssize_t __wrap_read(int file, void *bytes, size_t size) {
    if (text_in_place == NULL)
        return __real_read(file, bytes, size);
    text_given = text_size < size ? text_size : size;
    memcpy(bytes, text_in_place, text_given);
    return (ssize_t)text_given;
}

static void an_older_kernel_is_told_from_a_process_that_is_gone(void **state) {
    (void)state;
    krs__footprint f;
    open_error = ENOENT;
    assert_int_equal(krs__footprint_read(getpid(), &f), KRS_SYSTEM);
    assert_int_equal(errno, ENOENT);
    open_error = EACCES;
    assert_int_equal(krs__footprint_read(getpid(), &f), KRS_SYSTEM);
    assert_int_equal(errno, EACCES);
    open_error = 0;
}

static krs_status read_of_text(const char *text, size_t size, krs_process *process) {
    text_in_place = text;
    text_size = size;
    errno = 0;
    const krs_status status = krs__process_read_of(1, process);
    text_in_place = NULL;
    return status;
}

static void only_a_status_without_a_line_on_memory_is_one_of_a_zombie(void **state) {
    (void)state;
    krs_process process = {.rss = 11};
    const char *const zombie = "Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n";
    assert_int_equal(read_of_text(zombie, strlen(zombie), &process), KRS_SYSTEM);
    assert_int_equal(errno, ESRCH);
    const char *const others[] = {"Name:\tx\n", "VmHWM:\t1 kB\nThreads:\t1\n", "",
                                  "Threads:\tx\n", "Threads:\t1\nVmRSS:\t1\n"};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_int_equal(read_of_text(others[i], strlen(others[i]), &process),
                         KRS_FORMAT);
    assert_int_equal(process.rss, 11);
}

static void a_text_that_fills_all_room_is_not_believed(void **state) {
    (void)state;
    krs_process process;
    static char text[1 << 15];
    memset(text, '\n', sizeof text);
    memcpy(text, "VmRSS:\t1 kB\nThreads:\t1\n", 23);
    assert_int_equal(read_of_text(text, sizeof text, &process), KRS_FORMAT);
    assert_int_equal(read_of_text(text, 1 << 13, &process), KRS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_is_what_would_go_and_made_what_was_changed),
        cmocka_unit_test(text_cut_anywhere_is_refused),
        cmocka_unit_test(what_is_no_rollup_or_lacks_a_field_is_refused),
        cmocka_unit_test(sums_that_do_not_fit_are_refused),
        cmocka_unit_test(a_forked_child_owns_what_it_changes_and_no_more),
        cmocka_unit_test(
            a_process_that_has_ended_is_gone_before_and_after_it_is_reaped),
        cmocka_unit_test(processor_time_is_that_of_the_process_asked_for),
        cmocka_unit_test(anonymous_memory_never_wraps_and_counts_what_is_swapped_out),
        cmocka_unit_test(an_older_kernel_is_told_from_a_process_that_is_gone),
        cmocka_unit_test(only_a_status_without_a_line_on_memory_is_one_of_a_zombie),
        cmocka_unit_test(a_text_that_fills_all_room_is_not_believed),
    };
    return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
