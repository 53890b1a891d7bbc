/* Clients: who they are, what they say, and what waits for them.
 *
 * Whoever breaks the protocol loses the connection, and with it its trials; the server
 * and other clients go on. A client that does not read (a suspended terminal) makes its
 * workers wait, not the server's memory grow. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/server.h"

struct krs__letter {
    krs__letter *next;
    int descriptor;
    krs_frame frame;
    char text[];
};

static krs__client *free_row(krs__server *s, size_t *row) {
    for (*row = 0; *row < KRS__CLIENTS; ++*row)
        if (s->clients[*row].socket < 0)
            return &s->clients[*row];
    return NULL;
}

void krs__client_accept(krs__server *s) {
    int socket;
    while (true) {
        const krs_status status = krs_socket_accept(s->options->listener, &socket);
        if (status == KRS_INVALID)
            continue; /* another user: it has been closed */
        if (status != KRS_OK)
            return;
        size_t row;
        krs__client *c = free_row(s, &row);
        if (c == NULL) {
            close(socket);
            continue;
        }
        *c = (krs__client){.socket = socket, .generation = c->generation + 1};
        if (krs__server_wait_for(s, socket, KRS__TAG_CLIENT, row, c->generation) !=
            KRS_OK)
            c->lost = true;
    }
}

static void drop_letter(krs__client *c) {
    krs__letter *letter = c->first;
    c->first = letter->next;
    if (c->first == NULL)
        c->last = NULL;
    c->queued -= sizeof *letter + letter->frame.length;
    if (letter->descriptor >= 0)
        close(letter->descriptor);
    free(letter);
}

void krs__client_close(krs__server *s, size_t row) {
    krs__client *c = &s->clients[row];
    if (c->socket < 0)
        return;
    close(c->socket); /* which takes it out of the epoll */
    c->socket = -1;
    c->generation++;
    while (c->first != NULL)
        drop_letter(c);
    krs__trial_forget_client(s, (int)row);
}

/* Workers of a stalled client are not read, so that their writes wait. */
static void set_stalled(krs__server *s, size_t row, bool stalled) {
    krs__client *c = &s->clients[row];
    if (c->stalled == stalled)
        return;
    c->stalled = stalled;
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        krs__worker *w = &s->workers[i];
        if (w->pid == 0 || w->client != (int)row)
            continue;
        krs__worker_listen(s, w, !stalled);
        if (!stalled && w->exited)
            krs__worker_finish(s, w);
    }
}

static void wait_to_write(krs__server *s, size_t row, bool writing) {
    krs__client *c = &s->clients[row];
    if (c->writing == writing)
        return;
    struct epoll_event event = {.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN};
    event.data.u64 = krs__tag_of(KRS__TAG_CLIENT, row, c->generation);
    if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->socket, &event) == 0)
        c->writing = writing;
}

/* False where the client is gone. */
static bool send_letters(krs__server *s, size_t row) {
    krs__client *c = &s->clients[row];
    while (c->first != NULL) {
        const krs__letter *letter = c->first;
        if (krs_frame_send(c->socket, &letter->frame, letter->descriptor) != KRS_OK) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                return false;
            break;
        }
        drop_letter(c);
    }
    wait_to_write(s, row, c->first != NULL);
    if (c->queued < KRS__QUEUE_LOW)
        set_stalled(s, row, false);
    return true;
}

/* False where there is no memory for it. */
static bool keep_letter(krs__client *c, const krs_frame *frame, int descriptor) {
    krs__letter *letter = malloc(sizeof *letter + frame->length);
    if (letter == NULL)
        return false;
    *letter = (krs__letter){.descriptor = descriptor, .frame = *frame};
    if (frame->length > 0)
        memcpy(letter->text, frame->text, frame->length);
    letter->frame.text = letter->text;
    if (c->last == NULL)
        c->first = letter;
    else
        c->last->next = letter;
    c->last = letter;
    c->queued += sizeof *letter + frame->length;
    return true;
}

void krs__client_tell(krs__server *s, int row, const krs_frame *frame, int descriptor) {
    krs__client *c = &s->clients[row];
    bool alive = c->socket >= 0 && !c->lost, sent = false;
    if (alive && c->first == NULL) {
        sent = krs_frame_send(c->socket, frame, descriptor) == KRS_OK;
        alive = sent || errno == EAGAIN || errno == EWOULDBLOCK;
    }
    if (alive && !sent && keep_letter(c, frame, descriptor)) {
        wait_to_write(s, (size_t)row, true);
        if (c->queued > KRS__QUEUE_HIGH)
            set_stalled(s, (size_t)row, true);
        return;
    }
    c->lost |= !sent;
    if (descriptor >= 0)
        close(descriptor);
}

static void greet(krs__server *s, int row, const krs_frame *hello) {
    krs__client *c = &s->clients[row];
    const uint64_t spares = hello->values[KRS_HELLO_SPARES];
    c->greeted = true;
    c->spares = (uint32_t)(spares < KRS__WORKERS / 4 ? spares : KRS__WORKERS / 4);
    krs_frame welcome = {.kind = KRS_FRAME_WELCOME, .text = s->no_place};
    welcome.values[KRS_WELCOME_PID] = (uint64_t)s->pid;
    welcome.values[KRS_WELCOME_CGROUP] = s->place != NULL;
    welcome.length = s->place != NULL ? 0 : strlen(s->no_place);
    krs__client_tell(s, row, &welcome, -1);
}

static void tell_workers(krs__server *s, int row) {
    krs_frame stats = {.kind = KRS_FRAME_STATS};
    for (size_t i = 0; i < KRS__WORKERS; i++) {
        const krs__worker *w = &s->workers[i];
        if (w->pid == 0 || (w->client != row && w->client >= 0))
            continue;
        krs_frame one = {.kind = KRS_FRAME_WORKER, .trial = w->trial};
        one.values[KRS_WORKER_STATE] = w->state;
        one.values[KRS_WORKER_PID] = (uint64_t)w->pid;
        one.values[KRS_WORKER_TRIALS] = w->trials;
        krs__watching_figures(w, one.values + KRS_WORKER_FIGURES);
        krs__client_tell(s, row, &one, -1);
        stats.values[KRS_STATS_WORKERS]++;
    }
    krs_process own = {0};
    if (krs_process_read(&own) == KRS_OK)
        stats.values[KRS_STATS_OWN] = own.rss;
    stats.values[KRS_STATS_FORKS] = s->forks;
    stats.values[KRS_STATS_FORK_TIME] = s->fork_time;
    stats.values[KRS_STATS_TRIALS] = s->trials;
    krs__client_tell(s, row, &stats, -1);
}

/* False for a frame that no client sends, or not at this point. */
static bool take(krs__server *s, int row, const krs_frame *frame, int descriptor) {
    if ((frame->kind == KRS_FRAME_HELLO) == s->clients[row].greeted)
        return false;
    switch (frame->kind) {
    case KRS_FRAME_HELLO:
        greet(s, row, frame);
        return true;
    case KRS_FRAME_SUBMIT:
        krs__trial_submit(s, row, frame, descriptor);
        return true;
    case KRS_FRAME_STOP:
        krs__trial_stop(s, row, frame);
        return true;
    case KRS_FRAME_ASK:
        tell_workers(s, row);
        return true;
    default:
        return false;
    }
}

/* Until there is nothing more. False where the client is gone or broke the protocol. */
static bool receive(krs__server *s, size_t row) {
    const krs__client *c = &s->clients[row];
    while (!c->lost) {
        krs_frame frame;
        int descriptor;
        const krs_status status =
            krs_frame_receive(c->socket, s->frame, &frame, &descriptor);
        if (status == KRS_SYSTEM && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (status != KRS_OK)
            return false;
        if (take(s, (int)row, &frame, descriptor))
            continue;
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    return false; /* an answer could not be sent */
}

void krs__client_event(krs__server *s, size_t row, uint32_t events) {
    krs__client *c = &s->clients[row];
    if (events & EPOLLOUT)
        c->lost |= !send_letters(s, row);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        c->lost |= !receive(s, row);
}

void krs__client_close_lost(krs__server *s) {
    for (size_t row = 0; row < KRS__CLIENTS; row++)
        if (s->clients[row].socket >= 0 && s->clients[row].lost)
            krs__client_close(s, row);
}
