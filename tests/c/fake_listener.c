/* A process that listens and answers as a test says: fake_listener BEHAVIOUR [NUMBER].
 * Prints "ready" once it listens, ends with its stdin. */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/protocol.h"

static const char *behaviour;
static unsigned long number;

static int is(const char *name) {
    return strcmp(behaviour, name) == 0;
}

/* Waits for room, as a listener does. */
static void send_frame(int client, const krs_frame *frame, int descriptor) {
    while (krs_frame_send(client, frame, descriptor) == KRS_SYSTEM && errno == EAGAIN)
        poll(&(struct pollfd){.fd = client, .events = POLLOUT}, 1, -1);
}

static void send_model(int client, unsigned long index, const char *text,
                       size_t length) {
    const krs_frame frame = {.kind = KRS_FRAME_MODEL,
                             .values = {[KRS_MODEL_ID] = 0x1000 + index,
                                        [KRS_MODEL_WEIGHTS] = 1024 * (index + 1),
                                        [KRS_MODEL_OPTIMIZER] = 2048,
                                        [KRS_MODEL_METRICS] = 16,
                                        [KRS_MODEL_RUNNING] = index == 0},
                             .text = text,
                             .length = length};
    send_frame(client, &frame, -1);
}

static void answer_top(int client) {
    static const char odd[] = "a\33]0;owned\7\r\nb\xff\0Kl\x9b"
                              "ass\xe2\x80\xae!";
    unsigned long models = number;
    if (is("endless"))
        models = 200000;
    for (unsigned long i = 0; i < models && !is("names"); i++) {
        char text[64];
        const int length = snprintf(text, sizeof text, "model_%lu%cSequential", i, 0);
        send_model(client, i, text, (size_t)length);
    }
    if (is("names"))
        send_model(client, 0, odd, sizeof odd - 1);
    if (is("nul"))
        send_model(client, 0, "no gap", 6);
    krs_frame frame = {.kind = KRS_FRAME_PROCESS,
                       .values = {[KRS_PROCESS_RSS] = 1 << 30,
                                  [KRS_PROCESS_PEAK] = (uint64_t)3 << 30,
                                  [KRS_PROCESS_POOL] = UINT64_MAX,
                                  [KRS_PROCESS_GPU] = (uint64_t)2 << 30,
                                  [KRS_PROCESS_GPU_TOTAL] = (uint64_t)80 << 30,
                                  [KRS_PROCESS_GPUS] = 1,
                                  [KRS_PROCESS_MODELS] = is("names") ? 1 : models,
                                  [KRS_PROCESS_AGE] = 7,
                                  [KRS_PROCESS_THREADS] = 4},
                       .text = "",
                       .length = 0};
    if (is("count"))
        frame.values[KRS_PROCESS_MODELS]++;
    if (is("why")) {
        frame.text = "Keras is not loaded";
        frame.length = strlen(frame.text);
    }
    send_frame(client, &frame, -1);
}

/* Text and JSON that say what was asked. */
static void answer_rest(int client, const krs_frame *question) {
    char text[4096], json[4096];
    const int texts = snprintf(
        text, sizeof text,
        "verb %" PRIu64 " flags %" PRIu64 " held %" PRIu64 " model %.*s\n%s",
        question->values[KRS_QUESTION_VERB], question->values[KRS_QUESTION_FLAGS],
        question->values[KRS_QUESTION_HELD], (int)question->length, question->text,
        is("names") ? "\33[2J\tindented\n" : "");
    const int jsons =
        snprintf(json, sizeof json,
                 "{\"schema_version\": 1, \"pid\": %ld, \"verb\": %" PRIu64 "}\n",
                 (long)getpid(), question->values[KRS_QUESTION_VERB]);
    const int memfd = memfd_create("answer", MFD_CLOEXEC);
    dprintf(memfd, "%s%s", text, json);
    krs_frame frame = {
        .kind = KRS_FRAME_ANSWER,
        .values =
            {[KRS_ANSWER_TEXT] = (uint64_t)texts, [KRS_ANSWER_JSON] = (uint64_t)jsons},
        .text = ""};
    int descriptor = memfd;
    int ends[2] = {-1, -1};
    if (is("short"))
        frame.values[KRS_ANSWER_JSON]++;
    if (is("huge"))
        frame.values[KRS_ANSWER_TEXT] = UINT64_MAX - 10;
    if (is("pipe") && pipe(ends) == 0)
        descriptor = ends[0];
    if (is("file"))
        descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (is("refused") || is("absent") || is("failed")) {
        frame.values[KRS_ANSWER_OUTCOME] = is("refused")  ? KRS_OUTCOME_REFUSED
                                           : is("absent") ? KRS_OUTCOME_ABSENT
                                                          : KRS_OUTCOME_FAILED;
        frame.text = "the cause\33\nthe cure";
        frame.length = strlen(frame.text);
    }
    if (is("outcome"))
        frame.values[KRS_ANSWER_OUTCOME] = 17;
    send_frame(client, &frame, descriptor);
    close(memfd);
    close(ends[0]);
    close(ends[1]);
}

static void misbehave(int client) {
    if (is("exit"))
        _exit(0);
    if (is("stop"))
        raise(SIGSTOP);
    if (is("slow"))
        usleep((useconds_t)number * 1000);
    /* A child that keeps all files open, while the process that was asked is gone. */
    if (is("fork") && fork() == 0) {
        close(STDOUT_FILENO);
        sleep(20);
    }
    if (is("fork"))
        _exit(0);
    if (is("garbage"))
        send(client, "garbage", 7, MSG_NOSIGNAL);
}

static void serve(int client) {
    char bytes[KRS_FRAME_MOST];
    krs_frame question;
    int descriptor;
    poll(&(struct pollfd){.fd = client, .events = POLLIN}, 1, 1000);
    if (krs_frame_receive(client, bytes, &question, &descriptor) != KRS_OK ||
        is("silent"))
        return; /* and keeps the connection */
    misbehave(client);
    if (is("close"))
        ;
    else if (is("kind"))
        send_frame(client, &(krs_frame){.kind = KRS_FRAME_STATS, .text = ""}, -1);
    else if (question.values[KRS_QUESTION_VERB] == KRS_VERB_TOP)
        answer_top(client);
    else
        answer_rest(client, &question);
    close(client);
}

int main(int count, char **arguments) {
    int listener;
    char path[KRS_PLACE_PATH];
    behaviour = count > 1 ? arguments[1] : "models";
    number = count > 2 ? strtoul(arguments[2], NULL, 10) : 0;
    const pid_t pid = is("pid") ? getppid() : getpid();
    if (krs_place_listen(pid, &listener, path) != KRS_OK) {
        perror("fake_listener");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    struct pollfd waiting[] = {{.fd = listener, .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
    for (;;) {
        int client;
        poll(waiting, 2, -1);
        if (waiting[1].revents)
            break;
        if (krs_socket_accept(listener, &client) == KRS_OK)
            serve(client);
    }
    krs_place_leave(path);
    return 0;
}
