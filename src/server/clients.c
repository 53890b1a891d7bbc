/* Clients: who they are, what they say, and what waits for them.
 *
 * Whoever breaks the protocol loses the connection, and with it its trials; the server
 * and other clients go on. A client that does not read (a suspended terminal) makes its
 * workers wait, not the server's memory grow. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/server.h"

/* So that others have their turn: what is left is told of again. */
enum { FRAMES_AT_ONCE = 64 };

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

/* Without a descriptor left: it would wait, and we be told of it, for ever. */
static void turn_away(krs__server *s) {
    int socket;
    if (s->reserve < 0)
        return;
    close(s->reserve);
    if (krs_socket_accept(s->options->listener, &socket) == KRS_OK)
        close(socket);
    s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void krs__client_accept(krs__server *s) {
    int socket;
    while (true) {
        const krs_status status = krs_socket_accept(s->options->listener, &socket);
        if (status == KRS_INVALID)
            continue; /* another user: it has been closed */
        if (status != KRS_OK) {
            if (errno == EMFILE || errno == ENFILE)
                turn_away(s);
            return;
        }
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

static size_t weight_of(const krs__letter *letter) {
    return sizeof *letter + letter->frame.length +
           (letter->descriptor >= 0 ? KRS__QUEUE_RESULT : 0);
}

static void drop_letter(krs__client *c) {
    krs__letter *letter = c->first;
    c->first = letter->next;
    if (c->first == NULL)
        c->last = NULL;
    c->queued -= weight_of(letter);
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

void krs__client_disown(krs__server *s) {
    for (size_t i = 0; i < KRS__CLIENTS; i++) {
        const krs__client *c = &s->clients[i];
        if (c->socket < 0)
            continue;
        close(c->socket);
        for (const krs__letter *l = c->first; l != NULL; l = l->next)
            if (l->descriptor >= 0)
                close(l->descriptor);
    }
}

/* Workers of a stalled client are not read, so that their writes wait. What those have
 * said that ended meanwhile can stall it again. */
static void set_stalled(krs__server *s, size_t row, bool stalled) {
    krs__client *c = &s->clients[row];
    if (c->stalled == stalled)
        return;
    c->stalled = stalled;
    for (size_t i = 0; i < KRS__WORKERS && c->stalled == stalled; i++) {
        krs__worker *w = &s->workers[i];
        if (w->pid == 0 || w->client != (int)row)
            continue;
        krs__stream_listen(s, w, !stalled);
        if (!stalled && w->exited)
            krs__worker_finish(s, w);
    }
}

/* Asks to be told of what matters by what is queued now. Its end is told in any case.
 */
static void set_events(krs__server *s, size_t row) {
    krs__client *c = &s->clients[row];
    const bool writing = c->first != NULL;
    bool deaf = c->deaf;
    if (c->queued > KRS__QUEUE_DEAF)
        deaf = true;
    else if (c->queued < KRS__QUEUE_LOW)
        deaf = false;
    if (c->writing == writing && c->deaf == deaf)
        return;
    struct epoll_event event = {.events =
                                    (writing ? EPOLLOUT : 0) | (deaf ? 0 : EPOLLIN)};
    event.data.u64 = krs__tag_of(KRS__TAG_CLIENT, row, c->generation);
    if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->socket, &event) < 0)
        c->lost = true;
    c->writing = writing;
    c->deaf = deaf;
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
    set_events(s, row);
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
    c->queued += weight_of(letter);
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
        set_events(s, (size_t)row);
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
        if (frame->trial == 0)
            return false;
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

/* False where the client is gone or broke the protocol. */
static bool receive(krs__server *s, size_t row) {
    const krs__client *c = &s->clients[row];
    for (int i = 0; i < FRAMES_AT_ONCE && !c->lost && !c->deaf; i++) {
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
    return !c->lost; /* lost: an answer could not be sent */
}

void krs__client_event(krs__server *s, size_t row, uint32_t events) {
    krs__client *c = &s->clients[row];
    if (events & (EPOLLHUP | EPOLLERR)) /* nobody is left to be answered */
        c->lost = true;
    if (!c->lost && (events & EPOLLOUT))
        c->lost |= !send_letters(s, row);
    if (!c->lost && (events & EPOLLIN))
        c->lost |= !receive(s, row);
}

void krs__client_close_lost(krs__server *s) {
    for (size_t row = 0; row < KRS__CLIENTS; row++)
        if (s->clients[row].socket >= 0 && s->clients[row].lost)
            krs__client_close(s, row);
}
