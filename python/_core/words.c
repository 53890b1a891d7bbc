/* words(thing): the machine words of an object's own body, behind its reference count
 * and type, as its type says that it is long. For telling objects that another thread
 * is still making from whole ones, where their type would follow a pointer that is
 * NULL. */
#include <string.h>

#include "state.h"

PyObject *krs_py_words(PyObject *module, PyObject *object) {
    (void)module;
    const size_t step = sizeof(uintptr_t), first = sizeof(PyObject);
    const size_t size = (size_t)Py_TYPE(object)->tp_basicsize;
    PyObject *list = PyList_New(0);
    for (size_t at = first; list != NULL && at + step <= size; at += step) {
        uintptr_t word;
        memcpy(&word, (const char *)object + at, step);
        PyObject *number = PyLong_FromUnsignedLongLong(word);
        if (number == NULL || PyList_Append(list, number) < 0)
            Py_CLEAR(list);
        Py_XDECREF(number);
    }
    return list;
}
