/* instances(types, limit): tracked objects of some types, by a look at the heap. */
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

/* Appending takes a reference and may grow the list, which runs no Python code. The
 * list is tracked itself and would be found: a cycle that holds all the others. A tuple
 * may be half made (cpython gh-101855) and is not handed out: using it would crash, and
 * its maker fails when somebody else holds it. */
static int select_object(PyObject *object, void *context) {
    krs_selection *selection = context;
    if (object == selection->found || PyTuple_CheckExact(object) ||
        !is_wanted(Py_TYPE(object), selection->types))
        return 0;
    return PyList_Append(selection->found, object);
}

static int check_types(PyObject *types) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++) {
        if (!PyType_Check(PyTuple_GET_ITEM(types, i))) {
            PyErr_SetString(PyExc_TypeError, "instances() takes a tuple of types");
            return -1;
        }
    }
    return 0;
}

PyObject *krs_py_instances(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *types;
    Py_ssize_t limit = 0;
    if (!PyArg_ParseTuple(arguments, "O!|n:instances", &PyTuple_Type, &types, &limit) ||
        check_types(types) < 0)
        return NULL;
    krs_selection selection = {types, PyList_New(0)};
    if (selection.found == NULL)
        return NULL;
    krs_enumeration way = krs_enumerate_choose();
    int failed =
        limit > 0 ? krs_enumerate_recent(way, (size_t)limit, select_object, &selection)
                  : krs_enumerate(way, select_object, &selection);
    if (failed)
        Py_CLEAR(selection.found);
    return selection.found;
}
