/* survivors(ids): at which of some addresses is there, after a full collection, an
 * object that has lived through it? What was made since, at the address of one that
 * died, is in generation 0; only the caller's list of addresses is older. No object is
 * touched: gc.get_objects() would refer to half-made tuples of other threads. */
#include "collect.h"
#include "enumerate.h"
#include "state.h"

typedef struct {
    krs_graph *wanted;
    PyObject *ids;   /* what we were given */
    PyObject *found; /* list of int */
} krs_survivors;

static int add_survivor(PyObject *object, void *context) {
    krs_survivors *survivors = context;
    if (object == survivors->ids ||
        krs_graph_find(survivors->wanted, object) == KRS_NODE_NONE)
        return 0;
    PyObject *id = PyLong_FromVoidPtr(object);
    int failed = id == NULL || PyList_Append(survivors->found, id) < 0;
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

PyObject *krs_py_survivors(PyObject *module, PyObject *ids) {
    if (!PyList_Check(ids)) {
        PyErr_SetString(PyExc_TypeError, "survivors() takes a list of int");
        return NULL;
    }
    krs_survivors survivors = {.ids = ids};
    krs_status status = krs_graph_new(&survivors.wanted);
    if (status == KRS_OK)
        status = add_wanted(survivors.wanted, ids);
    if (PyErr_Occurred() == NULL && status != KRS_OK)
        krs_raise(status, "survivors()");
    if (PyErr_Occurred() == NULL && krs_collect_in_turn(krs_state_of(module), 2) == 0)
        survivors.found = PyList_New(0);
    if (survivors.found != NULL &&
        krs_enumerate_old(krs_enumerate_choose(), 2, add_survivor, &survivors) != 0)
        Py_CLEAR(survivors.found);
    krs_graph_free(survivors.wanted);
    return survivors.found;
}
