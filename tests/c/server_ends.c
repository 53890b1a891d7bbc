/* What must not be forked, and what must not be left. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_client.h"

/* ---- whether it may fork ----------------------------------------------------- */

static void submit_answer(fake_client *c, uint64_t trial) {
    FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_ANSWER, trial, 0});
}

static void a_server_that_is_broken_refuses_and_forks_nothing(void **state) {
    fake_server *s = fake_server_start("no Keras here", 0, NULL);
    *state = s;
    fake_client *c = fake_client_new(s, 4);
    for (uint64_t trial = 1; trial <= 3; trial++) {
        submit_answer(c, trial);
        fake_expect_refused(c, trial, KRS_REFUSED_BROKEN, "no Keras here");
    }
    fake_assert_answered_once(c);
    assert_int_equal(s->board->forks, 0);
    fake_client_free(c);
}

static void one_that_must_not_fork_from_the_beginning_is_broken(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    s->board->unsafe = 1;
    submit_answer(c, 1);
    fake_expect_refused(c, 1, KRS_REFUSED_BROKEN, "the board says so");
    s->board->unsafe = 0; /* it does not ask again */
    submit_answer(c, 2);
    fake_expect_refused(c, 2, KRS_REFUSED_BROKEN, "the board says so");
    assert_int_equal(s->board->forks, 0);
    fake_client_free(c);
}

static void one_that_must_not_fork_any_more_is_spent_and_finishes(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_WITH(.reuse = 1), {FAKE_ANSWER, 2, 0});
    fake_await_start(c, 1);
    fake_expect_done(c, 2, 2);
    s->board->unsafe = 1;
    submit_answer(c, 3);
    submit_answer(c, 4);
    fake_expect_refused(c, 3, KRS_REFUSED_SPENT, "the board says so");
    fake_expect_refused(c, 4, KRS_REFUSED_SPENT, "the board says so");
    FAKE_SUBMIT(c, 5, FAKE_WITH(.reuse = 1), {FAKE_ANSWER, 5, 0}); /* needs no fork */
    fake_expect_done(c, 5, 5);
    s->board->gates[0] = 1;
    fake_expect_done(c, 1, 1);
    fake_assert_answered_once(c);
    assert_int_equal(s->board->forks, 2);
    fake_client_free(c);
}

static void a_fork_that_turns_out_to_be_one_too_many_is_undone(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    s->board->unsafe_by_fork = 1;
    submit_answer(c, 1);
    fake_expect_refused(c, 1, KRS_REFUSED_BROKEN, "the board says so");
    assert_int_equal(s->board->forks, 1);
    assert_true(fake_is_gone(s->board->pids[0]));
    fake_ask(c);
    assert_int_equal(c->stats[KRS_STATS_FORKS], 0);
    assert_int_equal(c->row_count, 0);
    fake_client_free(c);
}

static void a_second_thread_is_named(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    s->board->second_thread = 1;
    submit_answer(c, 1);
    const fake_outcome *o = fake_expect_refused(c, 1, KRS_REFUSED_BROKEN, "2 threads");
    assert_non_null(strstr(o->text, "intruder"));
    fake_client_free(c);
}

static void a_hazard_without_a_name_is_one(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 2);
    fake_until(s->board->forks == 2);
    s->board->nameless = 1;
    s->board->unsafe = 1;
    for (uint64_t trial = 1; trial <= 4; trial++)
        submit_answer(c, trial);
    fake_expect_done(c, 1, 1);
    fake_expect_done(c, 2, 2);
    fake_expect_refused(c, 3, KRS_REFUSED_SPENT, "must not fork");
    fake_expect_refused(c, 4, KRS_REFUSED_SPENT, "must not fork");
    fake_client_free(c);
}

/* It tries again a second later, and a trial that is stopped until then never ran. */
static void a_fork_that_fails_for_now_works_again(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    s->board->fork_error = EAGAIN;
    submit_answer(c, 1);
    fake_expect_refused(c, 1, KRS_REFUSED_FOR_NOW, strerror(EAGAIN));
    s->board->fork_error = 0;
    submit_answer(c, 2);
    submit_answer(c, 3);
    fake_stop(c, 2, FAKE_SECOND);
    const fake_outcome *o = fake_expect_ended(c, 2, KRS_CAUSE_STOPPED, 0, 0);
    assert_int_equal(o->started, 0);
    assert_int_equal(o->values[KRS_FIGURE_WALL], 0);
    fake_expect_done(c, 3, 3);
    fake_assert_answered_once(c);
    assert_int_equal(c->stats[KRS_STATS_TRIALS], 2);
    /* And it does not go round and round, now that the time is over. */
    const uint64_t busy = fake_busy(s->pid);
    fake_rest(200);
    assert_true(fake_busy(s->pid) - busy < 50000000);
    fake_client_free(c);
}

/* ---- what is left ------------------------------------------------------------- */

/* Workers of all states, and whatever can be started below one. */
static fake_client *make_descendants(const fake_server *s) {
    fake_client *c = fake_client_new(s, 2);
    FAKE_SUBMIT(c, 1, FAKE_WITH(.reuse = 1), {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_IGNORE, SIGTERM, 0}, {FAKE_IGNORE, SIGINT, 0},
                {FAKE_STARTS, FAKE_STAYS, 0}, {FAKE_STARTS, FAKE_LEAVES, 0},
                {FAKE_STARTS, FAKE_DAEMON, 0}, {FAKE_STARTS, FAKE_CHAIN, 0},
                {FAKE_SPIN, 0, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_STARTS, FAKE_FLOODS, 0}, {FAKE_SLEEP, 0, 0});
    FAKE_SUBMIT(c, 4, FAKE_PLAIN, {FAKE_FRAMES, 1, 8 * FAKE_MIB}, {FAKE_ANSWER, 4, 0});
    fake_await_start(c, 4);
    fake_until(s->board->reached == 6);
    return c;
}

static void the_end_of_the_lease_ends_every_descendant(void **state) {
    fake_server *s = *state;
    fake_client *c = make_descendants(s);
    assert_int_equal(fake_server_wait(s), 0);
    fake_assert_nobody_left(0);
    fake_await_end(c);
    fake_client_free(c);
}

static void a_signal_to_end_ends_every_descendant(void **state) {
    fake_server *s = *state;
    fake_client *c = make_descendants(s);
    const int lease = s->lease;
    s->lease = -1;
    kill(s->pid, SIGINT); /* a terminal's, not for the server */
    kill(s->pid, SIGHUP);
    fake_ask(c);
    kill(s->pid, SIGTERM);
    assert_int_equal(fake_server_wait(s), 0);
    fake_assert_nobody_left(0);
    close(lease);
    fake_client_free(c);
}

/* The server becomes a child of the one that is its parent in the test. */
static void put_a_parent_between(fake_board *unused) {
    (void)unused;
    const pid_t pid = fork();
    if (pid == 0)
        return;
    while (pid > 0)
        pause();
    _exit(95);
}

static void the_end_of_the_parent_ends_every_descendant(void **state) {
    fake_server *s = fake_server_start(NULL, 0, put_a_parent_between);
    *state = s;
    const pid_t parent = s->pid;
    fake_client *c = fake_connect(s);
    fake_send(c, KRS_FRAME_HELLO, 0, NULL, -1);
    fake_take(c);
    s->pid = c->server; /* which WELCOME told */
    fake_client_free(c);
    assert_int_not_equal(s->pid, parent);
    c = make_descendants(s);
    const int lease = s->lease;
    s->lease = -1;
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_int_equal(fake_server_wait(s), 0); /* which we have inherited */
    fake_assert_nobody_left(0);
    close(lease);
    fake_client_free(c);
}

static void a_server_that_is_killed_takes_its_workers_along(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 2);
    FAKE_SUBMIT(c, 1, FAKE_WITH(.reuse = 1), {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_IGNORE, SIGTERM, 0}, {FAKE_SPIN, 0, 0});
    fake_expect_done(c, 1, 1);
    fake_await_start(c, 2);
    const int lease = s->lease;
    s->lease = -1;
    kill(s->pid, SIGKILL);
    assert_int_equal(fake_server_wait(s), 200 + SIGKILL);
    fake_assert_nobody_left(1);
    close(lease);
    fake_await_end(c);
    fake_client_free(c);
}

/* Those that their worker leaves behind are let be while another trial runs. */
static void daemons_of_a_trial_end_once_none_runs(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_WAIT, 1, 0}, {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_STARTS, FAKE_LEAVES, 0},
                {FAKE_STARTS, FAKE_DAEMON, 0}, {FAKE_STARTS, FAKE_CHAIN, 0},
                {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 2, 0});
    fake_await_start(c, 1);
    fake_until(s->board->reached == 5);
    s->board->gates[0] = 1;
    fake_until(fake_is_gone(fake_expect_done(c, 2, 2)->pid));
    size_t alive = 0;
    for (int i = 0; i < s->board->noted; i++)
        alive += !fake_is_gone(s->board->pids[i]);
    assert_in_range(alive, 6, 7); /* the first worker, five; one that forked a daemon */
    s->board->gates[1] = 1;
    fake_expect_done(c, 1, 1);
    for (int i = 0; i < s->board->noted; i++)
        fake_until(fake_is_gone(s->board->pids[i]));
    fake_assert_answered_once(c);
    fake_client_free(c);
}

static void processes_of_its_group_end_with_a_worker(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_STARTS, FAKE_STAYS, 0}, {FAKE_WAIT, 1, 0},
                {FAKE_EXIT, 2, 0});
    FAKE_SUBMIT(c, 3, FAKE_PLAIN, {FAKE_STARTS, FAKE_STAYS, 0}, {FAKE_SLEEP, 0, 0});
    fake_await_start(c, 1);
    fake_until(s->board->reached == 2);
    fake_until(s->board->noted == 5);
    s->board->gates[1] = 1;
    fake_expect_ended(c, 2, KRS_CAUSE_EXITED, 2, 0);
    fake_stop(c, 3, 0);
    fake_expect_ended(c, 3, KRS_CAUSE_STOPPED, SIGKILL, 0);
    size_t zombies;
    fake_until(fake_children(s->pid, &zombies) == 1);
    s->board->gates[0] = 1;
    fake_expect_done(c, 1, 1);
    fake_client_free(c);
}

static void five_hundred_trials_leave_nothing_open_and_nobody_dead(void **state) {
    enum { TRIALS = 500, AT_ONCE = 10 };
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    const size_t descriptors = fake_descriptors(s->pid);
    for (uint64_t trial = 1; trial <= TRIALS; trial++) {
        const uint64_t kind = trial % 5;
        FAKE_SUBMIT(c, trial, FAKE_WITH(.reuse = kind == 3),
                    {FAKE_WRITE, 1 + trial % 2, trial},
                    {kind == 0   ? FAKE_EXIT
                     : kind == 1 ? FAKE_RAISE
                                 : FAKE_ANSWER,
                     kind == 1 ? SIGKILL : trial % 256, 0});
        if (trial % AT_ONCE == 0)
            for (uint64_t i = trial - AT_ONCE + 1; i <= trial; i++)
                assert_int_equal(fake_answer(c, i)->bytes[1 + i % 2], i);
    }
    fake_assert_answered_once(c);
    assert_int_equal(c->stats[KRS_STATS_TRIALS], TRIALS);
    size_t zombies = 1, kept = 0;
    for (size_t i = 0; i < c->row_count; i++)
        kept += c->rows[i][KRS_WORKER_STATE] == 2; /* idle, for the next */
    fake_until(fake_children(s->pid, &zombies) == kept && zombies == 0);
    fake_until(fake_descriptors(s->pid) == descriptors + 3 * kept);
    fake_client_free(c);
}

/* ---- what a worker has ----------------------------------------------------------- */

static void assert_has_its_own_alone(fake_client *c, uint64_t trial) {
    FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_LIST, 0, 0});
    const fake_outcome *o = fake_expect_done(c, trial, 4);
    assert_int_equal(o->result[1], 0 + 1 + 2);
}

/* With clients, one of which takes nothing, workers, spares, trials that wait. */
static void a_worker_has_no_descriptor_of_the_server(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0), *idle = fake_client_new(s, 2);
    assert_has_its_own_alone(c, 1);
    for (uint64_t trial = 1; trial <= 40; trial++)
        FAKE_SUBMIT(idle, trial, FAKE_WITH(.reuse = 1),
                    {FAKE_FRAMES, 1, trial == 1 ? FAKE_MIB / 2 : 0},
                    {FAKE_ANSWER, trial, 0});
    fake_until(fake_files(s->pid, "memfd:result") > 8);
    for (uint64_t trial = 2; trial <= 6; trial++)
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_LIST, 0, 0});
    fake_await_start(c, 6);
    s->board->gates[0] = 1;
    for (uint64_t trial = 2; trial <= 6; trial++)
        assert_int_equal(fake_expect_done(c, trial, 4)->result[1], 0 + 1 + 2);
    fake_client_free(c);
    fake_client_free(idle);
}

static void close_streams(fake_board *unused) {
    (void)unused;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
}

static void a_server_without_streams_gives_its_workers_some(void **state) {
    fake_server *s = fake_server_start(NULL, 0, close_streams);
    *state = s;
    fake_client *c = fake_client_new(s, 0);
    assert_has_its_own_alone(c, 1);
    assert_int_equal(fake_files(s->pid, "/dev/null"), 4); /* and the reserve */
    FAKE_SUBMIT(c, 2, FAKE_PLAIN, {FAKE_WRITE, 1, 1000}, {FAKE_WRITE, 2, 2000},
                {FAKE_ANSWER, 2, 0});
    const fake_outcome *o = fake_expect_done(c, 2, 2);
    assert_int_equal(o->bytes[1], 1000);
    assert_int_equal(o->bytes[2], 2000);
    fake_client_free(c);
}

static void ignore_ends(fake_board *unused) {
    (void)unused;
    signal(SIGCHLD, SIG_IGN);
}

static void a_server_started_by_one_that_ignores_ends_sees_them(void **state) {
    fake_server *s = fake_server_start(NULL, 0, ignore_ends);
    *state = s;
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_EXIT, 9, 0});
    fake_expect_ended(c, 1, KRS_CAUSE_EXITED, 9, 0);
    fake_client_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKE_STARTED(a_server_that_is_broken_refuses_and_forks_nothing),
        FAKE_SERVED(one_that_must_not_fork_from_the_beginning_is_broken),
        FAKE_SERVED(one_that_must_not_fork_any_more_is_spent_and_finishes),
        FAKE_SERVED(a_fork_that_turns_out_to_be_one_too_many_is_undone),
        FAKE_SERVED(a_second_thread_is_named),
        FAKE_SERVED(a_hazard_without_a_name_is_one),
        FAKE_SERVED(a_fork_that_fails_for_now_works_again),
        FAKE_SERVED(the_end_of_the_lease_ends_every_descendant),
        FAKE_SERVED(a_signal_to_end_ends_every_descendant),
        FAKE_STARTED(the_end_of_the_parent_ends_every_descendant),
        FAKE_SERVED(a_server_that_is_killed_takes_its_workers_along),
        FAKE_SERVED(daemons_of_a_trial_end_once_none_runs),
        FAKE_SERVED(processes_of_its_group_end_with_a_worker),
        FAKE_SERVED(five_hundred_trials_leave_nothing_open_and_nobody_dead),
        FAKE_SERVED(a_worker_has_no_descriptor_of_the_server),
        FAKE_STARTED(a_server_without_streams_gives_its_workers_some),
        FAKE_STARTED(a_server_started_by_one_that_ignores_ends_sees_them),
    };
    return cmocka_run_group_tests_name("server_ends", tests, NULL, NULL);
}
