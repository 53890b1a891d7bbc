/* Trial deletion below a few objects, in time that grows with what they own and not
 * with the heap.
 *
 * The walk never goes through modules, module dictionaries, types, code or frames:
 * those outlive a model, and everything in the process hangs together through them.
 * Exceptions come and go with a model: classes made inside a function, and the frames
 * of suspended generators.
 *
 * Invariant: from the first traverse to the last krs_graph_* call no Python code runs
 * and no object dies, so addresses are objects. Before returning, every owned object
 * that the collector tracks is held by a strong reference. */
#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "references.h"
#include "sizes.h"

/* A class statement inside a function: "outer.<locals>.Net". The name may hold what is
 * not UTF-8, so it is searched and not encoded: no exception object is made. */
static int is_local_class(PyObject *object, PyObject *local_mark) {
    PyTypeObject *type = (PyTypeObject *)object;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return 0;
    PyObject *name = ((PyHeapTypeObject *)type)->ht_qualname;
    Py_ssize_t at =
        name == NULL ? -1 : PyUnicode_Find(name, local_mark, 0, PY_SSIZE_T_MAX, 1);
    if (at == -2)
        PyErr_Clear();
    return at >= 0;
}

static int is_barrier(PyObject *object, PyObject *local_mark) {
    if (PyType_Check(object))
        return !is_local_class(object, local_mark);
    if (PyFrame_Check(object))
        return !krs_frames_is_suspended(object);
    return PyModule_Check(object) || PyCode_Check(object);
}

static krs_status add_list(krs_graph *graph, PyObject *list) {
    krs_node node;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        krs_status status = krs_graph_node(graph, PyList_GET_ITEM(list, i), &node);
        if (status != KRS_OK)
            return status;
    }
    return KRS_OK;
}

/* Module dictionaries come first, so that `node < barriers` names them. */
static krs_status add_module_dicts(krs_graph *graph, krs_node *barriers) {
    PyObject *modules = PyImport_GetModuleDict(), *name, *module;
    krs_node node;
    krs_status status = krs_graph_node(graph, modules, &node);
    for (Py_ssize_t at = 0;
         status == KRS_OK && PyDict_Next(modules, &at, &name, &module);)
        if (PyModule_Check(module))
            status = krs_graph_node(graph, PyModule_GetDict(module), &node);
    *barriers = krs_graph_node_count(graph);
    return status;
}

static krs_status add_starts(krs_graph *graph, const krs_walk_start *start) {
    krs_status status = add_list(graph, start->seeds);
    for (Py_ssize_t i = 0; status == KRS_OK && i < PyList_GET_SIZE(start->groups); i++)
        status = add_list(graph, PyList_GET_ITEM(start->groups, i));
    return status;
}

static krs_status build(krs_walk *walk, const krs_walk_start *start,
                        krs_node *barriers) {
    krs_references found = {.rules = start->rules};
    krs_status status = krs_graph_new(&walk->graph);
    if (status == KRS_OK)
        status = add_module_dicts(walk->graph, barriers);
    if (status == KRS_OK)
        status = add_starts(walk->graph, start);
    for (krs_node node = *barriers;
         status == KRS_OK && node < krs_graph_node_count(walk->graph); node++) {
        PyObject *object = (PyObject *)krs_graph_address(walk->graph, node);
        if (is_barrier(object, start->local_mark))
            continue;
        if (krs_references_read(object, &found) < 0)
            status = KRS_NOMEM;
        else
            status = krs_graph_expand(walk->graph, node, found.items, found.count);
    }
    krs_references_free(&found);
    return status;
}

/* References that do not count as holding. */
typedef struct {
    const krs_graph *graph;
    const krs_walk_start *start;
    int64_t *references;
    krs_graph *given; /* what was given away */
    krs_graph *cells; /* the cells of running functions that were counted */
    uint64_t thread;
    krs_status status;
} krs_deduction;

static void deduct(const krs_deduction *deduction, const void *address) {
    krs_node node = krs_graph_find(deduction->graph, address);
    if (node != KRS_NODE_NONE && deduction->references[node] != INT64_MAX)
        deduction->references[node]--;
}

static int is_given(const krs_deduction *deduction, PyObject *value) {
    return krs_graph_find(deduction->given, value) != KRS_NODE_NONE;
}

/* What a list of ours refers to is not held by that list. */
static krs_status deduct_container(const krs_deduction *deduction,
                                   PyObject *container) {
    krs_references found = {0};
    krs_status status = KRS_NOMEM;
    if (krs_references_read(container, &found) == 0) {
        for (size_t i = 0; i < found.count; i++)
            deduct(deduction, found.items[i]);
        status = KRS_OK;
    }
    krs_references_free(&found);
    return status;
}

static krs_status deduct_containers(const krs_deduction *deduction, PyObject *list) {
    krs_status status = KRS_OK;
    for (Py_ssize_t i = 0; status == KRS_OK && i < PyList_GET_SIZE(list); i++)
        status = deduct_container(deduction, PyList_GET_ITEM(list, i));
    return status;
}

/* A cell that several running functions share refers to its content once; one that the
 * walk has come to is explained already. */
static void deduct_cell(krs_deduction *deduction, PyObject *cell) {
    uint32_t before = krs_graph_node_count(deduction->cells);
    krs_node node;
    if (krs_graph_find(deduction->graph, cell) != KRS_NODE_NONE)
        return;
    deduction->status = krs_graph_node(deduction->cells, cell, &node);
    if (krs_graph_node_count(deduction->cells) > before)
        deduct(deduction, PyCell_GET(cell));
}

static int deduct_variable(const krs_variable *variable, void *context) {
    krs_deduction *deduction = context;
    PyObject *value = variable->value;
    int is_own = krs_variable_is_under(variable, deduction->start->own_path);
    int is_here = variable->thread == deduction->thread;
    int is_name = is_here && is_given(deduction, value);
    if (is_own || is_name)
        deduct(deduction, value);
    else if (is_here && PyCell_Check(value) && PyCell_GET(value) != NULL &&
             is_given(deduction, PyCell_GET(value)))
        deduct_cell(deduction, value);
    if (is_name && krs_frames_caller_keeps_arguments() &&
        krs_variable_is_argument(variable))
        deduct(deduction, value);
    return deduction->status != KRS_OK;
}

static void deduct_namespaces(const krs_deduction *deduction) {
    PyObject *list = deduction->start->namespaces, *key, *value;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
        for (Py_ssize_t at = 0;
             PyDict_Next(PyList_GET_ITEM(list, i), &at, &key, &value);)
            if (is_given(deduction, value))
                deduct(deduction, value);
}

/* Sets up the graph `given`, which has no edges: it serves as a set. */
static krs_status note_given(krs_deduction *deduction) {
    PyObject *list = deduction->start->given;
    krs_status status = krs_graph_new(&deduction->given);
    krs_node node;
    for (Py_ssize_t i = 0; status == KRS_OK && i < PyList_GET_SIZE(list); i++)
        status = krs_graph_node(deduction->given, PyList_GET_ITEM(list, i), &node);
    return status;
}

static krs_status deduct_all(krs_deduction *deduction) {
    const krs_walk_start *start = deduction->start;
    krs_status status = deduct_container(deduction, start->seeds);
    if (status == KRS_OK)
        status = deduct_containers(deduction, start->groups);
    if (status == KRS_OK)
        status = deduct_containers(deduction, start->ours);
    if (status == KRS_OK)
        status = deduct_container(deduction, start->given);
    if (status == KRS_OK)
        status = note_given(deduction);
    if (status == KRS_OK)
        status = krs_graph_new(&deduction->cells);
    if (status == KRS_OK) {
        krs_frames_visit(deduct_variable, deduction);
        status = deduction->status;
    }
    if (status == KRS_OK)
        deduct_namespaces(deduction);
    krs_graph_free(deduction->cells);
    krs_graph_free(deduction->given);
    return status;
}

static krs_status count_references(const krs_walk *walk, const krs_walk_start *start,
                                   int64_t *references) {
    uint32_t count = krs_graph_node_count(walk->graph);
    for (krs_node node = 0; node < count; node++) {
        PyObject *object = (PyObject *)krs_graph_address(walk->graph, node);
        references[node] =
            krs_is_immortal(object) ? INT64_MAX : (int64_t)Py_REFCNT(object);
    }
    krs_deduction deduction = {.graph = walk->graph,
                               .start = start,
                               .references = references,
                               .thread = PyThread_get_thread_ident()};
    return deduct_all(&deduction);
}

static void give_roles(const krs_walk *walk, const krs_walk_start *start,
                       krs_node barriers, uint8_t *roles) {
    uint32_t count = krs_graph_node_count(walk->graph);
    for (krs_node node = 0; node < count; node++) {
        PyObject *object = (PyObject *)krs_graph_address(walk->graph, node);
        roles[node] = node < barriers || is_barrier(object, start->local_mark)
                          ? KRS_ROLE_BARRIER
                          : KRS_ROLE_PLAIN;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(start->seeds); i++) {
        PyObject *seed = PyList_GET_ITEM(start->seeds, i);
        roles[krs_graph_find(walk->graph, seed)] = KRS_ROLE_SEED;
    }
}

static krs_status label(const krs_walk *walk, const krs_walk_start *start,
                        uint8_t *labels) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(start->groups); i++) {
        PyObject *group = PyList_GET_ITEM(start->groups, i);
        for (Py_ssize_t j = 0; j < PyList_GET_SIZE(group); j++) {
            krs_node node = krs_graph_find(walk->graph, PyList_GET_ITEM(group, j));
            if (labels[node] == 0)
                labels[node] = (uint8_t)(i + 1);
        }
    }
    return krs_graph_label(walk->graph, labels);
}

static krs_status judge(krs_walk *walk, const krs_walk_start *start, krs_node barriers,
                        uint8_t *labels) {
    size_t count = krs_graph_node_count(walk->graph);
    int64_t *references = malloc(count * sizeof *references);
    uint8_t *roles = malloc(count);
    walk->owned = malloc(count);
    walk->outside = malloc(count * sizeof *walk->outside);
    krs_status status = KRS_NOMEM;
    if (references != NULL && roles != NULL && walk->owned != NULL &&
        walk->outside != NULL)
        status = count_references(walk, start, references);
    if (status == KRS_OK) {
        give_roles(walk, start, barriers, roles);
        status =
            krs_graph_owned(walk->graph, references, roles, walk->owned, walk->outside);
    }
    if (status == KRS_OK)
        status = label(walk, start, labels);
    free(references);
    free(roles);
    return status;
}

static krs_status add_up(krs_walk *walk, const uint8_t *labels, PyObject *sizeof_name) {
    uint32_t count = krs_graph_node_count(walk->graph);
    for (krs_node node = 0; node < count; node++) {
        PyObject *object = (PyObject *)krs_graph_address(walk->graph, node);
        uint64_t bytes;
        if (!walk->owned[node])
            continue;
        if (krs_size_of(object, sizeof_name, &bytes) < 0)
            return KRS_NOMEM;
        walk->objects[labels[node]]++;
        walk->bytes[labels[node]] += bytes;
    }
    return KRS_OK;
}

/* Takes a strong reference to every owned object that is tracked. */
static krs_status hold(krs_walk *walk) {
    uint32_t count = krs_graph_node_count(walk->graph);
    size_t tracked = 0;
    for (krs_node node = 0; node < count; node++) {
        PyObject *object = (PyObject *)krs_graph_address(walk->graph, node);
        if (walk->owned[node] && PyObject_GC_IsTracked(object)) {
            walk->owned[node] = KRS_WALK_HELD;
            tracked++;
        }
    }
    walk->held = malloc((tracked ? tracked : 1) * sizeof *walk->held);
    if (walk->held == NULL)
        return KRS_NOMEM;
    for (krs_node node = 0; node < count; node++) {
        PyObject *object = (PyObject *)krs_graph_address(walk->graph, node);
        if (walk->owned[node] == KRS_WALK_HELD)
            walk->held[walk->held_count++] = Py_NewRef(object);
    }
    return KRS_OK;
}

krs_status krs_walk_run(krs_walk *walk, const krs_walk_start *start) {
    memset(walk, 0, sizeof *walk);
    krs_node barriers = 0;
    krs_status status = build(walk, start, &barriers);
    uint8_t *labels = NULL;
    if (status == KRS_OK) {
        size_t count = krs_graph_node_count(walk->graph);
        labels = calloc(count ? count : 1, 1);
        status = labels == NULL ? KRS_NOMEM : judge(walk, start, barriers, labels);
    }
    if (status == KRS_OK)
        status = add_up(walk, labels, start->sizeof_name);
    if (status == KRS_OK)
        status = hold(walk);
    free(labels);
    if (status != KRS_OK)
        krs_walk_clear(walk);
    return status;
}

void krs_walk_clear(krs_walk *walk) {
    PyObject **held = walk->held;
    size_t count = walk->held_count;
    krs_graph_free(walk->graph);
    free(walk->owned);
    free(walk->outside);
    memset(walk, 0, sizeof *walk);
    for (size_t i = 0; i < count; i++)
        Py_DECREF(held[i]);
    free(held);
}

krs_node krs_walk_find_held(const krs_walk *walk, PyObject *object) {
    if (walk->graph == NULL)
        return KRS_NODE_NONE;
    krs_node node = krs_graph_find(walk->graph, object);
    if (node == KRS_NODE_NONE || walk->owned[node] != KRS_WALK_HELD)
        return KRS_NODE_NONE;
    return node;
}
