/* static_holders(address): static variables of libraries in which an address stands, a
 * holder that no object of Python is. */
#include "state.h"

/* One holds what is held; a class that libraries take for their own is in hundreds. */
enum { HITS = 64 };

static PyObject *list_hits(const krs_static_hit *hits, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *row = Py_BuildValue("(NI)", PyUnicode_DecodeFSDefault(hits[i].path),
                                      hits[i].count);
        if (row == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, row);
    }
    return list;
}

PyObject *krs_py_static_holders(PyObject *module, PyObject *address) {
    (void)module;
    const uintptr_t word = (uintptr_t)PyLong_AsVoidPtr(address);
    if (PyErr_Occurred() != NULL)
        return NULL;
    krs_static_hit hits[HITS];
    size_t count;
    krs_status status = krs_static_find(word, hits, HITS, &count);
    if (status != KRS_OK)
        return krs_raise(status, "static_holders()");
    return list_hits(hits, count);
}
