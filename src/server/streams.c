/* What workers send: frames on their channel, and what is written to their stdout and
 * stderr by whatever means. Each event is answered by one helping, so that a flood
 * takes turns with everybody else; and what a process has sent by the time it answers
 * or ends is finite, though somebody it started may go on writing. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"

enum { FRAMES_AT_ONCE = 16 };

static bool is_stalled(const krs__server *s, const krs__worker *w) {
    return w->client >= 0 && s->clients[w->client].stalled;
}

void krs__stream_listen(krs__server *s, krs__worker *w, bool listen) {
    static const krs__tag tags[] = {KRS__TAG_CHANNEL, KRS__TAG_STDOUT, KRS__TAG_STDERR};
    const int ends[] = {w->channel, w->output[0], w->output[1]};
    if (w->listening == listen)
        return;
    w->listening = listen;
    krs_status status = KRS_OK;
    for (size_t i = 0; i < 3 && status == KRS_OK; i++) {
        if (ends[i] < 0)
            continue;
        if (listen)
            status = krs__server_wait_for(s, ends[i], tags[i], (size_t)(w - s->workers),
                                          w->generation);
        else
            epoll_ctl(s->epoll, EPOLL_CTL_DEL, ends[i], NULL);
    }
    if (status != KRS_OK)
        krs__worker_kill(w, KRS_CAUSE_CLOSED);
}

static void close_end(int *end) {
    if (*end >= 0)
        close(*end);
    *end = -1;
}

void krs__stream_close(krs__worker *w) {
    close_end(&w->channel);
    close_end(&w->output[0]);
    close_end(&w->output[1]);
}

/* Passes on up to `most` bytes that a pipe has; closes it at its end. */
static void read_output(krs__server *s, krs__worker *w, int stream, size_t most) {
    char text[KRS_FRAME_TEXT];
    int *end = &w->output[stream - 1];
    while (*end >= 0 && most > 0) {
        const ssize_t got = read(*end, text, most < sizeof text ? most : sizeof text);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got <= 0) {
            close_end(end);
            return;
        }
        most -= (size_t)got;
        if (w->trial == 0)
            continue; /* of a spare, or after its answer: nobody's */
        krs_frame output = {.kind = KRS_FRAME_OUTPUT, .trial = w->trial};
        output.values[KRS_OUTPUT_STREAM] = (uint64_t)stream;
        output.text = text;
        output.length = (size_t)got;
        krs__client_tell(s, w->client, &output, -1);
    }
}

/* What is in the pipes at this moment, whether the client takes it or not. */
static void read_written(krs__server *s, krs__worker *w) {
    for (int stream = 1; stream <= 2; stream++) {
        int bytes = 0;
        if (w->output[stream - 1] >= 0 &&
            ioctl(w->output[stream - 1], FIONREAD, &bytes) == 0 && bytes > 0)
            read_output(s, w, stream, (size_t)bytes);
    }
}

static bool is_output(const krs_frame *frame) {
    return frame->kind == KRS_FRAME_OUTPUT && frame->values[KRS_OUTPUT_STREAM] >= 1 &&
           frame->values[KRS_OUTPUT_STREAM] <= 2;
}

/* False for what no worker sends, or not at this point. */
static bool take(krs__server *s, krs__worker *w, krs_frame *frame, int descriptor) {
    if (is_output(frame)) {
        frame->trial = w->trial;
        if (w->trial != 0) /* else of a spare, or after its answer: nobody's */
            krs__client_tell(s, w->client, frame, -1);
        return true;
    }
    if (frame->kind == KRS_FRAME_DONE && w->trial != 0) {
        /* What native code wrote before it comes before the answer. */
        read_written(s, w);
        krs__trial_done(s, w, frame, descriptor);
        return true;
    }
    if (descriptor >= 0)
        close(descriptor);
    return false;
}

static void end_channel(krs__worker *w, bool broken) {
    close_end(&w->channel);
    if (w->state == KRS__WORKER_ENDING || w->exited)
        return;
    if (broken)
        krs__worker_kill(w, KRS_CAUSE_FORMAT);
    else /* it is about to end, as a rule; if not, it is of no use any more */
        krs__worker_dismiss(w);
}

/* Takes up to `most` frames; those of a worker that has ended though its client is
 * stalled. */
static void read_channel(krs__server *s, krs__worker *w, int most) {
    for (int i = 0; i < most && w->channel >= 0; i++) {
        krs_frame frame;
        int descriptor;
        if (!w->exited && is_stalled(s, w))
            return;
        const krs_status status =
            krs_frame_receive(w->channel, s->frame, &frame, &descriptor);
        if (status == KRS_SYSTEM && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        const bool ended = status == KRS_SYSTEM;
        if (ended || status != KRS_OK || !take(s, w, &frame, descriptor))
            end_channel(w, !ended);
    }
}

void krs__stream_event(krs__server *s, size_t row, krs__tag tag) {
    krs__worker *w = &s->workers[row];
    if (is_stalled(s, w))
        return; /* since this turn */
    if (tag == KRS__TAG_CHANNEL)
        read_channel(s, w, FRAMES_AT_ONCE);
    else
        read_output(s, w, tag == KRS__TAG_STDOUT ? 1 : 2, KRS_FRAME_TEXT);
}

void krs__stream_drain(krs__server *s, krs__worker *w) {
    if (w->channel >= 0)
        shutdown(w->channel, SHUT_RD); /* what has been sent stays to be read */
    read_written(s, w);
    read_channel(s, w, INT_MAX);
}
