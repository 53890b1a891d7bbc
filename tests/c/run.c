/* keraser run: which Python it becomes, with what environment, and what it says when
 * something fails. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "run_environment.h"
#include "topic.h"
#include "verbs.h"

/* The system, as the linker puts it in the place of the calls of its names. */
static struct {
    const char *self;    /* where this program is, NULL: /proc is not there */
    const char *present; /* files that are there, each between blanks */
    int exec_fails;      /* errno of execvp, 0: it is noted and "fails" with EIO */
    char ran[256];       /* what was to be run */
    char **arguments;    /* with these */
    long calls, failing; /* of what sets and allocates; the one that fails, from 1 */
} machine;

int __real_setenv(const char *name, const char *value, int replace);
int __real_unsetenv(const char *name);
void *__real_malloc(size_t size);
int __wrap_setenv(const char *name, const char *value, int replace);
int __wrap_unsetenv(const char *name);
void *__wrap_malloc(size_t size);
int __wrap_access(const char *path, int mode);
ssize_t __wrap_readlink(const char *path, char *target, size_t size);
int __wrap_execvp(const char *file, char *const arguments[]);

static bool fails_now(void) {
    errno = ENOMEM;
    return ++machine.calls == machine.failing;
}

int __wrap_setenv(const char *name, const char *value, int replace) {
    return fails_now() ? -1 : __real_setenv(name, value, replace);
}

int __wrap_unsetenv(const char *name) {
    return fails_now() ? -1 : __real_unsetenv(name);
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}

int __wrap_access(const char *path, int mode) {
    (void)mode;
    char word[512];
    snprintf(word, sizeof word, " %s ", path);
    return strstr(machine.present, word) != NULL ? 0 : -1;
}

ssize_t __wrap_readlink(const char *path, char *target, size_t size) {
    assert_string_equal(path, "/proc/self/exe");
    errno = ENOENT;
    if (machine.self == NULL)
        return -1;
    size_t length = strlen(machine.self);
    assert_true(length < size);
    memset(target, '/', size); /* the kernel writes no NUL either */
    memcpy(target, machine.self, length);
    return (ssize_t)length;
}

int __wrap_execvp(const char *file, char *const arguments[]) {
    snprintf(machine.ran, sizeof machine.ran, "%s", file);
    machine.arguments = (char **)arguments;
    errno = machine.exec_fails ? machine.exec_fails : EIO;
    return -1;
}

#define STARTUP "/v/bin/../share/keraser/startup"

static int at_home(void **state) {
    (void)state;
    memset(&machine, 0, sizeof machine);
    machine.self = "/v/bin/keraser";
    machine.present = " " STARTUP "  /v/bin/python ";
    return clearenv();
}

/* What is printed meanwhile goes nowhere. */
static int run_quietly(int count, char **arguments) {
    fflush(stderr);
    int there = dup(2);
    assert_non_null(freopen("/dev/null", "w", stderr));
    int status = krs_verb_run(count, arguments);
    fflush(stderr);
    assert_int_equal(dup2(there, 2), 2);
    close(there);
    return status;
}

#define RUN(...)                                                                       \
    char *words[] = {(char *)"run", __VA_ARGS__, NULL};                                \
    int status = run_quietly(sizeof words / sizeof *words - 1, words)

static void it_becomes_the_python_beside_it(void **state) {
    (void)state;
    RUN((char *)"--trim", (char *)"s.py", (char *)"--trim");
    assert_int_equal(status, KRS_EXIT_CANNOT_RUN); /* EIO */
    assert_string_equal(machine.ran, "/v/bin/python");
    assert_string_equal(machine.arguments[0], "/v/bin/python");
    assert_string_equal(machine.arguments[1], "s.py");
    assert_string_equal(machine.arguments[2], "--trim");
    assert_null(machine.arguments[3]);
}

static void python3_beside_it_will_do(void **state) {
    (void)state;
    machine.present = " " STARTUP "  /v/bin/python3 ";
    RUN((char *)"s.py");
    (void)status;
    assert_string_equal(machine.ran, "/v/bin/python3");
}

static void with_none_beside_it_takes_the_one_of_the_path(void **state) {
    (void)state;
    machine.present = " " STARTUP " ";
    RUN((char *)"s.py");
    (void)status;
    assert_string_equal(machine.ran, "python3");
}

static void the_one_that_is_asked_for_comes_first(void **state) {
    (void)state;
    RUN((char *)"--python", (char *)"python3.12", (char *)"-");
    (void)status;
    assert_string_equal(machine.ran, "python3.12");
    assert_string_equal(machine.arguments[1], "-");
}

static void statuses_are_those_of_a_shell(void **state) {
    (void)state;
    {
        machine.exec_fails = ENOENT;
        RUN((char *)"s.py");
        assert_int_equal(status, 127);
    }
    machine.exec_fails = EACCES;
    RUN((char *)"s.py");
    assert_int_equal(status, 126);
}

static void nothing_is_run_without_the_startup_folder(void **state) {
    (void)state;
    {
        machine.present = " /v/bin/python ";
        RUN((char *)"s.py");
        assert_int_equal(status, KRS_EXIT_CANNOT_RUN);
    }
    /* Nor is a folder of that name below wherever the user stands. */
    machine.self = NULL;
    machine.present = " ../share/keraser/startup  python ";
    RUN((char *)"s.py");
    assert_int_equal(status, KRS_EXIT_CANNOT_RUN);
    assert_string_equal(machine.ran, "");
}

static void usage_is_told_before_anything_is_looked_at(void **state) {
    (void)state;
    machine.present = " ";
    RUN((char *)"--fast", (char *)"s.py");
    assert_int_equal(status, KRS_EXIT_USAGE);
}

static const char *get(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? value : "(unset)";
}

static void the_options_are_in_the_environment(void **state) {
    (void)state;
    const krs_run_options options = {.guard = 1, .report = "r.json"};
    assert_int_equal(krs_prepare_environment(&options, STARTUP), 0);
    assert_string_equal(get("KERASER_RUN_GUARD"), "1");
    assert_string_equal(get("KERASER_RUN_TRIM"), "0");
    assert_string_equal(get("KERASER_RUN_REPORT"), "r.json");
    const krs_run_options others = {.trim = 1};
    assert_int_equal(krs_prepare_environment(&others, STARTUP), 0);
    assert_string_equal(get("KERASER_RUN_GUARD"), "0");
    assert_string_equal(get("KERASER_RUN_TRIM"), "1");
    assert_string_equal(get("KERASER_RUN_REPORT"), "(unset)");
}

static void pythonpath_leads_through_startup_and_is_kept(void **state) {
    (void)state;
    const krs_run_options options = {.guard = 1};
    assert_int_equal(krs_prepare_environment(&options, "/s"), 0);
    assert_string_equal(get("PYTHONPATH"), "/s");
    assert_string_equal(get("KERASER_RUN_PYTHONPATH"), "(unset)");
    __real_setenv("PYTHONPATH", "", 1);
    assert_int_equal(krs_prepare_environment(&options, "/s"), 0);
    assert_string_equal(get("PYTHONPATH"), "/s");
    assert_string_equal(get("KERASER_RUN_PYTHONPATH"), "");
    __real_setenv("PYTHONPATH", ":/a:b", 1);
    assert_int_equal(krs_prepare_environment(&options, "/s"), 0);
    assert_string_equal(get("PYTHONPATH"), "/s::/a:b");
    assert_string_equal(get("KERASER_RUN_PYTHONPATH"), ":/a:b");
}

static void settings_are_made_and_marked_unless_the_user_made_them(void **state) {
    (void)state;
    const krs_run_options options = {.guard = 1};
    assert_int_equal(krs_prepare_environment(&options, "/s"), 0);
    assert_string_equal(get("MALLOC_MMAP_THRESHOLD_"), "1048576");
    assert_string_equal(get("KERASER_RUN_SET_MALLOC_MMAP_THRESHOLD_"), "1");
    assert_string_equal(get("TF_FORCE_GPU_ALLOW_GROWTH"), "true");
    clearenv();
    __real_setenv("MALLOC_MMAP_THRESHOLD_", "7", 1);
    __real_setenv("TF_FORCE_GPU_ALLOW_GROWTH", "", 1);
    assert_int_equal(krs_prepare_environment(&options, "/s"), 0);
    assert_string_equal(get("MALLOC_MMAP_THRESHOLD_"), "7");
    assert_string_equal(get("KERASER_RUN_SET_MALLOC_MMAP_THRESHOLD_"), "(unset)");
    assert_string_equal(get("TF_FORCE_GPU_ALLOW_GROWTH"), "");
}

static void a_gpu_is_armed_where_asked_for_and_left_alone_where_not(void **state) {
    (void)state;
    const krs_run_options without = {.guard = 1}, with = {.gpu = 1};
    __real_setenv("KERASER_GPU", "mine", 1);
    assert_int_equal(krs_prepare_environment(&without, "/s"), 0);
    assert_string_equal(get("KERASER_GPU"), "mine");
    assert_int_equal(krs_prepare_environment(&with, "/s"), 0);
    assert_string_equal(get("KERASER_GPU"), "arm");
}

/* Each call that can fail does so in turn: then nothing is run. */
static void no_memory_is_told_and_nothing_is_run(void **state) {
    (void)state;
    for (machine.failing = 1;; machine.failing++) {
        const long failing = machine.failing;
        at_home(NULL);
        __real_setenv("PYTHONPATH", "/a", 1);
        machine.failing = failing;
        RUN((char *)"--report=r.json", (char *)"s.py");
        assert_int_equal(status, KRS_EXIT_CANNOT_RUN);
        if (machine.calls < failing)
            break;
        assert_string_equal(machine.ran, "");
    }
    assert_string_equal(machine.ran, "/v/bin/python");
    assert_true(machine.failing > 8);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, at_home)
    const struct CMUnitTest tests[] = {
        TEST(it_becomes_the_python_beside_it),
        TEST(python3_beside_it_will_do),
        TEST(with_none_beside_it_takes_the_one_of_the_path),
        TEST(the_one_that_is_asked_for_comes_first),
        TEST(statuses_are_those_of_a_shell),
        TEST(nothing_is_run_without_the_startup_folder),
        TEST(usage_is_told_before_anything_is_looked_at),
        TEST(the_options_are_in_the_environment),
        TEST(pythonpath_leads_through_startup_and_is_kept),
        TEST(settings_are_made_and_marked_unless_the_user_made_them),
        TEST(a_gpu_is_armed_where_asked_for_and_left_alone_where_not),
        TEST(no_memory_is_told_and_nothing_is_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
