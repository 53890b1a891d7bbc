#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "facts.h"

enum { LOOK_AGAIN = 200 /* ms */, ENDING = 20 /* looks of 5 ms */ };

uint64_t krs_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

krs_frame krs_question_of(krs_verb verb, const char *model) {
    return (krs_frame){.kind = KRS_FRAME_QUESTION,
                       .values = {[KRS_QUESTION_VERB] = verb},
                       .text = model,
                       .length = model != NULL ? strlen(model) : 0};
}

static krs_trouble of_state(char state) {
    if (state == 'Z' || state == 'X')
        return KRS_TROUBLE_ZOMBIE;
    return state == 'T' || state == 't' ? KRS_TROUBLE_STOPPED : KRS_TROUBLE_NONE;
}

static krs_trouble look_first(pid_t pid, char detail[KRS_DETAIL]) {
    krs_facts facts;
    if (!krs_facts_read(pid, &facts))
        return KRS_TROUBLE_ABSENT;
    if (facts.user == geteuid())
        return of_state(facts.state);
    const struct passwd *user = facts.user == (uid_t)-1 ? NULL : getpwuid(facts.user);
    if (user != NULL)
        snprintf(detail, KRS_DETAIL, "%s", user->pw_name);
    return KRS_TROUBLE_FOREIGN;
}

krs_trouble krs_ask_look(pid_t pid) {
    krs_facts facts;
    if (!krs_facts_read(pid, &facts))
        return KRS_TROUBLE_ENDED;
    const krs_trouble trouble = of_state(facts.state);
    return trouble == KRS_TROUBLE_ZOMBIE ? KRS_TROUBLE_ENDED : trouble;
}

/* What an end without an answer means: a process closes its files a little before it is
 * gone. */
static krs_trouble look_after(pid_t pid) {
    const struct timespec little = {.tv_nsec = 5000000};
    for (int i = 0; i < ENDING; i++) {
        if (krs_ask_look(pid) == KRS_TROUBLE_ENDED)
            return KRS_TROUBLE_ENDED;
        nanosleep(&little, NULL);
    }
    return KRS_TROUBLE_CLOSED;
}

static krs_trouble of_errno(pid_t pid, char detail[KRS_DETAIL]) {
    switch (errno) {
    case ENOENT:
        return KRS_TROUBLE_MUTE;
    case EPERM:
        return KRS_TROUBLE_OTHER;
    case EAGAIN: /* more than it takes in are in its queue */
        return KRS_TROUBLE_BUSY;
    case EPROTOTYPE: /* another kind of socket */
        return KRS_TROUBLE_VERSION;
    case 0:
    case EPIPE:
    case ECONNRESET:
        return look_after(pid);
    }
    snprintf(detail, KRS_DETAIL, "%s", strerror(errno));
    return KRS_TROUBLE_SYSTEM;
}

krs_trouble krs_ask_begin(pid_t pid, const krs_frame *question, int *made,
                          char detail[KRS_DETAIL]) {
    int connected;
    *detail = '\0';
    const krs_trouble trouble = look_first(pid, detail);
    if (trouble != KRS_TROUBLE_NONE)
        return trouble;
    if (krs_place_connect(pid, &connected) != KRS_OK)
        return of_errno(pid, detail);
    if (krs_frame_send(connected, question, -1) != KRS_OK) {
        const int error = errno;
        close(connected);
        errno = error;
        return of_errno(pid, detail);
    }
    *made = connected;
    return KRS_TROUBLE_NONE;
}

krs_trouble krs_ask_receive(pid_t pid, int socket, void *bytes, krs_frame *frame,
                            int *descriptor, int *got, char detail[KRS_DETAIL]) {
    *got = 0;
    const krs_status status = krs_frame_receive(socket, bytes, frame, descriptor);
    if (status == KRS_OK)
        *got = 1;
    else if (status != KRS_SYSTEM)
        return KRS_TROUBLE_VERSION;
    else if (errno != EAGAIN)
        return of_errno(pid, detail);
    return KRS_TROUBLE_NONE;
}

krs_trouble krs_ask_take(pid_t pid, int socket, krs_verdict *verdict, int *got,
                         char detail[KRS_DETAIL]) {
    char bytes[KRS_FRAME_MOST];
    krs_frame frame;
    int descriptor;
    krs_trouble trouble =
        krs_ask_receive(pid, socket, bytes, &frame, &descriptor, got, detail);
    if (trouble != KRS_TROUBLE_NONE || !*got)
        return trouble;
    trouble = krs_verdict_take(verdict, &frame, descriptor);
    if (descriptor >= 0)
        close(descriptor);
    return trouble;
}

static krs_trouble wait_for_answer(pid_t pid, int socket, uint64_t deadline,
                                   krs_verdict *verdict, char detail[KRS_DETAIL]) {
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    for (;;) {
        const uint64_t now = krs_now();
        const uint64_t left = now < deadline ? (deadline - now) / 1000000 + 1 : 0;
        const int ready = poll(&waiting, 1, left < LOOK_AGAIN ? (int)left : LOOK_AGAIN);
        int got = 0;
        krs_trouble trouble = KRS_TROUBLE_NONE;
        if (ready > 0)
            trouble = krs_ask_take(pid, socket, verdict, &got, detail);
        else if (ready == 0)
            trouble = krs_ask_look(pid);
        if (trouble != KRS_TROUBLE_NONE || got)
            return trouble;
        if (left == 0)
            return KRS_TROUBLE_BUSY;
    }
}

krs_trouble krs_ask(pid_t pid, const krs_frame *question, uint64_t wait,
                    krs_verdict *verdict, char detail[KRS_DETAIL]) {
    int made;
    krs_trouble trouble = krs_ask_begin(pid, question, &made, detail);
    if (trouble != KRS_TROUBLE_NONE)
        return trouble;
    trouble = wait_for_answer(pid, made, krs_now() + wait, verdict, detail);
    close(made);
    return trouble;
}
