/* What workers leave behind. A process that a worker started and that outlives it
 * becomes a child of the server, its nearest ancestor that reaps
 * (PR_SET_CHILD_SUBREAPER). Most are in the worker's group and go with that; a daemon
 * has left it.
 *
 * Whose they were cannot be told any more, so they are let be while any trial runs. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"

enum { TEXT_BYTES = 8192, PATIENCE_MS = 5000 };

static bool is_worker(const krs__server *s, pid_t pid) {
    for (size_t i = 0; i < KRS__WORKERS; i++)
        if (s->workers[i].pid == pid)
            return true;
    return false;
}

/* The kernel lists them as numbers with a blank after each. More than fit are taken up
 * the next time; a kernel without the file (CONFIG_PROC_CHILDREN) lists none. */
static void kill_strays(const krs__server *s) {
    char path[64], text[TEXT_BYTES];
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)s->pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return;
    text[length] = '\0';
    char *at = text, *end;
    for (; *at != '\0'; at = end + 1) {
        const long pid = strtol(at, &end, 10);
        if (end == at || *end != ' ')
            return; /* cut off in a number */
        if (pid > 0 && !is_worker(s, (pid_t)pid))
            kill((pid_t)pid, SIGKILL);
    }
}

void krs__children_end_strays(const krs__server *s) {
    for (size_t i = 0; i < KRS__WORKERS; i++)
        if (s->workers[i].pid != 0 && s->workers[i].state == KRS__WORKER_RUNNING)
            return;
    kill_strays(s);
}

void krs__children_end(krs__server *s) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (size_t i = 0; i < KRS__WORKERS; i++)
        krs__worker_kill(&s->workers[i], KRS_CAUSE_STOPPED);
    for (int waited = 0; waited < PATIENCE_MS;) {
        siginfo_t info = {0};
        kill_strays(s); /* each that ends may leave us others */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno != EINTR)
            break; /* ECHILD: nobody is left */
        if (info.si_pid == 0) {
            nanosleep(&pause, NULL);
            waited++;
        }
    }
    for (size_t i = 0; i < KRS__WORKERS; i++)
        if (s->workers[i].pid != 0)
            krs__worker_free(s, &s->workers[i]);
    krs__watching_close(s);
}
