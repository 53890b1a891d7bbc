/* When each worker is looked at, what came of it, and the groups in which the kernel
 * itself limits memory. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/server.h"

/* A group can be removed some moments after the last process in it has ended. */
static const uint64_t REMOVE_AGAIN_NS = 20000000;
enum { REMOVE_AT_MOST = 50 }; /* times, at the end */

/* For how long workers are looked at before it is somebody else's turn: of a hundred
 * that were started together all are due at once, and each can take some ms. */
static const uint64_t LOOKS_NS = 5000000;

/* To tell exactly what a trial made takes some ms: it is worth it, at the end, for one
 * that took longer than this. */
static const uint64_t CLOSE_LOOK_AFTER_NS = 100000000;

/* A group of its own, where the kernel can limit memory and this trial has a limit;
 * otherwise memory is watched from here. */
static krs__cgroup *make_group(krs__server *s, const krs__worker *w) {
    char name[64];
    krs__cgroup *group;
    if (s->place == NULL || w->limits.memory == 0)
        return NULL;
    snprintf(name, sizeof name, KRS__GROUP_PREFIX "%ld-%llu", (long)s->pid,
             (unsigned long long)++s->groups);
    if (krs__cgroup_new(s->place, name, w->limits.memory, &group) != KRS_OK)
        return NULL;
    if (krs__cgroup_enter(group, w->pid) == KRS_OK)
        return group;
    if (krs__cgroup_free(group) != KRS_OK)
        krs__cgroup_forget(group);
    return NULL;
}

void krs__watching_start(krs__server *s, krs__worker *w, uint64_t now) {
    /* What a worker that is used again has made belongs to no trial; it keeps its
     * group, which counts that as well, since it cannot be told apart. */
    if (w->group == NULL)
        w->group = make_group(s, w);
    w->look_at = krs__watch_start(&w->watch, &w->limits, &s->readers, w->group, w->pid,
                                  s->inherited, now);
    if (w->trials > 1)
        w->look_at = now; /* it has memory already */
    w->kill_at = 0;
}

static const krs_cause causes[] = {
    [KRS__OVER_MEMORY] = KRS_CAUSE_MEMORY,
    [KRS__OVER_WALL] = KRS_CAUSE_WALL,
    [KRS__OVER_CPU] = KRS_CAUSE_CPU,
    [KRS__OVER_GPU] = KRS_CAUSE_GPU,
};

static void look(krs__worker *w, uint64_t now) {
    uint64_t next = 0;
    const krs__verdict verdict = krs__watch_look(&w->watch, now, &next);
    w->look_at = verdict == KRS__WITHIN ? next : 0;
    if (verdict != KRS__WITHIN && verdict != KRS__GONE)
        krs__worker_kill(w, causes[verdict]);
}

static void remove_groups(krs__server *s) {
    size_t left = 0;
    for (size_t i = 0; i < s->dying_count; i++)
        if (krs__cgroup_free(s->dying[i]) != KRS_OK)
            s->dying[left++] = s->dying[i];
    s->dying_count = left;
}

static void expire(uint64_t *time, uint64_t now) {
    if (now >= *time)
        *time = 0;
}

static bool is_due(uint64_t time, uint64_t now) {
    return time != 0 && now >= time;
}

/* Takes turns, and leaves the rest to the next one. */
static void look_at_due(krs__server *s) {
    const uint64_t begin = krs__now();
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        const size_t row = (s->look_from + i) % KRS__WORKERS;
        krs__worker *w = &s->workers[row];
        if (w->pid == 0 || w->exited || w->look_at == 0)
            continue;
        const uint64_t now = krs__now();
        if (now - begin > LOOKS_NS) {
            s->look_from = row;
            return;
        }
        if (is_due(w->look_at, now))
            look(w, now);
    }
}

void krs__watching_turn(krs__server *s) {
    const uint64_t now = krs__now();
    expire(&s->fork_again, now);
    expire(&s->spare_again, now);
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        krs__worker *w = &s->workers[i];
        if (w->pid != 0 && !w->exited && is_due(w->kill_at, now))
            krs__worker_kill(w, KRS_CAUSE_CLOSED);
    }
    look_at_due(s);
    remove_groups(s);
}

/* The sooner of two times of which 0 is never. */
static uint64_t sooner(uint64_t a, uint64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t krs__watching_next(const krs__server *s) {
    uint64_t next = sooner(s->fork_again, s->spare_again);
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        const krs__worker *w = &s->workers[i];
        if (w->pid != 0 && !w->exited)
            next = sooner(next, sooner(w->kill_at, w->look_at));
    }
    return s->dying_count == 0 ? next : sooner(next, krs__now() + REMOVE_AGAIN_NS);
}

void krs__watching_done(krs__worker *w) {
    const uint64_t now = krs__now();
    uint64_t next;
    if (w->exited)
        return; /* the number may be another's by now */
    if (w->recycle != 0 || now - w->watch.start >= CLOSE_LOOK_AFTER_NS)
        w->watch.close.at = 0;
    krs__watch_look(&w->watch, now, &next);
}

void krs__watching_last(krs__worker *w) {
    uint64_t next;
    if (w->trial == 0) /* a spare, never watched, or one that has answered */
        return;
    const bool killed_by_kernel =
        krs__watch_look(&w->watch, krs__now(), &next) == KRS__OVER_MEMORY;
    if (w->group != NULL && killed_by_kernel && !w->ended_by_us) {
        w->ended_by_us = true;
        w->cause = KRS_CAUSE_MEMORY;
    }
}

void krs__watching_end(krs__server *s, krs__worker *w) {
    if (w->group == NULL)
        return;
    krs__cgroup_kill(w->group);
    const bool removed = krs__cgroup_free(w->group) == KRS_OK;
    if (!removed && s->dying_count < KRS__WORKERS)
        s->dying[s->dying_count++] = w->group;
    else if (!removed)
        krs__cgroup_forget(w->group);
    w->group = NULL;
}

void krs__watching_close(krs__server *s) {
    const struct timespec pause = {.tv_nsec = (long)REMOVE_AGAIN_NS};
    remove_groups(s);
    for (int i = 0; s->dying_count > 0 && i < REMOVE_AT_MOST; i++) {
        nanosleep(&pause, NULL);
        remove_groups(s);
    }
    while (s->dying_count > 0)
        krs__cgroup_forget(s->dying[--s->dying_count]);
}

void krs__watching_figures(const krs__worker *w, uint64_t *values) {
    const krs__figures *f = &w->watch.figures;
    values[KRS_FIGURE_RSS] = f->rss;
    values[KRS_FIGURE_OWN] = f->own;
    values[KRS_FIGURE_PEAK] = f->peak;
    values[KRS_FIGURE_WALL] = f->wall;
    values[KRS_FIGURE_CPU] = f->cpu;
    values[KRS_FIGURE_GPU] = f->gpu;
}
