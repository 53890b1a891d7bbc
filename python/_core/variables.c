/* variables(objects): which variables of running functions hold which objects. */
#include <stdlib.h>

#include "frames.h"
#include "state.h"

typedef struct {
    krs_graph *wanted;
    Py_ssize_t *index;   /* per node of it: where in `objects` it stands first */
    krs_variable *found; /* borrowed; valid while no Python code runs */
    krs_node *which;     /* found[i] holds this node */
    size_t count, room;
} krs_search;

static krs_node wanted_node(const krs_search *search, PyObject *value) {
    krs_node node = krs_graph_find(search->wanted, value);
    if (node == KRS_NODE_NONE && PyCell_Check(value) && PyCell_GET(value) != NULL)
        node = krs_graph_find(search->wanted, PyCell_GET(value));
    return node;
}

static int search_variable(const krs_variable *variable, void *context) {
    krs_search *search = context;
    krs_node node = wanted_node(search, variable->value);
    if (node == KRS_NODE_NONE)
        return 0;
    if (search->count == search->room) {
        size_t room = search->room ? search->room * 2 : 32;
        krs_variable *found = realloc(search->found, room * sizeof *found);
        if (found == NULL)
            return -1;
        search->found = found;
        krs_node *which = realloc(search->which, room * sizeof *which);
        if (which == NULL)
            return -1;
        search->which = which;
        search->room = room;
    }
    search->found[search->count] = *variable;
    search->which[search->count++] = node;
    return 0;
}

PyObject *krs_describe_variable(const krs_variable *variable) {
    return Py_BuildValue("KiOOiOii", (unsigned long long)variable->thread,
                         variable->depth, variable->code->co_filename,
                         variable->code->co_name, krs_frames_line(variable),
                         krs_frames_name(variable), krs_variable_is_argument(variable),
                         PyCell_Check(variable->value));
}

/* All that is borrowed is turned into new references before anything else happens:
 * Py_BuildValue makes tuples, and a collection on the way could run Python code. */
static PyObject *answer(const krs_search *search) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < search->count; i++) {
        PyObject *variable = krs_describe_variable(&search->found[i]);
        PyObject *row =
            variable == NULL
                ? NULL
                : Py_BuildValue("nN", search->index[search->which[i]], variable);
        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

static krs_status want(krs_search *search, PyObject *objects) {
    Py_ssize_t count = PyList_GET_SIZE(objects);
    search->index = malloc(((size_t)count + 1) * sizeof *search->index);
    if (search->index == NULL)
        return KRS_NOMEM;
    krs_status status = krs_graph_new(&search->wanted);
    krs_node node;
    for (Py_ssize_t i = 0; status == KRS_OK && i < count; i++) {
        uint32_t next = krs_graph_node_count(search->wanted);
        status = krs_graph_node(search->wanted, PyList_GET_ITEM(objects, i), &node);
        if (status == KRS_OK && node == next)
            search->index[node] = i;
    }
    return status;
}

PyObject *krs_py_variables(PyObject *module, PyObject *objects) {
    (void)module;
    if (!PyList_Check(objects)) {
        PyErr_SetString(PyExc_TypeError, "variables() takes a list");
        return NULL;
    }
    krs_search search = {0};
    krs_status status = want(&search, objects);
    int was_enabled = PyGC_Disable(); /* nothing may die while rows are made */
    if (status == KRS_OK && krs_frames_visit(search_variable, &search) < 0)
        status = KRS_NOMEM;
    PyObject *rows =
        status == KRS_OK ? answer(&search) : krs_raise(status, "reading frames");
    if (was_enabled)
        PyGC_Enable();
    krs_graph_free(search.wanted);
    free(search.index);
    free(search.found);
    free(search.which);
    return rows;
}
