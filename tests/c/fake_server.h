/* fake_server.h - the real fork server in a process of its own, with workers of
 * fake_worker.h, and a client that keeps count of what it is told. */
#ifndef KRS_TESTS_FAKE_SERVER_H
#define KRS_TESTS_FAKE_SERVER_H

#include "fake_worker.h"
#include "topic.h"
#include "wire/protocol.h"

enum { FAKE_MIB = 1 << 20, FAKE_TRIALS = 600, FAKE_SECOND = 1000000000 };

typedef struct {
    pid_t pid;
    int lease; /* -1 once closed */
    krs_address address;
    fake_board *board;
} fake_server;

/* What one trial came to. */
typedef struct {
    int started, answers;
    pid_t pid;
    krs_frame_kind kind; /* of the answer */
    uint64_t values[KRS_FRAME_VALUES];
    char text[1025];
    uint64_t result[2];
    uint64_t bytes[3]; /* by stream */
    int astray; /* bytes of a stream not where they belong, frames after the answer */
} fake_outcome;

typedef struct {
    int socket;
    pid_t server; /* as WELCOME said */
    int ended;    /* the server has closed the connection */
    uint64_t stats[KRS_FRAME_VALUES], rows[256][KRS_FRAME_VALUES];
    size_t row_count;
    int stats_count;
    fake_outcome trials[FAKE_TRIALS];
} fake_client;

typedef struct {
    uint64_t memory, wall, cpu, gpu, reuse, recycle;
} fake_submit_values;

/* Sets up and tears down every test: *state is a fake_server that serves. */
int fake_setup(void **state);
/* The lease ends, if it has not: the server returns, no descendant is left. */
int fake_teardown(void **state);

#define FAKE_SERVED(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)
/* The test itself starts a server, and puts it in *state. */
#define FAKE_STARTED(test) cmocka_unit_test_teardown(test, fake_teardown)

/* Setup in parts. `inherited` bytes of memory are made in the server before it serves;
 * `prepare`, if not NULL, runs there before. */
fake_server *fake_server_start(const char *broken, size_t inherited,
                               void (*prepare)(fake_board *));
/* Its exit status: 0 where krs_server_run() returned as it should, else the krs_status,
 * 200 + signal where one ended it. */
int fake_server_wait(fake_server *server);
/* Whether processes of this test have ended, all that it ever started: it takes them in
 * where nobody else did. Waits for them if told to. */
void fake_assert_nobody_left(int wait);
void fake_server_free(fake_server *server);

/* Figures of the kernel about the server. */
size_t fake_descriptors(pid_t pid);
size_t fake_files(pid_t pid, const char *name); /* of them those of files so named */
size_t fake_children(pid_t pid, size_t *zombies);
uint64_t fake_resident(pid_t pid); /* bytes that are no file's */
uint64_t fake_busy(pid_t pid);     /* ns of processor time */
int fake_is_gone(pid_t pid);       /* and taken in by its parent */
/* Waits until it holds. */
#define fake_until(condition)                                                          \
    for (int fake_waited = 0; !(condition); fake_waited++)                             \
    fake_pause(fake_waited, #condition)
void fake_rest(int ms);
void fake_pause(int waited, const char *condition);

/* A connection that has not said anything. */
fake_client *fake_connect(const fake_server *server);
/* One that has been welcomed. */
fake_client *fake_client_new(const fake_server *server, uint64_t spares);
void fake_client_free(fake_client *client);
/* -1 where the connection has ended. */
int fake_send(fake_client *client, krs_frame_kind kind, uint64_t trial,
              const uint64_t *values, int descriptor);
void fake_submit(fake_client *client, uint64_t trial, fake_submit_values values,
                 const fake_step *steps, size_t count);
#define FAKE_SUBMIT(client, trial, values, ...)                                        \
    fake_submit(client, trial, (fake_submit_values)values,                             \
                (const fake_step[]){__VA_ARGS__},                                      \
                LENGTH_OF(((const fake_step[]){__VA_ARGS__})))
#define FAKE_PLAIN                                                                     \
    { 0 }
#define FAKE_WITH(...)                                                                 \
    { __VA_ARGS__ }
void fake_stop(fake_client *client, uint64_t trial, uint64_t grace);
/* Takes one frame in; 0 where the connection has ended. */
int fake_take(fake_client *client);
/* Takes frames in until the trial has its answer. */
const fake_outcome *fake_answer(fake_client *client, uint64_t trial);
void fake_await_start(fake_client *client, uint64_t trial);
/* Asks for rows of workers, and takes in all up to them. */
void fake_ask(fake_client *client);
/* Takes in until the server has closed it. */
void fake_await_end(fake_client *client);

/* The answer, and that it was the only one, after one STARTED. */
const fake_outcome *fake_expect_done(fake_client *client, uint64_t trial,
                                     uint64_t result);
const fake_outcome *fake_expect_ended(fake_client *client, uint64_t trial,
                                      krs_cause cause, uint64_t status, uint64_t limit);
const fake_outcome *fake_expect_refused(fake_client *client, uint64_t trial,
                                        krs_refused why, const char *text);
/* That trials which were answered got nothing more. */
void fake_assert_answered_once(fake_client *client);

#endif
