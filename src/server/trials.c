/* Trials: from a client's SUBMIT to exactly one answer, DONE, ENDED or REFUSED. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/amount.h"

#include "server/server.h"

static void refuse(krs__server *s, int client, uint64_t trial, const char *reason) {
    krs_frame refused = {.kind = KRS_FRAME_REFUSED,
                         .trial = trial,
                         .text = reason,
                         .length = strlen(reason)};
    refused.values[KRS_REFUSED_WHY] = s->refusal[0] == '\0' ? KRS_REFUSED_FOR_NOW
                                      : s->forks > 0        ? KRS_REFUSED_SPENT
                                                            : KRS_REFUSED_BROKEN;
    krs__client_tell(s, client, &refused, -1);
}

void krs__trial_submit(krs__server *s, int client, const krs_frame *submit,
                       int payload) {
    const bool full = s->pending_count >= KRS__PENDING;
    krs__pending *p = full ? NULL : malloc(sizeof *p);
    if (p == NULL) {
        close(payload);
        refuse(s, client, submit->trial,
               full ? "too many trials wait" : "the server has no memory left");
        return;
    }
    *p = (krs__pending){.client = client, .trial = submit->trial, .payload = payload};
    memcpy(p->values, submit->values, sizeof p->values);
    *s->last_pending = p;
    s->last_pending = &p->next;
    s->pending_count++;
}

/* Takes `*link` out of the queue and frees it; its payload is the caller's. */
static void unlink_pending(krs__server *s, krs__pending **link) {
    krs__pending *p = *link;
    *link = p->next;
    if (p->next == NULL)
        s->last_pending = link;
    s->pending_count--;
    free(p);
}

/* One that ran before, for the same client; the kernel's limit on its memory stays what
 * it was. */
static bool is_reusable(const krs__worker *w, const krs__pending *p) {
    return w->state == KRS__WORKER_IDLE && w->client == p->client &&
           p->values[KRS_SUBMIT_REUSE] != 0 &&
           (w->group == NULL || w->limits.memory == p->values[KRS_SUBMIT_MEMORY]);
}

static krs__worker *find_worker(krs__server *s, const krs__pending *p) {
    krs__worker *spare = NULL;
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        krs__worker *w = &s->workers[i];
        if (w->pid == 0 || w->exited)
            continue;
        if (is_reusable(w, p))
            return w;
        if (w->state == KRS__WORKER_SPARE && spare == NULL)
            spare = w;
    }
    return spare;
}

/* 0, or the errno with which the worker does not take it. */
static int give(krs__server *s, krs__worker *w, const krs__pending *p) {
    const uint64_t now = krs__now();
    krs_frame run = {.kind = KRS_FRAME_RUN, .trial = p->trial};
    run.values[KRS_RUN_RESULT_MOST] = p->values[KRS_SUBMIT_MEMORY];
    if (krs_frame_send(w->channel, &run, p->payload) != KRS_OK)
        return errno;
    w->state = KRS__WORKER_RUNNING;
    w->client = p->client;
    w->trial = p->trial;
    w->trials++;
    w->reuse = p->values[KRS_SUBMIT_REUSE] != 0;
    w->recycle = p->values[KRS_SUBMIT_RECYCLE];
    w->limits = (krs__limits){.memory = p->values[KRS_SUBMIT_MEMORY],
                              .wall = p->values[KRS_SUBMIT_WALL],
                              .cpu = p->values[KRS_SUBMIT_CPU],
                              .gpu = p->values[KRS_SUBMIT_GPU]};
    krs__watching_start(s, w, now);
    krs__stream_listen(s, w, !s->clients[p->client].stalled);
    krs_frame started = {.kind = KRS_FRAME_STARTED, .trial = p->trial};
    started.values[KRS_STARTED_PID] = (uint64_t)w->pid;
    krs__client_tell(s, p->client, &started, -1);
    return 0;
}

static void refuse_given(krs__server *s, const krs__pending *p, int error) {
    char reason[128];
    snprintf(reason, sizeof reason, "the trial cannot be sent to a worker: %s",
             strerror(error));
    refuse(s, p->client, p->trial, reason);
}

void krs__trial_assign(krs__server *s) {
    krs__pending **link = &s->first_pending;
    while (*link != NULL) {
        krs__worker *w = find_worker(s, *link);
        if (w == NULL) {
            link = &(*link)->next;
            continue;
        }
        const int error = give(s, w, *link);
        if (error == EPIPE || error == EAGAIN) { /* it has gone, or does not read */
            krs__worker_kill(w, KRS_CAUSE_CLOSED);
            continue;
        }
        if (error != 0) /* no worker can be to blame: kernel memory, descriptors */
            refuse_given(s, *link, error);
        close((*link)->payload);
        unlink_pending(s, link);
    }
}

void krs__trial_refuse_pending(krs__server *s, const char *reason) {
    while (s->first_pending != NULL) {
        const int client = s->first_pending->client;
        const uint64_t trial = s->first_pending->trial;
        close(s->first_pending->payload);
        unlink_pending(s, &s->first_pending);
        refuse(s, client, trial, reason);
    }
}

void krs__trial_forget_client(krs__server *s, int client) {
    for (krs__pending **link = &s->first_pending; *link != NULL;) {
        if ((*link)->client == client) {
            close((*link)->payload);
            unlink_pending(s, link);
        } else {
            link = &(*link)->next;
        }
    }
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        krs__worker *w = &s->workers[i];
        if (w->pid == 0 || w->client != client)
            continue;
        w->trial = 0; /* nobody is left to be told */
        w->client = -1;
        krs__worker_kill(w, KRS_CAUSE_STOPPED);
        krs__stream_listen(s, w, false);
        if (w->exited)
            krs__worker_finish(s, w); /* which waited for the client to read */
    }
}

static void tell_ended(krs__server *s, int client, krs_frame *ended) {
    ended->kind = KRS_FRAME_ENDED;
    s->trials++;
    krs__client_tell(s, client, ended, -1);
}

void krs__trial_stop(krs__server *s, int client, const krs_frame *stop) {
    const uint64_t now = krs__now(), grace = stop->values[KRS_STOP_GRACE];
    for (krs__pending **link = &s->first_pending; *link != NULL;
         link = &(*link)->next) {
        if ((*link)->client != client || (*link)->trial != stop->trial)
            continue;
        close((*link)->payload);
        unlink_pending(s, link);
        krs_frame ended = {.trial = stop->trial};
        ended.values[KRS_ENDED_CAUSE] = KRS_CAUSE_STOPPED;
        tell_ended(s, client, &ended);
        return;
    }
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        krs__worker *w = &s->workers[i];
        if (w->pid == 0 || w->exited || w->state != KRS__WORKER_RUNNING ||
            w->client != client || w->trial != stop->trial)
            continue;
        if (grace == 0) {
            krs__worker_kill(w, KRS_CAUSE_STOPPED);
        } else if (!w->ended_by_us) {
            kill(-w->pid, SIGINT);
            w->ended_by_us = true;
            w->cause = KRS_CAUSE_STOPPED;
            w->kill_at = krs__plus(now, grace);
        }
        return;
    }
}

void krs__trial_done(krs__server *s, krs__worker *w, const krs_frame *done,
                     int result) {
    krs_frame answer = *done;
    answer.trial = w->trial;
    krs__watching_done(w);
    krs__watching_figures(w, answer.values);
    const int client = w->client;
    const bool again = w->reuse && !w->ended_by_us &&
                       (w->recycle == 0 || w->watch.figures.own <= w->recycle);
    w->trial = 0;
    w->look_at = 0;
    if (again) {
        w->state = KRS__WORKER_IDLE;
        w->kill_at = 0;
    } else {
        krs__worker_dismiss(w);
    }
    s->trials++;
    krs__client_tell(s, client, &answer, result);
}

void krs__trial_ended(krs__server *s, krs__worker *w) {
    if (w->trial == 0)
        return;
    krs_frame ended = {.trial = w->trial};
    krs__watching_figures(w, ended.values);
    krs_cause cause = w->cause;
    if (!w->ended_by_us)
        cause = w->exit.si_code == CLD_EXITED ? KRS_CAUSE_EXITED : KRS_CAUSE_SIGNALLED;
    ended.values[KRS_ENDED_CAUSE] = cause;
    ended.values[KRS_ENDED_STATUS] = (uint64_t)w->exit.si_status;
    ended.values[KRS_ENDED_LIMIT] = cause == KRS_CAUSE_MEMORY ? w->limits.memory
                                    : cause == KRS_CAUSE_WALL ? w->limits.wall
                                    : cause == KRS_CAUSE_CPU  ? w->limits.cpu
                                    : cause == KRS_CAUSE_GPU  ? w->limits.gpu
                                                              : 0;
    w->trial = 0;
    tell_ended(s, w->client, &ended);
}
