/* What a fork becomes before it runs anything: a process of its own, that ends with the
 * server, without a trace of the server's descriptors. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/server.h"

static void close_if_open(int fd) {
    if (fd >= 0)
        close(fd);
}

static void close_all(krs__server *s) {
    close_if_open(s->epoll);
    close_if_open(s->timer);
    close_if_open(s->signals);
    close_if_open(s->parent);
    close_if_open(s->reserve);
    close_if_open(s->options->listener);
    close_if_open(s->options->lease);
    krs__client_disown(s);
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        if (s->workers[i].pid == 0)
            continue;
        close_if_open(s->workers[i].channel);
        close_if_open(s->workers[i].output[0]);
        close_if_open(s->workers[i].output[1]);
    }
    for (krs__pending *p = s->first_pending; p != NULL; p = p->next)
        close_if_open(p->payload);
}

/* Where memory runs out on the whole machine, a trial is to go and not the program that
 * asked for it. */
static void offer_to_oom_killer(void) {
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    const ssize_t written = write(file, "300", 3);
    (void)written; /* refused in some containers: then all are alike */
    close(file);
}

void krs__child_settle(krs__server *s, const int *output, int channel, int out,
                       int err) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close_all(s);
    close(channel);
    close(out);
    close(err);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != s->pid)
        _exit(1); /* the server has gone in between: no signal would come any more */
    dup2(nothing, STDIN_FILENO);
    dup2(output[0], STDOUT_FILENO);
    dup2(output[1], STDERR_FILENO);
    close_if_open(nothing > STDERR_FILENO ? nothing : -1);
    close(output[0]);
    close(output[1]);
    offer_to_oom_killer();
    pthread_sigmask(SIG_SETMASK, &s->mask_before, NULL);
}
