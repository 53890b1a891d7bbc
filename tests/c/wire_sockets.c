/* Frames through real sockets: whole or not at all, with their descriptor or without,
 * and never a descriptor more. */
#define _GNU_SOURCE /* memfd_create */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topic.h"
#include "wire/protocol.h"

enum { OTHER_USER = 65534 };

static char bytes[KRS_FRAME_MOST];
static const krs_frame ask = {.kind = KRS_FRAME_ASK, .trial = 5};
static const krs_frame run = {.kind = KRS_FRAME_RUN, .trial = 6, .values = {7}};

static size_t count_descriptors(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

typedef struct {
    int ends[2];
    size_t descriptors; /* open, with the ends */
} pair;

static int make_pair(void **state) {
    static pair p;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p.ends), 0);
    p.descriptors = count_descriptors();
    *state = &p;
    return 0;
}

/* Nothing stays open that a test did not close. */
static int close_pair(void **state) {
    const pair *p = *state;
    const size_t descriptors = count_descriptors();
    close(p->ends[0]);
    close(p->ends[1]);
    assert_true(descriptors <= p->descriptors);
    return 0;
}

static void assert_received(int socket, const krs_frame *expected, int *descriptor) {
    krs_frame frame;
    assert_int_equal(krs_frame_receive(socket, bytes, &frame, descriptor), KRS_OK);
    assert_int_equal(frame.kind, expected->kind);
    assert_int_equal(frame.trial, expected->trial);
    assert_int_equal(frame.values[0], expected->values[0]);
    assert_int_equal(frame.length, expected->length);
    if (frame.length > 0)
        assert_memory_equal(frame.text, expected->text, frame.length);
}

static void assert_not_received(int socket, krs_status status, int error) {
    krs_frame frame, untouched;
    int descriptor = -7;
    memset(&frame, 0x5A, sizeof frame);
    memset(&untouched, 0x5A, sizeof untouched);
    errno = -1;
    assert_int_equal(krs_frame_receive(socket, bytes, &frame, &descriptor), status);
    if (status == KRS_SYSTEM)
        assert_int_equal(errno, error);
    assert_int_equal(descriptor, -7);
    assert_memory_equal(&frame, &untouched, sizeof frame);
}

static void frames_arrive_one_by_one_up_to_the_longest(void **state) {
    static char text[KRS_FRAME_TEXT];
    const pair *p = *state;
    int descriptor;
    memset(text, 'x', sizeof text);
    const krs_frame output = {.kind = KRS_FRAME_OUTPUT,
                              .trial = 3,
                              .values = {1},
                              .text = text,
                              .length = sizeof text};
    assert_int_equal(krs_frame_send(p->ends[0], &ask, -1), KRS_OK);
    assert_int_equal(krs_frame_send(p->ends[0], &output, -1), KRS_OK);
    assert_received(p->ends[1], &ask, &descriptor);
    assert_int_equal(descriptor, -1);
    assert_received(p->ends[1], &output, &descriptor);
    assert_int_equal(descriptor, -1);
}

static void a_descriptor_arrives_as_the_same_file_and_is_not_inherited(void **state) {
    const pair *p = *state;
    struct stat sent, received;
    const int file = memfd_create("sent", 0);
    int descriptor;
    assert_true(file >= 0);
    assert_int_equal(krs_frame_send(p->ends[0], &run, file), KRS_OK);
    assert_received(p->ends[1], &run, &descriptor);
    assert_int_not_equal(descriptor, file);
    assert_int_equal(fstat(file, &sent), 0);
    assert_int_equal(fstat(descriptor, &received), 0);
    assert_int_equal(sent.st_ino, received.st_ino);
    assert_int_equal(sent.st_dev, received.st_dev);
    assert_int_equal(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    close(descriptor);
    close(file); /* is still ours to close */
}

/* A message of these bytes with `count` times the descriptor `file`. */
static void send_raw(int socket, const void *message, size_t length, int file,
                     size_t count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *one = CMSG_FIRSTHDR(&header);
        one->cmsg_level = SOL_SOCKET;
        one->cmsg_type = SCM_RIGHTS;
        one->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(one) + i * sizeof(int), &file, sizeof file);
    }
    assert_int_equal(sendmsg(socket, &header, 0), length);
}

static void descriptors_too_many_or_with_the_wrong_frame_are_closed(void **state) {
    static const size_t counts[] = {2, 3, 8, 9, 64};
    const pair *p = *state;
    char with[KRS_FRAME_MOST], without[KRS_FRAME_MOST];
    const size_t length = krs_frame_encode(&run, with);
    for (size_t i = 0; i < LENGTH_OF(counts); i++) {
        send_raw(p->ends[0], with, length, p->ends[0], counts[i]);
        assert_not_received(p->ends[1], KRS_FORMAT, 0);
        assert_int_equal(count_descriptors(), p->descriptors);
    }
    send_raw(p->ends[0], without, krs_frame_encode(&ask, without), p->ends[0], 1);
    assert_not_received(p->ends[1], KRS_FORMAT, 0);
    send_raw(p->ends[0], with, length, -1, 0);
    assert_not_received(p->ends[1], KRS_FORMAT, 0);
    send_raw(p->ends[0], "garbage", 7, p->ends[0], 1);
    assert_not_received(p->ends[1], KRS_FORMAT, 0);
    assert_int_equal(count_descriptors(), p->descriptors);
}

static void a_message_longer_than_any_frame_is_refused_and_the_next_one_read(void **s) {
    static char longer[KRS_FRAME_MOST + 1], text[KRS_FRAME_TEXT];
    const pair *p = *s;
    int descriptor;
    const krs_frame output = {
        .kind = KRS_FRAME_OUTPUT, .values = {1}, .text = text, .length = sizeof text};
    const size_t length = krs_frame_encode(&output, longer);
    assert_true(length < sizeof longer);
    send_raw(p->ends[0], longer, sizeof longer, -1, 0);
    assert_not_received(p->ends[1], KRS_FORMAT, 0);
    assert_int_equal(krs_frame_send(p->ends[0], &ask, -1), KRS_OK);
    assert_received(p->ends[1], &ask, &descriptor);
}

static void an_empty_message_reads_as_the_end_but_not_with_a_descriptor(void **state) {
    const pair *p = *state;
    send_raw(p->ends[0], "", 0, -1, 0);
    assert_not_received(p->ends[1], KRS_SYSTEM, 0);
    send_raw(p->ends[0], "", 0, p->ends[0], 1);
    assert_not_received(p->ends[1], KRS_FORMAT, 0);
    assert_int_equal(count_descriptors(), p->descriptors);
}

static void the_end_comes_after_everything_that_was_sent(void **state) {
    pair *p = *state;
    int descriptor;
    assert_int_equal(krs_frame_send(p->ends[0], &ask, -1), KRS_OK);
    assert_int_equal(krs_frame_send(p->ends[1], &ask, -1), KRS_OK); /* never read */
    close(p->ends[0]); /* which resets the connection */
    p->ends[0] = -1;
    assert_received(p->ends[1], &ask, &descriptor);
    assert_not_received(p->ends[1], KRS_SYSTEM, 0);
    assert_not_received(p->ends[1], KRS_SYSTEM, 0);
}

static void where_nobody_waits_it_says_so(void **state) {
    const pair *p = *state;
    int sent = 0, descriptor;
    krs_status status;
    assert_int_equal(fcntl(p->ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(p->ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_not_received(p->ends[1], KRS_SYSTEM, EAGAIN);
    while ((status = krs_frame_send(p->ends[0], &run, p->ends[0])) == KRS_OK)
        sent++;
    assert_int_equal(status, KRS_SYSTEM);
    assert_int_equal(errno, EAGAIN);
    assert_true(sent > 10);
    for (; sent > 0; sent--) {
        assert_received(p->ends[1], &run, &descriptor);
        close(descriptor);
    }
    assert_not_received(p->ends[1], KRS_SYSTEM, EAGAIN);
}

static void to_nobody_is_an_error_and_no_signal(void **state) {
    pair *p = *state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    close(p->ends[1]);
    p->ends[1] = -1;
    assert_int_equal(krs_frame_send(p->ends[0], &ask, -1), KRS_SYSTEM);
    assert_int_equal(errno, EPIPE);
}

static void what_is_no_frame_is_not_sent(void **state) {
    const pair *p = *state;
    krs_frame bad = ask;
    bad.length = 1;
    bad.text = "x";
    assert_int_equal(krs_frame_send(p->ends[0], &bad, -1), KRS_INVALID);
    bad = (krs_frame){.kind = (krs_frame_kind)77};
    assert_int_equal(krs_frame_send(p->ends[0], &bad, -1), KRS_INVALID);
    /* With a descriptor and its kind has none; without, and it has. */
    assert_int_equal(krs_frame_send(p->ends[0], &ask, p->ends[0]), KRS_INVALID);
    assert_int_equal(krs_frame_send(p->ends[0], &run, -1), KRS_INVALID);
    assert_int_equal(fcntl(p->ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_not_received(p->ends[1], KRS_SYSTEM, EAGAIN);
}

static void a_connection_through_a_name_that_no_file_has(void **state) {
    (void)state;
    krs_address address, second;
    int listener, other, here, there, descriptor;
    assert_int_equal(krs_socket_listen(&listener, &address), KRS_OK);
    assert_int_equal(krs_socket_listen(&other, &second), KRS_OK);
    assert_int_equal(address.bytes[0], '\0');
    assert_true(address.length > 1 && address.length <= sizeof address.bytes);
    assert_true(address.length != second.length ||
                memcmp(address.bytes, second.bytes, address.length) != 0);
    assert_int_equal(krs_socket_accept(listener, &there), KRS_SYSTEM);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(krs_socket_connect(&address, &here), KRS_OK);
    assert_int_equal(krs_socket_accept(listener, &there), KRS_OK);
    assert_int_equal(fcntl(there, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(here, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(listener, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(there, F_GETFL) & O_NONBLOCK);
    assert_int_equal(krs_frame_send(here, &ask, -1), KRS_OK);
    assert_received(there, &ask, &descriptor);
    assert_int_equal(krs_frame_send(there, &run, listener), KRS_OK);
    assert_received(here, &run, &descriptor);
    close(descriptor);
    close(here);
    assert_not_received(there, KRS_SYSTEM, 0);
    close(there);
    close(listener);
    assert_int_equal(krs_socket_connect(&second, &here), KRS_OK);
    close(here);
    close(other);
    descriptor = here = -7;
    assert_int_equal(krs_socket_connect(&address, &here), KRS_SYSTEM);
    assert_int_equal(errno, ECONNREFUSED);
    address.length = 0;
    assert_int_equal(krs_socket_connect(&address, &here), KRS_INVALID);
    address.length = sizeof address.bytes + 1;
    assert_int_equal(krs_socket_connect(&address, &here), KRS_INVALID);
    assert_int_equal(here, -7);
}

/* As another user; its exit status says whether the connection was ended. */
static pid_t connect_as_another(const krs_address *address) {
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    int socket, descriptor;
    krs_frame frame;
    if (setuid(OTHER_USER) != 0)
        _exit(2);
    if (krs_socket_connect(address, &socket) != KRS_OK)
        _exit(3);
    const krs_status status = krs_frame_receive(socket, bytes, &frame, &descriptor);
    _exit(status == KRS_SYSTEM && errno == 0 ? 0 : 4);
}

static void another_user_is_refused_and_closed(void **state) {
    (void)state;
    krs_address address;
    int listener, there = -7, status;
    if (geteuid() != 0) {
        print_message("another_user_is_refused_and_closed: only root can be another\n");
        skip();
    }
    assert_int_equal(krs_socket_listen(&listener, &address), KRS_OK);
    const size_t descriptors = count_descriptors();
    const pid_t pid = connect_as_another(&address);
    assert_true(pid > 0);
    krs_status accepted;
    do /* it may not have come yet */
        accepted = krs_socket_accept(listener, &there);
    while (accepted == KRS_SYSTEM && errno == EAGAIN &&
           waitpid(pid, &status, WNOHANG) == 0);
    assert_int_equal(accepted, KRS_INVALID);
    assert_int_equal(there, -7);
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(listener);
}

int main(void) {
#define PAIRED(test) cmocka_unit_test_setup_teardown(test, make_pair, close_pair)
    const struct CMUnitTest tests[] = {
        PAIRED(frames_arrive_one_by_one_up_to_the_longest),
        PAIRED(a_descriptor_arrives_as_the_same_file_and_is_not_inherited),
        PAIRED(descriptors_too_many_or_with_the_wrong_frame_are_closed),
        PAIRED(a_message_longer_than_any_frame_is_refused_and_the_next_one_read),
        PAIRED(an_empty_message_reads_as_the_end_but_not_with_a_descriptor),
        PAIRED(the_end_comes_after_everything_that_was_sent),
        PAIRED(where_nobody_waits_it_says_so),
        PAIRED(to_nobody_is_an_error_and_no_signal),
        PAIRED(what_is_no_frame_is_not_sent),
        PAIRED(a_connection_through_a_name_that_no_file_has),
        cmocka_unit_test(another_user_is_refused_and_closed),
    };
    return cmocka_run_group_tests_name("wire_sockets", tests, NULL, NULL);
}
