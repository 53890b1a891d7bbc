#define _GNU_SOURCE /* memfd_create */
#include "fake_worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    int channel;
    fake_board *board;
    const volatile unsigned char *inherited;
    uint64_t trial;
    uint64_t written[3]; /* by stream */
} worker;

static void must(bool holds) {
    if (!holds)
        _exit(99);
}

void fake_note(fake_board *board, pid_t pid) {
    const int at = atomic_fetch_add(&board->noted, 1);
    if (at < FAKE_NOTED)
        board->pids[at] = pid;
}

int fake_send_any(int socket, const krs_frame *frame, int descriptor) {
    static char bytes[KRS_FRAME_MOST];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = bytes, .iov_len = krs_frame_encode(frame, bytes)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *one = CMSG_FIRSTHDR(&message);
        one->cmsg_level = SOL_SOCKET;
        one->cmsg_type = SCM_RIGHTS;
        one->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(one), &descriptor, sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static void rest(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

_Noreturn static void sleep_for_ever(void) {
    while (true)
        pause();
}

static void answer(const worker *w, const uint64_t *words, size_t count, bool failed) {
    krs_frame done = {.kind = KRS_FRAME_DONE, .trial = w->trial};
    const int file = memfd_create("result", MFD_CLOEXEC);
    must(file >= 0 && write(file, words, count * sizeof *words) > 0);
    done.values[KRS_DONE_FAILED] = failed;
    must(krs_frame_send(w->channel, &done, file) == KRS_OK);
    close(file);
}

/* Descriptors of this process but the one that lists them. */
static void list(const worker *w) {
    uint64_t words[2] = {0, 0};
    DIR *folder = opendir("/proc/self/fd");
    must(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(folder))
            continue;
        words[0]++;
        words[1] += (uint64_t)atoi(entry->d_name);
    }
    closedir(folder);
    words[1] -= (uint64_t)w->channel; /* leaves 0 + 1 + 2 */
    for (int fd = 0; fd <= 2; fd++)   /* are for programs that it starts as well */
        words[0] += fcntl(fd, F_GETFD) == 0 ? 0 : 100;
    answer(w, words, 2, false);
}

static void hog(uint64_t bytes) {
    enum { AT_ONCE = 1 << 20 };
    char *made =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(made != MAP_FAILED);
    for (uint64_t at = 0; at < bytes; at += AT_ONCE)
        memset(made + at, 1, bytes - at < AT_ONCE ? bytes - at : AT_ONCE);
}

static void read_inherited(const volatile unsigned char *inherited, uint64_t bytes) {
    uint64_t sum = 0;
    for (uint64_t at = 0; at < bytes; at += 4096)
        sum += inherited[at];
    must(sum > 0);
}

static size_t fill(worker *w, uint64_t stream, unsigned char *text, uint64_t left) {
    size_t length = 1 + (size_t)(w->written[stream] * 7919 % 20000);
    if (length > left)
        length = (size_t)left;
    for (size_t i = 0; i < length; i++)
        text[i] = fake_byte(w->written[stream] + i);
    w->written[stream] += length;
    return length;
}

static void write_stream(worker *w, uint64_t stream, uint64_t bytes) {
    unsigned char text[KRS_FRAME_TEXT];
    while (bytes > 0) {
        const size_t length = fill(w, stream, text, bytes);
        bytes -= length;
        for (size_t at = 0; at < length;) {
            const ssize_t done = write((int)stream, text + at, length - at);
            if (done < 0 && errno == EINTR)
                continue;
            must(done > 0);
            at += (size_t)done;
        }
    }
}

static void send_frames(worker *w, uint64_t stream, uint64_t bytes) {
    unsigned char text[KRS_FRAME_TEXT];
    krs_frame output = {
        .kind = KRS_FRAME_OUTPUT, .trial = w->trial, .text = (char *)text};
    output.values[KRS_OUTPUT_STREAM] = stream;
    while (bytes > 0) {
        output.length = fill(w, stream, text, bytes);
        bytes -= output.length;
        must(krs_frame_send(w->channel, &output, -1) == KRS_OK);
    }
}

static void send_kind(const worker *w, uint64_t kind, uint64_t value) {
    krs_frame frame = {.kind = (krs_frame_kind)kind, .trial = w->trial};
    frame.values[0] = value;
    must(fake_send_any(w->channel, &frame, kind == KRS_FRAME_RUN ? STDIN_FILENO : -1) ==
         0);
}

static sigset_t only(uint64_t signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, (int)signal);
    return set;
}

static void block(uint64_t signal) {
    const sigset_t set = only(signal);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void await(uint64_t signal) {
    const sigset_t set = only(signal);
    int got;
    must(sigwait(&set, &got) == 0);
}

_Noreturn static void flood(void) {
    static const char text[1 << 16]; /* as a pipe holds */
    signal(SIGPIPE, SIG_DFL);
    while (write(STDOUT_FILENO, text, sizeof text) > 0)
        ;
    sleep_for_ever();
}

/* Starts a process that notes its number and gets away; in it, true. */
static bool starts(const worker *w, bool leaves) {
    const pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        fake_note(w->board, getpid());
        if (leaves)
            setsid();
    }
    return pid == 0;
}

_Noreturn static void stay(const worker *w) {
    atomic_fetch_add(&w->board->reached, 1);
    sleep_for_ever();
}

static void start(const worker *w, fake_descent how) {
    if (!starts(w, how != FAKE_STAYS))
        return;
    if (how == FAKE_FLOODS)
        flood();
    if (how == FAKE_DAEMON && !starts(w, true))
        _exit(0);
    if (how == FAKE_CHAIN && starts(w, true))
        starts(w, true);
    stay(w);
}

static void take_part(worker *w, const fake_step *step) {
    switch (step->kind) {
    case FAKE_ANSWER:
        answer(w, &step->a, 1, step->b != 0);
        break;
    case FAKE_LIST:
        list(w);
        break;
    case FAKE_READ:
        read_inherited(w->inherited, step->a);
        break;
    case FAKE_WAIT:
        while (w->board->gates[step->a] == 0)
            rest();
        break;
    case FAKE_REACH:
        atomic_fetch_add(&w->board->reached, 1);
        break;
    case FAKE_WRITE:
        write_stream(w, step->a, step->b);
        break;
    case FAKE_FRAMES:
        send_frames(w, step->a, step->b);
        break;
    case FAKE_CLOSE:
        close(w->channel);
        break;
    case FAKE_GARBAGE:
        must(send(w->channel, "garbage", 7, MSG_NOSIGNAL) == 7);
        break;
    case FAKE_KIND:
        send_kind(w, step->a, step->b);
        break;
    case FAKE_STARTS:
        start(w, (fake_descent)step->a);
        break;
    default:
        _exit(98);
    }
}

static void take(worker *w, const fake_step *step) {
    switch (step->kind) {
    case FAKE_EXIT:
        _exit((int)step->a);
    case FAKE_RAISE:
        raise((int)step->a);
        break;
    case FAKE_HOG:
        hog(step->a);
        break;
    case FAKE_SPIN:
        for (volatile uint64_t turns = 0;; turns++)
            ;
    case FAKE_SLEEP:
        sleep_for_ever();
    case FAKE_IGNORE:
        signal((int)step->a, SIG_IGN);
        break;
    case FAKE_CATCH:
        block(step->a);
        break;
    case FAKE_AWAIT:
        await(step->a);
        break;
    default:
        take_part(w, step);
    }
}

_Noreturn void fake_worker_run(int channel, fake_board *board,
                               const volatile unsigned char *inherited) {
    worker w = {.channel = channel, .board = board, .inherited = inherited};
    static char bytes[KRS_FRAME_MOST];
    if (board->dead_on_arrival != 0)
        _exit(3);
    while (true) {
        fake_step steps[FAKE_STEPS];
        krs_frame run;
        int payload;
        if (krs_frame_receive(channel, bytes, &run, &payload) != KRS_OK)
            _exit(0);
        must(run.kind == KRS_FRAME_RUN);
        const ssize_t length = pread(payload, steps, sizeof steps, 0);
        must(length >= 0);
        close(payload);
        w.trial = run.trial;
        memset(w.written, 0, sizeof w.written);
        for (size_t i = 0; i < (size_t)length / sizeof *steps; i++)
            take(&w, &steps[i]);
    }
}
