/* count(types): how many objects the collector tracks, and how many of some types. */
#include <stdlib.h>

#include "enumerate.h"
#include "state.h"

enum { CACHED = 512 }; /* a power of two: types seen last, by their address */

typedef struct {
    PyTypeObject *type;
    uint64_t matches; /* bit i: it is the i-th type asked for, or derived from it */
} krs_known_type;

typedef struct {
    PyObject *types; /* tuple */
    size_t *counts;  /* as many, and one for all objects */
    krs_known_type known[CACHED];
} krs_tally;

static uint64_t matches_of(PyTypeObject *type, PyObject *types) {
    uint64_t matches = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++)
        if (PyType_IsSubtype(type, (PyTypeObject *)PyTuple_GET_ITEM(types, i)))
            matches |= (uint64_t)1 << i;
    return matches;
}

static int count_object(PyObject *object, void *context) {
    krs_tally *tally = context;
    PyTypeObject *type = Py_TYPE(object);
    krs_known_type *known = &tally->known[((uintptr_t)type >> 4) % CACHED];
    if (known->type != type)
        *known = (krs_known_type){type, matches_of(type, tally->types)};
    for (uint64_t rest = known->matches; rest != 0; rest &= rest - 1)
        tally->counts[__builtin_ctzll(rest)]++;
    tally->counts[PyTuple_GET_SIZE(tally->types)]++;
    return 0;
}

static PyObject *answer(const krs_tally *tally) {
    Py_ssize_t count = PyTuple_GET_SIZE(tally->types);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyLong_FromSize_t(tally->counts[i]);
        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, number);
    }
    return list == NULL ? NULL
                        : Py_BuildValue("nN", (Py_ssize_t)tally->counts[count], list);
}

PyObject *krs_py_count(PyObject *module, PyObject *types) {
    (void)module;
    if (!PyTuple_Check(types) || PyTuple_GET_SIZE(types) > 64) {
        PyErr_SetString(PyExc_TypeError, "count() takes a tuple of at most 64 types");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++)
        if (!PyType_Check(PyTuple_GET_ITEM(types, i)))
            return PyErr_Format(PyExc_TypeError, "count() takes types, not %.200s",
                                Py_TYPE(PyTuple_GET_ITEM(types, i))->tp_name);
    krs_tally *tally = calloc(1, sizeof *tally);
    size_t *counts = calloc((size_t)PyTuple_GET_SIZE(types) + 1, sizeof *counts);
    PyObject *result = NULL;
    if (tally == NULL || counts == NULL) {
        krs_raise(KRS_NOMEM, "counting objects");
    } else {
        tally->types = types;
        tally->counts = counts;
        if (krs_enumerate(krs_enumerate_choose(), count_object, tally) == 0)
            result = answer(tally);
    }
    free(counts);
    free(tally);
    return result;
}
