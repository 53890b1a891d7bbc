/* Copying the memory of another process, and what is asked of the process itself. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outside/process.h"
#include "topic.h"

enum { BASE = 0x100000 };

/* ---- memory ----------------------------------------------------------------- */

static ptrdiff_t read_little(void *context, uint64_t address, void *to, size_t size) {
    const uint64_t end = *(const uint64_t *)context;
    const size_t left = address < end ? (size_t)(end - address) : 0;
    memset(to, 7, size < left ? size : left);
    return (ptrdiff_t)(size < left ? size : left);
}

static void what_cannot_be_read_is_told_and_nothing_else(void **state) {
    (void)state;
    uint64_t end = BASE + KRS__PAGE_BYTES * 2 + 8, word;
    krs__memory memory;
    krs__memory_init(&memory, read_little, &end, SIZE_MAX);
    assert_int_equal(krs__memory_add(&memory, BASE, BASE + KRS__PAGE_BYTES * 8),
                     KRS_OK);
    assert_true(krs__memory_word(&memory, BASE, &word));
    assert_int_equal(word, 0x0707070707070707);
    assert_true(krs__memory_word(&memory, BASE + KRS__PAGE_BYTES * 2 - 8, &word));
    /* Half a page is none; neither is what no range has. */
    assert_false(krs__memory_word(&memory, BASE + KRS__PAGE_BYTES * 2, &word));
    assert_false(krs__memory_word(&memory, BASE + KRS__PAGE_BYTES * 2 - 4, &word));
    assert_false(krs__memory_word(&memory, BASE - 8, &word));
    assert_false(krs__memory_word(&memory, UINT64_MAX - 3, &word));
    assert_int_equal(krs__memory_status(&memory), KRS_OK);
    assert_int_equal(memory.copied, KRS__PAGE_BYTES * 2 + 8);
    krs__memory_free(&memory);
}

/* The second of four pages cannot be read. */
static ptrdiff_t read_around_hole(void *context, uint64_t address, void *to,
                                  size_t size) {
    const uint64_t hole = BASE + KRS__PAGE_BYTES;
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
    assert_int_equal(krs__memory_add(&memory, BASE, BASE + KRS__PAGE_BYTES * 4),
                     KRS_OK);
    assert_true(krs__memory_word(&memory, BASE, &word));
    assert_false(krs__memory_word(&memory, BASE + KRS__PAGE_BYTES, &word));
    assert_true(krs__memory_word(&memory, BASE + KRS__PAGE_BYTES * 2, &word));
    assert_true(krs__memory_word(&memory, BASE + KRS__PAGE_BYTES * 4 - 8, &word));
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

/* ---- /proc/PID/stat --------------------------------------------------------- */

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

/* One whose end nobody has taken in yet, and one that has the number of another. */
static void a_process_that_ends_is_told_from_one_that_lives(void **state) {
    (void)state;
    krs__process process;
    krs_outside_error error;
    const pid_t pid = fork();
    if (pid == 0)
        while (true)
            pause();
    assert_int_equal(krs__process_find(pid, &process, &error), KRS_OK);
    assert_false(krs__process_ends(&process));
    process.start++;
    assert_true(krs__process_ends(&process));
    process.start--;
    kill(pid, SIGKILL);
    assert_true(krs__process_ends(&process));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(krs__process_ends(&process));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read_is_told_and_nothing_else),
        cmocka_unit_test(pages_behind_a_hole_are_read),
        cmocka_unit_test(a_process_that_is_gone_is_asked_once),
        cmocka_unit_test(ranges_are_whole_pages_in_rising_order),
        cmocka_unit_test(the_copy_has_a_limit),
        cmocka_unit_test(the_state_of_a_process_is_behind_its_name),
        cmocka_unit_test(a_process_that_ends_is_told_from_one_that_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
