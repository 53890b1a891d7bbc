/* Frames over Unix sockets, descriptors beside them (unix(7)), and who may connect. */
#define _GNU_SOURCE /* accept4, struct ucred */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/protocol.h"

/* Room for more descriptors than any frame has, so that too many are seen and closed
 * and not cut off by the kernel. */
enum { DESCRIPTORS = 8, BACKLOG = 64 };

typedef union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
} control;

krs_status krs_frame_send(int socket, const krs_frame *frame, int descriptor) {
    char bytes[KRS_FRAME_MOST];
    control ancillary;
    struct iovec part = {.iov_base = bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    part.iov_len = krs_frame_encode(frame, bytes);
    if (part.iov_len == 0 ||
        krs_frame_descriptors(frame->kind) != (size_t)(descriptor >= 0))
        return KRS_INVALID;
    if (descriptor >= 0) {
        memset(&ancillary, 0, sizeof ancillary);
        message.msg_control = ancillary.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *one = CMSG_FIRSTHDR(&message);
        one->cmsg_level = SOL_SOCKET;
        one->cmsg_type = SCM_RIGHTS;
        one->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(one), &descriptor, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? KRS_SYSTEM : KRS_OK;
}

/* The descriptors that came with a message; how many. */
static size_t take_descriptors(struct msghdr *message, int *taken) {
    size_t count = 0;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one != NULL;
         one = CMSG_NXTHDR(message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t here = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && count < DESCRIPTORS; i++)
            memcpy(&taken[count++], CMSG_DATA(one) + i * sizeof(int), sizeof(int));
    }
    return count;
}

krs_status krs_frame_receive(int socket, void *bytes, krs_frame *frame,
                             int *descriptor) {
    control ancillary;
    struct iovec part = {.iov_base = bytes, .iov_len = KRS_FRAME_MOST};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.bytes,
                             .msg_controllen = sizeof ancillary.bytes};
    /* A peer that closed with something unread resets the connection, said once, before
     * what it had sent by then. */
    ssize_t got;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0)
        return KRS_SYSTEM;
    int taken[DESCRIPTORS];
    const size_t count = take_descriptors(&message, taken);
    krs_status status = KRS_FORMAT;
    if (got == 0 && count == 0)
        status = KRS_SYSTEM;
    else if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        status = krs_frame_decode(bytes, (size_t)got, count, frame);
    for (size_t i = 0; status != KRS_OK && i < count; i++)
        close(taken[i]);
    if (status == KRS_OK)
        *descriptor = count == 0 ? -1 : taken[0];
    else if (status == KRS_SYSTEM)
        errno = 0;
    return status;
}

/* Keeps errno, of what went wrong before. */
static krs_status close_and_fail(int socket) {
    const int error = errno;
    close(socket);
    errno = error;
    return KRS_SYSTEM;
}

krs_status krs_socket_listen(int *listener, krs_address *address) {
    const int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return KRS_SYSTEM;
    /* A name of the family alone asks for one that nobody has. */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof name;
    if (bind(made, (struct sockaddr *)&name, sizeof name.sun_family) < 0 ||
        listen(made, BACKLOG) < 0 ||
        getsockname(made, (struct sockaddr *)&name, &length) < 0)
        return close_and_fail(made);
    address->length = length - offsetof(struct sockaddr_un, sun_path);
    memcpy(address->bytes, name.sun_path, address->length);
    *listener = made;
    return KRS_OK;
}

krs_status krs_socket_connect(const krs_address *address, int *connected) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (address->length == 0 || address->length > sizeof name.sun_path)
        return KRS_INVALID;
    const int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (made < 0)
        return KRS_SYSTEM;
    memcpy(name.sun_path, address->bytes, address->length);
    const size_t length = offsetof(struct sockaddr_un, sun_path) + address->length;
    int failed;
    do
        failed = connect(made, (struct sockaddr *)&name, (socklen_t)length);
    while (failed < 0 && errno == EINTR);
    if (failed < 0)
        return close_and_fail(made);
    *connected = made;
    return KRS_OK;
}

krs_status krs_socket_accept(int listener, int *accepted) {
    int made;
    do
        made = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (made < 0 && errno == EINTR);
    if (made < 0)
        return KRS_SYSTEM;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(made, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return close_and_fail(made);
    if (peer.uid != geteuid()) {
        close(made);
        return KRS_INVALID;
    }
    *accepted = made;
    return KRS_OK;
}
