/* Reading the heap: every tracked object, and what it refers to, becomes a graph.
 *
 * What costs time is waiting for memory: an object, its type and what it refers to lie
 * anywhere. So objects are taken in batches: first all of a batch say what they refer
 * to, by which time the headers of that have been fetched; then plain values are left
 * out, and only then are addresses looked up. */
#include "heap.h"

#include <stdlib.h>
#include <string.h>

#include "enumerate.h"

enum { BATCH_OBJECTS = 256, BATCH_REFERENCES = 2048, FETCH_AHEAD = 8 };

static int add_object(PyObject *object, void *context) {
    krs_node node;
    return (int)krs_graph_node(context, object, &node);
}

/* Objects that hold nothing and that nobody looks for: 6 of 10 in a process that has
 * TensorFlow. */
static int is_plain(PyObject *object) {
    const PyTypeObject *type = Py_TYPE(object);
    return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type ||
           type == &PyBytes_Type || type == &PyBool_Type || object == Py_None;
}

/* What a batch of nodes in a row refers to. */
typedef struct {
    krs_node first;
    uint32_t sources;
    uint32_t counts[BATCH_OBJECTS];
    krs_references found;
    size_t next_variable;
} krs_batch;

/* An object's own count of references, read while its header is at hand: a pass over
 * all nodes would wait for each of them once more. */
static int64_t references_of(PyObject *object) {
    return krs_is_immortal(object) ? INT64_MAX : (int64_t)Py_REFCNT(object);
}

static krs_status reserve_counts(krs_heap_graph *heap, size_t *room) {
    size_t needed = krs_graph_node_count(heap->graph);
    if (needed <= *room)
        return KRS_OK;
    size_t more = needed + needed / 2;
    int64_t *grown = realloc(heap->unexplained, more * sizeof *grown);
    if (grown == NULL)
        return KRS_NOMEM;
    heap->unexplained = grown;
    *room = more;
    return KRS_OK;
}

/* The variables of a frame stand together, in the order in which frames became nodes.
 * Where a call leaves its arguments on the caller's stack too, nobody else shows that
 * second reference. */
static int append_variables(const krs_heap_graph *heap, krs_node node,
                            krs_batch *batch) {
    const void *frame = krs_graph_address(heap->graph, node);
    int failed = 0;
    for (; batch->next_variable < heap->variable_count; batch->next_variable++) {
        const krs_variable *variable = &heap->variables[batch->next_variable];
        if (variable->frame != frame || failed)
            break;
        failed = krs_references_push(&batch->found, variable->value);
        if (krs_frames_caller_keeps_arguments() && krs_variable_is_argument(variable))
            failed |= krs_references_push(&batch->found, variable->value);
    }
    return failed ? -1 : 0;
}

/* Starts at node `first` and takes as many as fit. */
static krs_status fill(krs_heap_graph *heap, krs_node first, krs_batch *batch) {
    uint32_t node_count = krs_graph_node_count(heap->graph);
    batch->first = first;
    batch->sources = 0;
    batch->found.count = 0;
    for (krs_node node = first; node < node_count && batch->sources < BATCH_OBJECTS &&
                                batch->found.count < BATCH_REFERENCES;
         node++) {
        size_t before = batch->found.count;
        __builtin_prefetch(krs_graph_address(heap->graph, node + FETCH_AHEAD));
        PyObject *object = krs_heap_object(heap, node);
        int is_frame = krs_heap_is_frame(heap, node);
        heap->unexplained[node] = is_frame ? 0 : references_of(object);
        int failed = is_frame ? append_variables(heap, node, batch)
                              : krs_references_append(object, &batch->found);
        if (failed)
            return KRS_NOMEM;
        batch->counts[batch->sources++] = (uint32_t)(batch->found.count - before);
    }
    return KRS_OK;
}

static void leave_out_plain(krs_batch *batch) {
    const void **items = batch->found.items;
    size_t kept = 0, at = 0;
    for (uint32_t i = 0; i < batch->sources; i++) {
        size_t first = kept;
        for (uint32_t left = batch->counts[i]; left > 0; left--, at++)
            if (!is_plain((PyObject *)items[at]))
                items[kept++] = items[at];
        batch->counts[i] = (uint32_t)(kept - first);
    }
    batch->found.count = kept;
}

static krs_status expand_all(krs_heap_graph *heap, const krs_heap_rules *rules) {
    krs_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return KRS_NOMEM;
    batch->found.rules = rules->references;
    batch->found.lean = rules->lean;
    krs_status status = KRS_OK;
    size_t room = 0;
    for (krs_node node = 0;
         status == KRS_OK && node < krs_graph_node_count(heap->graph);
         node += batch->sources) {
        status = reserve_counts(heap, &room);
        if (status == KRS_OK)
            status = fill(heap, node, batch);
        if (status == KRS_OK && rules->lean)
            leave_out_plain(batch);
        if (status == KRS_OK)
            status = krs_graph_expand_run(heap->graph, node, batch->sources,
                                          batch->counts, batch->found.items);
    }
    krs_references_free(&batch->found);
    free(batch);
    return status;
}

static krs_status add_wanted(krs_heap_graph *heap, PyObject *wanted) {
    krs_status status = KRS_OK;
    krs_node node;
    for (Py_ssize_t i = 0; status == KRS_OK && i < PyList_GET_SIZE(wanted); i++)
        status = krs_graph_node(heap->graph, PyList_GET_ITEM(wanted, i), &node);
    return status;
}

krs_status krs_heap_graph_read(krs_heap_graph *heap, const krs_heap_rules *rules,
                               PyObject *wanted) {
    krs_node modules;
    memset(heap, 0, sizeof *heap);
    krs_enumeration way = krs_enumerate_choose();
    krs_status status = krs_graph_new(&heap->graph);
    if (status == KRS_OK)
        status = krs_heap_add_frames(heap, rules->own_path);
    if (status == KRS_OK)
        status = krs_heap_add_roots(heap);
    if (status == KRS_OK)
        status = krs_graph_node(heap->graph, PyImport_GetModuleDict(), &modules);
    if (status == KRS_OK)
        status = add_wanted(heap, wanted);
    if (status == KRS_OK) {
        int failed = krs_enumerate(way, add_object, heap->graph);
        status = failed < 0 ? KRS_INVALID : (krs_status)failed;
    }
    if (status == KRS_OK)
        status = expand_all(heap, rules);
    /* What the graph does not explain, C code holds: that, or a value in the middle of
     * an expression, which up to CPython 3.13 nobody can see. */
    return status == KRS_OK ? krs_graph_unexplained(heap->graph, heap->unexplained)
                            : status;
}

void krs_heap_graph_clear(krs_heap_graph *heap) {
    krs_graph_free(heap->graph);
    free(heap->variables);
    free(heap->roots);
    free(heap->unexplained);
    memset(heap, 0, sizeof *heap);
}

const krs_variable *krs_heap_variable(const krs_heap_graph *heap, krs_node frame,
                                      krs_node node, size_t nth) {
    const void *frame_address = krs_graph_address(heap->graph, frame);
    const void *address = krs_graph_address(heap->graph, node);
    for (size_t i = 0; i < heap->variable_count; i++) {
        const krs_variable *variable = &heap->variables[i];
        if (variable->frame == frame_address && variable->value == address &&
            nth-- == 0)
            return variable;
    }
    return NULL;
}

size_t krs_heap_count_variables(const krs_heap_graph *heap, krs_node frame,
                                krs_node node) {
    size_t count = 0;
    while (krs_heap_variable(heap, frame, node, count) != NULL)
        count++;
    return count;
}

/* Each root was a new node when it was added: they are in the order of their nodes. */
const krs_heap_root *krs_heap_find_root(const krs_heap_graph *heap, krs_node node) {
    size_t low = 0, high = heap->root_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (heap->roots[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < heap->root_count && heap->roots[low].node == node ? &heap->roots[low]
                                                                   : NULL;
}

krs_status krs_heap_paths(const krs_heap_graph *heap, const uint8_t *barred,
                          krs_node *parent) {
    krs_node *nodes;
    uint8_t *waves;
    size_t count;
    krs_status status = krs_heap_roots(heap, barred, &nodes, &waves, &count);
    if (status == KRS_OK)
        status = krs_graph_paths(heap->graph, nodes, waves, count, barred, parent);
    free(nodes);
    free(waves);
    return status;
}
