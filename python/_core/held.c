/* Who holds each target: a row (ways, references nobody explains, garbage) for each.
 *
 * A way is a path from a root, the shortest first. Garbage is what holds a target, but
 * cannot be reached from anywhere any more: (type, label) of each, waiting for the
 * collector. */
#include <stdlib.h>

#include "question.h"

/* How many nodes are opened looking backwards from a target: enough for every container
 * and object around a model, and not for a whole heap. */
enum { REACH = 4096, GARBAGE_LIMIT = 8 };

typedef struct {
    krs_reading *reading;
    krs_node *next;
    krs_node *inner; /* reached from the targets and from nowhere else: would go */
    krs_way *ways;
} krs_held;

static size_t count_references(const krs_graph *graph, krs_node source,
                               krs_node target) {
    size_t count, found = 0;
    const krs_node *targets = krs_graph_targets(graph, source, &count);
    for (size_t i = 0; i < count; i++)
        found += targets[i] == target;
    return found;
}

/* root -> ... -> holder -> held -> ... -> target; free() it. */
static krs_node *chain_of(const krs_held *held, const krs_way *way, size_t *length,
                          size_t *at) {
    size_t behind = 1;
    for (krs_node n = way->held; held->next[n] != KRS_NODE_NONE; n = held->next[n])
        behind++;
    krs_node *chain =
        krs_chain_down_to(held->reading->parent, way->holder, behind, length);
    if (chain == NULL)
        return NULL;
    *at = *length - 1;
    krs_node n = way->held;
    for (size_t i = 0; i < behind; i++, n = held->next[n])
        chain[(*length)++] = n;
    return chain;
}

static int append_path(const krs_held *held, PyObject *paths, const krs_node *chain,
                       size_t length, size_t at, size_t nth) {
    PyObject *path = krs_path(held->reading, chain, length, at, nth);
    int failed = path == NULL || PyList_Append(paths, path) < 0;
    Py_XDECREF(path);
    return failed ? -1 : 0;
}

/* One path for each reference of the holder: `models[2]` and `models[5]`. */
static int append_way(const krs_held *held, PyObject *paths, const krs_way *way) {
    const krs_heap_graph *heap = &held->reading->heap;
    Py_ssize_t limit = held->reading->question->limit;
    size_t references = count_references(heap->graph, way->holder, way->held);
    if (krs_heap_is_frame(heap, way->holder))
        references = krs_heap_count_variables(heap, way->holder, way->held);
    size_t length, at;
    krs_node *chain = chain_of(held, way, &length, &at);
    if (chain == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int failed = 0;
    for (size_t nth = 0; !failed && nth < references && PyList_GET_SIZE(paths) < limit;
         nth++)
        failed = append_path(held, paths, chain, length, at, nth);
    free(chain);
    return failed;
}

static uint32_t depth_of(const krs_node *parent, krs_node node) {
    uint32_t depth = 0;
    for (; parent[node] != node; node = parent[node])
        depth++;
    return depth;
}

/* The shortest way alone, by whom the target is held directly: what thousands of
 * targets can afford. Returns how many were found. */
static size_t find_nearest(const krs_held *held, krs_node target) {
    const krs_reading *reading = held->reading;
    size_t count;
    const krs_node *holders = krs_referrers_of(reading->referrers, target, &count);
    krs_way *nearest = &held->ways[0];
    *nearest = (krs_way){.holder = KRS_NODE_NONE, .held = target, .steps = UINT32_MAX};
    held->next[target] = KRS_NODE_NONE;
    for (size_t i = 0; i < count; i++) {
        krs_node holder = holders[i];
        if (reading->barred[holder] || reading->parent[holder] == KRS_NODE_NONE)
            continue;
        uint32_t steps = depth_of(reading->parent, holder) + 1;
        if (steps < nearest->steps)
            *nearest = (krs_way){.holder = holder, .held = target, .steps = steps};
    }
    return nearest->holder == KRS_NODE_NONE ? 0 : 1;
}

static krs_status find_ways(const krs_held *held, krs_node target, size_t *count) {
    const krs_reading *reading = held->reading;
    size_t limit = (size_t)reading->question->limit;
    if (limit == 1) {
        *count = find_nearest(held, target);
        return KRS_OK;
    }
    return krs_graph_ways(reading->heap.graph, reading->referrers, target,
                          reading->barred, reading->parent, REACH, held->next,
                          held->ways, limit, count);
}

static PyObject *ways_to(const krs_held *held, krs_node target) {
    size_t count;
    krs_status status = find_ways(held, target, &count);
    if (status != KRS_OK)
        return krs_raise(status, "following references backwards");
    PyObject *paths = PyList_New(0);
    for (size_t i = 0; paths != NULL && i < count; i++)
        if (append_way(held, paths, &held->ways[i]) < 0)
            Py_CLEAR(paths);
    return paths;
}

/* A dict of attributes says little: the instance that it belongs to is meant. */
static krs_node instance_of(const krs_held *held, krs_node holder) {
    const krs_heap_graph *heap = &held->reading->heap;
    size_t count;
    const krs_node *owners = krs_referrers_of(held->reading->referrers, holder, &count);
    if (!PyDict_CheckExact(krs_heap_object(heap, holder)) || count != 1 ||
        krs_heap_is_frame(heap, owners[0]))
        return holder;
    return owners[0];
}

static PyObject *garbage_around(const krs_held *held, krs_node target) {
    const krs_reading *reading = held->reading;
    PyObject *list = PyList_New(0);
    size_t count;
    const krs_node *holders = krs_referrers_of(reading->referrers, target, &count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        krs_node holder = holders[i];
        if (reading->parent[holder] != KRS_NODE_NONE || reading->barred[holder] ||
            held->inner[holder] != KRS_NODE_NONE ||
            krs_heap_is_frame(&reading->heap, holder) ||
            PyList_GET_SIZE(list) == GARBAGE_LIMIT)
            continue;
        PyObject *one = krs_describe_object(
            reading->state, krs_heap_object(&reading->heap, instance_of(held, holder)));
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *row_of(const krs_held *held, PyObject *object) {
    const krs_heap_graph *heap = &held->reading->heap;
    krs_node target = krs_graph_find(heap->graph, object);
    int64_t unexplained = heap->unexplained[target];
    PyObject *paths = ways_to(held, target);
    PyObject *garbage = paths == NULL ? NULL : garbage_around(held, target);
    PyObject *by_c = PyLong_FromLongLong(unexplained > 0 ? unexplained : 0);
    return krs_tuple_of(3, paths, by_c, garbage);
}

static PyObject *rows_of(const krs_held *held) {
    PyObject *targets = held->reading->question->targets;
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t i = 0; rows != NULL && i < PyList_GET_SIZE(targets); i++) {
        PyObject *row = row_of(held, PyList_GET_ITEM(targets, i));
        if (row == NULL || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

PyObject *krs_answer_held(krs_reading *reading) {
    size_t count = krs_graph_node_count(reading->heap.graph);
    size_t limit = (size_t)reading->question->limit;
    krs_held held = {.reading = reading,
                     .next = malloc(count * sizeof *held.next),
                     .inner = malloc(count * sizeof *held.inner),
                     .ways = malloc(limit * sizeof *held.ways)};
    PyObject *rows = NULL;
    if (held.next == NULL || held.inner == NULL || held.ways == NULL)
        PyErr_NoMemory();
    else if (krs_find_inner(reading, held.inner) == 0)
        rows = rows_of(&held);
    free(held.next);
    free(held.inner);
    free(held.ways);
    return rows;
}
