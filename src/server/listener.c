/* A thread that waits for questions of command lines, and has them answered one after
 * another. Whatever comes that is no question closes the connection and nothing else.
 */
#define _GNU_SOURCE /* pthread_setname_np, POLLRDHUP */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "wire/protocol.h"

enum {
    CLIENTS = 16,    /* that are connected and have not asked yet */
    PATIENCE = 5000, /* ms: a client that asks nothing for so long goes */
    SEND_SECONDS = 2,
};

/* Of the descriptors that are waited for. */
enum { WAKE, SOCKET, FIRST_CLIENT, ALL = FIRST_CLIENT + CLIENTS };

struct krs_listener {
    krs_answer *answer;
    void *context;
    pid_t process;
    pthread_t thread;
    char path[KRS_PLACE_PATH];
    struct pollfd waiting[ALL];
    char bytes[KRS_FRAME_MOST];
};

static void close_client(krs_listener *l, int row) {
    close(l->waiting[row].fd);
    l->waiting[row].fd = -1; /* which poll() passes over */
}

/* From here on a send waits, but not for ever. */
static bool make_waiting(int client) {
    const struct timeval limit = {.tv_sec = SEND_SECONDS};
    return fcntl(client, F_SETFL, 0) == 0 &&
           setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0;
}

/* Whoever has given up waiting does not want it done any more. */
static bool has_gone(int client) {
    struct pollfd one = {.fd = client, .events = POLLRDHUP};
    return poll(&one, 1, 0) > 0;
}

static void take_question(krs_listener *l, int row) {
    krs_frame frame;
    int descriptor;
    const int client = l->waiting[row].fd;
    const krs_status status = krs_frame_receive(client, l->bytes, &frame, &descriptor);
    if (status == KRS_SYSTEM && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (status == KRS_OK && descriptor >= 0)
        close(descriptor);
    if (status == KRS_OK && frame.kind == KRS_FRAME_QUESTION && !has_gone(client) &&
        make_waiting(client)) {
        const krs_listener_question question = {
            .verb = (unsigned)frame.values[KRS_QUESTION_VERB],
            .flags = frame.values[KRS_QUESTION_FLAGS],
            .held = frame.values[KRS_QUESTION_HELD],
            .model = frame.text,
            .length = frame.length,
        };
        l->answer(l->context, client, &question);
    }
    close_client(l, row);
}

/* A client for which there is no room is turned away. One that cannot be taken in, for
 * want of descriptors, stays in the queue: it is looked for again a little later. */
static void take_client(krs_listener *l) {
    const struct timespec later = {.tv_nsec = 100000000};
    int client;
    const krs_status status = krs_socket_accept(l->waiting[SOCKET].fd, &client);
    if (status == KRS_SYSTEM && errno != EAGAIN && errno != ECONNABORTED)
        nanosleep(&later, NULL);
    if (status != KRS_OK)
        return;
    for (int row = FIRST_CLIENT; row < ALL; row++)
        if (l->waiting[row].fd < 0) {
            l->waiting[row] = (struct pollfd){.fd = client, .events = POLLIN};
            return;
        }
    close(client);
}

/* Of all that ask nothing, none has anything to lose. */
static void drop_idle(krs_listener *l) {
    for (int row = FIRST_CLIENT; row < ALL; row++)
        if (l->waiting[row].fd >= 0)
            close_client(l, row);
}

static bool has_clients(const krs_listener *l) {
    for (int row = FIRST_CLIENT; row < ALL; row++)
        if (l->waiting[row].fd >= 0)
            return true;
    return false;
}

static void *run(void *given) {
    krs_listener *l = given;
    for (;;) {
        const int ready = poll(l->waiting, ALL, has_clients(l) ? PATIENCE : -1);
        if (ready < 0 && errno != EINTR)
            return NULL;
        if (ready == 0)
            drop_idle(l);
        if (ready <= 0)
            continue;
        if (l->waiting[WAKE].revents)
            return NULL;
        for (int row = FIRST_CLIENT; row < ALL; row++)
            if (l->waiting[row].fd >= 0 && l->waiting[row].revents)
                take_question(l, row);
        if (l->waiting[SOCKET].revents)
            take_client(l);
    }
}

/* Signals of the process are for the threads that it knows. */
static int start_thread(krs_listener *l) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int error = pthread_create(&l->thread, NULL, run, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(l->thread, "keraser-listen");
    return error;
}

static void free_all(krs_listener *l) {
    for (int i = 0; i < ALL; i++)
        if (l->waiting[i].fd >= 0)
            close(l->waiting[i].fd);
    free(l);
}

static krs_status open_all(krs_listener *l) {
    for (int i = 0; i < ALL; i++)
        l->waiting[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    l->waiting[WAKE].fd = eventfd(0, EFD_CLOEXEC);
    if (l->waiting[WAKE].fd < 0)
        return KRS_SYSTEM;
    return krs_place_listen(getpid(), &l->waiting[SOCKET].fd, l->path);
}

krs_status krs_listener_start(krs_answer *answer, void *context,
                              krs_listener **listener) {
    krs_listener *l = malloc(sizeof *l);
    if (l == NULL)
        return KRS_NOMEM;
    l->answer = answer;
    l->context = context;
    l->process = getpid();
    krs_status status = open_all(l);
    if (status == KRS_OK) {
        errno = start_thread(l);
        if (errno == 0) {
            *listener = l;
            return KRS_OK;
        }
        krs_place_leave(l->path);
        status = KRS_SYSTEM;
    }
    const int error = errno;
    free_all(l);
    errno = error;
    return status;
}

const char *krs_listener_path(const krs_listener *listener) {
    return listener->path;
}

void krs_listener_stop(krs_listener *listener) {
    if (listener == NULL)
        return;
    if (listener->process == getpid()) {
        krs_place_leave(listener->path); /* first, so that nobody comes any more */
        eventfd_write(listener->waiting[WAKE].fd, 1);
        pthread_join(listener->thread, NULL);
    }
    free_all(listener);
}
