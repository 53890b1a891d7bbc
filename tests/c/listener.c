/* A process that listens: questions are answered one by one, whatever else comes harms
 * nobody, and nothing is left when it stops. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topic.h"
#include "wire/protocol.h"

enum { OTHER_USER = 65534, SOON = 10000 /* ms */, MORE_THAN_FIT = 24 };

static char folder[] = "/tmp/keraser-test-XXXXXX";
static char bytes[KRS_FRAME_MOST];

/* What the thread that answers saw of the last question, and what it is to do. */
static struct {
    atomic_int questions;
    unsigned verb;
    uint64_t flags, held;
    char model[64];
    sigset_t blocked;
    char thread[16];
    atomic_int wait, waiting; /* until `wait` is 0 again */
    size_t frames;            /* to send in answer */
    atomic_int failed;        /* sends that did, with errno */
} seen;

static void answer(void *context, int socket, const krs_listener_question *question) {
    assert_ptr_equal(context, &seen);
    seen.verb = question->verb;
    seen.flags = question->flags;
    seen.held = question->held;
    snprintf(seen.model, sizeof seen.model, "%.*s", (int)question->length,
             question->model);
    pthread_sigmask(SIG_BLOCK, NULL, &seen.blocked);
    pthread_getname_np(pthread_self(), seen.thread, sizeof seen.thread);
    seen.waiting = 1;
    while (seen.wait)
        usleep(1000);
    const krs_frame row = {
        .kind = KRS_FRAME_MODEL, .values = {7}, .text = "n\0c", .length = 3};
    for (size_t i = 0; i < seen.frames && !seen.failed; i++)
        if (krs_frame_send(socket, &row, -1) != KRS_OK)
            seen.failed = errno;
    seen.questions++;
}

static size_t count_entries(const char *path) {
    size_t count = 0;
    DIR *entries = opendir(path);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

static size_t descriptors;

static int start(void **state) {
    memset(&seen, 0, sizeof seen);
    seen.frames = 1;
    descriptors = count_entries("/proc/self/fd");
    krs_listener *listener;
    assert_int_equal(krs_listener_start(answer, &seen, &listener), KRS_OK);
    *state = listener;
    return 0;
}

/* It leaves no socket, no descriptor and no thread. */
static int stop(void **state) {
    char socket[128];
    snprintf(socket, sizeof socket, "%s", krs_listener_path(*state));
    krs_listener_stop(*state);
    assert_int_equal(access(socket, F_OK), -1);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(count_entries("/proc/self/task"), 1);
    return 0;
}

static int join(void) {
    int socket;
    assert_int_equal(krs_place_connect(getpid(), &socket), KRS_OK);
    return socket;
}

static void send_question(int socket, const char *model) {
    const krs_frame question = {.kind = KRS_FRAME_QUESTION,
                                .values = {KRS_VERB_WHY, KRS_FLAG_ALL, KRS_HELD_KEEP},
                                .text = model,
                                .length = strlen(model)};
    assert_int_equal(krs_frame_send(socket, &question, -1), KRS_OK);
}

static int has_come(int socket, int patience) {
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    return poll(&waiting, 1, patience);
}

static void assert_end(int socket) {
    krs_frame frame;
    int descriptor;
    assert_int_equal(has_come(socket, SOON), 1);
    assert_int_equal(krs_frame_receive(socket, bytes, &frame, &descriptor), KRS_SYSTEM);
    close(socket);
}

static void assert_answered(int socket) {
    krs_frame frame;
    int descriptor;
    assert_int_equal(has_come(socket, SOON), 1);
    assert_int_equal(krs_frame_receive(socket, bytes, &frame, &descriptor), KRS_OK);
    assert_int_equal(frame.kind, KRS_FRAME_MODEL);
    assert_int_equal(frame.values[0], 7);
    assert_end(socket); /* one question, one connection */
}

static void ask(const char *model) {
    const int socket = join();
    send_question(socket, model);
    assert_answered(socket);
}

static void a_question_arrives_whole_and_its_answer_goes_back(void **state) {
    (void)state;
    ask("a model");
    assert_int_equal(seen.verb, KRS_VERB_WHY);
    assert_int_equal(seen.flags, KRS_FLAG_ALL);
    assert_int_equal(seen.held, KRS_HELD_KEEP);
    assert_string_equal(seen.model, "a model");
    assert_string_equal(seen.thread, "keraser-listen");
    ask("");
    assert_string_equal(seen.model, "");
}

static void signals_are_for_other_threads(void **state) {
    (void)state;
    ask("x");
    for (int signal = 1; signal < SIGSYS + 1; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            assert_int_equal(sigismember(&seen.blocked, signal), 1);
    sigset_t ours;
    pthread_sigmask(SIG_BLOCK, NULL, &ours);
    assert_int_equal(sigismember(&ours, SIGINT), 0);
}

static void its_socket_is_this_users_alone(void **state) {
    struct stat place;
    char path[128];
    assert_int_equal(stat(krs_listener_path(*state), &place), 0);
    assert_true(S_ISSOCK(place.st_mode));
    snprintf(path, sizeof path, "%s/keraser", folder);
    assert_int_equal(stat(path, &place), 0);
    assert_int_equal(place.st_mode & 0777, 0700);
    assert_int_equal(count_entries(path), 1);
}

static void what_is_no_question_ends_its_connection_and_no_other(void **state) {
    (void)state;
    const krs_frame other = {.kind = KRS_FRAME_ASK};
    const int patient = join(), wrong = join(), garbage = join(), silent = join();
    assert_int_equal(krs_frame_send(wrong, &other, -1), KRS_OK);
    assert_int_equal(send(garbage, "garbage", 7, 0), 7);
    close(silent);
    assert_end(wrong);
    assert_end(garbage);
    send_question(patient, "still here");
    assert_answered(patient);
    assert_int_equal(seen.questions, 1);
}

static void an_answer_in_progress_is_waited_for_by_others_and_by_the_end(void **state) {
    (void)state;
    seen.wait = 1;
    const int first = join();
    send_question(first, "first");
    while (!seen.waiting)
        usleep(1000);
    const int second = join();
    send_question(second, "second");
    assert_int_equal(has_come(second, 50), 0);
    seen.wait = 0;
    assert_answered(first);
    assert_answered(second);
    assert_string_equal(seen.model, "second");
}

static void clients_beyond_those_that_fit_are_turned_away(void **state) {
    (void)state;
    int sockets[MORE_THAN_FIT], refused = 0;
    for (int i = 0; i < MORE_THAN_FIT; i++) {
        sockets[i] = join();
        usleep(10000); /* so that each is taken in before the next */
    }
    for (int i = 0; i < MORE_THAN_FIT; i++)
        refused += has_come(sockets[i], 0);
    assert_int_equal(refused, MORE_THAN_FIT - 16);
    send_question(sockets[3], "one of them");
    assert_answered(sockets[3]);
    for (int i = 0; i < MORE_THAN_FIT; i++)
        if (i != 3)
            close(sockets[i]);
    ask("room again");
}

static void who_does_not_ask_goes_after_a_while(void **state) {
    (void)state;
    const int silent = join();
    assert_int_equal(has_come(silent, 1000), 0);
    assert_end(silent);
}

static void who_does_not_read_is_waited_for_two_seconds(void **state) {
    (void)state;
    seen.frames = 100000;
    const int deaf = join();
    send_question(deaf, "deaf");
    while (seen.questions == 0)
        usleep(10000);
    assert_int_equal(seen.failed, EAGAIN);
    close(deaf);
    seen.frames = 1;
    seen.failed = 0;
    ask("next");
}

static void who_has_gone_is_no_signal(void **state) {
    (void)state;
    seen.wait = 1;
    const int gone = join();
    send_question(gone, "gone");
    while (!seen.waiting)
        usleep(1000);
    close(gone);
    seen.wait = 0;
    while (seen.questions == 0)
        usleep(1000);
    assert_int_equal(seen.failed, EPIPE);
    seen.failed = 0;
    ask("next");
}

static void what_nobody_waits_for_any_more_is_not_done(void **state) {
    (void)state;
    seen.wait = 1;
    const int first = join(), gone = join();
    send_question(first, "first");
    while (!seen.waiting)
        usleep(1000);
    send_question(gone, "gone");
    close(gone);
    seen.wait = 0;
    assert_answered(first);
    ask("last");
    assert_int_equal(seen.questions, 2);
    assert_string_equal(seen.model, "last");
}

static void another_user_is_turned_away(void **state) {
    if (geteuid() != 0) {
        print_message("needs root: not run\n");
        skip();
    }
    const char *path = krs_listener_path(*state);
    char parent[128];
    snprintf(parent, sizeof parent, "%s/keraser", folder);
    chmod(folder, 0755); /* or it would not even find the socket */
    chmod(parent, 0755);
    chmod(path, 0777);
    const pid_t other = fork();
    if (other == 0) {
        const int made = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        struct sockaddr name = {.sa_family = AF_UNIX};
        char room[sizeof name + 128] = {0};
        memcpy(room, &name, sizeof name);
        strcpy(room + sizeof name.sa_family, path);
        if (setuid(OTHER_USER) != 0 ||
            connect(made, (struct sockaddr *)room,
                    (socklen_t)(sizeof name.sa_family + strlen(path) + 1)) != 0)
            _exit(1);
        char one;
        _exit(recv(made, &one, 1, 0) == 0 ? 0 : 2); /* closed at once */
    }
    int status;
    waitpid(other, &status, 0);
    chmod(parent, 0700);
    assert_int_equal(status, 0);
    assert_int_equal(seen.questions, 0);
    ask("ours");
}

/* A child has its parent's listener in memory, but not its thread. */
static void a_forked_child_stops_what_is_not_its_own(void **state) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(10);
        krs_listener_stop(*state);
        krs_listener *own;
        if (count_entries("/proc/self/fd") != descriptors ||
            krs_listener_start(answer, &seen, &own) != KRS_OK)
            _exit(1);
        krs_listener_stop(own);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    ask("still the parent's");
}

static void a_socket_that_nobody_listens_on_is_removed(void **state) {
    char path[128];
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        krs_listener *own;
        krs_listener_start(answer, &seen, &own);
        _exit(0); /* without stopping it */
    }
    waitpid(child, NULL, 0);
    snprintf(path, sizeof path, "%s/keraser/%ld", folder, (long)child);
    assert_int_equal(access(path, F_OK), 0);
    krs_listener *next;
    krs_listener_stop(*state);
    assert_int_equal(krs_listener_start(answer, &seen, &next), KRS_OK);
    *state = next;
    assert_int_equal(access(path, F_OK), -1);
    ask("the living one stays");
}

static void where_there_is_no_place_it_does_not_start(void **state) {
    (void)state;
    char other[128];
    krs_listener *const untouched = (krs_listener *)&seen;
    krs_listener *listener = untouched;
    snprintf(other, sizeof other, "%s/keraser", folder);
    chmod(other, 0777); /* anybody may put something there */
    char path[KRS_PLACE_PATH] = "untouched";
    errno = 0;
    assert_int_equal(krs_place_folder(0, 1, path), KRS_SYSTEM);
    assert_int_equal(errno, EPERM);
    assert_string_equal(path, "untouched");
    const krs_status status = krs_listener_start(answer, &seen, &listener);
    if (status == KRS_OK) { /* in a place that this user has beside */
        assert_true(strncmp(krs_listener_path(listener), folder, strlen(folder)) != 0);
        krs_listener_stop(listener);
    } else
        assert_ptr_equal(listener, untouched);
    chmod(other, 0700);
}

static int make_folder(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    return setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int remove_folder(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/keraser", folder);
    return rmdir(path) != 0 || rmdir(folder) != 0;
}

#define LISTENING(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        LISTENING(a_question_arrives_whole_and_its_answer_goes_back),
        LISTENING(signals_are_for_other_threads),
        LISTENING(its_socket_is_this_users_alone),
        LISTENING(what_is_no_question_ends_its_connection_and_no_other),
        LISTENING(an_answer_in_progress_is_waited_for_by_others_and_by_the_end),
        LISTENING(clients_beyond_those_that_fit_are_turned_away),
        LISTENING(who_does_not_ask_goes_after_a_while),
        LISTENING(who_does_not_read_is_waited_for_two_seconds),
        LISTENING(who_has_gone_is_no_signal),
        LISTENING(what_nobody_waits_for_any_more_is_not_done),
        LISTENING(another_user_is_turned_away),
        LISTENING(a_forked_child_stops_what_is_not_its_own),
        LISTENING(a_socket_that_nobody_listens_on_is_removed),
        cmocka_unit_test(where_there_is_no_place_it_does_not_start),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
