/* What the server is refused by the system, it refuses; and goes on. */
#define _GNU_SOURCE /* as the headers of the wrapped calls */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fake_client.h"

/* The calls that can be made to fail, of the server alone; the board says which. */
#define CALLS(X)                                                                       \
    X(MALLOC, ENOMEM)                                                                  \
    X(CALLOC, ENOMEM)                                                                  \
    X(EPOLL_CREATE, EMFILE)                                                            \
    X(EPOLL_CTL, ENOSPC)                                                               \
    X(TIMER, ENODEV)                                                                   \
    X(SIGNALS, ENFILE)                                                                 \
    X(PIPE, EMFILE)                                                                    \
    X(PAIR, ENOBUFS)                                                                   \
    X(SEND, ETOOMANYREFS)                                                              \
    X(WAIT, EBADF)

typedef enum {
#define X(name, error) name,
    CALLS(X)
#undef X
        CALL_COUNT
} call;

static const int errors[CALL_COUNT] = {
#define X(name, error) [name] = (error),
    CALLS(X)
#undef X
};

static fake_board *board_of_server;
static pid_t server;

/* Those that it is told to spare first are counted down. */
static bool fails(call which) {
    if (board_of_server == NULL || (board_of_server->failing & 1 << which) == 0 ||
        getpid() != server || atomic_fetch_sub(&board_of_server->sparing, 1) > 0)
        return false;
    atomic_fetch_add(&board_of_server->failures, 1);
    if (board_of_server->failing_once != 0)
        board_of_server->failing = 0;
    errno = errors[which];
    return true;
}

#define WRAP(type, failed, name, which, parameters, arguments)                         \
    type __real_##name parameters;                                                     \
    type __wrap_##name parameters;                                                     \
    type __wrap_##name parameters {                                                    \
        return fails(which) ? failed : __real_##name arguments;                        \
    }

WRAP(void *, NULL, malloc, MALLOC, (size_t size), (size))
WRAP(void *, NULL, calloc, CALLOC, (size_t count, size_t size), (count, size))
WRAP(int, -1, epoll_create1, EPOLL_CREATE, (int flags), (flags))
WRAP(int, -1, epoll_ctl, EPOLL_CTL,
     (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
WRAP(int, -1, epoll_wait, WAIT,
     (int epoll, struct epoll_event *events, int most, int timeout),
     (epoll, events, most, timeout))
WRAP(int, -1, timerfd_create, TIMER, (int clock, int flags), (clock, flags))
WRAP(int, -1, signalfd, SIGNALS, (int fd, const sigset_t *set, int flags),
     (fd, set, flags))
WRAP(int, -1, pipe2, PIPE, (int *ends, int flags), (ends, flags))
WRAP(int, -1, socketpair, PAIR, (int domain, int type, int protocol, int *ends),
     (domain, type, protocol, ends))
WRAP(ssize_t, -1, sendmsg, SEND, (int socket, const struct msghdr *message, int flags),
     (socket, message, flags))

static void arm(fake_board *board) {
    board_of_server = board;
    server = getpid();
}

/* Lets `sparing` such calls pass, fails all that follow. */
static void fail_calls(fake_board *board, call which, int sparing) {
    board->sparing = sparing;
    board->failures = 0;
    board->failing = 1 << which;
}

static int start_armed(void **state) {
    *state = NULL;
    *state = fake_server_start(NULL, 0, arm);
    return 0;
}

static void run_one(fake_client *c, uint64_t trial) {
    FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_ANSWER, trial, 0});
    fake_expect_done(c, trial, trial);
}

/* ---- it cannot begin ------------------------------------------------------------ */

static void arm_and_fail_epoll(fake_board *board) {
    arm(board);
    fail_calls(board, EPOLL_CREATE, 0);
}

static void arm_and_fail_timer(fake_board *board) {
    arm(board);
    fail_calls(board, TIMER, 0);
}

static void arm_and_fail_signals(fake_board *board) {
    arm(board);
    fail_calls(board, SIGNALS, 0);
}

static void arm_and_fail_waiting(fake_board *board) {
    arm(board);
    fail_calls(board, EPOLL_CTL, 3);
}

static void arm_and_fail_table(fake_board *board) {
    arm(board);
    fail_calls(board, CALLOC, 0);
}

static void a_server_that_cannot_begin_says_why(void **state) {
    static const struct {
        void (*prepare)(fake_board *);
        krs_status status;
        int error;
    } bad[] = {{arm_and_fail_epoll, KRS_SYSTEM, EMFILE},
               {arm_and_fail_timer, KRS_SYSTEM, ENODEV},
               {arm_and_fail_signals, KRS_SYSTEM, ENFILE},
               {arm_and_fail_waiting, KRS_SYSTEM, ENOSPC},
               {arm_and_fail_table, KRS_NOMEM, ENOMEM}};
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        fake_server *s = fake_server_start(NULL, 0, bad[i].prepare);
        fake_until(s->board->error != 0);
        assert_int_equal(s->board->error, bad[i].error);
        assert_int_equal(fake_server_wait(s), bad[i].status);
        fake_assert_nobody_left(0);
        fake_server_free(s);
    }
}

/* Of groups of the kernel, of a driver of a GPU: it does without. */
static void arm_and_fail_memory(fake_board *board) {
    arm(board);
    fail_calls(board, MALLOC, 0);
}

static void one_without_memory_for_what_it_could_use_begins(void **state) {
    fake_server *s = fake_server_start(NULL, 0, arm_and_fail_memory);
    *state = s;
    fake_client *c = fake_client_new(s, 0);
    s->board->failing = 0;
    run_one(c, 1);
    fake_client_free(c);
}

static void one_that_cannot_wait_any_more_ends_with_everybody(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 1);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_SPIN, 0, 0});
    fake_await_start(c, 1);
    fail_calls(s->board, WAIT, 0);
    fake_send(c, KRS_FRAME_ASK, 0, NULL, -1);
    fake_await_end(c);
    assert_int_equal(fake_server_wait(s), KRS_SYSTEM);
    assert_int_equal(s->board->error, EBADF);
    fake_client_free(c);
}

/* ---- memory ----------------------------------------------------------------- */

static void a_trial_for_which_there_is_no_memory_is_refused(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    const size_t descriptors = fake_descriptors(s->pid);
    fail_calls(s->board, MALLOC, 0);
    for (uint64_t trial = 1; trial <= 5; trial++) {
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_ANSWER, 1, 0});
        fake_expect_refused(c, trial, KRS_REFUSED_FOR_NOW, "no memory");
    }
    s->board->failing = 0;
    assert_int_equal(s->board->failures, 5);
    assert_int_equal(fake_descriptors(s->pid), descriptors);
    run_one(c, 6);
    fake_client_free(c);
}

static void a_client_for_whose_answers_there_is_no_memory_is_lost(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0), *idle = fake_client_new(s, 0);
    const size_t descriptors = fake_descriptors(s->pid);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_WAIT, 0, 0}, {FAKE_ANSWER, 1, 0});
    FAKE_SUBMIT(idle, 1, FAKE_PLAIN, {FAKE_REACH, 0, 0}, {FAKE_WAIT, 1, 0},
                {FAKE_FRAMES, 1, FAKE_MIB}, {FAKE_ANSWER, 1, 0});
    fake_await_start(c, 1);
    fake_until(s->board->reached == 1);
    fail_calls(s->board, MALLOC, 0);
    s->board->gates[1] = 1;
    fake_until(s->board->failures > 0);
    s->board->failing = 0;
    fake_await_end(idle);
    assert_int_equal(idle->trials[1].answers, 0);
    fake_until(fake_descriptors(s->pid) == descriptors + 2); /* c's worker, less idle */
    s->board->gates[0] = 1;
    fake_expect_done(c, 1, 1);
    fake_client_free(idle);
    fake_client_free(c);
}

/* ---- descriptors, and what the kernel keeps for them ------------------------ */

static void a_worker_for_which_there_is_no_descriptor_is_for_later(void **state) {
    static const struct {
        call which;
        int sparing;
    } bad[] = {{PAIR, 0}, {PIPE, 1}};
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    const size_t descriptors = fake_descriptors(s->pid);
    uint64_t trial = 1;
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        fail_calls(s->board, bad[i].which, bad[i].sparing);
        FAKE_SUBMIT(c, trial, FAKE_PLAIN, {FAKE_ANSWER, trial, 0});
        fake_expect_refused(c, trial++, KRS_REFUSED_FOR_NOW,
                            strerror(errors[bad[i].which]));
        s->board->failing = 0;
        assert_int_equal(fake_descriptors(s->pid), descriptors);
        if (i + 1 == LENGTH_OF(bad))
            run_one(c, trial++); /* a second later, as the ones between */
    }
    fake_client_free(c);
}

static void a_worker_that_cannot_be_listened_to_is_replaced(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    fail_calls(s->board, EPOLL_CTL, 1);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_ANSWER, 1, 0});
    fake_until(s->board->forks == 1);
    fake_until(fake_is_gone(s->board->pids[0]));
    s->board->failing = 0;
    fake_expect_done(c, 1, 1);
    assert_int_equal(s->board->forks, 2);
    fake_client_free(c);
}

static void a_client_that_cannot_be_listened_to_is_closed(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 0);
    fail_calls(s->board, EPOLL_CTL, 0);
    fake_client *other = fake_connect(s);
    fake_await_end(other);
    s->board->failing = 0;
    run_one(c, 1);
    fake_client_free(other);
    fake_client_free(c);
}

static void a_trial_that_the_kernel_does_not_pass_on_is_refused(void **state) {
    fake_server *s = *state;
    fake_client *c = fake_client_new(s, 1);
    fake_until(s->board->forks == 1);
    fake_ask(c); /* the spare is in the table */
    fail_calls(s->board, SEND, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_ANSWER, 1, 0});
    fake_until(s->board->failures == 2);
    s->board->failing = 0;
    fake_await_end(c); /* the refusal could not be sent either */
    fake_client_free(c);
    c = fake_client_new(s, 1);
    s->board->failing_once = 1;
    fail_calls(s->board, SEND, 0);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_ANSWER, 1, 0});
    fake_expect_refused(c, 1, KRS_REFUSED_FOR_NOW, strerror(ETOOMANYREFS));
    run_one(c, 2);
    fake_ask(c);
    assert_int_equal(c->stats[KRS_STATS_TRIALS], 1);
    assert_in_range(s->board->forks, 1, 2); /* nothing was the worker's fault */
    fake_client_free(c);
}

static void leave_few_descriptors(fake_board *unused) {
    const struct rlimit few = {24, 24};
    (void)unused;
    setrlimit(RLIMIT_NOFILE, &few);
}

static void connections_beyond_all_descriptors_are_turned_away(void **state) {
    enum { CLIENTS = 30 };
    fake_client *clients[CLIENTS];
    fake_server *s = fake_server_start(NULL, 0, leave_few_descriptors);
    *state = s;
    fake_client *c = fake_client_new(s, 0);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = fake_connect(s);
    fake_await_end(clients[CLIENTS - 1]);
    FAKE_SUBMIT(c, 1, FAKE_PLAIN, {FAKE_ANSWER, 1, 0});
    fake_await_end(c); /* its descriptor could not be taken: as if it had sent none */
    const uint64_t busy = fake_busy(s->pid);
    fake_rest(100);
    assert_true(fake_busy(s->pid) - busy < 30000000);
    for (size_t i = 0; i < CLIENTS; i++)
        fake_client_free(clients[i]);
    fake_client_free(c);
    fake_until(fake_descriptors(s->pid) < 16);
    c = fake_client_new(s, 0);
    run_one(c, 1);
    fake_client_free(c);
}

int main(void) {
#define ARMED(test) cmocka_unit_test_setup_teardown(test, start_armed, fake_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_cannot_begin_says_why),
        FAKE_STARTED(one_without_memory_for_what_it_could_use_begins),
        ARMED(one_that_cannot_wait_any_more_ends_with_everybody),
        ARMED(a_trial_for_which_there_is_no_memory_is_refused),
        ARMED(a_client_for_whose_answers_there_is_no_memory_is_lost),
        ARMED(a_worker_for_which_there_is_no_descriptor_is_for_later),
        ARMED(a_worker_that_cannot_be_listened_to_is_replaced),
        ARMED(a_client_that_cannot_be_listened_to_is_closed),
        ARMED(a_trial_that_the_kernel_does_not_pass_on_is_refused),
        FAKE_STARTED(connections_beyond_all_descriptors_are_turned_away),
    };
    return cmocka_run_group_tests_name("server_failures", tests, NULL, NULL);
}
