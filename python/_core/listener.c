/* Listener: has the questions of command lines answered by a Python callable.
 *
 * The thread is the core's, and takes the GIL for each answer alone. It is no thread of
 * Python's: nobody has to wait for it at the end, and nobody counts it. */
#include "state.h"

typedef struct {
    PyObject_HEAD krs_listener *listener; /* NULL: stopped */
    PyObject *answer;
} listener;

/* Nothing can be raised here: what goes wrong is told as in a finalizer. */
static void answer_in_python(void *context, int socket,
                             const krs_listener_question *question) {
    const PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *done = PyObject_CallFunction(
        context, "iIKKy#", socket, question->verb, (unsigned long long)question->flags,
        (unsigned long long)question->held, question->model,
        (Py_ssize_t)question->length);
    if (done == NULL)
        PyErr_WriteUnraisable(context);
    Py_XDECREF(done);
    PyGILState_Release(gil);
}

static PyObject *listener_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"answer", NULL};
    PyObject *answer;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Listener", names, &answer))
        return NULL;
    if (!PyCallable_Check(answer)) {
        PyErr_SetString(PyExc_TypeError, "Listener() takes a callable");
        return NULL;
    }
    listener *self = (listener *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->answer = Py_NewRef(answer);
    const krs_status status =
        krs_listener_start(answer_in_python, answer, &self->listener);
    if (status != KRS_OK) {
        krs_raise(status, "a socket for questions");
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* The answer that is being given needs the GIL. */
static PyObject *listener_stop(PyObject *object, PyObject *unused) {
    (void)unused;
    listener *self = (listener *)object;
    krs_listener *stopped = self->listener;
    self->listener = NULL;
    Py_BEGIN_ALLOW_THREADS
    krs_listener_stop(stopped);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void listener_dealloc(PyObject *object) {
    listener *self = (listener *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_DECREF(listener_stop(object, NULL));
    Py_XDECREF(self->answer);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *listener_path(PyObject *object, void *unused) {
    (void)unused;
    const listener *self = (listener *)object;
    if (self->listener == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(krs_listener_path(self->listener));
}

PyDoc_STRVAR(
    listener_doc,
    "Listener(answer)\n--\n\n"
    "Listens for questions of command lines of this user until it is stopped, "
    "and has\neach answered by `answer(socket, verb, flags, held, model)` on a "
    "thread of its\nown. OSError where there is no place for a socket.");

PyDoc_STRVAR(stop_doc,
             "stop($self, /)\n--\n\n"
             "Removes the socket, and waits for an answer that is being given. "
             "In a forked\nchild only closes what the child has of it.");

static PyMethodDef listener_methods[] = {
    {"stop", listener_stop, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef listener_attributes[] = {
    {"path", listener_path, NULL, "Of its socket; None when it was stopped.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot listener_slots[] = {
    {Py_tp_new, listener_new},         {Py_tp_dealloc, listener_dealloc},
    {Py_tp_methods, listener_methods}, {Py_tp_getset, listener_attributes},
    {Py_tp_doc, (void *)listener_doc}, {0, NULL},
};

PyType_Spec krs_listener_spec = {
    .name = "keraser._core.Listener",
    .basicsize = sizeof(listener),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = listener_slots,
};
