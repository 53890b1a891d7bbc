/* stack(depth): what a running function has in hand, beside its variables. */
#include "frames.h"
#include "state.h"

PyObject *krs_py_stack(PyObject *module, PyObject *arguments) {
    (void)module;
    int depth;
    if (!PyArg_ParseTuple(arguments, "i:stack", &depth))
        return NULL;
    if (depth < 0) {
        PyErr_SetString(PyExc_ValueError, "stack() takes a depth of 0 or more");
        return NULL;
    }
    PyObject **values;
    Py_ssize_t count = krs_frames_stack(depth, &values);
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++)
        if (values[i] != NULL && PyList_Append(list, values[i]) < 0)
            Py_CLEAR(list);
    return list;
}
