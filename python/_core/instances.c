/* instances(types): every tracked object of some types, by one look at the heap. */
#include "enumerate.h"
#include "state.h"

typedef struct {
    PyObject *types; /* tuple */
    PyObject *found; /* list */
} krs_selection;

static int is_wanted(PyTypeObject *type, PyObject *types) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++)
        if (PyType_IsSubtype(type, (PyTypeObject *)PyTuple_GET_ITEM(types, i)))
            return 1;
    return 0;
}

/* Appending takes a reference and may grow the list, which runs no Python code. */
static int select_object(PyObject *object, void *context) {
    krs_selection *selection = context;
    if (!is_wanted(Py_TYPE(object), selection->types))
        return 0;
    return PyList_Append(selection->found, object);
}

PyObject *krs_py_instances(PyObject *module, PyObject *types) {
    (void)module;
    if (!PyTuple_Check(types)) {
        PyErr_SetString(PyExc_TypeError, "instances() takes a tuple of types");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++) {
        if (!PyType_Check(PyTuple_GET_ITEM(types, i))) {
            PyErr_SetString(PyExc_TypeError, "instances() takes a tuple of types");
            return NULL;
        }
    }
    krs_selection selection = {types, PyList_New(0)};
    if (selection.found == NULL)
        return NULL;
    if (krs_enumerate(krs_enumerate_choose(), select_object, &selection) != 0)
        Py_CLEAR(selection.found);
    return selection.found;
}
