/* listen(), connect(), send() and receive(): frames of wire/protocol.h as tuples. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "state.h"
#include "wire/protocol.h"

PyObject *krs_py_listen(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    int listener;
    krs_address address;
    const krs_status status = krs_socket_listen(&listener, &address);
    if (status != KRS_OK)
        return krs_raise(status, "a listening socket");
    return Py_BuildValue("(iy#)", listener, address.bytes, (Py_ssize_t)address.length);
}

PyObject *krs_py_connect(PyObject *module, PyObject *name) {
    (void)module;
    krs_address address = {.length = 0};
    int connected;
    if (!PyBytes_Check(name) || (size_t)PyBytes_GET_SIZE(name) > sizeof address.bytes) {
        PyErr_SetString(PyExc_TypeError, "connect() takes what listen() returned");
        return NULL;
    }
    address.length = (size_t)PyBytes_GET_SIZE(name);
    memcpy(address.bytes, PyBytes_AS_STRING(name), address.length);
    krs_status status;
    Py_BEGIN_ALLOW_THREADS
    status = krs_socket_connect(&address, &connected);
    Py_END_ALLOW_THREADS
    if (status != KRS_OK)
        return krs_raise(status, "the socket of the fork server");
    return PyLong_FromLong(connected);
}

/* As many values as frames of `kind` have. */
static int read_values(PyObject *values, unsigned kind, krs_frame *frame) {
    const int count = krs_frame_values(kind);
    if (count < 0 || PyTuple_GET_SIZE(values) != count) {
        PyErr_Format(PyExc_ValueError, "no frame of kind %u has %zd values", kind,
                     PyTuple_GET_SIZE(values));
        return -1;
    }
    frame->kind = (krs_frame_kind)kind;
    for (int i = 0; i < count; i++) {
        frame->values[i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(values, i));
        if (PyErr_Occurred())
            return -1;
    }
    return 0;
}

PyObject *krs_py_send(PyObject *module, PyObject *arguments) {
    (void)module;
    krs_frame frame = {0};
    int socket, descriptor = -1;
    unsigned kind;
    unsigned long long trial;
    PyObject *values;
    Py_buffer text = {0};
    if (!PyArg_ParseTuple(arguments, "iIKO!|y*i:send", &socket, &kind, &trial,
                          &PyTuple_Type, &values, &text, &descriptor))
        return NULL;
    krs_status status = KRS_INVALID;
    frame.trial = trial;
    frame.text = text.buf;
    frame.length = (size_t)text.len;
    if (read_values(values, kind, &frame) == 0) {
        Py_BEGIN_ALLOW_THREADS
        status = krs_frame_send(socket, &frame, descriptor);
        Py_END_ALLOW_THREADS
        if (status != KRS_OK)
            krs_raise(status, "a frame");
    }
    if (text.obj != NULL)
        PyBuffer_Release(&text);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *frame_tuple(const krs_frame *frame, int descriptor) {
    const int count = krs_frame_values(frame->kind);
    PyObject *values = PyTuple_New(count);
    for (int i = 0; values != NULL && i < count; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(frame->values[i]);
        if (value == NULL)
            Py_CLEAR(values);
        else
            PyTuple_SET_ITEM(values, i, value);
    }
    if (values == NULL)
        return NULL;
    return Py_BuildValue("(iKNy#i)", (int)frame->kind, (unsigned long long)frame->trial,
                         values, frame->text, (Py_ssize_t)frame->length, descriptor);
}

/* KRS_SYSTEM with ETIMEDOUT where nothing came in time. */
static krs_status receive_in_time(int socket, int patience, char *bytes,
                                  krs_frame *frame, int *descriptor) {
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    const int ready = patience < 0 ? 1 : poll(&waiting, 1, patience);
    if (ready > 0)
        return krs_frame_receive(socket, bytes, frame, descriptor);
    if (ready == 0 || errno == EINTR)
        errno = ETIMEDOUT;
    return KRS_SYSTEM;
}

PyObject *krs_py_receive(PyObject *module, PyObject *arguments) {
    (void)module;
    int socket, patience = -1, descriptor = -1;
    krs_frame frame;
    krs_status status;
    int error;
    if (!PyArg_ParseTuple(arguments, "i|i:receive", &socket, &patience))
        return NULL;
    char *bytes = PyMem_RawMalloc(KRS_FRAME_MOST);
    if (bytes == NULL)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = receive_in_time(socket, patience, bytes, &frame, &descriptor);
    error = errno;
    Py_END_ALLOW_THREADS
    PyObject *answer = NULL;
    errno = error;
    if (status == KRS_OK)
        answer = frame_tuple(&frame, descriptor);
    else if (status == KRS_SYSTEM && error == 0)
        answer = Py_NewRef(Py_None);
    else
        krs_raise(status, "a frame");
    PyMem_RawFree(bytes);
    return answer;
}

/* {name: number} of one of the lists in protocol.h. */
static int add_names(PyObject *all, const char *list, const char *const *names,
                     const int *numbers, size_t count) {
    PyObject *one = PyDict_New();
    for (size_t i = 0; one != NULL && i < count; i++) {
        PyObject *number = PyLong_FromLong(numbers[i]);
        if (number == NULL || PyDict_SetItemString(one, names[i], number) < 0)
            Py_CLEAR(one);
        Py_XDECREF(number);
    }
    const int failed = one == NULL || PyDict_SetItemString(all, list, one) < 0;
    Py_XDECREF(one);
    return failed ? -1 : 0;
}

#define NAME(name, ...) #name,
#define NUMBER(name, number, ...) (number),
#define FIGURE(name) KRS_FIGURE_##name,
#define ADD(all, list, MAP, NUMBERS)                                                   \
    add_names(all, list, (const char *const[]){MAP(NAME)},                             \
              (const int[]){MAP(NUMBERS)},                                             \
              sizeof((const int[]){MAP(NUMBERS)}) / sizeof(int))

PyObject *krs_py_protocol(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *all = PyDict_New();
    if (all == NULL || ADD(all, "frames", KRS_FRAME_MAP, NUMBER) < 0 ||
        ADD(all, "causes", KRS_CAUSE_MAP, NUMBER) < 0 ||
        ADD(all, "refusals", KRS_REFUSED_MAP, NUMBER) < 0 ||
        ADD(all, "workers", KRS_WORKER_MAP, NUMBER) < 0 ||
        ADD(all, "verbs", KRS_VERB_MAP, NUMBER) < 0 ||
        ADD(all, "held", KRS_HELD_MAP, NUMBER) < 0 ||
        ADD(all, "outcomes", KRS_OUTCOME_MAP, NUMBER) < 0 ||
        ADD(all, "figures", KRS_FIGURE_MAP, FIGURE) < 0)
        Py_CLEAR(all);
    return all;
}
