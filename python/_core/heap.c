#include "heap.h"

#include <stdlib.h>
#include <string.h>

#include "enumerate.h"
#include "references.h"

typedef struct {
    krs_heap_graph *heap;
    PyObject *own_path;
} krs_frame_reader;

static int keep_variable(const krs_variable *variable, void *context) {
    krs_frame_reader *reader = context;
    krs_heap_graph *heap = reader->heap;
    if (krs_variable_is_under(variable, reader->own_path))
        return 0;
    if (heap->variable_count == heap->variable_room) {
        size_t room = heap->variable_room ? heap->variable_room * 2 : 256;
        krs_variable *grown = realloc(heap->variables, room * sizeof *grown);
        if (grown == NULL)
            return -1;
        heap->variables = grown;
        heap->variable_room = room;
    }
    heap->variables[heap->variable_count++] = *variable;
    return 0;
}

static krs_status add_frames(krs_heap_graph *heap) {
    heap->first_frame = krs_graph_node_count(heap->graph);
    krs_node node;
    krs_status status = KRS_OK;
    for (size_t i = 0; status == KRS_OK && i < heap->variable_count; i++)
        status = krs_graph_node(heap->graph, heap->variables[i].frame, &node);
    heap->frame_count = krs_graph_node_count(heap->graph) - heap->first_frame;
    return status;
}

static int add_object(PyObject *object, void *context) {
    krs_node node;
    krs_status status = krs_graph_node(context, object, &node);
    return status == KRS_OK ? 0 : (int)status;
}

/* Variables of one frame stand together, in the order in which frames became nodes. */
static krs_status expand_frame(krs_heap_graph *heap, krs_node node, size_t *next) {
    const void *frame = krs_graph_address(heap->graph, node);
    size_t first = *next;
    while (*next < heap->variable_count && heap->variables[*next].frame == frame)
        (*next)++;
    const void **targets = malloc((*next - first + 1) * sizeof *targets);
    if (targets == NULL)
        return KRS_NOMEM;
    for (size_t i = first; i < *next; i++)
        targets[i - first] = heap->variables[i].value;
    krs_status status = krs_graph_expand(heap->graph, node, targets, *next - first);
    free(targets);
    return status;
}

static krs_status expand_all(krs_heap_graph *heap) {
    krs_references found = {0};
    krs_status status = KRS_OK;
    size_t next_variable = 0;
    for (krs_node node = 0;
         status == KRS_OK && node < krs_graph_node_count(heap->graph); node++) {
        if (krs_heap_graph_is_frame(heap, node)) {
            status = expand_frame(heap, node, &next_variable);
            continue;
        }
        PyObject *object = (PyObject *)krs_graph_address(heap->graph, node);
        if (krs_references_read(object, &found) < 0)
            status = KRS_NOMEM;
        else
            status = krs_graph_expand(heap->graph, node, found.items, found.count);
    }
    krs_references_free(&found);
    return status;
}

/* What the graph does not explain, C code holds. */
static krs_status find_unexplained(krs_heap_graph *heap) {
    uint32_t count = krs_graph_node_count(heap->graph);
    heap->outside = malloc((size_t)count * sizeof *heap->outside);
    if (heap->outside == NULL)
        return KRS_NOMEM;
    for (krs_node node = 0; node < count; node++) {
        PyObject *object = (PyObject *)krs_graph_address(heap->graph, node);
        int is_frame = krs_heap_graph_is_frame(heap, node);
        heap->outside[node] = is_frame ? 0 : (int64_t)Py_REFCNT(object);
    }
    for (krs_node node = 0; node < count; node++) {
        size_t target_count;
        const krs_node *targets = krs_graph_targets(heap->graph, node, &target_count);
        for (size_t i = 0; i < target_count; i++)
            heap->outside[targets[i]]--;
    }
    return KRS_OK;
}

krs_status krs_heap_graph_read(krs_heap_graph *heap, PyObject *own_path) {
    memset(heap, 0, sizeof *heap);
    krs_enumeration way = krs_enumerate_choose();
    krs_frame_reader reader = {heap, own_path};
    krs_node modules;
    krs_status status = krs_graph_new(&heap->graph);
    if (status == KRS_OK)
        status = krs_graph_node(heap->graph, PyImport_GetModuleDict(), &modules);
    if (status == KRS_OK && krs_frames_visit(keep_variable, &reader) < 0)
        status = KRS_NOMEM;
    if (status == KRS_OK)
        status = add_frames(heap);
    if (status == KRS_OK) {
        int failed = krs_enumerate(way, add_object, heap->graph);
        status = failed < 0 ? KRS_INVALID : (krs_status)failed;
    }
    if (status == KRS_OK)
        status = expand_all(heap);
    if (status == KRS_OK)
        status = find_unexplained(heap);
    return status;
}

void krs_heap_graph_clear(krs_heap_graph *heap) {
    krs_graph_free(heap->graph);
    free(heap->variables);
    free(heap->outside);
    memset(heap, 0, sizeof *heap);
}

int krs_heap_graph_is_frame(const krs_heap_graph *heap, krs_node node) {
    return node >= heap->first_frame && node - heap->first_frame < heap->frame_count;
}

const krs_variable *krs_heap_graph_variable(const krs_heap_graph *heap, krs_node frame,
                                            krs_node node) {
    const void *frame_address = krs_graph_address(heap->graph, frame);
    const void *address = krs_graph_address(heap->graph, node);
    for (size_t i = 0; i < heap->variable_count; i++)
        if (heap->variables[i].frame == frame_address &&
            heap->variables[i].value == address)
            return &heap->variables[i];
    return NULL;
}

/* Roots in waves: what is named first, then whatever C code holds, so that a thread's
 * argument tuple is explained by the frame that uses it and not as "held by C". */
krs_status krs_heap_graph_paths(const krs_heap_graph *heap, const uint8_t *barred,
                                krs_node *parent) {
    uint32_t count = krs_graph_node_count(heap->graph);
    krs_node *roots = malloc((size_t)count * sizeof *roots);
    uint8_t *waves = malloc(count);
    krs_status status = KRS_NOMEM;
    if (roots != NULL && waves != NULL) {
        size_t root_count = 0;
        for (int wave = 0; wave < 2; wave++) {
            for (krs_node node = 0; node < count; node++) {
                int named = node == 0 || krs_heap_graph_is_frame(heap, node);
                int is_root = wave == 0 ? named : !named && heap->outside[node] > 0;
                if (!is_root || barred[node])
                    continue;
                roots[root_count] = node;
                waves[root_count++] = (uint8_t)wave;
            }
        }
        status = krs_graph_paths(heap->graph, roots, waves, root_count, barred, parent);
    }
    free(roots);
    free(waves);
    return status;
}
