/* Text on its way to a terminal: characters that may not reach one, columns, amounts,
 * JSON; every allocation failing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "json.h"
#include "lines.h"
#include "printable.h"
#include "topic.h"

/* What `print` writes, as a string. */
static char written[4096];

static FILE *begin(void) {
    FILE *file = tmpfile();
    assert_non_null(file);
    return file;
}

static const char *end(FILE *file) {
    rewind(file);
    written[fread(written, 1, sizeof written - 1, file)] = '\0';
    fclose(file);
    return written;
}

static const char *clean(const char *text, size_t length, int lines) {
    FILE *file = begin();
    krs_print_clean(file, text, length, lines);
    return end(file);
}

static void what_could_move_a_cursor_is_left_out(void **state) {
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"plain_1", "plain_1"},
        {"\33[2J", "?[2J"},
        {"a\nb\tc\r", "a?b?c?"},
        {"\x7f", "?"},
        {"\x9b"
         "31m",
         "?31m"}, /* C1 as a byte: not UTF-8 */
        {"\xc2\x9b"
         "31m",
         "?31m"}, /* C1 as UTF-8 */
        {"\xe2\x80\xae"
         "x",
         "?x"}, /* turns the direction */
        {"\xe2\x80\x8b"
         "x",
         "?x"}, /* of no width */
        {"\xe2\x80\xa8"
         "x",
         "?x"},                    /* separates lines */
        {"\xf3\xa0\x81\x81", "?"}, /* a tag, invisible */
        {"m\xc3\xb6"
         "del",
         "m\xc3\xb6"
         "del"},
        {"\xe6\xa8\xa1", "\xe6\xa8\xa1"},
        {"\xc0\xaf", "??"}, /* longer than need be */
        {"\xe0\x80\xaf", "???"},
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xe6\xa8", "??"},           /* cut off */
        {"\xff", "?"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        assert_string_equal(clean(cases[i].text, strlen(cases[i].text), 0),
                            cases[i].clean);
    assert_string_equal(clean("a\nb\t\33", 5, 1), "a\nb\t?");
    assert_string_equal(clean("a\0b", 3, 1), "a?b");
}

static void every_byte_alone_is_clean_or_not_there(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text = (char)byte;
        const char *out = clean(&text, 1, 0);
        assert_int_equal(strlen(out), 1);
        assert_true(byte >= 32 && byte < 127 ? *out == text : *out == '?');
    }
}

static void amounts_are_as_receipts_have_them(void **state) {
    static const struct {
        uint64_t bytes;
        const char *amount;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1.0 MiB"}, /* not 1024.0 KiB */
        {356515840, "340.0 MiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char amount[KRS_AMOUNT];
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        assert_string_equal(krs_write_amount(cases[i].bytes, amount), cases[i].amount);
}

static const char *fit(const char *text, size_t columns, int right) {
    krs_lines lines = {0};
    size_t length;
    krs_lines_fit(&lines, text, strlen(text), columns, right);
    krs_lines_end(&lines);
    const char *line = krs_line(&lines, 0, &length);
    snprintf(written, sizeof written, "%.*s", (int)length, length > 0 ? line : "");
    krs_lines_free(&lines);
    return written;
}

static void cells_are_cut_and_filled_to_their_columns(void **state) {
    (void)state;
    assert_string_equal(fit("ab", 4, 0), "ab  ");
    assert_string_equal(fit("ab", 4, 1), "  ab");
    assert_string_equal(fit("abcd", 4, 1), "abcd");
    assert_string_equal(fit("abcde", 4, 0), "abc\u2026");
    assert_string_equal(fit("abcde", 1, 1), "\u2026");
    assert_string_equal(fit("abcde", 0, 0), "");
    assert_string_equal(fit("\33\33", 4, 1), "  ??");
    assert_string_equal(fit("\u00f6\u00f6\u00f6\u00f6", 3, 0), "\u00f6\u00f6\u2026");
}

static void lines_end_where_they_were_ended(void **state) {
    krs_lines lines = {0};
    size_t length;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        for (int j = 0; j < i % 7; j++)
            krs_lines_put(&lines, "x");
        krs_lines_end(&lines);
    }
    assert_int_equal(lines.count, 1000);
    for (size_t i = 0; i < 1000; i++) {
        krs_line(&lines, i, &length);
        assert_int_equal(length, i % 7);
    }
    krs_lines_clear(&lines);
    assert_int_equal(lines.count, 0);
    krs_lines_free(&lines);
}

static void lines_without_memory_say_so_and_keep_what_they_have(void **state) {
    (void)state;
    for (long nth = 1;; nth++) {
        krs_lines lines = {0};
        size_t length, seen = 0;
        failing = nth;
        for (int i = 0; i < 200; i++) {
            krs_lines_fit(&lines, "0123456789", 10, 12, 0);
            krs_lines_end(&lines);
        }
        const int failed = failing <= 0;
        failing = 0;
        assert_int_equal(lines.failed, failed);
        for (; seen < lines.count; seen++) {
            krs_line(&lines, seen, &length);
            assert_int_equal(length, 12);
        }
        krs_lines_free(&lines);
        if (!failed) {
            assert_int_equal(seen, 200);
            assert_true(nth > 5);
            return;
        }
    }
}

static void json_is_written_as_it_is_read(void **state) {
    FILE *file = begin();
    krs_json json = krs_json_begin(file);
    (void)state;
    krs_json_object(&json);
    krs_json_key(&json, "a");
    krs_json_number(&json, UINT64_MAX);
    krs_json_key(&json, "b");
    krs_json_array(&json);
    krs_json_bool(&json, 1);
    krs_json_null(&json);
    krs_json_object(&json);
    krs_json_end(&json);
    krs_json_array(&json);
    krs_json_end(&json);
    krs_json_end(&json);
    krs_json_key(&json, "c");
    krs_json_string(&json, "x");
    krs_json_end(&json);
    assert_string_equal(end(file), "{\"a\": 18446744073709551615, \"b\": [true, null, "
                                   "{}, []], \"c\": \"x\"}\n");
}

static void json_text_is_escaped(void **state) {
    static const struct {
        const char *text, *json;
        size_t length;
    } cases[] = {
        {"q\"b\\s/", "\"q\\\"b\\\\s/\"", 6},
        {"\0\n\33\x7f", "\"\\u0000\\u000a\\u001b\\u007f\"", 4},
        {"\xc2\x9b", "\"\\u009b\"", 2},
        {"\xe2\x80\xae", "\"\\u202e\"", 3},
        {"\xf3\xa0\x81\x81", "\"\\udb40\\udc41\"", 4},
        {"\xff\xc0", "\"\\ufffd\\ufffd\"", 2},
        {"\xc3\xb6", "\"\xc3\xb6\"", 2},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        FILE *file = begin();
        krs_json json = krs_json_begin(file);
        krs_json_text(&json, cases[i].text, cases[i].length);
        assert_string_equal(end(file), cases[i].json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_move_a_cursor_is_left_out),
        cmocka_unit_test(every_byte_alone_is_clean_or_not_there),
        cmocka_unit_test(amounts_are_as_receipts_have_them),
        cmocka_unit_test(cells_are_cut_and_filled_to_their_columns),
        cmocka_unit_test(lines_end_where_they_were_ended),
        cmocka_unit_test(lines_without_memory_say_so_and_keep_what_they_have),
        cmocka_unit_test(json_is_written_as_it_is_read),
        cmocka_unit_test(json_text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
