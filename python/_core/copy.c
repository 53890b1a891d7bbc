/* copy(): many buffers into others, with the GIL released. address(): where one is. */
#include <stdbool.h>

#include "state.h"

typedef struct {
    Py_ssize_t count; /* of pairs whose two buffers are held */
    Py_buffer *to, *from;
    krs_copy_job *jobs;
} pairs;

static void release(pairs *all) {
    for (Py_ssize_t i = 0; i < all->count; i++) {
        PyBuffer_Release(&all->to[i]);
        PyBuffer_Release(&all->from[i]);
    }
    PyMem_Free(all->to);
    PyMem_Free(all->from);
    PyMem_Free(all->jobs);
}

static bool reserve(pairs *all, Py_ssize_t count) {
    const size_t n = count > 0 ? (size_t)count : 1;
    all->to = PyMem_Calloc(n, sizeof *all->to);
    all->from = PyMem_Calloc(n, sizeof *all->from);
    all->jobs = PyMem_Calloc(n, sizeof *all->jobs);
    if (all->to != NULL && all->from != NULL && all->jobs != NULL)
        return true;
    PyErr_NoMemory();
    return false;
}

/* An error of the interpreter says which of the buffers it is about. */
static bool get(PyObject *of, Py_buffer *buffer, int flags, Py_ssize_t index,
                const char *side) {
    if (PyObject_GetBuffer(of, buffer, flags) == 0)
        return true;
    PyObject *type, *text, *trace;
    PyErr_Fetch(&type, &text, &trace);
    if (text != NULL && (type == PyExc_TypeError || type == PyExc_BufferError)) {
        PyErr_Format(type, "pair %zd, %s: %S", index, side, text);
        Py_DECREF(type);
        Py_DECREF(text);
        Py_XDECREF(trace);
    } else
        PyErr_Restore(type, text, trace);
    return false;
}

static bool hold(pairs *all, PyObject *pair, bool into_readonly) {
    const Py_ssize_t i = all->count;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "pair %zd is no tuple of two buffers", i);
        return false;
    }
    const int flags = PyBUF_C_CONTIGUOUS | (into_readonly ? 0 : PyBUF_WRITABLE);
    if (!get(PyTuple_GET_ITEM(pair, 0), &all->to[i], flags, i, "to"))
        return false;
    if (!get(PyTuple_GET_ITEM(pair, 1), &all->from[i], PyBUF_C_CONTIGUOUS, i, "from")) {
        PyBuffer_Release(&all->to[i]);
        return false;
    }
    all->count++;
    if (all->to[i].len != all->from[i].len) {
        PyErr_Format(PyExc_ValueError, "pair %zd: %zd bytes do not fit %zd", i,
                     all->from[i].len, all->to[i].len);
        return false;
    }
    all->jobs[i] =
        (krs_copy_job){all->to[i].buf, all->from[i].buf, (size_t)all->to[i].len};
    return true;
}

static PyObject *copy_all(const pairs *all, unsigned threads) {
    krs_status status;
    size_t total = 0;
    for (Py_ssize_t i = 0; i < all->count; i++)
        total += all->jobs[i].size;
    Py_BEGIN_ALLOW_THREADS
    status = krs_copy(all->jobs, (size_t)all->count, threads);
    Py_END_ALLOW_THREADS
    if (status != KRS_OK)
        return krs_raise(status, "copy()");
    return PyLong_FromSize_t(total);
}

PyObject *krs_py_copy(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *names[] = {"pairs", "into_readonly", "threads", NULL};
    PyObject *list;
    int into_readonly = 0;
    int threads = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|$pi:copy", names, &PyList_Type,
                                     &list, &into_readonly, &threads))
        return NULL;
    if (threads < 0) {
        PyErr_SetString(PyExc_ValueError, "threads is negative");
        return NULL;
    }
    pairs all = {0};
    PyObject *copied = NULL;
    /* A copy of the list: to ask for a buffer may run code that changes it. */
    PyObject *given = PyList_AsTuple(list);
    bool held = given != NULL && reserve(&all, PyTuple_GET_SIZE(given));
    for (Py_ssize_t i = 0; held && i < PyTuple_GET_SIZE(given); i++)
        held = hold(&all, PyTuple_GET_ITEM(given, i), into_readonly);
    if (held)
        copied = copy_all(&all, (unsigned)threads);
    release(&all);
    Py_XDECREF(given);
    return copied;
}

PyObject *krs_py_address(PyObject *module, PyObject *thing) {
    (void)module;
    Py_buffer buffer;
    if (PyObject_GetBuffer(thing, &buffer, PyBUF_STRIDES) < 0)
        return NULL;
    PyObject *address = PyLong_FromVoidPtr(buffer.buf);
    PyBuffer_Release(&buffer);
    return address;
}
