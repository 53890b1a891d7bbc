/* fake_client.h - a client of the server under test that keeps count of what it is
 * told. */
#ifndef KRS_TESTS_FAKE_CLIENT_H
#define KRS_TESTS_FAKE_CLIENT_H

#include "fake_server.h"

enum { FAKE_MIB = 1 << 20, FAKE_TRIALS = 600, FAKE_SECOND = 1000000000 };

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
