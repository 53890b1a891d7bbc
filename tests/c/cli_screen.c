/* top without a terminal: the table, which bytes change a screen, keys out of bytes;
 * every allocation failing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "keys.h"
#include "options.h"
#include "screen.h"
#include "table.h"
#include "topic.h"

static void put(krs_lines *lines, const char *const *texts, size_t count) {
    krs_lines_clear(lines);
    for (size_t i = 0; i < count; i++) {
        krs_lines_put(lines, texts[i]);
        krs_lines_end(lines);
    }
}

static const char *draw(krs_screen *screen, krs_lines *next, krs_lines *bytes) {
    krs_screen_draw(screen, next, bytes);
    krs_lines_add(bytes, "", 1);
    return bytes->used > 0 ? bytes->bytes : "";
}

static void only_lines_that_differ_are_written(void **state) {
    static const char *const first[] = {"one", "two", ""};
    static const char *const second[] = {"one", "2", ""};
    static const char *const third[] = {"one"};
    krs_screen screen = {0};
    krs_lines next = {0}, bytes = {0};
    (void)state;
    put(&next, first, 3);
    assert_string_equal(draw(&screen, &next, &bytes),
                        "\33[m\33[2J\33[1;1H\33[2Kone\33[2;1H\33[2Ktwo\33[3;1H\33[2K");
    put(&next, first, 3);
    assert_string_equal(draw(&screen, &next, &bytes), "");
    put(&next, second, 3);
    assert_string_equal(draw(&screen, &next, &bytes), "\33[2;1H\33[2K2");
    put(&next, third, 1);
    assert_string_equal(draw(&screen, &next, &bytes), "\33[2;1H\33[J");
    put(&next, first, 3);
    assert_string_equal(draw(&screen, &next, &bytes),
                        "\33[2;1H\33[2Ktwo\33[3;1H\33[2K");
    screen.known = 0;
    put(&next, third, 1);
    assert_string_equal(draw(&screen, &next, &bytes), "\33[m\33[2J\33[1;1H\33[2Kone");
    krs_lines_free(&next);
    krs_lines_free(&bytes);
    krs_screen_free(&screen);
}

/* After a draw that failed, the next one writes all. */
static void a_screen_without_memory_is_drawn_anew(void **state) {
    static const char *const texts[] = {"a", "b", "c"};
    (void)state;
    for (long nth = 1;; nth++) {
        krs_screen screen = {0};
        krs_lines next = {0}, bytes = {0};
        failing = nth;
        put(&next, texts, 3);
        krs_screen_draw(&screen, &next, &bytes);
        const int failed = failing <= 0;
        failing = 0;
        assert_int_equal(screen.known, !failed);
        put(&next, texts, 3);
        const char *drawn = draw(&screen, &next, &bytes);
        assert_int_equal(strstr(drawn, "\33[2J") != NULL, failed);
        assert_int_equal(screen.known, 1);
        krs_lines_free(&next);
        krs_lines_free(&bytes);
        krs_screen_free(&screen);
        if (!failed) {
            assert_true(nth > 3);
            return;
        }
    }
}

static void keys_are_found_in_bytes_whole_or_in_parts(void **state) {
    static const struct {
        const char *bytes;
        int key;
    } cases[] = {
        {"q", 'q'},
        {"\33[A", KRS_KEY_UP},
        {"\33OB", KRS_KEY_DOWN},
        {"\33[1;5A", KRS_KEY_UP},
        {"\33[5~", KRS_KEY_PAGE_UP},
        {"\33[6~", KRS_KEY_PAGE_DOWN},
        {"\33[H", KRS_KEY_HOME},
        {"\33[4~", KRS_KEY_END},
        {"\33[99999999999~", KRS_KEY_OTHER},
        {"\33[Z", KRS_KEY_OTHER},
        {"\xc3", KRS_KEY_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const size_t length = strlen(cases[i].bytes);
        krs_keys keys = {0};
        for (size_t j = 0; j + 1 < length; j++) { /* byte by byte */
            assert_int_equal(krs_keys_add(&keys, cases[i].bytes + j, 1), 1);
            assert_int_equal(krs_keys_next(&keys, 0), KRS_KEY_NONE);
        }
        krs_keys_add(&keys, cases[i].bytes + length - 1, 1);
        assert_int_equal(krs_keys_next(&keys, 0), cases[i].key);
        assert_int_equal(keys.length, 0);
    }
    krs_keys keys = {0};
    krs_keys_add(&keys, "\33", 1);
    assert_int_equal(krs_keys_next(&keys, 0), KRS_KEY_NONE);
    assert_int_equal(krs_keys_next(&keys, 1), KRS_KEY_ESCAPE);
    krs_keys_add(&keys, "\33qx", 3);
    assert_int_equal(krs_keys_next(&keys, 0), KRS_KEY_ESCAPE);
    assert_int_equal(krs_keys_next(&keys, 0), 'q');
}

/* Whatever is typed, keys come and the bytes go. */
static void any_bytes_come_to_an_end(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 2000; round++) {
        static const char some[] = "\33\33[[O;159~AZq\xff";
        krs_keys keys = {0};
        char bytes[300];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = some[(size_t)rand() % (sizeof some - 1)];
        assert_int_equal(krs_keys_add(&keys, bytes, sizeof bytes), sizeof keys.bytes);
        size_t before = keys.length;
        while (krs_keys_next(&keys, 1) != KRS_KEY_NONE) {
            assert_true(keys.length < before);
            before = keys.length;
        }
        assert_int_equal(keys.length, 0);
    }
}

/* Two processes; the second has the larger models, and a long name. */
static krs_target targets_of[2];
static krs_target *items[2] = {&targets_of[0], &targets_of[1]};

static krs_targets make_targets(void) {
    static char long_text[600];
    static krs_model_row models[2];
    memset(long_text, 'n', sizeof long_text);
    memset(targets_of, 0, sizeof targets_of);
    models[0] = (krs_model_row){.id = 1,
                                .weights = 2048,
                                .running = 1,
                                .name_length = 500,
                                .kind = 500,
                                .kind_length = 10};
    models[1] = (krs_model_row){.id = 2, .weights = 1024, .kind_length = 2};
    targets_of[0] = (krs_target){
        .pid = 7, .socket = -1, .command = "first", .trouble = KRS_TROUBLE_BUSY};
    targets_of[1] = (krs_target){.pid = 8, .socket = -1, .command = "second"};
    targets_of[1].facts.rss = 1536;
    targets_of[1].rows =
        (krs_rows){.models = models, .count = 2, .text = long_text, .complete = 1};
    items[0] = &targets_of[0];
    items[1] = &targets_of[1];
    return (krs_targets){.items = items, .count = 2};
}

static void rows_stand_in_their_order_and_fit_any_width(void **state) {
    krs_targets targets = make_targets();
    krs_table table = {0};
    (void)state;
    krs_table_build(&table, &targets);
    assert_int_equal(table.count, 5);
    static const krs_row_kind kinds[] = {KRS_ROW_PROCESS, KRS_ROW_MODEL, KRS_ROW_MODEL,
                                         KRS_ROW_PROCESS, KRS_ROW_NOTE};
    static const pid_t pids[] = {8, 8, 8, 7, 7};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(table.rows[i].kind, kinds[i]);
        assert_int_equal(table.rows[i].target->pid, pids[i]);
    }
    assert_int_equal(table.models, 2);
    assert_int_equal(table.bytes, 3072);
    for (size_t columns = 1; columns < 300; columns++)
        for (size_t i = 0; i < 5; i++) {
            krs_lines lines = {0};
            size_t length, wide = 0;
            krs_table_row(&table.rows[i], columns, 0, &lines);
            krs_lines_end(&lines);
            const char *line = krs_line(&lines, 0, &length);
            for (size_t j = 0; j < length; j++) /* characters, of UTF-8 */
                wide += (line[j] & 0xC0) != 0x80;
            assert_true(wide <= columns);
            /* The mark of a running model is not cut off by its name. */
            if (i == 1 && columns > 80)
                assert_memory_equal(line + length - 9, "  running", 9);
            krs_lines_free(&lines);
        }
    krs_table_free(&table);
}

static void a_table_without_memory_says_so(void **state) {
    krs_targets targets = make_targets();
    krs_table table = {0};
    (void)state;
    failing = 1;
    krs_table_build(&table, &targets);
    failing = 0;
    assert_int_equal(table.failed, 1);
    krs_lines lines = {0};
    krs_table_title(&table, &targets, 200, &lines);
    krs_lines_add(&lines, "", 1);
    assert_non_null(strstr(lines.bytes, "out of memory"));
    krs_table_build(&table, &targets);
    assert_int_equal(table.failed, 0);
    assert_int_equal(table.count, 5);
    krs_lines_free(&lines);
    krs_table_free(&table);
}

static const krs_syntax syntax = {
    "verb", "", {{"--flag", NULL, ""}, {"--value", "V", ""}}, 1, 2};

static krs_mistake read_words(krs_given *given, char **words) {
    int count = 0;
    while (words[count] != NULL)
        count++;
    return krs_options_read(&syntax, count, words, given);
}

#define READ(...)                                                                      \
    krs_given given;                                                                   \
    char *words[] = {(char *)"verb", __VA_ARGS__, NULL};                               \
    const krs_mistake mistake = read_words(&given, words)
#define W(word) ((char *)(uintptr_t)(word))

static void options_and_operands_come_in_any_order(void **state) {
    (void)state;
    {
        READ(W("a"), W("--value"), W("v"), W("b"), W("--flag"));
        assert_null(mistake.cause);
        assert_int_equal(given.count, 2);
        assert_string_equal(given.operands[0], "a");
        assert_string_equal(given.operands[1], "b");
        assert_string_equal(given.values[0], "");
        assert_string_equal(given.values[1], "v");
    }
    {
        READ(W("--value=1"), W("--value=2="), W("--"), W("--flag"));
        assert_null(mistake.cause);
        assert_string_equal(given.values[1], "2="); /* the last one */
        assert_null(given.values[0]);
        assert_string_equal(given.operands[0], "--flag");
    }
    READ(W("-"), W("--help"), W("--nonsense"));
    assert_null(mistake.cause);
    assert_int_equal(given.help, 1);
}

static void what_a_verb_does_not_take_is_named(void **state) {
    static const struct {
        const char *words[4], *detail;
    } cases[] = {
        {{"a", "--flags"}, "--flags"},
        {{"a", "--fla"}, "--fla"},
        {{"a", "--flag=1"}, "--flag"},
        {{"a", "--value"}, "--value"},
        {{"a", "--value="}, "--value"},
        {{"a", "b", "c"}, "c"},
        {{"a", "-x"}, "-x"},
        {{NULL}, ""},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const char *const *given_words = cases[i].words;
        READ(W(given_words[0]), W(given_words[1]), W(given_words[2]));
        assert_non_null(mistake.cause);
        assert_string_equal(mistake.detail, cases[i].detail);
        assert_non_null(mistake.cure);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_lines_that_differ_are_written),
        cmocka_unit_test(a_screen_without_memory_is_drawn_anew),
        cmocka_unit_test(keys_are_found_in_bytes_whole_or_in_parts),
        cmocka_unit_test(any_bytes_come_to_an_end),
        cmocka_unit_test(rows_stand_in_their_order_and_fit_any_width),
        cmocka_unit_test(a_table_without_memory_says_so),
        cmocka_unit_test(options_and_operands_come_in_any_order),
        cmocka_unit_test(what_a_verb_does_not_take_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
