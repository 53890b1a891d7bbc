/* Workers: forked, killed, reaped. */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/server.h"

/* How long to wait after a fork that failed for want of memory or processes, and how
 * long a worker has to end by itself once it has nothing to do. */
static const uint64_t FORK_AGAIN_NS = 1000000000, DISMISS_NS = 2000000000;

bool krs__worker_wanted(const krs__server *s) {
    if (s->refusal[0] != '\0' || s->fork_again != 0)
        return false;
    if (s->first_pending != NULL)
        return true;
    if (s->spare_again != 0)
        return false;
    uint32_t wanted = 0, spares = 0, rows = 0;
    for (size_t i = 0; i < KRS__CLIENTS; i++)
        if (s->clients[i].socket >= 0 && s->clients[i].spares > wanted)
            wanted = s->clients[i].spares;
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        const krs__worker *w = &s->workers[i];
        rows += w->pid != 0;
        spares += w->pid != 0 && w->state == KRS__WORKER_SPARE;
    }
    return spares < wanted && rows < KRS__WORKERS;
}

static krs__worker *free_row(krs__server *s) {
    for (size_t i = 0; i < KRS__WORKERS; i++)
        if (s->workers[i].pid == 0)
            return &s->workers[i];
    return NULL;
}

typedef struct {
    int channel[2], out[2], err[2]; /* ours, the child's */
} streams;

static void close_pair(const int *pair) {
    close(pair[0]);
    close(pair[1]);
}

static bool make_streams(streams *made) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made->channel) < 0)
        return false;
    if (pipe2(made->out, O_CLOEXEC) < 0) {
        close_pair(made->channel);
        return false;
    }
    if (pipe2(made->err, O_CLOEXEC) < 0) {
        close_pair(made->channel);
        close_pair(made->out);
        return false;
    }
    return true;
}

/* Only our ends do not wait: those of the worker are as its program expects. */
static void do_not_wait(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void add_row(krs__server *s, krs__worker *w, pid_t pid, const streams *made) {
    *w = (krs__worker){.pid = pid,
                       .generation = w->generation + 1,
                       .client = -1,
                       .channel = made->channel[0],
                       .output = {made->out[0], made->err[0]}};
    do_not_wait(w->channel);
    do_not_wait(w->output[0]);
    do_not_wait(w->output[1]);
    /* The child says it too: whoever comes first. Signals to the group then reach it
     * from the beginning. */
    setpgid(pid, pid);
    krs__stream_listen(s, w, true);
    if (w->state == KRS__WORKER_ENDING) /* it could not be listened to */
        s->fork_again = krs__now() + FORK_AGAIN_NS;
}

static void fork_failed(krs__server *s, const char *reason, bool for_now) {
    if (reason[0] == '\0')
        reason = "the server must not fork";
    if (for_now)
        s->fork_again = krs__now() + FORK_AGAIN_NS;
    else
        snprintf(s->refusal, sizeof s->refusal, "%s", reason);
    krs__trial_refuse_pending(s, reason);
}

/* Also after the fork: what runs around one (pthread_atfork, os.register_at_fork) is
 * not ours. The child has done nothing by then but wait. */
static bool fork_safely(krs__server *s, const krs_server_hooks *hooks, pid_t *pid,
                        char *reason, size_t room) {
    if (!krs__safety_look(hooks, reason, room))
        return false;
    const uint64_t began = krs__now();
    *pid = hooks->fork(hooks->context);
    if (*pid == 0)
        return true;
    if (*pid < 0) {
        snprintf(reason, room, "the server cannot fork: %s", strerror(errno));
        return true;
    }
    const uint64_t ended = krs__now();
    if (!krs__safety_look(hooks, reason, room)) {
        kill(*pid, SIGKILL);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return false;
    }
    s->forks++;
    s->fork_time += ended - began;
    return true;
}

bool krs__worker_fork(krs__server *s, const krs_server_hooks *hooks, int *channel) {
    krs__worker *w = free_row(s);
    streams made;
    char reason[sizeof s->refusal] = "";
    if (w == NULL || !make_streams(&made)) {
        snprintf(reason, sizeof reason, "the server cannot start a process: %s",
                 w == NULL ? "too many workers" : strerror(errno));
        fork_failed(s, reason, true);
        return false;
    }
    pid_t pid = -1;
    const bool safe = fork_safely(s, hooks, &pid, reason, sizeof reason);
    if (safe && pid == 0) {
        const int output[2] = {made.out[1], made.err[1]};
        *channel = made.channel[1];
        krs__child_settle(s, output, made.channel[0], made.out[0], made.err[0]);
        return true;
    }
    close(made.channel[1]);
    close(made.out[1]);
    close(made.err[1]);
    if (safe && pid > 0) {
        add_row(s, w, pid, &made);
        return false;
    }
    close(made.channel[0]);
    close(made.out[0]);
    close(made.err[0]);
    fork_failed(s, reason, safe);
    return false;
}

void krs__worker_kill(krs__worker *w, krs_cause cause) {
    if (w->pid == 0 || w->exited)
        return;
    if (!w->ended_by_us) {
        w->ended_by_us = true;
        w->cause = cause;
    }
    w->state = KRS__WORKER_ENDING;
    w->kill_at = w->look_at = 0;
    if (w->group != NULL)
        krs__cgroup_kill(w->group);
    kill(-w->pid, SIGKILL);
    kill(w->pid, SIGKILL); /* where it has made itself another group */
}

void krs__worker_dismiss(krs__worker *w) {
    w->state = KRS__WORKER_ENDING;
    w->look_at = 0;
    w->kill_at = krs__now() + DISMISS_NS;
    if (w->channel >= 0)
        shutdown(w->channel, SHUT_WR);
}

void krs__worker_finish(krs__server *s, krs__worker *w) {
    krs__stream_listen(s, w, false);
    krs__stream_drain(s, w);
    krs__trial_ended(s, w);
    krs__worker_free(s, w);
    krs__children_end_strays(s);
}

void krs__worker_free(krs__server *s, krs__worker *w) {
    krs__stream_close(w);
    krs__watching_end(s, w);
    w->generation++;
    w->pid = 0;
}

static krs__worker *row_of(krs__server *s, pid_t pid) {
    for (size_t i = 0; i < KRS__WORKERS; i++)
        if (s->workers[i].pid == pid && !s->workers[i].exited)
            return &s->workers[i];
    return NULL;
}

void krs__worker_reap(krs__server *s) {
    bool strays = false;
    while (true) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
            info.si_pid == 0)
            break;
        /* Left behind by a worker, and ours since that one ended, where it has no row.
         */
        krs__worker *w = row_of(s, info.si_pid);
        if (w != NULL) {
            krs__watching_last(w);
            kill(-w->pid, SIGKILL); /* its group, as long as the number is its own */
        }
        waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        strays |= w == NULL;
        if (w == NULL)
            continue;
        if (w->trials == 0) /* whatever was seen of its end before */
            s->spare_again = krs__now() + FORK_AGAIN_NS;
        w->exited = true;
        w->exit = info;
        w->look_at = w->kill_at = 0;
        if (w->client < 0 || !s->clients[w->client].stalled)
            krs__worker_finish(s, w);
    }
    if (strays) /* whose own children are ours now */
        krs__children_end_strays(s);
}
