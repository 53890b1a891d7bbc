/* The options of `keraser run`, and where they end. */
#include "run_options.h"

#include "topic.h"

#define READ(...)                                                                      \
    char *words[] = {(char *)"run", __VA_ARGS__, NULL};                                \
    krs_run_options options;                                                           \
    krs_mistake mistake =                                                              \
        krs_read_run_options(&options, sizeof words / sizeof *words - 1, words)

static void a_script_ends_the_options(void **state) {
    (void)state;
    READ("script.py", "--trim", "--no-guard");
    assert_null(mistake.cause);
    assert_int_equal(options.script, 1);
    assert_int_equal(options.guard, 1);
    assert_int_equal(options.trim, 0);
    assert_int_equal(options.gpu, 0);
}

static void each_option_is_read(void **state) {
    (void)state;
    READ("--no-guard", "--trim", "--gpu", "--python", "/a/python", "--report=r.json",
         "-m", "x");
    assert_null(mistake.cause);
    assert_int_equal(options.guard, 0);
    assert_int_equal(options.trim, 1);
    assert_int_equal(options.gpu, 1);
    assert_string_equal(options.python, "/a/python");
    assert_string_equal(options.report, "r.json");
    assert_string_equal(words[options.script], "-m");
}

static void what_tells_python_the_program_is_pythons(void **state) {
    (void)state;
    char *programs[] = {(char *)"-", (char *)"-c", (char *)"-m", (char *)"s.py"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        READ("--trim", programs[i], "x");
        assert_null(mistake.cause);
        assert_ptr_equal(words[options.script], programs[i]);
    }
}

static void two_dashes_end_the_options(void **state) {
    (void)state;
    READ("--", "-odd-name.py");
    assert_null(mistake.cause);
    assert_string_equal(words[options.script], "-odd-name.py");
}

static void help_is_enough(void **state) {
    (void)state;
    READ("--help");
    assert_null(mistake.cause);
    assert_int_equal(options.help, 1);
}

static void an_unknown_option_is_refused_by_name(void **state) {
    (void)state;
    READ("--trimm", "script.py");
    assert_non_null(mistake.cause);
    assert_string_equal(mistake.detail, "--trimm");
}

static void an_option_without_its_path_is_refused(void **state) {
    (void)state;
    {
        READ("--python");
        assert_non_null(mistake.cause);
    }
    READ("--report=", "script.py");
    assert_non_null(mistake.cause);
}

static void nothing_to_run_is_refused(void **state) {
    (void)state;
    {
        READ("--trim");
        assert_non_null(mistake.cause);
    }
    READ("--");
    assert_non_null(mistake.cause);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_ends_the_options),
        cmocka_unit_test(each_option_is_read),
        cmocka_unit_test(what_tells_python_the_program_is_pythons),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(help_is_enough),
        cmocka_unit_test(an_unknown_option_is_refused_by_name),
        cmocka_unit_test(an_option_without_its_path_is_refused),
        cmocka_unit_test(nothing_to_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
