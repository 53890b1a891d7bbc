/* protocol.h - what a client, the fork server and its workers say to each other, and
 * what the command line asks a process that listens (src/server/listener.c).
 *
 * A frame is one message of a SOCK_SEQPACKET socket, so it arrives whole or not at all:
 *
 *     magic u32 | kind u16 | values u16 | text length u32 | 0 u32 | trial u64
 *     values u64 ... | text
 *
 * in the order of bytes of this machine, beyond which no frame goes. How many values a
 * kind has, how long its text may be and whether a descriptor comes with it stands in
 * one list; a frame that differs is refused, and with it the connection. What is large
 * (functions, arrays, results) is never in a frame: it is in the memfd beside it.
 *
 * Sizes are bytes, durations nanoseconds. `trial` is the client's number for a call,
 * from 1, and 0 in frames about none. */
#ifndef KRS_WIRE_PROTOCOL_H
#define KRS_WIRE_PROTOCOL_H

#include <sys/types.h>

#include "keraser.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KRS_FRAME_MAGIC 0x3153524bU /* "KRS1": the version is part of it */

enum {
    KRS_FRAME_HEAD = 24,    /* bytes before the values */
    KRS_FRAME_VALUES = 12,  /* most of any kind */
    KRS_FRAME_TEXT = 32768, /* longest text */
    KRS_FRAME_MOST = KRS_FRAME_HEAD + 8 * KRS_FRAME_VALUES + KRS_FRAME_TEXT,
};

/* Last seen of a worker. `own` is what would go if it ended: pages that it made or
 * changed since the fork. `peak` is the highest own that was seen. */
#define KRS_FIGURE_MAP(X) X(RSS) X(OWN) X(PEAK) X(WALL) X(CPU) X(GPU)

/* Name, number, values, longest text, descriptors. */
#define KRS_FRAME_MAP(X)                                                               \
    /* a client to the server */                                                       \
    X(HELLO, 1, 1, 0, 0)                                                               \
    X(SUBMIT, 2, 6, 0, 1)                                                              \
    X(STOP, 3, 1, 0, 0)                                                                \
    X(ASK, 4, 0, 0, 0)                                                                 \
    /* the server to a client */                                                       \
    X(WELCOME, 16, 2, 256, 0)                                                          \
    X(STARTED, 17, 1, 0, 0)                                                            \
    X(ENDED, 18, 9, 0, 0)                                                              \
    X(REFUSED, 19, 1, 1024, 0)                                                         \
    X(WORKER, 20, 9, 0, 0)                                                             \
    X(STATS, 21, 5, 0, 0)                                                              \
    /* a worker to the server, and on to its client */                                 \
    X(OUTPUT, 32, 1, KRS_FRAME_TEXT, 0)                                                \
    X(DONE, 33, 7, 0, 1)                                                               \
    /* the server to a worker */                                                       \
    X(RUN, 48, 1, 0, 1)                                                                \
    /* a command line to a process that listens */                                     \
    X(QUESTION, 64, 3, 1024, 0)                                                        \
    /* and back: for TOP models and then the process; else one answer */               \
    X(MODEL, 80, 5, 4096, 0)                                                           \
    X(PROCESS, 81, 9, 1024, 0)                                                         \
    X(ANSWER, 82, 3, 1024, 1)

typedef enum {
#define X(name, number, values, text, descriptors) KRS_FRAME_##name = (number),
    KRS_FRAME_MAP(X)
#undef X
} krs_frame_kind;

/* What the values of each kind are. */
enum { KRS_HELLO_SPARES }; /* workers to fork ahead */
enum {
    KRS_SUBMIT_MEMORY, /* limits; 0: none */
    KRS_SUBMIT_WALL,
    KRS_SUBMIT_CPU,
    KRS_SUBMIT_GPU,
    KRS_SUBMIT_REUSE,   /* 1: a worker that ran before will do, and may run again */
    KRS_SUBMIT_RECYCLE, /* own bytes above which it does not; 0: none */
};
enum { KRS_STOP_GRACE }; /* between SIGINT and SIGKILL */
enum {
    KRS_WELCOME_PID,
    KRS_WELCOME_CGROUP
}; /* 1: the kernel limits memory;
      text: why it does not */
enum { KRS_STARTED_PID };
enum {
#define X(name) KRS_FIGURE_##name,
    KRS_FIGURE_MAP(X)
#undef X
        KRS_FIGURES, /* how many: the first values of DONE and ENDED, WORKER's after
                        state, process id and trials */
};
enum { KRS_DONE_FAILED = KRS_FIGURES }; /* 0: the memfd has a result, 1: an exception */
enum { KRS_ENDED_CAUSE = KRS_FIGURES, KRS_ENDED_STATUS, KRS_ENDED_LIMIT };
enum { KRS_REFUSED_WHY }; /* KRS_REFUSED_MAP; text: the same in words */
enum { KRS_WORKER_STATE, KRS_WORKER_PID, KRS_WORKER_TRIALS, KRS_WORKER_FIGURES };
enum {
    KRS_STATS_FORKS,
    KRS_STATS_FORK_TIME, /* of all forks, within the server */
    KRS_STATS_TRIALS,    /* that ended, however */
    KRS_STATS_OWN,       /* of the server itself */
    KRS_STATS_WORKERS,   /* rows that came before */
};
enum {
    KRS_QUESTION_VERB,  /* KRS_VERB_MAP; text: which model, by name or by id */
    KRS_QUESTION_FLAGS, /* KRS_FLAG_* */
    KRS_QUESTION_HELD,  /* of CLEAR: KRS_HELD_MAP */
};
enum {
    KRS_FLAG_ALL = 1,   /* of CLEAR: every model */
    KRS_FLAG_FORCE = 2, /* also one that is being trained or called just now */
};
enum {
    KRS_MODEL_ID, /* id() in that process; text: its name, NUL, its class */
    KRS_MODEL_WEIGHTS,
    KRS_MODEL_OPTIMIZER,
    KRS_MODEL_METRICS,
    KRS_MODEL_RUNNING, /* 1: a method of it is running */
};
enum {
    KRS_PROCESS_RSS,
    KRS_PROCESS_PEAK,
    KRS_PROCESS_POOL, /* in use in the framework's CPU pool; UINT64_MAX: not known */
    KRS_PROCESS_GPU,  /* in use on the GPUs that it uses, by all processes */
    KRS_PROCESS_GPU_TOTAL,
    KRS_PROCESS_GPUS,    /* how many */
    KRS_PROCESS_MODELS,  /* rows that came before */
    KRS_PROCESS_AGE,     /* of those rows: they are looked for only now and then */
    KRS_PROCESS_THREADS, /* text: why there are no rows, or "" */
};
enum {
    KRS_ANSWER_OUTCOME, /* KRS_OUTCOME_MAP; frame's text: why, and what to do, unless OK
                         */
    KRS_ANSWER_TEXT,    /* bytes of text in the memfd, for people */
    KRS_ANSWER_JSON,    /* and of JSON behind it */
};
enum { KRS_OUTPUT_STREAM };   /* 1 or 2, as of a program */
enum { KRS_RUN_RESULT_MOST }; /* bytes, 0: any */

/* Why a worker ended without an answer: name, number. */
#define KRS_CAUSE_MAP(X)                                                               \
    X(EXITED, 0)    /* status: its exit status */                                      \
    X(SIGNALLED, 1) /* status: the signal */                                           \
    X(MEMORY, 2)    /* over a limit, which is in KRS_ENDED_LIMIT */                    \
    X(WALL, 3)                                                                         \
    X(CPU, 4)                                                                          \
    X(GPU, 5)                                                                          \
    X(STOPPED, 6) /* the client said so */                                             \
    X(CLOSED, 7)  /* it closed the socket to the server, and was killed */             \
    X(FORMAT, 8)  /* it sent what is no frame, and was killed */

typedef enum {
#define X(name, number) KRS_CAUSE_##name = (number),
    KRS_CAUSE_MAP(X)
#undef X
} krs_cause;

/* Why a server does not take a trial. */
#define KRS_REFUSED_MAP(X)                                                             \
    X(BROKEN, 0)  /* it must not fork, and never did: a new one will not either */     \
    X(SPENT, 1)   /* it must not fork any more: a new one may */                       \
    X(FOR_NOW, 2) /* it had no memory, or no room for a process */

typedef enum {
#define X(name, number) KRS_REFUSED_##name = (number),
    KRS_REFUSED_MAP(X)
#undef X
} krs_refused;

/* What a worker is doing. */
#define KRS_WORKER_MAP(X) X(SPARE, 0) X(RUNNING, 1) X(IDLE, 2) X(ENDING, 3)

/* What a command line can ask: name, number. */
#define KRS_VERB_MAP(X)                                                                \
    X(TOP, 1)    /* quick: models and figures */                                       \
    X(CENSUS, 2) /* all that is alive, and who holds it */                             \
    X(WHY, 3)    /* who holds one model */                                             \
    X(CLEAR, 4)                                                                        \
    X(TRIM, 5)                                                                         \
    X(DOCTOR, 6)

typedef enum {
#define X(name, number) KRS_VERB_##name = (number),
    KRS_VERB_MAP(X)
#undef X
} krs_verb;

/* keraser.clear(held=...). */
#define KRS_HELD_MAP(X) X(HOLLOW, 0) X(CUT, 1) X(KEEP, 2) X(RAISE, 3)

typedef enum {
#define X(name, number) KRS_HELD_##name = (number),
    KRS_HELD_MAP(X)
#undef X
} krs_held;

/* How a question ended. */
#define KRS_OUTCOME_MAP(X)                                                             \
    X(OK, 0)                                                                           \
    X(REFUSED, 1) /* nothing was changed */                                            \
    X(ABSENT, 2)  /* there is no such model, or more than one of that name */          \
    X(FAILED, 3)  /* an error on the way */

typedef enum {
#define X(name, number) KRS_OUTCOME_##name = (number),
    KRS_OUTCOME_MAP(X)
#undef X
} krs_outcome;

typedef struct {
    krs_frame_kind kind;
    uint64_t trial;
    uint64_t values[KRS_FRAME_VALUES];
    const char *text; /* not NUL-terminated */
    size_t length;    /* of text */
} krs_frame;

/* Values that frames of `kind` have; -1 where there is no such kind. */
int krs_frame_values(unsigned kind);
/* How many descriptors come with it: 0 or 1. */
size_t krs_frame_descriptors(unsigned kind);

/* Reads a message of `length` bytes with which `descriptors` came. The text of the
 * frame stays where it is, in `bytes`. KRS_FORMAT for anything that is no frame to the
 * last byte. */
krs_status krs_frame_decode(const void *bytes, size_t length, size_t descriptors,
                            krs_frame *frame);

/* Writes a frame to `bytes`, room for KRS_FRAME_MOST; its length, or 0 where a text is
 * too long for its kind or there is no such kind. */
size_t krs_frame_encode(const krs_frame *frame, void *bytes);

/* Sends one frame, with `descriptor`, which stays the caller's, where its kind has one,
 * and -1 where not. KRS_INVALID where that is not so or it cannot be encoded.
 * KRS_SYSTEM with errno: EAGAIN where the socket does not wait, EPIPE where nobody is
 * left. Raises no SIGPIPE. */
krs_status krs_frame_send(int socket, const krs_frame *frame, int descriptor);

/* Takes one frame; its text is in `bytes`, room for KRS_FRAME_MOST. `*descriptor` is
 * the caller's, close-on-exec; -1 where the kind has none. KRS_SYSTEM with errno, which
 * is 0 at the end, as which an empty message counts; KRS_FORMAT for what is no frame,
 * or longer than one. */
krs_status krs_frame_receive(int socket, void *bytes, krs_frame *frame,
                             int *descriptor);

/* ---- sockets -------------------------------------------------------------- */

/* The name of a listening socket: abstract, so that no file is left behind. */
typedef struct {
    char bytes[108]; /* the first is NUL */
    size_t length;
} krs_address;

/* A listening socket under a name that the kernel chose. Close-on-exec, does not wait.
 */
krs_status krs_socket_listen(int *listener, krs_address *address);

krs_status krs_socket_connect(const krs_address *address, int *socket);

/* Takes the next connection, which does not wait and is close-on-exec. KRS_INVALID
 * where it came from a process of another user (by SO_PEERCRED, which nobody can
 * forge), and it has been closed. KRS_SYSTEM with errno. */
krs_status krs_socket_accept(int listener, int *socket);

/* ---- where processes listen ------------------------------------------------ */

/* Folders of this user's alone in which each process that listens has a socket, named
 * by its process id: the `index`-th place, from 0, where one may be: keraser/ in
 * $XDG_RUNTIME_DIR, in /run/user/UID, and /tmp/keraser-UID. Processes use the first
 * that they can, so who looks for them looks in all. KRS_INVALID behind the last;
 * KRS_SYSTEM with errno where this one is absent, or is not this user's alone (EPERM).
 * `make`: make it if its parent is there. */
enum { KRS_PLACES = 3, KRS_PLACE_PATH = 92 /* room for a socket's path */ };
krs_status krs_place_folder(unsigned index, int make, char path[KRS_PLACE_PATH]);

/* Listens as process `pid` in the first folder that can be had; `path` becomes that of
 * the socket, for krs_place_leave(). Removes sockets of processes that are gone.
 * Close-on-exec, does not wait. */
krs_status krs_place_listen(pid_t pid, int *listener, char path[KRS_PLACE_PATH]);

/* Connects to `pid`, whose process must be of this user (SO_PEERCRED). A socket that
 * nobody listens on any more is removed. KRS_SYSTEM with errno: ENOENT where that
 * process does not listen, EPERM where another user's does. */
krs_status krs_place_connect(pid_t pid, int *socket);

/* Calls back with the process id of each socket that there is, in no order; it may turn
 * out that nobody listens on it. */
void krs_place_list(void (*found)(void *context, pid_t pid), void *context);

/* Removes the socket at `path`. */
void krs_place_leave(const char *path);

#ifdef __cplusplus
}
#endif
#endif
