/* Static variables: the mappings that hold them are read right or refused, and a word
 * in them is found, and nowhere else. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, process_vm_readv */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "keraser.h"
#include "topic.h"

enum {
    PAGE = 4096,
    CHUNK = 65536 /* read at once */,
    PAGE_WORDS = PAGE / sizeof(uintptr_t),
    ROOM = 4
};

#define PLACE " 00001000 fe:0a 332835"
#define LINE "7f0000000000-7f0000003000 rw-p" PLACE "                     /lib/libx.so"

/* ---- one line ---- */

static krs_mapping parsed(const char *line) {
    krs_mapping mapping;
    assert_int_equal(krs_mapping_parse(line, strlen(line), &mapping), KRS_OK);
    return mapping;
}

static void assert_line_refused(const char *line, size_t length) {
    krs_mapping mapping = {.begin = 11, .path_length = 12};
    assert_int_equal(krs_mapping_parse(line, length, &mapping), KRS_FORMAT);
    assert_int_equal(mapping.begin, 11);
    assert_int_equal(mapping.path_length, 12);
}

static void assert_path(const char *line, const char *path) {
    const krs_mapping mapping = parsed(line);
    assert_int_equal(mapping.path_length, strlen(path));
    assert_memory_equal(mapping.path, path, strlen(path));
}

static void a_line_is_read_as_the_kernel_writes_it(void **state) {
    (void)state;
    const krs_mapping mapping = parsed(LINE);
    assert_true(mapping.begin == 0x7f0000000000 && mapping.end == 0x7f0000003000);
    assert_int_equal(mapping.writable, 1);
    assert_int_equal(mapping.is_private, 1);
    const krs_mapping last = parsed("fffffffffffee000-fffffffffffff000 r-xs" PLACE " ");
    assert_true(last.begin == UINTPTR_MAX - 0x11fff && last.end == UINTPTR_MAX - 0xfff);
    assert_int_equal(last.writable, 0);
    assert_int_equal(last.is_private, 0);
    assert_int_equal(last.path_length, 0);
}

static void a_path_is_all_that_follows_the_blanks(void **state) {
    (void)state;
    assert_path(LINE, "/lib/libx.so");
    assert_path(LINE " (deleted)", "/lib/libx.so (deleted)");
    assert_path("1000-2000 ---p 0 0:0 0   /a  b ", "/a  b ");
    assert_path("1000-2000 rw-p 0 0:0 0 [anon: glibc: malloc]",
                "[anon: glibc: malloc]");
    assert_path("1000-2000 rw-p 0 0:0 0 ", "");
    assert_path("1000-2000 rw-p 0 0:0 0    ", "");
}

static void a_line_cut_before_its_path_is_refused(void **state) {
    (void)state;
    const size_t least = strlen("7f0000000000-7f0000003000 rw-p" PLACE " ");
    for (size_t length = 0; length < least; length++)
        assert_line_refused(LINE, length);
    krs_mapping mapping;
    assert_int_equal(krs_mapping_parse(LINE, least, &mapping), KRS_OK);
    assert_int_equal(mapping.path_length, 0);
}

static void a_line_not_as_the_kernel_writes_it_is_refused(void **state) {
    (void)state;
    const char *const lines[] = {
        " 1000-2000 rw-p 0 0:0 0 ",
        "-2000 rw-p 0 0:0 0 ",
        "1000- rw-p 0 0:0 0 ",
        "1000 2000 rw-p 0 0:0 0 ",
        "0x1000-2000 rw-p 0 0:0 0 ",
        "A000-B000 rw-p 0 0:0 0 ",
        "2000-1000 rw-p 0 0:0 0 ",
        "1000-1000 rw-p 0 0:0 0 ",
        "1001-2000 rw-p 0 0:0 0 ",
        "1000-2008 rw-p 0 0:0 0 ",
        "1000-10000000000002000 rw-p 0 0:0 0 ",
        "1000-2000  rw-p 0 0:0 0 ",
        "1000-2000 rwp 0 0:0 0 ",
        "1000-2000 wr-p 0 0:0 0 ",
        "1000-2000 rw-- 0 0:0 0 ",
        "1000-2000 rwwp 0 0:0 0 ",
        "1000-2000 xw-p 0 0:0 0 ",
        "1000-2000 rwxp0 0:0 0 ",
        "1000-2000 rw-p g 0:0 0 ",
        "1000-2000 rw-p 0 0 0 ",
        "1000-2000 rw-p 0 0:g 0 ",
        "1000-2000 rw-p 0 0:0 a ",
        "1000-2000 rw-p 0 0:0 18446744073709551616 ",
        "1000-2000 rw-p 0 0:0 0\t/a",
        "1000-2000 rw-p 0 0:0 0 /a\n",
    };
    for (size_t i = 0; i < LENGTH_OF(lines); i++)
        assert_line_refused(lines[i], strlen(lines[i]));
    assert_line_refused("1000-2000 rw-p 0 0:0 0 /a\0b", 28);
}

/* ---- what the linker puts in the way of the core ---- */

/* Failures on request, and a text to be read in place of the kernel's, some bytes at a
 * time. */
static struct {
    int open_error, read_error, interruptions, memory_error;
    const char *text; /* NULL: the kernel's */
    size_t at, piece;
    int last_file;
} way;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_read(int file, void *bytes, size_t size);
ssize_t __wrap_read(int file, void *bytes, size_t size);
int __real_close(int file);
int __wrap_close(int file);
ssize_t __real_process_vm_readv(pid_t pid, const struct iovec *local,
                                unsigned long local_count, const struct iovec *remote,
                                unsigned long remote_count, unsigned long flags);
ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *local,
                                unsigned long local_count, const struct iovec *remote,
                                unsigned long remote_count, unsigned long flags);

static bool fails(int error) {
    if (error != 0)
        errno = error;
    return error != 0;
}

int __wrap_open(const char *path, int flags, ...) {
    way.at = 0;
    return fails(way.open_error) ? -1 : (way.last_file = __real_open(path, flags));
}

ssize_t __wrap_read(int file, void *bytes, size_t size) {
    if (way.interruptions > 0) {
        way.interruptions--;
        errno = EINTR;
        return -1;
    }
    if (fails(way.read_error))
        return -1;
    if (way.text == NULL)
        return __real_read(file, bytes, way.piece > 0 ? way.piece : size);
    size_t length = strlen(way.text + way.at);
    length = length < size ? length : size;
    if (way.piece > 0 && length > way.piece)
        length = way.piece;
    memcpy(bytes, way.text + way.at, length);
    way.at += length;
    return (ssize_t)length;
}

int __wrap_close(int file) {
    const int closed = __real_close(file);
    errno = EBADF; /* as POSIX lets any call that succeeds */
    return closed;
}

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *local,
                                unsigned long local_count, const struct iovec *remote,
                                unsigned long remote_count, unsigned long flags) {
    if (fails(way.memory_error))
        return -1;
    return __real_process_vm_readv(pid, local, local_count, remote, remote_count,
                                   flags);
}

static int clear_way(void **state) {
    (void)state;
    memset(&way, 0, sizeof way);
    return 0;
}

/* ---- the search ---- */

static volatile uintptr_t first = 1, second = 2; /* in .data */
static _Alignas(PAGE) uintptr_t bss[4 * CHUNK / sizeof(uintptr_t)];

/* An address that nothing holds, not even malloc: one inside a block of the heap. */
static uintptr_t new_word(void **block) {
    *block = calloc(1, 64);
    assert_non_null(*block);
    return (uintptr_t)*block + 24;
}

static size_t found(uintptr_t word, krs_static_hit hits[ROOM]) {
    size_t count;
    assert_int_equal(krs_static_find(&word, 1, hits, ROOM, &count), KRS_OK);
    return count;
}

static void assert_not_found(uintptr_t word) {
    krs_static_hit hits[ROOM];
    assert_int_equal(found(word, hits), 0);
}

static void assert_found(uintptr_t word, const char *path, uint32_t times) {
    krs_static_hit hits[ROOM];
    assert_int_equal(found(word, hits), 1);
    assert_string_equal(hits[0].path, path);
    assert_int_equal(hits[0].count, times);
}

static const char *program(void) {
    static char path[256];
    assert_true(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    return path;
}

static void a_word_is_found_as_often_as_static_variables_hold_it(void **state) {
    (void)state;
    void *block;
    const uintptr_t word = new_word(&block);
    assert_not_found(word);
    first = word;
    assert_found(word, program(), 1);
    second = word;
    assert_found(word, program(), 2);
    first = second = 0;
    assert_not_found(word);
    free(block);
}

static void the_whole_of_bss_is_looked_at(void **state) {
    (void)state;
    void *block;
    const uintptr_t word = new_word(&block);
    bss[LENGTH_OF(bss) - 1] = word;
    assert_found(word, program(), 1);
    for (size_t i = 0; i < LENGTH_OF(bss); i++)
        bss[i] = word;
    assert_found(word, program(), LENGTH_OF(bss));
    memset(bss, 0, sizeof bss);
    free(block);
}

static void heap_and_stack_are_not_looked_at(void **state) {
    (void)state;
    void *block;
    const volatile uintptr_t word = new_word(&block);
    *(volatile uintptr_t *)block = word;
    assert_not_found(word);
    free(block);
}

static void a_word_across_two_words_is_not_found(void **state) {
    (void)state;
    void *block;
    const uintptr_t word = new_word(&block);
    memcpy((char *)bss + 1, &word, sizeof word);
    assert_not_found(word);
    memcpy(bss, &word, sizeof word);
    assert_found(word, program(), 1);
    memset(bss, 0, PAGE);
    free(block);
}

/* Appends the line of `pages` pages from `begin` to `text`. */
static void add_line(char *text, const void *begin, size_t pages,
                     const char *permissions, const char *path) {
    const uintptr_t at = (uintptr_t)begin;
    sprintf(text + strlen(text), "%08jx-%08jx %s 00000000 00:00 0 %s\n", (uintmax_t)at,
            (uintmax_t)(at + pages * PAGE), permissions, path);
}

static void only_writable_private_mappings_of_files_are_looked_at(void **state) {
    (void)state;
    char text[1024] = "";
    const uintptr_t word = 0x1234567887654321;
    const char *const odd[][2] = {{"rw-s", "/shared"}, {"r--p", "/constant"},
                                  {"---p", "/none"},   {"rw-p", "[heap]"},
                                  {"rw-p", "[stack]"}, {"rw-p", "anon_inode:[x]"},
                                  {"rw-p", ""}};
    for (size_t i = 0; i < LENGTH_OF(odd); i++) {
        bss[2 * i * PAGE_WORDS] = word; /* each with a gap before it */
        add_line(text, &bss[2 * i * PAGE_WORDS], 1, odd[i][0], odd[i][1]);
    }
    way.text = text;
    assert_not_found(word);
    add_line(text, bss, 1, "rw-p", "/lib/a b.so (deleted)");
    assert_found(word, "/lib/a b.so (deleted)", 1);
    memset(bss, 0, sizeof bss);
}

static void bss_is_what_follows_a_file_whatever_its_name(void **state) {
    (void)state;
    const uintptr_t word = 0x1234567887654321;
    const char *const names[] = {"", "[heap]", "[anon:.bss]"};
    bss[PAGE_WORDS] = bss[2 * PAGE_WORDS] = word;
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        char text[1024] = "";
        add_line(text, bss, 1, "r--p", "/lib/libx.so");
        add_line(text, &bss[PAGE_WORDS], 1, "rw-p", names[i]);
        add_line(text, &bss[2 * PAGE_WORDS], 1, "rw-p", "");
        way.text = text;
        assert_found(word, "/lib/libx.so", 2);
    }
    memset(bss, 0, sizeof bss);
}

static void memory_that_merely_follows_a_file_is_not_its_bss(void **state) {
    (void)state;
    const uintptr_t word = 0x1234567887654321;
    uintptr_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    char text[1024] = "";
    add_line(text, pages, 1, "rw-p", "/lib/libx.so");
    add_line(text, &pages[PAGE_WORDS], 1, "rw-p", "");
    way.text = text;
    pages[PAGE_WORDS] = word;
    assert_not_found(word);
    pages[0] = word;
    assert_found(word, "/lib/libx.so", 1);
    munmap(pages, 2 * PAGE);
}

static void hits_are_one_a_file_in_order_and_no_more_than_fit(void **state) {
    (void)state;
    const uintptr_t word = 0x1234567887654321;
    char text[4096] = "", path[16];
    for (size_t i = 0; i < 6; i++) {
        bss[i * PAGE_WORDS] = word;
        snprintf(path, sizeof path, "/%zu", i % 3);
        add_line(text, &bss[i * PAGE_WORDS], 1, "rw-p", path);
    }
    way.text = text;
    krs_static_hit hits[3] = {
        {"untouched", 0, 1}, {"untouched", 0, 1}, {"untouched", 0, 1}};
    size_t count;
    assert_int_equal(krs_static_find(&word, 1, hits, 2, &count), KRS_OK);
    assert_int_equal(count, 2);
    assert_string_equal(hits[0].path, "/0");
    assert_string_equal(hits[1].path, "/1");
    assert_string_equal(hits[2].path, "untouched");
    assert_int_equal(hits[0].count, 2);
    assert_int_equal(hits[1].count, 2);
    assert_int_equal(krs_static_find(&word, 1, NULL, 0, &count), KRS_OK);
    assert_int_equal(count, 0);
    memset(bss, 0, sizeof bss);
}

/* More words than there are marks, two of them in memory, and one that hashes as they
 * do. */
static void many_words_are_found_in_one_reading(void **state) {
    (void)state;
    enum { MANY = 100000, STEP = 24, PRESENT = 777, TWICE = 4321 };
    static uintptr_t words[MANY];
    const uintptr_t base = 0x1234567800000000;
    char text[1024] = "";
    for (size_t i = 0; i < MANY; i++)
        words[i] = base + i * STEP;
    bss[5] = bss[PAGE_WORDS] = words[TWICE];
    bss[6] = words[PRESENT];
    bss[7] = words[PRESENT] + 1;
    add_line(text, bss, 2, "rw-p", "/lib/libx.so");
    way.text = text;
    krs_static_hit hits[ROOM];
    size_t count;
    assert_int_equal(krs_static_find(words, MANY, hits, ROOM, &count), KRS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(hits[0].word, PRESENT);
    assert_int_equal(hits[0].count, 1);
    assert_int_equal(hits[1].word, TWICE);
    assert_int_equal(hits[1].count, 2);
    memset(bss, 0, sizeof bss);
}

static void pages_that_cannot_be_read_are_passed_over(void **state) {
    (void)state;
    const uintptr_t word = 0x1234567887654321;
    char text[1024] = "";
    add_line(text, bss, sizeof bss / PAGE, "rw-p", "/lib/libx.so");
    way.text = text;
    for (size_t page = 0; page < sizeof bss / PAGE; page++)
        bss[page * PAGE_WORDS] = word;
    uintptr_t *const hidden = &bss[3 * PAGE_WORDS];
    uintptr_t *const last = &bss[LENGTH_OF(bss) - PAGE_WORDS];
    assert_int_equal(mprotect(hidden, 2 * PAGE, PROT_NONE), 0);
    assert_int_equal(mprotect(last, PAGE, PROT_NONE), 0);
    assert_found(word, "/lib/libx.so", sizeof bss / PAGE - 3);
    mprotect(hidden, 2 * PAGE, PROT_READ | PROT_WRITE);
    mprotect(last, PAGE, PROT_READ | PROT_WRITE);
    memset(bss, 0, sizeof bss);
}

static void text_may_come_in_pieces_of_any_size(void **state) {
    (void)state;
    void *block;
    first = new_word(&block);
    for (way.piece = 1; way.piece < 1000; way.piece = way.piece * 3 + 1)
        assert_found(first, program(), 1);
    first = 0;
    free(block);
}

static void a_long_path_is_cut_and_a_line_beyond_measure_is_refused(void **state) {
    (void)state;
    static char text[40000], path[32000];
    const uintptr_t one = 1;
    krs_static_hit hit;
    size_t count = 99;
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    way.text = text;
    add_line(text, bss, 1, "rw-p", path);
    assert_int_equal(krs_static_find(&one, 1, &hit, 1, &count), KRS_FORMAT);
    assert_int_equal(count, 99);
    text[0] = path[4096] = '\0';
    bss[0] = 0x1234567887654321;
    add_line(text, bss, 1, "rw-p", path);
    assert_int_equal(krs_static_find(bss, 1, &hit, 1, &count), KRS_OK);
    path[sizeof hit.path - 1] = '\0';
    assert_string_equal(hit.path, path);
    bss[0] = 0;
}

static void text_that_is_not_as_the_kernel_writes_it_is_refused(void **state) {
    (void)state;
    const char *const texts[] = {"\n",           "maps\n",    LINE,
                                 LINE "\n" LINE, LINE "\n\n", LINE "\nx"};
    const uintptr_t one = 1;
    krs_static_hit hit;
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        size_t count = 99;
        way.text = texts[i];
        assert_int_equal(krs_static_find(&one, 1, &hit, 1, &count), KRS_FORMAT);
        assert_int_equal(count, 99);
        assert_int_equal(fcntl(way.last_file, F_GETFD), -1); /* closed again */
    }
}

static void what_was_found_before_a_failure_is_not_written(void **state) {
    (void)state;
    char text[1024] = "";
    add_line(text, bss, 1, "rw-p", "/lib/libx.so");
    way.text = strcat(text, "maps\n");
    bss[0] = 0x1234567887654321;
    krs_static_hit hit = {"untouched", 0, 3};
    size_t count = 99;
    assert_int_equal(krs_static_find(bss, 1, &hit, 1, &count), KRS_FORMAT);
    assert_string_equal(hit.path, "untouched");
    assert_int_equal(count, 99);
    bss[0] = 0;
}

static void an_interrupted_read_is_read_again(void **state) {
    (void)state;
    way.interruptions = 2;
    assert_not_found(0x1234567887654321);
    assert_int_equal(way.interruptions, 0);
}

static void assert_fails_with(int error) {
    krs_static_hit hit = {"untouched", 0, 3};
    size_t count = 99;
    first = 0x1234567887654321;
    const uintptr_t word = first;
    assert_int_equal(krs_static_find(&word, 1, &hit, 1, &count), KRS_SYSTEM);
    assert_int_equal(errno, error);
    assert_int_equal(count, 99);
    assert_string_equal(hit.path, "untouched");
    first = 0;
}

static void what_cannot_be_read_leaves_its_reason_in_errno(void **state) {
    (void)state;
    way.open_error = EMFILE;
    assert_fails_with(EMFILE);
    way.open_error = 0;
    way.read_error = EIO;
    assert_fails_with(EIO);
    assert_int_equal(fcntl(way.last_file, F_GETFD), -1);
    way.read_error = 0;
    way.memory_error = EPERM; /* a sandbox that forbids it */
    assert_fails_with(EPERM);
    assert_int_equal(fcntl(way.last_file, F_GETFD), -1);
    way.memory_error = ENOSYS;
    assert_fails_with(ENOSYS);
}

static void what_cannot_be_asked_is_refused(void **state) {
    (void)state;
    const uintptr_t one = 1, not_in_order[][2] = {{0, 1}, {2, 1}, {1, 1}};
    krs_static_hit hit;
    krs_mapping mapping;
    size_t count;
    assert_int_equal(krs_static_find(NULL, 1, &hit, 1, &count), KRS_INVALID);
    assert_int_equal(krs_static_find(&one, 0, &hit, 1, &count), KRS_INVALID);
    assert_int_equal(krs_static_find(&one, 1, NULL, 1, &count), KRS_INVALID);
    for (size_t i = 0; i < LENGTH_OF(not_in_order); i++)
        assert_int_equal(krs_static_find(not_in_order[i], 2, &hit, 1, &count),
                         KRS_INVALID);
    assert_int_equal(krs_static_find(&one, 1, &hit, 1, NULL), KRS_INVALID);
    assert_int_equal(krs_mapping_parse(NULL, 0, &mapping), KRS_INVALID);
    assert_int_equal(krs_mapping_parse(LINE, strlen(LINE), NULL), KRS_INVALID);
}

#define SEARCH(test) cmocka_unit_test_setup_teardown(test, clear_way, clear_way)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read_as_the_kernel_writes_it),
        cmocka_unit_test(a_path_is_all_that_follows_the_blanks),
        cmocka_unit_test(a_line_cut_before_its_path_is_refused),
        cmocka_unit_test(a_line_not_as_the_kernel_writes_it_is_refused),
        SEARCH(a_word_is_found_as_often_as_static_variables_hold_it),
        SEARCH(the_whole_of_bss_is_looked_at),
        SEARCH(heap_and_stack_are_not_looked_at),
        SEARCH(a_word_across_two_words_is_not_found),
        SEARCH(only_writable_private_mappings_of_files_are_looked_at),
        SEARCH(bss_is_what_follows_a_file_whatever_its_name),
        SEARCH(memory_that_merely_follows_a_file_is_not_its_bss),
        SEARCH(hits_are_one_a_file_in_order_and_no_more_than_fit),
        SEARCH(many_words_are_found_in_one_reading),
        SEARCH(pages_that_cannot_be_read_are_passed_over),
        SEARCH(text_may_come_in_pieces_of_any_size),
        SEARCH(a_long_path_is_cut_and_a_line_beyond_measure_is_refused),
        SEARCH(text_that_is_not_as_the_kernel_writes_it_is_refused),
        SEARCH(what_was_found_before_a_failure_is_not_written),
        SEARCH(an_interrupted_read_is_read_again),
        SEARCH(what_cannot_be_read_leaves_its_reason_in_errno),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
    };
    return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
