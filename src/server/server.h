/* server.h - the fork server from within: its tables, and which file does what.
 *
 * One thread, one loop, one epoll. Everything that the loop waits for has a tag that
 * says what it is and which row of a table it belongs to. Rows are never moved while
 * events are at work; a tag of a row that has been given away since is stale, and known
 * by its generation.
 *
 * A worker goes SPARE -> RUNNING -> ENDING, or to IDLE and back where it may be used
 * again. It leaves the table when the kernel says that the process has ended and all
 * that it sent has been passed on, never before. */
#ifndef KRS_SERVER_SERVER_H
#define KRS_SERVER_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "gpu/nvml.h"
#include "proc/cgroup.h"
#include "server/watch.h"
#include "wire/protocol.h"

enum {
    KRS__WORKERS = 256, /* most at a time, spares included */
    KRS__CLIENTS = 64,
    KRS__PENDING = 256, /* trials that wait, of all clients */
    /* Of what a client has not taken yet: from here on nothing more is read for it, and
     * beyond that, since each answer is one to something it said, nothing from it. */
    KRS__QUEUE_HIGH = 1 << 20,
    KRS__QUEUE_DEAF = 1 << 22,
    KRS__QUEUE_LOW = 1 << 18,
    /* What a result counts for: it is a file in memory, and a descriptor. */
    KRS__QUEUE_RESULT = 1 << 15,
};

/* Of the names of our groups; the server's number and one for each group follow. */
#define KRS__GROUP_PREFIX "keraser-"

typedef enum {
    KRS__TAG_LISTENER,
    KRS__TAG_LEASE,
    KRS__TAG_PARENT,
    KRS__TAG_SIGNALS,
    KRS__TAG_TIMER,
    KRS__TAG_CLIENT,
    KRS__TAG_CHANNEL,
    KRS__TAG_STDOUT,
    KRS__TAG_STDERR,
} krs__tag;

/* A frame that waits for its client to take it. */
typedef struct krs__letter krs__letter;

typedef struct {
    int socket; /* -1: the row is free */
    uint32_t generation;
    bool greeted;
    bool writing; /* waits for room in the socket */
    bool stalled; /* takes too little: its workers are not read */
    bool deaf;    /* takes next to nothing: nor is what it says */
    bool lost;    /* gone, or not to be talked to: closed at the end of the turn */
    uint32_t spares;
    krs__letter *first, *last;
    size_t queued; /* bytes of all letters */
} krs__client;

#define X(name, number) KRS__WORKER_##name = (number),
typedef enum { KRS_WORKER_MAP(X) } krs__worker_state;
#undef X

typedef struct {
    pid_t pid; /* 0: the row is free */
    uint32_t generation;
    krs__worker_state state;
    int channel;    /* -1 once closed */
    int output[2];  /* its stdout and stderr, ditto */
    bool listening; /* the three are in the epoll */
    bool exited;    /* and reaped: `exit` is what waitid() said */
    siginfo_t exit;
    int client;     /* row of its client, -1 for a spare */
    uint64_t trial; /* 0 when it has been answered for */
    bool reuse;
    uint64_t recycle;
    uint64_t trials; /* that it has taken */
    krs_cause cause; /* of its end, where we ended it */
    bool ended_by_us;
    uint64_t kill_at; /* 0: not to be killed */
    uint64_t look_at; /* 0: not watched */
    krs__limits limits;
    krs__watch watch;
    krs__cgroup *group;
} krs__worker;

/* A trial that waits for a worker: at most for the time of a fork. */
typedef struct krs__pending {
    struct krs__pending *next;
    int client;
    uint64_t trial;
    uint64_t values[KRS_FRAME_VALUES]; /* of its SUBMIT */
    int payload;
} krs__pending;

typedef struct {
    const krs_server_options *options;
    int epoll, timer, signals, parent;
    int reserve; /* given up to turn a client away where no descriptor is left */
    sigset_t mask_before;
    pid_t pid;
    bool ending;
    krs__client clients[KRS__CLIENTS];
    krs__worker workers[KRS__WORKERS];
    krs__pending *first_pending, **last_pending;
    size_t pending_count;
    char refusal[512];    /* why it must not fork any more, or empty */
    uint64_t fork_again;  /* after a fork that failed for now: not before; 0: at once */
    uint64_t spare_again; /* after a spare that ended by itself: no other before */
    uint64_t forks, fork_time, trials;
    uint64_t inherited;       /* anonymous and shared bytes that a fork starts with */
    krs__cgroup_place *place; /* NULL: none, and `no_place` says why */
    char no_place[256];
    krs__nvml *nvml; /* NULL: none */
    krs__readers readers;
    size_t look_from;                 /* the row whose turn it is to be looked at */
    uint64_t groups;                  /* made so far: their names */
    krs__cgroup *dying[KRS__WORKERS]; /* to be removed once they are empty */
    size_t dying_count;
    char frame[KRS_FRAME_MOST]; /* what is being received */
} krs__server;

/* Tells of `fd` from now on when there is something to read. KRS_SYSTEM. */
krs_status krs__server_wait_for(krs__server *, int fd, krs__tag tag, size_t row,
                                uint32_t generation);
uint64_t krs__tag_of(krs__tag tag, size_t row, uint32_t generation);

/* ---- clients.c ---- */
void krs__client_accept(krs__server *);
void krs__client_event(krs__server *, size_t row, uint32_t events);
/* Sends, or keeps until there is room; a client for which there is no memory is lost.
 * Closes `descriptor`. */
void krs__client_tell(krs__server *, int row, const krs_frame *frame, int descriptor);
/* Closing ends a client's trials, so it has a time of its own: no table changes under
 * whoever is telling a client something. */
void krs__client_close_lost(krs__server *);
void krs__client_close(krs__server *, size_t row);
/* In a child: closes all that clients have open, and touches nothing else of theirs. */
void krs__client_disown(krs__server *);

/* ---- trials.c ---- */
void krs__trial_submit(krs__server *, int client, const krs_frame *submit, int payload);
void krs__trial_stop(krs__server *, int client, const krs_frame *stop);
/* Gives waiting trials to workers that are there. */
void krs__trial_assign(krs__server *);
void krs__trial_refuse_pending(krs__server *, const char *reason);
void krs__trial_forget_client(krs__server *, int client);
void krs__trial_done(krs__server *, krs__worker *, const krs_frame *done, int result);
/* Says how the trial of a worker that has ended ended, where that was not said. */
void krs__trial_ended(krs__server *, krs__worker *);

/* ---- workers.c ---- */
/* Whether a fork is due: for a trial that waits, or for a spare. */
bool krs__worker_wanted(const krs__server *);
/* Forks; true in the child, which has become a worker on `*channel`. Where it must not,
 * trials that wait are refused. */
bool krs__worker_fork(krs__server *, const krs_server_hooks *, int *channel);
/* Ends it and its group of processes at once; the first cause stands. */
void krs__worker_kill(krs__worker *, krs_cause cause);
/* It ends by itself, when it reads that the channel has ended or because this was the
 * last that it was asked for; else it is killed after a while. */
void krs__worker_dismiss(krs__worker *);
/* Takes in the ends of child processes. */
void krs__worker_reap(krs__server *);
/* Passes on the last of an ended worker, says how it ended, and frees the row. */
void krs__worker_finish(krs__server *, krs__worker *);
/* Frees the row of one that has been reaped. */
void krs__worker_free(krs__server *, krs__worker *);

/* ---- streams.c ---- */
/* A worker that cannot be listened to is killed. */
void krs__stream_listen(krs__server *, krs__worker *, bool listen);
void krs__stream_event(krs__server *, size_t row, krs__tag tag);
/* Passes on all that a worker which has ended sent. */
void krs__stream_drain(krs__server *, krs__worker *);
void krs__stream_close(krs__worker *);

/* ---- watching.c ---- */
void krs__watching_start(krs__server *, krs__worker *, uint64_t now);
/* Looks at whom it is time to look at, kills whom it is time to kill. */
void krs__watching_turn(krs__server *);
/* When the next turn is due, 0: never. */
uint64_t krs__watching_next(const krs__server *);
/* The last look at a worker that has answered: exact, unless the trial was short. */
void krs__watching_done(krs__worker *);
/* Of a worker that has ended and is not yet reaped: was it the kernel, for memory? */
void krs__watching_last(krs__worker *);
/* Removes its group, at once or in a later turn. */
void krs__watching_end(krs__server *, krs__worker *);
/* Waits until all groups are removed, or long enough. */
void krs__watching_close(krs__server *);
/* The last figures, KRS_FIGURES of them. */
void krs__watching_figures(const krs__worker *, uint64_t *values);

/* ---- children.c ---- */
/* Kills the processes that ended workers left behind, unless a trial is running. */
void krs__children_end_strays(const krs__server *);
/* Kills all processes of ours and takes in their ends. */
void krs__children_end(krs__server *);

/* ---- child.c ---- */
/* In the child: closes all that the server had open, and the server's ends of what it
 * is to talk by; `output` become its stdout and stderr. */
void krs__child_settle(krs__server *, const int *output, int channel, int out, int err);

/* ---- safety.c ---- */
/* Whether this process may fork; if not, says why. */
bool krs__safety_look(const krs_server_hooks *, char *reason, size_t room);

#endif
