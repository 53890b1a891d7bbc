/* fake_worker.h - a worker whose trials are scripts: steps in the payload's memfd, run
 * one after another. What they tell the test besides goes through a board that all
 * processes of a test share. */
#ifndef KRS_TESTS_FAKE_WORKER_H
#define KRS_TESTS_FAKE_WORKER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/protocol.h"

/* What a step does with its two numbers. */
typedef enum {
    FAKE_ANSWER,  /* result, whether it is an exception */
    FAKE_LIST,    /* answers with how many descriptors are open, and the sum of them */
    FAKE_EXIT,    /* status */
    FAKE_RAISE,   /* signal */
    FAKE_HOG,     /* bytes that are made and kept */
    FAKE_READ,    /* bytes of the mapping inherited from the server, read only */
    FAKE_SPIN,    /* for ever */
    FAKE_SLEEP,   /* for ever */
    FAKE_WAIT,    /* until the gate of this number is open */
    FAKE_REACH,   /* adds 1 to `reached` */
    FAKE_WRITE,   /* stream, bytes: by write(2) */
    FAKE_FRAMES,  /* stream, bytes: in OUTPUT frames */
    FAKE_CLOSE,   /* the channel */
    FAKE_GARBAGE, /* bytes that are no frame */
    FAKE_KIND,    /* sends a frame of this kind, with a number as its first value */
    FAKE_IGNORE,  /* signal */
    FAKE_CATCH,   /* signal, blocked from now on */
    FAKE_AWAIT,   /* that signal */
    FAKE_STARTS,  /* another process: fake_descent */
    FAKE_STEP_KINDS
} fake_kind;

/* How a process that a worker starts gets away from it. All sleep for ever. */
typedef enum {
    FAKE_STAYS,  /* in the worker's group */
    FAKE_LEAVES, /* setsid() */
    FAKE_DAEMON, /* fork and setsid(), its parent ends */
    FAKE_CHAIN,  /* three below each other, each with a session of its own */
    FAKE_FLOODS, /* leaves, and writes to the worker's stdout without end */
} fake_descent;

typedef struct {
    fake_kind kind;
    uint64_t a, b;
} fake_step;

enum { FAKE_STEPS = 16, FAKE_GATES = 4, FAKE_NOTED = 4096, FAKE_DONE_VALUES = 7 };

/* Mapped shared before the server is forked. */
typedef struct {
    atomic_int gates[FAKE_GATES]; /* nonzero: open */
    atomic_int reached;
    atomic_int noted; /* processes in `pids` */
    _Atomic pid_t pids[FAKE_NOTED];
    /* What the hooks of the server do. */
    atomic_int unsafe;          /* hazard() refuses */
    atomic_int unsafe_by_fork;  /* from the next fork on, by that fork */
    atomic_int nameless;        /* hazard() refuses and does not say why */
    atomic_int fork_error;      /* errno with which forks fail */
    atomic_int second_thread;   /* hazard() starts one */
    atomic_int dead_on_arrival; /* workers end before they read anything */
    atomic_int forks;
    atomic_int error; /* errno, where the server could not begin or go on */
    /* Calls of the server that fail: see server_failures.c. */
    atomic_int failing, failing_once, sparing, failures;
} fake_board;

/* Written to stream 1 or 2 at position `at` by every script. */
static inline unsigned char fake_byte(uint64_t at) {
    return (unsigned char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

void fake_note(fake_board *board, pid_t pid);

/* Sends it with any descriptor, whatever its kind has; 0, or -1 with errno. */
int fake_send_any(int socket, const krs_frame *frame, int descriptor);

/* Takes trials until the channel ends; never returns. `inherited` may be NULL. */
_Noreturn void fake_worker_run(int channel, fake_board *board,
                               const volatile unsigned char *inherited);

#endif
