/* still_tracked(ids): at which of some addresses is there a tracked object? No object
 * is touched: gc.get_objects() would refer to half-made tuples of other threads. */
#include "enumerate.h"
#include "state.h"

typedef struct {
    krs_graph *wanted;
    PyObject *found; /* list of int */
} krs_tracked;

static int add_tracked(PyObject *object, void *context) {
    krs_tracked *tracked = context;
    if (krs_graph_find(tracked->wanted, object) == KRS_NODE_NONE)
        return 0;
    PyObject *id = PyLong_FromVoidPtr(object);
    int failed = id == NULL || PyList_Append(tracked->found, id) < 0;
    Py_XDECREF(id);
    return failed ? -1 : 0;
}

static krs_status add_wanted(krs_graph *wanted, PyObject *ids) {
    krs_status status = KRS_OK;
    krs_node node;
    for (Py_ssize_t i = 0; status == KRS_OK && i < PyList_GET_SIZE(ids); i++)
        status =
            krs_graph_node(wanted, PyLong_AsVoidPtr(PyList_GET_ITEM(ids, i)), &node);
    return status;
}

PyObject *krs_py_still_tracked(PyObject *module, PyObject *ids) {
    (void)module;
    if (!PyList_Check(ids)) {
        PyErr_SetString(PyExc_TypeError, "still_tracked() takes a list of int");
        return NULL;
    }
    krs_tracked tracked = {NULL, PyList_New(0)};
    krs_status status =
        tracked.found == NULL ? KRS_NOMEM : krs_graph_new(&tracked.wanted);
    if (status == KRS_OK)
        status = add_wanted(tracked.wanted, ids);
    int failed = 1;
    if (PyErr_Occurred() == NULL && status != KRS_OK)
        krs_raise(status, "still_tracked()");
    else if (PyErr_Occurred() == NULL)
        failed = krs_enumerate(krs_enumerate_choose(), add_tracked, &tracked);
    krs_graph_free(tracked.wanted);
    if (failed)
        Py_CLEAR(tracked.found);
    return tracked.found;
}
