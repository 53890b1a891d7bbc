#define _GNU_SOURCE /* memfd_create */
#include "fake_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

fake_client *fake_connect(const fake_server *server) {
    fake_client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    assert_int_equal(krs_socket_connect(&server->address, &client->socket), KRS_OK);
    return client;
}

fake_client *fake_client_new(const fake_server *server, uint64_t spares) {
    fake_client *client = fake_connect(server);
    const uint64_t values[KRS_FRAME_VALUES] = {[KRS_HELLO_SPARES] = spares};
    assert_int_equal(fake_send(client, KRS_FRAME_HELLO, 0, values, -1), 0);
    assert_true(fake_take(client));
    assert_int_equal(client->server, server->pid);
    return client;
}

void fake_client_free(fake_client *client) {
    close(client->socket);
    free(client);
}

int fake_send(fake_client *client, krs_frame_kind kind, uint64_t trial,
              const uint64_t *values, int descriptor) {
    krs_frame frame = {.kind = kind, .trial = trial};
    if (values != NULL)
        memcpy(frame.values, values, sizeof frame.values);
    if (fake_send_any(client->socket, &frame, descriptor) == 0)
        return 0;
    assert_true(errno == EPIPE || errno == ECONNRESET);
    return -1;
}

void fake_submit(fake_client *client, uint64_t trial, fake_submit_values v,
                 const fake_step *steps, size_t count) {
    const uint64_t values[KRS_FRAME_VALUES] = {
        [KRS_SUBMIT_MEMORY] = v.memory, [KRS_SUBMIT_WALL] = v.wall,
        [KRS_SUBMIT_CPU] = v.cpu,       [KRS_SUBMIT_GPU] = v.gpu,
        [KRS_SUBMIT_REUSE] = v.reuse,   [KRS_SUBMIT_RECYCLE] = v.recycle};
    const int payload = memfd_create("payload", MFD_CLOEXEC);
    assert_true(payload >= 0);
    assert_true(count <= FAKE_STEPS);
    assert_int_equal(write(payload, steps, count * sizeof *steps),
                     count * sizeof *steps);
    assert_int_equal(fake_send(client, KRS_FRAME_SUBMIT, trial, values, payload), 0);
    close(payload);
}

void fake_stop(fake_client *client, uint64_t trial, uint64_t grace) {
    const uint64_t values[KRS_FRAME_VALUES] = {[KRS_STOP_GRACE] = grace};
    assert_int_equal(fake_send(client, KRS_FRAME_STOP, trial, values, -1), 0);
}

static void take_output(fake_outcome *o, const krs_frame *frame) {
    const uint64_t stream = frame->values[KRS_OUTPUT_STREAM];
    assert_in_range(stream, 1, 2);
    for (size_t i = 0; i < frame->length; i++)
        o->astray += (unsigned char)frame->text[i] != fake_byte(o->bytes[stream] + i);
    o->bytes[stream] += frame->length;
}

static void take_answer(fake_outcome *o, const krs_frame *frame, int result) {
    o->answers++;
    o->kind = frame->kind;
    memcpy(o->values, frame->values, sizeof o->values);
    if (frame->length < sizeof o->text)
        memcpy(o->text, frame->text, frame->length);
    if (result < 0)
        return;
    assert_true(pread(result, o->result, sizeof o->result, 0) >= 8);
    close(result);
}

static void take_of_trial(fake_client *client, const krs_frame *frame, int result) {
    assert_in_range(frame->trial, 1, FAKE_TRIALS - 1);
    fake_outcome *o = &client->trials[frame->trial];
    o->astray += o->answers > 0;
    if (frame->kind == KRS_FRAME_STARTED) {
        o->started++;
        o->pid = (pid_t)frame->values[KRS_STARTED_PID];
    } else if (frame->kind == KRS_FRAME_OUTPUT) {
        take_output(o, frame);
    } else {
        take_answer(o, frame, result);
    }
}

int fake_take(fake_client *client) {
    static char bytes[KRS_FRAME_MOST];
    struct pollfd readable = {.fd = client->socket, .events = POLLIN};
    krs_frame frame;
    int descriptor;
    if (client->ended)
        return 0;
    if (poll(&readable, 1, FAKE_PATIENCE_MS) != 1)
        fail_msg("the server says nothing any more");
    const krs_status status =
        krs_frame_receive(client->socket, bytes, &frame, &descriptor);
    client->ended = status == KRS_SYSTEM && errno == 0;
    if (client->ended)
        return 0;
    assert_int_equal(status, KRS_OK);
    switch (frame.kind) {
    case KRS_FRAME_WELCOME:
        client->server = (pid_t)frame.values[KRS_WELCOME_PID];
        break;
    case KRS_FRAME_STATS:
        memcpy(client->stats, frame.values, sizeof client->stats);
        client->stats_count++;
        break;
    case KRS_FRAME_WORKER:
        assert_true(client->row_count < LENGTH_OF(client->rows));
        memcpy(client->rows[client->row_count++], frame.values, sizeof client->rows[0]);
        break;
    default:
        take_of_trial(client, &frame, descriptor);
    }
    return 1;
}

const fake_outcome *fake_answer(fake_client *client, uint64_t trial) {
    while (client->trials[trial].answers == 0)
        if (!fake_take(client))
            fail_msg("the connection ended before trial %lu", (unsigned long)trial);
    return &client->trials[trial];
}

void fake_await_start(fake_client *client, uint64_t trial) {
    while (client->trials[trial].started == 0)
        assert_true(fake_take(client));
}

void fake_ask(fake_client *client) {
    const int before = client->stats_count;
    client->row_count = 0;
    assert_int_equal(fake_send(client, KRS_FRAME_ASK, 0, NULL, -1), 0);
    while (client->stats_count == before)
        assert_true(fake_take(client));
    assert_int_equal(client->stats[KRS_STATS_WORKERS], client->row_count);
}

void fake_await_end(fake_client *client) {
    while (fake_take(client))
        ;
}

const fake_outcome *fake_expect_done(fake_client *client, uint64_t trial,
                                     uint64_t result) {
    const fake_outcome *o = fake_answer(client, trial);
    if (o->kind != KRS_FRAME_DONE)
        fail_msg("trial %lu: frame %d, cause %lu, status %lu: %s", (unsigned long)trial,
                 (int)o->kind, (unsigned long)o->values[KRS_ENDED_CAUSE],
                 (unsigned long)o->values[KRS_ENDED_STATUS], o->text);
    assert_int_equal(o->started, 1);
    assert_int_equal(o->answers, 1);
    assert_int_equal(o->astray, 0);
    assert_int_equal(o->result[0], result);
    return o;
}

const fake_outcome *fake_expect_ended(fake_client *client, uint64_t trial,
                                      krs_cause cause, uint64_t status,
                                      uint64_t limit) {
    const fake_outcome *o = fake_answer(client, trial);
    assert_int_equal(o->kind, KRS_FRAME_ENDED);
    assert_int_equal(o->values[KRS_ENDED_CAUSE], cause);
    assert_int_equal(o->values[KRS_ENDED_STATUS], status);
    assert_int_equal(o->values[KRS_ENDED_LIMIT], limit);
    assert_int_equal(o->answers, 1);
    assert_int_equal(o->astray, 0);
    return o;
}

const fake_outcome *fake_expect_refused(fake_client *client, uint64_t trial,
                                        krs_refused why, const char *text) {
    const fake_outcome *o = fake_answer(client, trial);
    assert_int_equal(o->kind, KRS_FRAME_REFUSED);
    assert_int_equal(o->values[KRS_REFUSED_WHY], why);
    if (strstr(o->text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", o->text, text);
    assert_int_equal(o->started, 0);
    assert_int_equal(o->answers, 1);
    return o;
}

void fake_assert_answered_once(fake_client *client) {
    fake_ask(client);
    for (size_t i = 0; i < FAKE_TRIALS; i++) {
        assert_true(client->trials[i].answers <= 1);
        assert_int_equal(client->trials[i].astray, 0);
    }
}
