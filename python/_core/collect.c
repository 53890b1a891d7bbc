/* Why generation 0: a full collection visits the whole heap (100 to 240 ms in a process
 * that has TensorFlow), a young one only what is in generation 0. Untracking and
 * tracking an object again puts it there, with public functions only. If the choice of
 * objects was wrong nothing breaks: the collector works reachability out from the
 * reference counts and frees true garbage only, with its own finalizers, weak-reference
 * callbacks and resurrection rules. */
#include "collect.h"

#include <time.h>

void krs_collect_rejuvenate(PyObject *const *objects, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!PyObject_GC_IsTracked(objects[i]))
            continue; /* its type untracks for a reason */
        PyObject_GC_UnTrack(objects[i]);
        PyObject_GC_Track(objects[i]);
    }
}

/* A list in itself: garbage that any collection must find. */
static int make_probe(void) {
    PyObject *probe = PyList_New(0);
    if (probe == NULL)
        return -1;
    int failed = PyList_Append(probe, probe);
    Py_DECREF(probe);
    return failed;
}

static Py_ssize_t collect(krs_state *state, int generation) {
    if (make_probe() < 0)
        return -1;
    PyObject *answer = PyObject_CallFunction(state->gc_collect, "i", generation);
    if (answer == NULL)
        return -1;
    Py_ssize_t found = PyLong_AsSsize_t(answer);
    Py_DECREF(answer);
    if (found >= 1)
        return found - 1;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError,
                        "the garbage collector is running: keraser was called from a "
                        "finalizer or a gc callback");
    return -1;
}

Py_ssize_t krs_collect_young(krs_state *state) {
    return collect(state, 0);
}

/* A collection of a large heap takes some tenths of a second. */
enum { PATIENCE_MS = 2000 };

int krs_collect_in_turn(krs_state *state, int generation) {
    for (int waited = 0; collect(state, generation) < 0; waited++) {
        if (!PyErr_ExceptionMatches(PyExc_RuntimeError) || waited == PATIENCE_MS)
            return -1;
        PyErr_Clear();
        Py_BEGIN_ALLOW_THREADS
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        Py_END_ALLOW_THREADS
    }
    return 0;
}

PyObject *krs_py_collector_idle(PyObject *module, PyObject *unused) {
    (void)unused;
    if (krs_collect_young(krs_state_of(module)) >= 0)
        Py_RETURN_TRUE;
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError))
        return NULL;
    PyErr_Clear();
    Py_RETURN_FALSE;
}
