/* An answer from a child of this process: a copy of it as it was at the fork, in which
 * the heap stands still while the program goes on.
 *
 * The child runs nothing but our own C code and makes nothing but plain data: no Python
 * code, no handlers (signals are blocked), no clean-up (_exit). fork() and not a bare
 * system call, so that malloc's locks are in order in the child. */
#define _GNU_SOURCE /* pipe2 */
#include "question.h"

#include <errno.h>
#include <fcntl.h>
#include <marshal.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int write_all(int file, const char *bytes, size_t left) {
    while (left > 0) {
        ssize_t written = write(file, bytes, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        left -= (size_t)written;
    }
    return 0;
}

/* The whole life of the child. Its exit status is a krs_status. */
static void answer_and_exit(int file,
                            PyObject *(*answer)(krs_state *, const krs_question *),
                            krs_state *state, const krs_question *question) {
    PyObject *answers = answer(state, question);
    if (answers == NULL)
        _exit(PyErr_ExceptionMatches(PyExc_MemoryError) ? KRS_NOMEM : KRS_INVALID);
    PyObject *text = PyMarshal_WriteObjectToString(answers, Py_MARSHAL_VERSION);
    if (text == NULL) /* marshal says "unmarshallable" where it has no memory */
        _exit(KRS_NOMEM);
    size_t length = (size_t)PyBytes_GET_SIZE(text);
    _exit(write_all(file, PyBytes_AS_STRING(text), length) < 0 ? KRS_SYSTEM : KRS_OK);
}

typedef struct {
    char *bytes;
    size_t length, room;
} krs_text;

/* Until the end of the file. */
static krs_status read_all(int file, krs_text *text) {
    for (;;) {
        if (text->room - text->length < READ_BYTES) {
            size_t room = text->room * 2 + READ_BYTES;
            char *bytes = realloc(text->bytes, room);
            if (bytes == NULL)
                return KRS_NOMEM;
            text->bytes = bytes;
            text->room = room;
        }
        ssize_t got = read(file, text->bytes + text->length, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? KRS_SYSTEM : KRS_OK;
        text->length += (size_t)got;
    }
}

/* A program that waits for any child may have taken ours: what we read tells then. */
static krs_status wait_for(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return errno == ECHILD ? KRS_OK : KRS_SYSTEM;
    return WIFEXITED(status) ? (krs_status)WEXITSTATUS(status) : KRS_INVALID;
}

/* Forks with all signals blocked, in the child for ever. */
static pid_t fork_quietly(double *pause) {
    sigset_t all, before;
    sigfillset(&all);
    double began = seconds();
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t child = fork();
    if (child == 0)
        return 0;
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *pause = seconds() - began;
    errno = error;
    return child;
}

static PyObject *load(const krs_text *text, double pause) {
    PyObject *answers =
        PyMarshal_ReadObjectFromString(text->bytes, (Py_ssize_t)text->length);
    PyObject *value = answers == NULL ? NULL : PyFloat_FromDouble(pause);
    if (value == NULL || !PyDict_Check(answers) ||
        PyDict_SetItemString(answers, "pause", value) < 0)
        Py_CLEAR(answers);
    Py_XDECREF(value);
    return answers;
}

static PyObject *receive(int file, pid_t child, double pause) {
    krs_text text = {0};
    krs_status read_status, status;
    PyThreadState *thread = PyEval_SaveThread();
    read_status = read_all(file, &text);
    close(file); /* a child that still writes ends by EPIPE */
    status = wait_for(child);
    PyEval_RestoreThread(thread);
    if (status == KRS_OK)
        status = read_status;
    if (status == KRS_OK && text.length == 0)
        status = KRS_INVALID;
    PyObject *answers = NULL;
    if (status == KRS_INVALID)
        PyErr_SetString(PyExc_RuntimeError,
                        "the child that read the heap died; ask without fork");
    else if (status == KRS_OK)
        answers = load(&text, pause);
    else
        krs_raise(status, "reading the heap in a child");
    free(text.bytes);
    return answers;
}

PyObject *krs_answer_in_child(PyObject *(*answer)(krs_state *, const krs_question *),
                              krs_state *state, const krs_question *question) {
    int ends[2];
    double pause;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return krs_raise(KRS_SYSTEM, "pipe2");
    pid_t child = fork_quietly(&pause);
    if (child == 0) {
        close(ends[0]); /* so that writing fails when the parent is gone */
        answer_and_exit(ends[1], answer, state, question);
    }
    int error = errno;
    close(ends[1]);
    if (child > 0)
        return receive(ends[0], child, pause);
    close(ends[0]);
    errno = error;
    return krs_raise(KRS_SYSTEM, "fork");
}
