/* What processes answer, from which nothing is believed: rows of TOP, answers in
 * memfds, what /proc says; every allocation failing. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "facts.h"
#include "failing.h"
#include "rows.h"
#include "topic.h"
#include "trouble.h"
#include "verbs.h"
#include "verdict.h"

static krs_frame model(uint64_t id, uint64_t weights, const char *text, size_t length) {
    return (krs_frame){.kind = KRS_FRAME_MODEL,
                       .values = {id, weights, 1, 1, 0},
                       .text = text,
                       .length = length};
}

static krs_frame process(uint64_t models) {
    return (krs_frame){.kind = KRS_FRAME_PROCESS,
                       .values = {[KRS_PROCESS_MODELS] = models},
                       .text = "why",
                       .length = 3};
}

static void rows_come_one_by_one_and_are_sorted_at_the_end(void **state) {
    krs_rows rows = {0};
    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        const krs_frame frame = model(i, i % 20, "na\0C", 4);
        assert_int_equal(krs_rows_take(&rows, &frame), KRS_TROUBLE_NONE);
    }
    assert_int_equal(rows.complete, 0);
    const krs_frame last = process(40);
    assert_int_equal(krs_rows_take(&rows, &last), KRS_TROUBLE_NONE);
    assert_int_equal(rows.complete, 1);
    assert_string_equal(rows.why, "why");
    for (uint64_t i = 0; i < 40; i++) {
        const krs_model_row *row = &rows.models[i];
        assert_int_equal(row->weights, 19 - i / 2);
        assert_int_equal(row->id, 19 - i / 2 + 20 * (i % 2)); /* then by id */
        assert_int_equal(row->name_length, 2);
        assert_int_equal(row->kind_length, 1);
        assert_memory_equal(rows.text + row->name, "na", 2);
        assert_memory_equal(rows.text + row->kind, "C", 1);
    }
    assert_int_equal(krs_rows_bytes(&rows), 19 * 20 + 80);
    /* Nothing comes after the process. */
    assert_int_equal(krs_rows_take(&rows, &last), KRS_TROUBLE_VERSION);
    krs_rows_free(&rows);
}

static void rows_that_do_not_fit_are_refused(void **state) {
    krs_frame frames[] = {
        model(1, 1, "no gap", 6), model(1, 1, "", 0), model(1, 1, "two\0gaps\0", 9),
        model(1, 1, "a\0B", 3),   process(1),         {.kind = KRS_FRAME_ANSWER},
    };
    (void)state;
    frames[3].values[KRS_MODEL_RUNNING] = 2;
    for (size_t i = 0; i < LENGTH_OF(frames); i++) {
        krs_rows rows = {0};
        assert_int_equal(krs_rows_take(&rows, &frames[i]), KRS_TROUBLE_VERSION);
        assert_int_equal(rows.count, 0);
        krs_rows_free(&rows);
    }
}

static void rows_without_end_are_refused(void **state) {
    krs_rows rows = {0};
    const krs_frame frame = model(1, UINT64_MAX, "\0", 1);
    (void)state;
    for (size_t i = 0; i < KRS_ROWS_MOST; i++)
        assert_int_equal(krs_rows_take(&rows, &frame), KRS_TROUBLE_NONE);
    assert_int_equal(krs_rows_take(&rows, &frame), KRS_TROUBLE_VERSION);
    assert_true(krs_rows_bytes(&rows) == UINT64_MAX); /* and no overflow */
    krs_rows_free(&rows);
}

static void rows_without_memory_say_so(void **state) {
    (void)state;
    for (long nth = 1;; nth++) {
        krs_rows rows = {0};
        krs_trouble trouble = KRS_TROUBLE_NONE;
        failing = nth;
        for (uint64_t i = 0; i < 300 && trouble == KRS_TROUBLE_NONE; i++) {
            const krs_frame frame = model(i, i, "some name\0Sequential", 20);
            trouble = krs_rows_take(&rows, &frame);
        }
        const int failed = failing <= 0;
        failing = 0;
        assert_int_equal(trouble, failed ? KRS_TROUBLE_NOMEM : KRS_TROUBLE_NONE);
        krs_rows_free(&rows);
        if (!failed) {
            assert_true(nth > 6);
            return;
        }
    }
}

static krs_frame answer(uint64_t text, uint64_t json, const char *line) {
    return (krs_frame){.kind = KRS_FRAME_ANSWER,
                       .values = {KRS_OUTCOME_OK, text, json},
                       .text = line,
                       .length = strlen(line)};
}

static int memfd_of(const char *bytes) {
    const int memfd = memfd_create("answer", MFD_CLOEXEC);
    assert_true(memfd >= 0);
    assert_int_equal(write(memfd, bytes, strlen(bytes)), strlen(bytes));
    return memfd;
}

static void an_answer_is_read_to_the_last_byte(void **state) {
    krs_verdict verdict = {0};
    krs_frame frame = answer(4, 2, "cause\nfirst\nsecond\n");
    const int memfd = memfd_of("text{}");
    (void)state;
    frame.values[KRS_ANSWER_OUTCOME] = KRS_OUTCOME_REFUSED;
    assert_int_equal(krs_verdict_take(&verdict, &frame, memfd), KRS_TROUBLE_NONE);
    assert_int_equal(verdict.text, 4);
    assert_int_equal(verdict.json, 2);
    assert_memory_equal(verdict.bytes, "text{}", 6);
    assert_string_equal(verdict.cause, "cause");
    assert_string_equal(verdict.cure, "first second");
    assert_int_equal(krs_verdict_status(&verdict), KRS_EXIT_UNAVAILABLE);
    krs_verdict_free(&verdict);
    /* One without a cure gets one; one that went well needs none. */
    for (krs_outcome o = KRS_OUTCOME_OK; o <= KRS_OUTCOME_FAILED; o++) {
        frame = answer(4, 2, o == KRS_OUTCOME_OK ? "" : "cause");
        frame.values[KRS_ANSWER_OUTCOME] = o;
        assert_int_equal(krs_verdict_take(&verdict, &frame, memfd), KRS_TROUBLE_NONE);
        assert_int_equal(strlen(verdict.cure) > 0, o != KRS_OUTCOME_OK);
        krs_verdict_free(&verdict);
    }
    close(memfd);
}

static void an_answer_that_does_not_fit_is_refused(void **state) {
    static char long_line[KRS_VERDICT_LINE + 2];
    (void)state;
    memset(long_line, 'x', sizeof long_line - 1);
    krs_frame frames[] = {
        answer(5, 2, ""),          answer(3, 2, ""),
        answer(UINT64_MAX, 7, ""), answer(4, 2, ""),
        answer(4, 2, long_line),   answer((uint64_t)1 << 40, 0, ""),
        {.kind = KRS_FRAME_DONE},
    };
    frames[3].values[KRS_ANSWER_OUTCOME] = KRS_OUTCOME_FAILED + 1;
    const int memfd = memfd_of("text{}");
    for (size_t i = 0; i < LENGTH_OF(frames); i++) {
        krs_verdict verdict = {0};
        assert_int_equal(krs_verdict_take(&verdict, &frames[i], memfd),
                         KRS_TROUBLE_VERSION);
        assert_null(verdict.bytes);
    }
    close(memfd);
    /* Files that could be read for ever, or that are not there. */
    const krs_frame none = answer(0, 0, "");
    const int zero = open("/dev/zero", O_RDONLY), files[] = {zero, -1};
    for (size_t i = 0; i < LENGTH_OF(files); i++) {
        krs_verdict verdict = {0};
        assert_int_equal(krs_verdict_take(&verdict, &none, files[i]),
                         KRS_TROUBLE_VERSION);
    }
    close(zero);
    /* Nor one of a file system, of the right size as it may be: a read may hang. */
    krs_verdict verdict = {0};
    struct stat program;
    const int own = open("/proc/self/exe", O_RDONLY);
    assert_int_equal(fstat(own, &program), 0);
    const krs_frame whole = answer((uint64_t)program.st_size, 0, "");
    assert_int_equal(krs_verdict_take(&verdict, &whole, own), KRS_TROUBLE_VERSION);
    assert_null(verdict.bytes);
    close(own);
}

static void an_answer_without_memory_says_so(void **state) {
    krs_verdict verdict = {0};
    const krs_frame frame = answer(4, 2, "");
    const int memfd = memfd_of("text{}");
    (void)state;
    failing = 1;
    assert_int_equal(krs_verdict_take(&verdict, &frame, memfd), KRS_TROUBLE_NOMEM);
    failing = 0;
    assert_null(verdict.bytes);
    close(memfd);
}

static void what_proc_says_is_read(void **state) {
    krs_facts facts = {0};
    (void)state;
    assert_int_equal(krs_facts_parse("Name:\tx\\nState:\tZ\nState:\tT (stopped)\n"
                                     "Uid:\t1\t7\t3\t4\nVmRSS:\t   12 kB\n",
                                     &facts),
                     1);
    assert_int_equal(facts.state, 'T');
    assert_int_equal(facts.user, 7); /* the effective one */
    assert_int_equal(facts.rss, 12 * 1024);
    assert_int_equal(krs_facts_parse("State:\tZ\nUid:\t1\t7\n", &facts), 1);
    assert_int_equal(facts.rss, 0);
    static const char *const bad[] = {"", "State:\tZ\n", "Uid:\t1\t2\n",
                                      "State:\t\nUid:\t1\t2\n",
                                      "State:\tR\nUid:\tx\t2\n"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_int_equal(krs_facts_parse(bad[i], &facts), 0);
    assert_int_equal(krs_facts_read(getpid(), &facts), 1);
    assert_int_equal(facts.user, geteuid());
    assert_true(facts.rss > 0);
    assert_int_equal(krs_facts_read(4194001, &facts), 0);
}

static void every_trouble_names_the_process_and_has_a_cure(void **state) {
    char cause[KRS_TROUBLE_TEXT], cure[KRS_TROUBLE_TEXT];
    (void)state;
    for (krs_trouble t = KRS_TROUBLE_NONE + 1; t <= KRS_TROUBLE_SYSTEM; t++) {
        krs_trouble_cause(t, 12345, "the detail", cause);
        krs_trouble_cure(t, 12345, cure);
        assert_non_null(strstr(cause, "process 12345"));
        assert_non_null(strstr(cause, ": the detail"));
        assert_null(strstr(cause, "PID"));
        assert_null(strstr(cure, "PID"));
        assert_true(strlen(cure) > 10);
        assert_int_not_equal(krs_trouble_status(t), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_one_by_one_and_are_sorted_at_the_end),
        cmocka_unit_test(rows_that_do_not_fit_are_refused),
        cmocka_unit_test(rows_without_end_are_refused),
        cmocka_unit_test(rows_without_memory_say_so),
        cmocka_unit_test(an_answer_is_read_to_the_last_byte),
        cmocka_unit_test(an_answer_that_does_not_fit_is_refused),
        cmocka_unit_test(an_answer_without_memory_says_so),
        cmocka_unit_test(what_proc_says_is_read),
        cmocka_unit_test(every_trouble_names_the_process_and_has_a_cure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
