/* What becomes of a trial: one answer, of the right kind, with everything that it wrote
 * before. */
#include <signal.h>
#include <unistd.h>

#include "fake_client.h"

static void a_trial_is_answered_with_its_result_and_what_it_used(void **state) {
    fake_client *c = fake_client_new(*state, 0);
    FAKE_SUBMIT(c, 1, FAKE_WITH(.recycle = 1), {FAKE_HOG, 32 * FAKE_MIB, 0},
                {FAKE_ANSWER, 42, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_ANSWER, 43, 1});
    const fake_outcome *o = fake_expect_done(c, 1, 42);
    assert_int_equal(o->values[KRS_DONE_FAILED], 0);
    assert_in_range(o->values[KRS_FIGURE_OWN], 32 * FAKE_MIB, 64 * FAKE_MIB);
    assert_in_range(o->values[KRS_FIGURE_PEAK], o->values[KRS_FIGURE_OWN],
                    64 * FAKE_MIB);
    assert_true(o->values[KRS_FIGURE_RSS] >= o->values[KRS_FIGURE_OWN]);
    assert_true(o->values[KRS_FIGURE_WALL] > 0 && o->values[KRS_FIGURE_CPU] > 0);
    assert_int_equal(o->values[KRS_FIGURE_GPU], 0);
    assert_int_equal(fake_expect_done(c, 2, 43)->values[KRS_DONE_FAILED], 1);
    fake_assert_answered_once(c);
    assert_int_equal(c->stats[KRS_STATS_TRIALS], 2);
    assert_int_equal(c->stats[KRS_STATS_FORKS], 2);
    fake_client_free(c);
}

static void one_that_ends_without_an_answer_is_told_of_with_its_cause(void **state) {
    fake_client *c = fake_client_new(*state, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_EXIT, 7, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_EXIT, 0, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_RAISE, SIGABRT, 0});
    FAKE_SUBMIT(c, 4, FAKE_PLAIN, {FAKE_RAISE, SIGKILL, 0});
    FAKE_SUBMIT(c, 5, FAKE_PLAIN, {FAKE_CLOSE, 0, 0}, {FAKE_EXIT, 5, 0});
    FAKE_SUBMIT(c, 6, FAKE_PLAIN, {FAKE_CLOSE, 0, 0}, {FAKE_SLEEP, 0, 0});
    fake_expect_ended(c, 1, KRS_CAUSE_EXITED, 7, 0);
    fake_expect_ended(c, 2, KRS_CAUSE_EXITED, 0, 0);
    fake_expect_ended(c, 3, KRS_CAUSE_SIGNALLED, SIGABRT, 0);
    fake_expect_ended(c, 4, KRS_CAUSE_SIGNALLED, SIGKILL, 0);
    fake_expect_ended(c, 5, KRS_CAUSE_EXITED, 5, 0);
    fake_expect_ended(c, 6, KRS_CAUSE_CLOSED, SIGKILL, 0);
    fake_assert_answered_once(c);
    fake_client_free(c);
}

static void one_that_sends_what_no_worker_sends_is_killed(void **state) {
    fake_client *c = fake_client_new(*state, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_GARBAGE, 0, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_KIND, KRS_FRAME_HELLO, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_KIND, KRS_FRAME_RUN, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 4, FAKE_PLAIN, {FAKE_KIND, KRS_FRAME_ENDED, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 5, FAKE_PLAIN, {FAKE_KIND, KRS_FRAME_OUTPUT, 3}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 6, FAKE_PLAIN, {FAKE_KIND, KRS_FRAME_DONE, 0}, {FAKE_SLEEP, 0, 0});
    for (uint64_t trial = 1; trial <= 6; trial++)
        fake_expect_ended(c, trial, KRS_CAUSE_FORMAT, SIGKILL, 0);
    fake_assert_answered_once(c);
    fake_client_free(c);
}

static void a_second_answer_is_nobodys(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_ANSWER, 1, 0}, {FAKE_ANSWER, 2, 0},
                {FAKE_EXIT, 0, 0});
    const fake_outcome *o = fake_expect_done(c, 1, 1);
    fake_until(fake_is_gone(o->pid));
    fake_assert_answered_once(c);
    fake_client_free(c);
}

static void over_its_memory_it_is_killed(void **state) {
    fake_client *c = fake_client_new(*state, 0);
    FAKE_SUBMIT(c, 1, FAKE_WITH(.memory = 64 * FAKE_MIB),
                {FAKE_HOG, 1024 * FAKE_MIB, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 2, FAKE_WITH(.memory = 64 * FAKE_MIB), {FAKE_HOG, 32 * FAKE_MIB, 0},
                {FAKE_ANSWER, 2, 0});
    const fake_outcome *o =
        fake_expect_ended(c, 1, KRS_CAUSE_MEMORY, SIGKILL, 64 * FAKE_MIB);
    assert_in_range(o->values[KRS_FIGURE_PEAK], 64 * FAKE_MIB, 1100 * FAKE_MIB);
    fake_expect_done(c, 2, 2);
    fake_client_free(c);
}

static void memory_of_the_server_that_it_only_reads_is_not_its_own(void **state) {
    fake_server *s = fake_server_start(NULL, 256 * FAKE_MIB, NULL);
    *state = s;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_WITH(.memory = 64 * FAKE_MIB, .recycle = 1),
                {FAKE_READ, 256 * FAKE_MIB, 0}, {FAKE_HOG, 16 * FAKE_MIB, 0},
                {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_WITH(.memory = 64 * FAKE_MIB),
                {FAKE_READ, 256 * FAKE_MIB, 0}, {FAKE_HOG, 1024 * FAKE_MIB, 0},
                {FAKE_SLEEP, 0, 0});
    const fake_outcome *o = fake_expect_done(c, 1, 1);
    assert_in_range(o->values[KRS_FIGURE_OWN], 16 * FAKE_MIB, 64 * FAKE_MIB);
    assert_true(o->values[KRS_FIGURE_RSS] >= 256 * FAKE_MIB);
    fake_expect_ended(c, 2, KRS_CAUSE_MEMORY, SIGKILL, 64 * FAKE_MIB);
    fake_client_free(c);
}

static void over_its_time_it_is_killed(void **state) {
    const uint64_t limit = 50000000;
    fake_client *c = fake_client_new(*state, 0);
    FAKE_SUBMIT(c, 1, FAKE_WITH(.wall = limit), {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 2, FAKE_WITH(.cpu = limit), {FAKE_SPIN, 0, 0});
    FAKE_SUBMIT(c, 3, FAKE_WITH(.cpu = limit), {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 3, 0});
    const fake_outcome *o = fake_expect_ended(c, 1, KRS_CAUSE_WALL, SIGKILL, limit);
    assert_true(o->values[KRS_FIGURE_WALL] >= limit);
    o = fake_expect_ended(c, 2, KRS_CAUSE_CPU, SIGKILL, limit);
    assert_true(o->values[KRS_FIGURE_CPU] >= limit);
    ((fake_server *)*state)->board->gates[0] = 1;
    fake_expect_done(c, 3, 3);
    fake_client_free(c);
}

static void limits_beyond_all_time_and_memory_are_none(void **state) {
    fake_client *c = fake_client_new(*state, 0);
    const uint64_t most[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2,
                             (uint64_t)INT64_MAX + 1};
    for (size_t i = 0; i < LENGTH_OF(most); i++)
        FAKE_SUBMIT(c, i + 1,
                    FAKE_WITH(.wall = most[i], .cpu = most[i], .memory = most[i],
                              .gpu = most[i], .recycle = most[i], .reuse = most[i]),
                    {FAKE_WRITE, 1, 100}, {FAKE_ANSWER, i, 0});
    for (size_t i = 0; i < LENGTH_OF(most); i++)
        fake_expect_done(c, i + 1, i);
    fake_client_free(c);
}

static void one_that_runs_is_interrupted_then_killed(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_REACH, 0, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_IGNORE, SIGINT, 0}, {FAKE_REACH, 0, 0},
                {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_IGNORE, SIGINT, 0}, {FAKE_REACH, 0, 0},
                {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 4, FAKE_WITH(.reuse = 1), {FAKE_CATCH, SIGINT, 0},
                {FAKE_REACH, 0, 0}, {FAKE_AWAIT, SIGINT, 0}, {FAKE_ANSWER, 4, 1});
    FAKE_SUBMIT(c, 5, FAKE_PLAIN, {FAKE_IGNORE, SIGINT, 0}, {FAKE_REACH, 0, 0},
                {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 5, 0});
    fake_until(s->board->reached == 5);
    fake_stop(c, 1, 60ULL * FAKE_SECOND);
    fake_stop(c, 2, FAKE_SECOND / 20);
    fake_stop(c, 3, UINT64_MAX - 5); /* and never mind: */
    fake_stop(c, 3, 0);
    fake_stop(c, 4, UINT64_MAX);
    fake_stop(c, 5, UINT64_MAX);
    fake_expect_ended(c, 1, KRS_CAUSE_STOPPED, SIGINT, 0);
    fake_expect_ended(c, 2, KRS_CAUSE_STOPPED, SIGKILL, 0);
    fake_expect_ended(c, 3, KRS_CAUSE_STOPPED, SIGKILL, 0);
    const fake_outcome *o = fake_expect_done(c, 4, 4);
    s->board->gates[0] = 1;
    fake_expect_done(c, 5, 5);
    fake_until(fake_is_gone(o->pid)); /* what was interrupted is not used again */
    fake_client_free(c);
}

static void to_stop_what_is_done_unknown_or_anothers_does_nothing(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0), *other = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_ANSWER, 1, 0});
    fake_expect_done(c, 1, 1);
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 2, 0});
    fake_await_start(c, 2);
    fake_stop(c, 1, 0);
    fake_stop(c, 0, 0);
    fake_stop(c, 3, 0);
    fake_stop(other, 2, 0);
    fake_assert_answered_once(c);
    fake_assert_answered_once(other);
    s->board->gates[0] = 1;
    fake_expect_done(c, 2, 2);
    fake_client_free(c);
    fake_client_free(other);
}

static void
what_it_wrote_arrives_complete_in_order_and_before_the_answer(void **state) {
    fake_client *c = fake_client_new(*state, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_WRITE, 1, 60000}, {FAKE_WRITE, 2, 50000},
                {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_FRAMES, 2, 2 * FAKE_MIB},
                {FAKE_WRITE, 1, 5 * FAKE_MIB}, {FAKE_ANSWER, 2, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_WRITE, 1, 3 * FAKE_MIB + 1},
                {FAKE_FRAMES, 2, FAKE_MIB + 1}, {FAKE_EXIT, 1, 0});
    for (uint64_t trial = 4; trial < 20; trial++)
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_WRITE, 1, 60000}, {FAKE_EXIT, 0, 0});
    const fake_outcome *o = fake_expect_done(c, 1, 1);
    assert_int_equal(o->bytes[1], 60000);
    assert_int_equal(o->bytes[2], 50000);
    o = fake_expect_done(c, 2, 2);
    assert_int_equal(o->bytes[1], 5 * FAKE_MIB);
    assert_int_equal(o->bytes[2], 2 * FAKE_MIB);
    o = fake_expect_ended(c, 3, KRS_CAUSE_EXITED, 1, 0);
    assert_int_equal(o->bytes[1], 3 * FAKE_MIB + 1);
    assert_int_equal(o->bytes[2], FAKE_MIB + 1);
    for (uint64_t trial = 4; trial < 20; trial++) {
        o = fake_expect_ended(c, trial, KRS_CAUSE_EXITED, 0, 0);
        assert_int_equal(o->bytes[1], 60000);
    }
    fake_assert_answered_once(c);
    fake_client_free(c);
}

/* The writer is never done, and holds the pipe after the trial and its worker. */
static void what_others_write_on_and_on_delays_no_answer(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_STARTS, FAKE_FLOODS, 0},
                {FAKE_STARTS, FAKE_FLOODS, 0}, {FAKE_STARTS, FAKE_FLOODS, 0},
                {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_STARTS, FAKE_FLOODS, 0},
                {FAKE_STARTS, FAKE_FLOODS, 0}, {FAKE_STARTS, FAKE_FLOODS, 0},
                {FAKE_WAIT, 0, 0}, {FAKE_EXIT, 2, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_ANSWER, 3, 0});
    fake_answer(c, 3);
    while (c->trials[1].bytes[1] < FAKE_MIB || c->trials[2].bytes[1] < FAKE_MIB)
        fake_take(c);
    s->board->gates[0] = 1;
    assert_int_equal(fake_answer(c, 1)->kind, KRS_FRAME_DONE);
    assert_int_equal(fake_answer(c, 2)->kind, KRS_FRAME_ENDED);
    fake_client_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKE_SERVED(a_trial_is_answered_with_its_result_and_what_it_used),
        FAKE_SERVED(one_that_ends_without_an_answer_is_told_of_with_its_cause),
        FAKE_SERVED(one_that_sends_what_no_worker_sends_is_killed),
        FAKE_SERVED(a_second_answer_is_nobodys),
        FAKE_SERVED(over_its_memory_it_is_killed),
        FAKE_STARTED(memory_of_the_server_that_it_only_reads_is_not_its_own),
        FAKE_SERVED(over_its_time_it_is_killed),
        FAKE_SERVED(limits_beyond_all_time_and_memory_are_none),
        FAKE_SERVED(one_that_runs_is_interrupted_then_killed),
        FAKE_SERVED(to_stop_what_is_done_unknown_or_anothers_does_nothing),
        FAKE_SERVED(what_it_wrote_arrives_complete_in_order_and_before_the_answer),
        FAKE_SERVED(what_others_write_on_and_on_delays_no_answer),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
