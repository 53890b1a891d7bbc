/* fake_server.h - the real fork server in a process of its own, with workers of
 * fake_worker.h. */
#ifndef KRS_TESTS_FAKE_SERVER_H
#define KRS_TESTS_FAKE_SERVER_H

#include "fake_worker.h"
#include "topic.h"
#include "wire/protocol.h"

enum { FAKE_PATIENCE_MS = 60000 }; /* for what takes no time, as a rule */

typedef struct {
    pid_t pid;
    int lease; /* -1 once closed */
    krs_address address;
    fake_board *board;
} fake_server;

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

#endif
