/* static_holders(addresses): static variables of libraries in which addresses stand,
 * holders that no object of Python is. */
#include <stdlib.h>

#include "state.h"

/* One holds what is held; a class that libraries take for their own is in hundreds. */
enum { HITS = 64 };

/* The words of a list of addresses, malloc's; NULL with an exception. */
static uintptr_t *read_words(PyObject *addresses, size_t count) {
    uintptr_t *words = malloc((count + 1) * sizeof *words);
    if (words == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        words[i] =
            (uintptr_t)PyLong_AsVoidPtr(PyList_GET_ITEM(addresses, (Py_ssize_t)i));
        if (PyErr_Occurred() != NULL) {
            free(words);
            return NULL;
        }
    }
    return words;
}

static PyObject *list_hits(const krs_static_hit *hits, size_t count, PyObject *all) {
    for (size_t i = 0; i < count; i++) {
        PyObject *row = Py_BuildValue("(NI)", PyUnicode_DecodeFSDefault(hits[i].path),
                                      hits[i].count);
        if (row == NULL ||
            PyList_Append(PyList_GET_ITEM(all, (Py_ssize_t)hits[i].word), row) < 0) {
            Py_XDECREF(row);
            Py_DECREF(all);
            return NULL;
        }
        Py_DECREF(row);
    }
    return all;
}

static PyObject *new_lists(size_t count) {
    PyObject *all = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; all != NULL && i < count; i++) {
        PyObject *one = PyList_New(0);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

/* The search is long, and looks at nothing that the GIL would keep as it is. */
PyObject *krs_py_static_holders(PyObject *module, PyObject *addresses) {
    (void)module;
    if (!PyList_Check(addresses)) {
        PyErr_SetString(PyExc_TypeError, "static_holders() takes a list of addresses");
        return NULL;
    }
    const size_t count = (size_t)PyList_GET_SIZE(addresses), room = HITS * count;
    uintptr_t *words = read_words(addresses, count);
    if (words == NULL)
        return NULL;
    krs_static_hit *hits = calloc(room + 1, sizeof *hits);
    krs_status status = hits == NULL ? KRS_NOMEM : KRS_OK;
    size_t found = 0;
    if (status == KRS_OK && count > 0) {
        Py_BEGIN_ALLOW_THREADS
        status = krs_static_find(words, count, hits, room, &found);
        Py_END_ALLOW_THREADS
    }
    PyObject *all = NULL;
    if (status != KRS_OK)
        krs_raise(status, "static_holders()");
    else if ((all = new_lists(count)) != NULL)
        all = list_hits(hits, found, all);
    free(hits);
    free(words);
    return all;
}
