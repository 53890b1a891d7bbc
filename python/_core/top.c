/* The biggest owners of the process, by what would go with them.
 *
 * An object owns what it dominates: what every path from a root reaches through it
 * alone. Modules, running functions and threads own nearly everything and say nothing,
 * so an owner is an object right below these, such as the value of a variable. */
#include <stdlib.h>

#include "edges.h"
#include "question.h"
#include "sizes.h"

enum { FETCH_AHEAD = 16 }; /* nodes whose headers, anywhere in memory, come next */

typedef struct {
    krs_reading *reading;
    uint32_t count;
    uint64_t *retained; /* own bytes, then all that is dominated */
    uint32_t *members;
    krs_node *dominator;
    krs_node *owner; /* per node: the owner it belongs to, or KRS_NODE_NONE */
    uint64_t *native;
    krs_node *stack;
} krs_top;

static krs_status allocate(krs_top *top) {
    size_t count = top->count;
    top->retained = calloc(count, sizeof *top->retained);
    top->native = calloc(count, sizeof *top->native);
    top->members = malloc(count * sizeof *top->members);
    top->dominator = malloc(count * sizeof *top->dominator);
    top->owner = malloc(count * sizeof *top->owner);
    top->stack = malloc(count * sizeof *top->stack);
    return top->retained && top->native && top->members && top->dominator &&
                   top->owner && top->stack
               ? KRS_OK
               : KRS_NOMEM;
}

static void release(krs_top *top) {
    free(top->retained);
    free(top->native);
    free(top->members);
    free(top->dominator);
    free(top->owner);
    free(top->stack);
}

static krs_status add_sizes(krs_top *top) {
    const krs_heap_graph *heap = &top->reading->heap;
    for (krs_node node = heap->frame_count; node < top->count; node++) {
        __builtin_prefetch(krs_graph_address(heap->graph, node + FETCH_AHEAD));
        if (krs_size_of(krs_heap_object(heap, node), top->reading->state->sizeof_name,
                        &top->retained[node]) < 0)
            return KRS_NOMEM;
    }
    return KRS_OK;
}

/* Memory that Python does not count, of each object that has some. */
static void add_native(krs_top *top) {
    const krs_question *question = top->reading->question;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(question->natives); i++) {
        krs_node node = krs_graph_find(top->reading->heap.graph,
                                       PyList_GET_ITEM(question->natives, i));
        uint64_t bytes =
            PyLong_AsUnsignedLongLongMask(PyList_GET_ITEM(question->native_bytes, i));
        if (node == KRS_NODE_NONE)
            continue;
        top->native[node] += bytes;
        top->retained[node] += bytes;
    }
}

static krs_status find_dominators(krs_top *top) {
    const krs_reading *reading = top->reading;
    krs_node *roots;
    uint8_t *waves;
    size_t root_count;
    krs_status status =
        krs_heap_roots(&reading->heap, reading->barred, &roots, &waves, &root_count);
    if (status == KRS_OK)
        status = krs_graph_dominators(reading->heap.graph, reading->referrers, roots,
                                      root_count, reading->barred, top->dominator,
                                      top->retained, top->members);
    free(roots);
    free(waves);
    return status;
}

/* Nodes that own nearly everything: what they dominate is told apart. */
static int is_namespace(const krs_top *top, krs_node node) {
    const krs_heap_graph *heap = &top->reading->heap;
    if (krs_heap_is_frame(heap, node))
        return 1;
    PyObject *object = krs_heap_object(heap, node);
    return PyModule_Check(object) || object == PyImport_GetModuleDict() ||
           (PyDict_CheckExact(object) && krs_heap_find_root(heap, node) != NULL);
}

/* Up the dominators of `node` to one whose owner is known, and back down. */
static void find_owner(krs_top *top, krs_node node) {
    uint32_t depth = 0;
    krs_node at = node;
    while (top->owner[at] == KRS_NODE_NONE && top->dominator[at] != at) {
        top->stack[depth++] = at;
        at = top->dominator[at];
    }
    if (top->owner[at] == KRS_NODE_NONE) /* nothing dominates it */
        top->owner[at] = at;
    while (depth > 0) {
        krs_node above = at;
        at = top->stack[--depth];
        krs_node owner = top->owner[above];
        top->owner[at] = owner == above && is_namespace(top, above) ? at : owner;
    }
}

static void find_owners(krs_top *top) {
    for (krs_node node = 0; node < top->count; node++)
        top->owner[node] = KRS_NODE_NONE;
    for (krs_node node = 0; node < top->count; node++)
        if (top->dominator[node] != KRS_NODE_NONE)
            find_owner(top, node);
    for (krs_node node = 0; node < top->count; node++)
        if (top->dominator[node] != KRS_NODE_NONE && top->owner[node] != node)
            top->native[top->owner[node]] += top->native[node];
}

/* The `limit` largest owners into top->stack, the largest first; how many. */
static size_t choose(krs_top *top, size_t limit) {
    size_t chosen = 0;
    for (krs_node node = 0; node < top->count; node++) {
        if (top->owner[node] != node || is_namespace(top, node))
            continue;
        size_t place = chosen < limit ? chosen++ : limit;
        if (place == limit &&
            top->retained[node] <= top->retained[top->stack[limit - 1]])
            continue;
        place = place == limit ? limit - 1 : place;
        for (; place > 0 && top->retained[top->stack[place - 1]] < top->retained[node];
             place--)
            top->stack[place] = top->stack[place - 1];
        top->stack[place] = node;
    }
    return chosen;
}

/* (path, type, label, id, bytes, native bytes among them, objects) */
static PyObject *row_of(const krs_top *top, krs_node node) {
    const krs_reading *reading = top->reading;
    PyObject *object = krs_heap_object(&reading->heap, node);
    size_t length;
    krs_node *chain = krs_chain_down_to(reading->parent, node, 0, &length);
    if (chain == NULL)
        return PyErr_NoMemory();
    PyObject *path = krs_path(reading, chain, length, SIZE_MAX, 0);
    free(chain);
    return krs_tuple_of(7, path, krs_full_type_name(reading->state, Py_TYPE(object)),
                        path == NULL ? NULL : krs_object_label(object),
                        PyLong_FromVoidPtr(object),
                        PyLong_FromUnsignedLongLong(top->retained[node]),
                        PyLong_FromUnsignedLongLong(top->native[node]),
                        PyLong_FromUnsignedLong(top->members[node]));
}

static PyObject *rows_of(krs_top *top) {
    Py_ssize_t wanted = top->reading->question->top;
    size_t limit = (size_t)wanted < top->count ? (size_t)wanted : top->count;
    size_t chosen = choose(top, limit);
    PyObject *rows = PyList_New(0);
    for (size_t i = 0; rows != NULL && i < chosen; i++) {
        PyObject *row = row_of(top, top->stack[i]);
        if (row == NULL || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

PyObject *krs_answer_top(krs_reading *reading) {
    krs_top top = {.reading = reading,
                   .count = krs_graph_node_count(reading->heap.graph)};
    krs_status status = allocate(&top);
    if (status == KRS_OK)
        status = add_sizes(&top);
    if (status == KRS_OK) {
        add_native(&top);
        status = find_dominators(&top);
    }
    PyObject *rows = NULL;
    if (status == KRS_OK) {
        find_owners(&top);
        rows = rows_of(&top);
    } else
        krs_raise(status, "finding owners");
    release(&top);
    return rows;
}
