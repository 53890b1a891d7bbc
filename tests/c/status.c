/* The list of statuses: complete, and fit for every one of its readers. */
#include <stdio.h>
#include <string.h>

#include "keraser.h"
#include "topic.h"

typedef struct {
    krs_status status;
    const char *name, *text, *exception;
    int exit_status;
} row;

static const row rows[] = {
#define X(name, value, text, exception, exit_status)                                   \
    {KRS_##name, #name, text, exception, exit_status},
    KRS_STATUS_MAP(X)
#undef X
};

static void every_status_has_its_own_number_and_text(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        assert_int_equal(rows[i].status, i); /* so that a table may be indexed by it */
        assert_string_equal(krs_status_text(rows[i].status), rows[i].text);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].text, rows[j].text);
    }
}

static void only_success_raises_nothing_and_exits_with_0(void **state) {
    (void)state;
    assert_null(rows[KRS_OK].exception);
    assert_int_equal(rows[KRS_OK].exit_status, 0);
    for (size_t i = 1; i < LENGTH_OF(rows); i++) {
        assert_non_null(rows[i].exception);
        assert_in_range(rows[i].exit_status, 64, 78); /* sysexits.h */
    }
}

static void a_number_that_is_no_status_has_a_text_too(void **state) {
    (void)state;
    assert_string_equal(krs_status_text((krs_status)LENGTH_OF(rows)), "unknown status");
}

static void the_limit_in_the_text_is_the_one_of_the_code(void **state) {
    (void)state;
    char limit[16];
    (void)snprintf(limit, sizeof limit, "%llu", (unsigned long long)KRS_NODE_NONE - 1);
    assert_non_null(strstr(krs_status_text(KRS_LIMIT), limit));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_number_and_text),
        cmocka_unit_test(only_success_raises_nothing_and_exits_with_0),
        cmocka_unit_test(a_number_that_is_no_status_has_a_text_too),
        cmocka_unit_test(the_limit_in_the_text_is_the_one_of_the_code),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
