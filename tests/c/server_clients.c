/* Clients beside each other: what one does, or does not, is nobody else's loss. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_client.h"

/* What the server may keep for a client that takes nothing, with the allocator's own.
 */
enum { BOUND = 12 * FAKE_MIB };

static void run_some(fake_client *c, uint64_t first, uint64_t count) {
    for (uint64_t trial = first; trial < first + count; trial++)
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_WRITE, 1, 10}, {FAKE_ANSWER, trial, 0});
    for (uint64_t trial = first; trial < first + count; trial++)
        assert_int_equal(fake_expect_done(c, trial, trial)->bytes[1], 10);
}

/* Nothing is left to do that it would try again and again. */
static void assert_sleeps(const fake_server *s) {
    const uint64_t busy = fake_busy(s->pid);
    fake_rest(300);
    assert_true(fake_busy(s->pid) - busy < 50000000);
}

static void one_that_does_not_read_waits_and_others_do_not(void **state) {
    fake_server *s = *state;
    fake_client *idle = fake_client_new(s, 0), *c = fake_client_new(s, 0);
    run_some(c, 1, 5);
    const uint64_t before = fake_resident(s->pid);
    FAKE_SUBMIT(idle, 1, FAKE_PLAIN, {FAKE_WRITE, 1, 20 * FAKE_MIB},
                {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(idle, 2, FAKE_PLAIN, {FAKE_FRAMES, 2, 20 * FAKE_MIB},
                {FAKE_ANSWER, 2, 0});
    FAKE_SUBMIT(idle, 3, FAKE_PLAIN, {FAKE_FRAMES, 2, 20 * FAKE_MIB},
                {FAKE_EXIT, 3, 0});
    for (uint64_t trial = 10; trial < 60; trial += 10) {
        run_some(c, trial, 10);
        assert_true(fake_resident(s->pid) < before + BOUND);
    }
    FAKE_SUBMIT(idle, 4, FAKE_PLAIN, {FAKE_REACH, 0, 0}, {FAKE_WRITE, 1, FAKE_MIB},
                {FAKE_ANSWER, 4, 0});
    fake_until(s->board->reached == 1);
    assert_sleeps(s);
    assert_int_equal(fake_expect_done(idle, 1, 1)->bytes[1], 20 * FAKE_MIB);
    assert_int_equal(fake_expect_done(idle, 2, 2)->bytes[2], 20 * FAKE_MIB);
    assert_int_equal(fake_expect_ended(idle, 3, KRS_CAUSE_EXITED, 3, 0)->bytes[2],
                     20 * FAKE_MIB);
    fake_assert_answered_once(idle);
    fake_client_free(idle);
    fake_client_free(c);
}

/* Trials that answer or end while their client takes nothing keep what they wrote, and
 * letting them go does not open the gates for those that write on. */
static void nothing_is_lost_of_trials_that_end_while_their_client_waits(void **state) {
    enum { ENDING = 12, FLOODS = 4 };
    fake_server *s = *state;
    fake_client *idle = fake_client_new(s, 0), *c = fake_client_new(s, 0);
    for (uint64_t trial = 1; trial <= ENDING; trial++)
        FAKE_SUBMIT(idle, trial, FAKE_PLAIN, {FAKE_REACH, 0, 0}, {FAKE_WAIT, 0, 0},
                    {FAKE_WRITE, 1, 60000}, {FAKE_FRAMES, 2, 100000},
                    {FAKE_REACH, 0, 0},
                    {trial % 2 == 0 ? FAKE_ANSWER : FAKE_EXIT, trial, 0});
    for (uint64_t trial = ENDING + 1; trial <= ENDING + FLOODS; trial++)
        FAKE_SUBMIT(idle, trial, FAKE_PLAIN, {FAKE_REACH, 0, 0},
                    {FAKE_FRAMES, 2, 4 * FAKE_MIB}, {FAKE_ANSWER, trial, 0});
    fake_until(s->board->reached == ENDING + FLOODS);
    run_some(c, 1, 30); /* by then the floods have filled all there is */
    s->board->gates[0] = 1;
    fake_until(s->board->reached == 2 * ENDING + FLOODS);
    run_some(c, 40, 10);
    for (int i = 0; i < 90; i++) /* until those that ended fill it again */
        fake_take(idle);
    assert_sleeps(s);
    for (uint64_t trial = 1; trial <= ENDING; trial++) {
        const fake_outcome *o =
            trial % 2 == 0 ? fake_expect_done(idle, trial, trial)
                           : fake_expect_ended(idle, trial, KRS_CAUSE_EXITED, trial, 0);
        assert_int_equal(o->bytes[1], 60000);
        assert_int_equal(o->bytes[2], 100000);
    }
    for (uint64_t trial = ENDING + 1; trial <= ENDING + FLOODS; trial++)
        assert_int_equal(fake_expect_done(idle, trial, trial)->bytes[2], 4 * FAKE_MIB);
    fake_assert_answered_once(idle);
    fake_client_free(idle);
    fake_client_free(c);
}

/* Takes sixty frames, of 10 KiB each, and lets the server go on. */
static void memory_stays_bounded_when_a_slow_client_takes_a_little(void **state) {
    enum { FLOODS = 4 };
    fake_server *s = *state;
    fake_client *slow = fake_client_new(s, 0), *c = fake_client_new(s, 0);
    const uint64_t before = fake_resident(s->pid);
    for (uint64_t trial = 1; trial <= FLOODS; trial++)
        FAKE_SUBMIT(slow, trial, FAKE_PLAIN, {FAKE_FRAMES, 2, 8 * FAKE_MIB},
                    {FAKE_EXIT, trial, 0});
    for (uint64_t trial = 1; trial < 60; trial += 5) {
        run_some(c, trial, 5);
        for (int i = 0; i < 60; i++)
            fake_take(slow);
        assert_true(fake_resident(s->pid) < before + BOUND);
    }
    for (uint64_t trial = 1; trial <= FLOODS; trial++)
        assert_int_equal(fake_answer(slow, trial)->bytes[2], 8 * FAKE_MIB);
    fake_client_free(slow);
    fake_client_free(c);
}

/* Each is a file in memory, and a descriptor of the server. The socket is full of what
 * the first one wrote. */
static void results_that_are_not_taken_stay_few_in_the_server(void **state) {
    enum { TRIALS = 150 };
    fake_server *s = *state;
    fake_client *idle = fake_client_new(s, 0), *c = fake_client_new(s, 0);
    for (uint64_t trial = 1; trial <= TRIALS; trial++) {
        FAKE_SUBMIT(idle, trial, FAKE_WITH(.reuse = 1),
                    {FAKE_FRAMES, 1, trial == 1 ? FAKE_MIB / 2 : 0},
                    {FAKE_ANSWER, trial, 0});
        run_some(c, trial, 1);
    }
    run_some(c, TRIALS + 1, 20);
    assert_in_range(fake_files(s->pid, "memfd:result"), 8, 64);
    for (uint64_t trial = 1; trial <= TRIALS; trial++)
        fake_expect_done(idle, trial, trial);
    fake_client_free(idle);
    fake_client_free(c);
}

/* More than the server keeps answers for, until it does not take them any more. */
static int ask_until_it_blocks(fake_server *s, fake_client *c, uint64_t most) {
    char bytes[KRS_FRAME_MOST];
    const size_t length = krs_frame_encode(&(krs_frame){.kind = KRS_FRAME_ASK}, bytes);
    int sent = 0;
    for (int waited = 0; waited < 200;) {
        if (send(c->socket, bytes, length, MSG_DONTWAIT) == (ssize_t)length) {
            sent++;
            waited = 0;
        } else {
            assert_int_equal(errno, EAGAIN);
            fake_pause(waited++, "it takes more");
        }
        if (sent % 1000 == 0)
            assert_true(fake_resident(s->pid) < most);
    }
    return sent;
}

static void one_that_asks_and_does_not_read_is_not_heard_until_it_does(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0), *other = fake_client_new(s, 0);
    const int sent = ask_until_it_blocks(s, c, fake_resident(s->pid) + BOUND);
    run_some(other, 1, 5);
    while (c->stats_count < sent)
        assert_true(fake_take(c));
    run_some(c, 1, 5);
    fake_client_free(c);
    fake_client_free(other);
}

static void one_that_leaves_takes_its_workers_along_and_no_others(void **state) {
    fake_server *s = *state;
    fake_client *other = fake_client_new(s, 0);
    const size_t descriptors = fake_descriptors(s->pid);
    fake_client *c = fake_client_new(s, 0);
    FAKE_SUBMIT(other, 1, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 1, 0});
    for (uint64_t trial = 1; trial <= 4; trial++)
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_IGNORE, SIGINT, 0},
                    {FAKE_FRAMES, 1, trial == 4 ? 8 * FAKE_MIB : 0}, {FAKE_SPIN, 0, 0});
    FAKE_SUBMIT(c, 5, FAKE_WITH(.reuse = 1), {FAKE_ANSWER, 5, 0});
    fake_await_start(other, 1);
    fake_await_start(c, 5); /* the last; nothing is read of what comes after */
    fake_client_free(c);
    fake_until(fake_descriptors(s->pid) == descriptors + 3); /* other's worker */
    size_t zombies;
    fake_until(fake_children(s->pid, &zombies) == 1);
    s->board->gates[0] = 1;
    fake_expect_done(other, 1, 1);
    fake_until(fake_descriptors(s->pid) == descriptors);
    fake_client_free(other);
}

/* The connection ends, and with it what was submitted on it. */
static void assert_loses_connection(fake_server *s, fake_client *c) {
    fake_await_end(c);
    fake_client_free(c);
    fake_client *other = fake_client_new(s, 0);
    run_some(other, 1, 1);
    fake_client_free(other);
}

static void one_that_breaks_the_protocol_loses_its_own_connection(void **state) {
    static const struct {
        krs_frame_kind kind;
        int with_file;
    } bad[] = {{KRS_FRAME_HELLO, 0}, {KRS_FRAME_WELCOME, 0}, {KRS_FRAME_STARTED, 0},
               {KRS_FRAME_ENDED, 0}, {KRS_FRAME_REFUSED, 0}, {KRS_FRAME_WORKER, 0},
               {KRS_FRAME_STATS, 0}, {KRS_FRAME_OUTPUT, 0},  {KRS_FRAME_DONE, 1},
               {KRS_FRAME_RUN, 1},   {KRS_FRAME_SUBMIT, 1},  {KRS_FRAME_SUBMIT, 0},
               {KRS_FRAME_ASK, 1}};
    fake_server *s = *state;
    fake_client *witness = fake_client_new(s, 0);
    const size_t descriptors = fake_descriptors(s->pid);
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        fake_client *c = fake_client_new(s, 0);
        FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_SLEEP, 0, 0});
        /* A SUBMIT is bad for being of no trial. */
        fake_send(c, bad[i].kind, 0, NULL, bad[i].with_file ? c->socket : -1);
        assert_loses_connection(s, c);
    }
    for (size_t i = 0; i < 4; i++) {
        fake_client *c = i < 2 ? fake_client_new(s, 0) : fake_connect(s);
        assert_true(send(c->socket, "garbage", i % 2 == 0 ? 7 : 0, 0) >= 0);
        assert_loses_connection(s, c);
    }
    fake_client *c = fake_connect(s);
    fake_send(c, KRS_FRAME_SUBMIT, 1, NULL, c->socket);
    assert_loses_connection(s, c);
    fake_until(fake_descriptors(s->pid) == descriptors);
    fake_client_free(witness);
}

static void two_use_the_same_numbers_and_get_their_own(void **state) {
    enum { TRIALS = 50 };
    fake_client *clients[] = {fake_client_new(*state, 0), fake_client_new(*state, 2)};
    for (uint64_t trial = 1; trial <= TRIALS; trial++)
        for (size_t i = 0; i < 2; i++)
            FAKE_SUBMIT(clients[i], trial, FAKE_WITH(.reuse = trial % 2),
                        {FAKE_WRITE, 1, 100 + i}, {FAKE_ANSWER, 2 * trial + i, 0});
    for (size_t i = 0; i < 2; i++) {
        for (uint64_t trial = 1; trial <= TRIALS; trial++)
            assert_int_equal(
                fake_expect_done(clients[i], trial, 2 * trial + i)->bytes[1], 100 + i);
        fake_assert_answered_once(clients[i]);
    }
    fake_client_free(clients[0]);
    fake_client_free(clients[1]);
}

static pid_t run_one(fake_client *c, uint64_t trial, uint64_t reuse, uint64_t recycle) {
    FAKE_SUBMIT(c, trial, FAKE_WITH(.reuse = reuse, .recycle = recycle),
                {FAKE_ANSWER, trial, trial % 2});
    return fake_expect_done(c, trial, trial)->pid;
}

static void a_worker_is_used_again_where_that_was_agreed(void **state) {
    fake_client *c = fake_client_new(*state, 0), *other = fake_client_new(*state, 0);
    const pid_t first = run_one(c, 1, 1, 1 << 30);
    assert_int_equal(run_one(c, 2, 1, 0), first);
    assert_int_not_equal(run_one(other, 1, 1, 0), first);
    assert_int_not_equal(run_one(c, 3, 0, 0), first);
    assert_int_equal(run_one(c, 4, 1, 0), first);
    fake_ask(c);
    uint64_t taken = 0;
    for (size_t i = 0; i < c->row_count; i++)
        if (c->rows[i][KRS_WORKER_PID] == (uint64_t)first)
            taken = c->rows[i][KRS_WORKER_TRIALS];
    assert_int_equal(taken, 3);
    assert_int_equal(run_one(c, 5, 1, 1),
                     first); /* above one byte: for the last time */
    fake_until(fake_is_gone(first));
    assert_int_not_equal(run_one(c, 6, 1, 0), first);
    fake_client_free(c);
    fake_client_free(other);
}

static size_t count_spares(fake_client *c) {
    size_t count = 0;
    fake_ask(c);
    for (size_t i = 0; i < c->row_count; i++)
        count += c->rows[i][KRS_WORKER_STATE] == 0;
    return count;
}

static void spares_are_kept_and_none_is_given_away_twice(void **state) {
    enum { TRIALS = 20 };
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 3);
    fake_until(count_spares(c) == 3);
    const uint64_t spare = c->rows[0][KRS_WORKER_PID];
    for (uint64_t trial = 1; trial <= TRIALS; trial++)
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, trial, 0});
    size_t by_spare = 0;
    for (uint64_t trial = 1; trial <= TRIALS; trial++) {
        fake_await_start(c, trial);
        by_spare += (uint64_t)c->trials[trial].pid == spare;
        for (uint64_t before = 1; before < trial; before++)
            assert_int_not_equal(c->trials[before].pid, c->trials[trial].pid);
    }
    assert_int_equal(by_spare, 1);
    s->board->gates[0] = 1;
    for (uint64_t trial = 1; trial <= TRIALS; trial++)
        fake_expect_done(c, trial, trial);
    fake_until(count_spares(c) == 3);
    assert_int_equal(c->stats[KRS_STATS_FORKS], TRIALS + 3);
    fake_client_free(c);
}

static void spares_that_end_by_themselves_are_not_replaced_without_end(void **state) {
    fake_server *s = *state;
    s->board->dead_on_arrival = 1;
    fake_client *c = fake_client_new(s, 1);
    fake_until(s->board->forks >= 1);
    fake_rest(200); /* enough for hundreds */
    assert_true(s->board->forks < 20);
    s->board->dead_on_arrival = 0;
    run_some(c, 1, 1); /* does not wait for a spare */
    fake_client_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKE_SERVED(one_that_does_not_read_waits_and_others_do_not),
        FAKE_SERVED(nothing_is_lost_of_trials_that_end_while_their_client_waits),
        FAKE_SERVED(memory_stays_bounded_when_a_slow_client_takes_a_little),
        FAKE_SERVED(results_that_are_not_taken_stay_few_in_the_server),
        FAKE_SERVED(one_that_asks_and_does_not_read_is_not_heard_until_it_does),
        FAKE_SERVED(one_that_leaves_takes_its_workers_along_and_no_others),
        FAKE_SERVED(one_that_breaks_the_protocol_loses_its_own_connection),
        FAKE_SERVED(two_use_the_same_numbers_and_get_their_own),
        FAKE_SERVED(a_worker_is_used_again_where_that_was_agreed),
        FAKE_SERVED(spares_are_kept_and_none_is_given_away_twice),
        FAKE_SERVED(spares_that_end_by_themselves_are_not_replaced_without_end),
    };
    return cmocka_run_group_tests_name("server_clients", tests, NULL, NULL);
}
