/* serve(): the fork server's loop, with the fork that this interpreter needs.
 *
 * The loop runs with the GIL, and needs it only where a worker is forked: this process
 * has one thread. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"

/* What os.fork() does around fork(), less its audit event. */
static pid_t fork_interpreter(void *context) {
    (void)context;
    PyOS_BeforeFork();
    const pid_t pid = fork();
    const int error = errno;
    if (pid == 0)
        PyOS_AfterFork_Child();
    else
        PyOS_AfterFork_Parent();
    errno = error;
    return pid;
}

/* Asks the callable that Python gave: None, or why not. An exception is a reason, too.
 */
static int ask_hazard(void *context, char *reason, size_t room) {
    PyObject *answer = PyObject_CallNoArgs(context);
    if (answer == Py_None) {
        Py_DECREF(answer);
        return 0;
    }
    const char *text = NULL;
    if (answer != NULL && PyUnicode_Check(answer))
        text = PyUnicode_AsUTF8(answer);
    snprintf(reason, room, "%s",
             text != NULL ? text : "the server cannot tell whether it may fork");
    Py_XDECREF(answer);
    PyErr_Clear();
    return 1;
}

/* Libraries end their threads before a fork and do not start them again until they are
 * needed (OpenBLAS): one fork for nothing, so that these do not count as threads. */
static int fork_for_nothing(void) {
    const pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

/* Bytes that are in huge pages now, 0 where the kernel cannot. */
PyObject *krs_py_collapse(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    uint64_t joined = 0;
    const krs_status status = krs_memory_collapse(&joined);
    if (status != KRS_OK && status != KRS_UNSUPPORTED)
        return krs_raise(status, "/proc/self/maps");
    return PyLong_FromUnsignedLongLong(joined);
}

PyObject *krs_py_serve(PyObject *module, PyObject *arguments) {
    (void)module;
    int listener, lease, parent, channel;
    const char *broken;
    PyObject *hazard;
    if (!PyArg_ParseTuple(arguments, "iiizO:serve", &listener, &lease, &parent, &broken,
                          &hazard))
        return NULL;
    if (!PyCallable_Check(hazard)) {
        PyErr_SetString(PyExc_TypeError, "serve() takes a callable last");
        return NULL;
    }
    if (broken == NULL && fork_for_nothing() < 0)
        return NULL;
    const krs_server_options options = {
        .listener = listener, .lease = lease, .parent = parent, .broken = broken};
    const krs_server_hooks hooks = {
        .context = hazard, .fork = fork_interpreter, .hazard = ask_hazard};
    const krs_status status = krs_server_run(&options, &hooks, &channel);
    if (status != KRS_OK)
        return krs_raise(status, "the fork server");
    if (channel < 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(channel);
}
