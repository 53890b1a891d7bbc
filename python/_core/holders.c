/* holders(targets, owned, ours, limit): who holds some objects, as paths from a root.
 *
 * One reading of the heap answers for all targets. Steps of a path are the objects
 * themselves; a frame is a tuple that describes its variable. Addresses become new
 * references before any Python code can run: the collector is off meanwhile. */
#include <stdlib.h>

#include "heap.h"
#include "owned.h"
#include "references.h"
#include "state.h"

typedef struct {
    krs_heap_graph heap;
    uint8_t *barred;
    krs_node *parent;
} krs_holders;

static void bar(krs_holders *holders, const void *address) {
    krs_node node = krs_graph_find(holders->heap.graph, address);
    if (node != KRS_NODE_NONE)
        holders->barred[node] = 1;
}

static krs_status bar_all(krs_holders *holders, const krs_walk *walk, PyObject *ours) {
    for (size_t i = 0; i < walk->held_count; i++)
        bar(holders, walk->held[i]);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(ours); i++)
        bar(holders, PyList_GET_ITEM(ours, i));
    bar(holders, ours);
    return KRS_OK;
}

static krs_status find_paths(krs_holders *holders, const krs_walk *walk, PyObject *ours,
                             PyObject *own_path) {
    krs_status status = krs_heap_graph_read(&holders->heap, own_path);
    if (status != KRS_OK)
        return status;
    size_t count = krs_graph_node_count(holders->heap.graph);
    holders->barred = calloc(count, 1);
    holders->parent = malloc(count * sizeof *holders->parent);
    if (holders->barred == NULL || holders->parent == NULL)
        return KRS_NOMEM;
    status = bar_all(holders, walk, ours);
    if (status == KRS_OK)
        status = krs_heap_graph_paths(&holders->heap, holders->barred, holders->parent);
    return status;
}

/* An object that only C code holds may be half made (cpython gh-101855, tuples): such a
 * root is named by its type and not handed out. */
static PyObject *step(const krs_holders *holders, krs_node node, krs_node next) {
    const krs_heap_graph *heap = &holders->heap;
    if (krs_heap_graph_is_frame(heap, node))
        return krs_describe_variable(krs_heap_graph_variable(heap, node, next));
    PyObject *object = (PyObject *)krs_graph_address(heap->graph, node);
    int is_root = holders->parent[node] == node && node != 0;
    if (is_root && PyTuple_Check(object))
        return Py_BuildValue("(s)", Py_TYPE(object)->tp_name);
    return Py_NewRef(object);
}

static PyObject *path(const krs_holders *holders, krs_node holder, krs_node target) {
    PyObject *steps = PyList_New(0);
    krs_node next = target;
    for (krs_node node = holder; steps != NULL; node = holders->parent[node]) {
        PyObject *object = step(holders, node, next);
        if (object == NULL || PyList_Append(steps, object) < 0)
            Py_CLEAR(steps);
        Py_XDECREF(object);
        if (holders->parent[node] == node)
            break;
        next = node;
    }
    if (steps != NULL && PyList_Reverse(steps) < 0)
        Py_CLEAR(steps);
    return steps;
}

static int refers_to(const krs_graph *graph, krs_node source, krs_node target) {
    size_t count;
    const krs_node *targets = krs_graph_targets(graph, source, &count);
    for (size_t i = 0; i < count; i++)
        if (targets[i] == target)
            return 1;
    return 0;
}

/* The holders of `target`: first the one on its shortest path, then the others. */
static PyObject *paths_to(const krs_holders *holders, krs_node target,
                          Py_ssize_t limit) {
    const krs_graph *graph = holders->heap.graph;
    PyObject *paths = PyList_New(0);
    krs_node first = target == KRS_NODE_NONE || holders->parent[target] == target
                         ? KRS_NODE_NONE
                         : holders->parent[target];
    krs_node count = target == KRS_NODE_NONE ? 0 : krs_graph_node_count(graph);
    for (int others = 0; paths != NULL && others < 2; others++) {
        for (krs_node node = others ? 0 : first;
             paths != NULL && node < count && PyList_GET_SIZE(paths) < limit; node++) {
            int reached =
                !holders->barred[node] && holders->parent[node] != KRS_NODE_NONE;
            if (!others || (reached && node != first && node != target &&
                            refers_to(graph, node, target))) {
                PyObject *steps = path(holders, node, target);
                if (steps == NULL || PyList_Append(paths, steps) < 0)
                    Py_CLEAR(paths);
                Py_XDECREF(steps);
            }
            if (!others)
                break;
        }
    }
    return paths;
}

static PyObject *answer(const krs_holders *holders, PyObject *targets,
                        Py_ssize_t limit) {
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t i = 0; rows != NULL && i < PyList_GET_SIZE(targets); i++) {
        krs_node node =
            krs_graph_find(holders->heap.graph, PyList_GET_ITEM(targets, i));
        PyObject *paths = paths_to(holders, node, limit);
        if (paths == NULL || PyList_Append(rows, paths) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(paths);
    }
    return rows;
}

PyObject *krs_py_holders(PyObject *module, PyObject *arguments) {
    krs_state *state = krs_state_of(module);
    PyObject *targets, *owned, *ours;
    Py_ssize_t limit;
    if (!PyArg_ParseTuple(arguments, "O!O!O!n:holders", &PyList_Type, &targets,
                          state->owned_type, &owned, &PyList_Type, &ours, &limit))
        return NULL;
    krs_holders holders = {0};
    int was_enabled = PyGC_Disable();
    krs_status status =
        find_paths(&holders, &((krs_owned *)owned)->walk, ours, state->own_path);
    PyObject *rows = NULL;
    if (status == KRS_OK)
        rows = answer(&holders, targets, limit);
    else if (!PyErr_Occurred())
        krs_raise(status, "reading the heap");
    if (was_enabled)
        PyGC_Enable();
    krs_heap_graph_clear(&holders.heap);
    free(holders.barred);
    free(holders.parent);
    return rows;
}
