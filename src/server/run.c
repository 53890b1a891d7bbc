/* The loop: what is ready is dealt with; then trials get workers; then at most one
 * fork, the one thing that takes milliseconds; and again. */
#define _GNU_SOURCE /* syscall */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "proc/process.h"
#include "server/server.h"

enum { EVENTS = 64 };

uint64_t krs__tag_of(krs__tag tag, size_t row, uint32_t generation) {
    return (uint64_t)tag << 56 | (uint64_t)row << 32 | generation;
}

krs_status krs__server_wait_for(krs__server *s, int fd, krs__tag tag, size_t row,
                                uint32_t generation) {
    struct epoll_event event = {.events = EPOLLIN};
    event.data.u64 = krs__tag_of(tag, row, generation);
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? KRS_SYSTEM : KRS_OK;
}

/* SIGCHLD says that somebody ended, SIGTERM that we are to; the others are the
 * terminal's, and not meant for us. */
static krs_status take_signals(krs__server *s) {
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
    /* Whoever ignores it, as a program started by one that did, is not told of ends. */
    signal(SIGCHLD, SIG_DFL);
    s->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? KRS_SYSTEM : KRS_OK;
}

/* The end of our parent is seen though somebody it forked holds the lease as well. */
static krs_status watch_parent(krs__server *s) {
    krs_status status = KRS_OK;
#ifdef SYS_pidfd_open
    /* Close-on-exec by itself; an old kernel leaves us with the lease. */
    s->parent = (int)syscall(SYS_pidfd_open, s->options->parent, 0);
    if (s->parent >= 0)
        status = krs__server_wait_for(s, s->parent, KRS__TAG_PARENT, 0, 0);
#endif
    /* It had gone before we looked, and whoever has its number now is not our parent.
     */
    if (getppid() != s->options->parent)
        s->ending = true;
    return status;
}

/* Descriptors of ours are never one of the three that a worker gets anew. */
static krs_status fill_standard_streams(void) {
    int opened;
    do
        opened = open("/dev/null", O_RDWR);
    while (opened >= 0 && opened <= STDERR_FILENO);
    if (opened >= 0)
        close(opened);
    return opened < 0 ? KRS_SYSTEM : KRS_OK;
}

static void blank(krs__server *s, const krs_server_options *options) {
    s->options = options;
    s->last_pending = &s->first_pending;
    s->pid = getpid();
    s->epoll = s->timer = s->signals = s->parent = s->reserve = -1;
    for (size_t i = 0; i < KRS__CLIENTS; i++)
        s->clients[i].socket = -1;
    pthread_sigmask(SIG_BLOCK, NULL, &s->mask_before);
}

static krs_status start(krs__server *s) {
    if (fill_standard_streams() != KRS_OK)
        return KRS_SYSTEM;
    krs_process process;
    if (krs_process_read(&process) == KRS_OK)
        s->inherited = krs__process_anonymous(&process);
    const char *reason = "";
    if (krs__cgroup_place_open(NULL, &s->place, &reason) == KRS_OK)
        krs__cgroup_place_sweep(s->place, KRS__GROUP_PREFIX);
    else
        snprintf(s->no_place, sizeof s->no_place, "%s", reason);
    if (krs__nvml_open(NULL, &s->nvml) != KRS_OK)
        s->nvml = NULL;
    s->readers = krs__readers_of_system(s->nvml);
    snprintf(s->refusal, sizeof s->refusal, "%s",
             s->options->broken != NULL ? s->options->broken : "");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (s->epoll < 0 || s->timer < 0 || take_signals(s) != KRS_OK ||
        watch_parent(s) != KRS_OK)
        return KRS_SYSTEM;
    if (krs__server_wait_for(s, s->timer, KRS__TAG_TIMER, 0, 0) != KRS_OK ||
        krs__server_wait_for(s, s->signals, KRS__TAG_SIGNALS, 0, 0) != KRS_OK ||
        krs__server_wait_for(s, s->options->lease, KRS__TAG_LEASE, 0, 0) != KRS_OK ||
        krs__server_wait_for(s, s->options->listener, KRS__TAG_LISTENER, 0, 0) !=
            KRS_OK)
        return KRS_SYSTEM;
    return KRS_OK;
}

static void take_signal(krs__server *s) {
    struct signalfd_siginfo info;
    bool children = false;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        s->ending |= info.ssi_signo == SIGTERM;
        children |= info.ssi_signo == SIGCHLD;
    }
    if (children)
        krs__worker_reap(s);
}

static void take_event(krs__server *s, const struct epoll_event *event) {
    const krs__tag tag = (krs__tag)(event->data.u64 >> 56);
    const size_t row = event->data.u64 >> 32 & 0xffffff;
    const uint32_t generation = (uint32_t)event->data.u64;
    uint64_t expirations;
    switch (tag) {
    case KRS__TAG_LISTENER:
        krs__client_accept(s);
        break;
    case KRS__TAG_LEASE:
    case KRS__TAG_PARENT:
        s->ending = true;
        break;
    case KRS__TAG_SIGNALS:
        take_signal(s);
        break;
    case KRS__TAG_TIMER: /* what is due is seen in every turn */
        if (read(s->timer, &expirations, sizeof expirations) < 0)
            break;
        break;
    case KRS__TAG_CLIENT:
        if (s->clients[row].generation == generation && s->clients[row].socket >= 0)
            krs__client_event(s, row, event->events);
        break;
    case KRS__TAG_CHANNEL:
    case KRS__TAG_STDOUT:
    case KRS__TAG_STDERR:
        if (s->workers[row].generation == generation && s->workers[row].pid != 0)
            krs__stream_event(s, row, tag);
        break;
    }
}

static krs_status wait(krs__server *s, bool at_once) {
    struct epoll_event events[EVENTS];
    const uint64_t next = krs__watching_next(s);
    struct itimerspec due = {0};
    due.it_value.tv_sec = (time_t)(next / 1000000000u);
    due.it_value.tv_nsec = (long)(next % 1000000000u);
    if (timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &due, NULL) < 0)
        return KRS_SYSTEM;
    const int count = epoll_wait(s->epoll, events, EVENTS, at_once ? 0 : -1);
    if (count < 0 && errno != EINTR)
        return KRS_SYSTEM;
    for (int i = 0; i < count; i++)
        take_event(s, &events[i]);
    return KRS_OK;
}

/* Everything that a server has but for its processes. */
static void close_all(krs__server *s) {
    const int own[] = {s->epoll, s->timer, s->signals, s->parent, s->reserve};
    for (size_t i = 0; i < KRS__CLIENTS; i++)
        krs__client_close(s, i);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] >= 0)
            close(own[i]);
    krs__nvml_close(s->nvml);
    krs__cgroup_place_close(s->place);
    pthread_sigmask(SIG_SETMASK, &s->mask_before, NULL);
}

krs_status krs_server_run(const krs_server_options *options,
                          const krs_server_hooks *hooks, int *channel) {
    if (options == NULL || hooks == NULL || hooks->fork == NULL ||
        hooks->hazard == NULL || channel == NULL)
        return KRS_INVALID;
    krs__server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return KRS_NOMEM;
    blank(s, options);
    bool child = false, more = false;
    krs_status status = start(s);
    const bool started = status == KRS_OK;
    while (status == KRS_OK && !s->ending && !child) {
        krs__client_close_lost(s); /* whom the last turn could not answer */
        status = wait(s, more);
        if (status != KRS_OK)
            break;
        krs__watching_turn(s);
        krs__client_close_lost(s);
        krs__trial_assign(s);
        if (s->refusal[0] != '\0')
            krs__trial_refuse_pending(s, s->refusal);
        more = false;
        if (!s->ending && krs__worker_wanted(s)) {
            child = krs__worker_fork(s, hooks, channel);
            more = !child;
        }
    }
    const int error = errno;
    if (!child) {
        if (started)
            krs__children_end(s);
        close_all(s);
    }
    if (!child && status == KRS_OK)
        *channel = -1;
    free(s);
    errno = error;
    return status;
}
