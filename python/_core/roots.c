/* What a reading of the heap starts from: running functions, modules, and what the
 * interpreter keeps for each thread. */
#include <stdlib.h>

#include "heap.h"

typedef struct {
    krs_heap_graph *heap;
    PyObject *own_path;
    int own; /* which variables to keep: of keraser's own functions, or of others */
} krs_frame_reader;

static int keep_variable(const krs_variable *variable, void *context) {
    krs_frame_reader *reader = context;
    krs_heap_graph *heap = reader->heap;
    if (krs_variable_is_under(variable, reader->own_path) != reader->own)
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

static krs_status add_frames_of(krs_frame_reader *reader, int own) {
    krs_heap_graph *heap = reader->heap;
    size_t first = heap->variable_count;
    krs_node node;
    krs_status status = KRS_OK;
    reader->own = own;
    if (krs_frames_visit(keep_variable, reader) < 0)
        return KRS_NOMEM;
    for (size_t i = first; status == KRS_OK && i < heap->variable_count; i++)
        status = krs_graph_node(heap->graph, heap->variables[i].frame, &node);
    heap->frame_count = krs_graph_node_count(heap->graph);
    return status;
}

/* Our own frames come first: their variables explain references, but hold nothing. */
krs_status krs_heap_add_frames(krs_heap_graph *heap, PyObject *own_path) {
    krs_frame_reader reader = {.heap = heap, .own_path = own_path};
    krs_status status = add_frames_of(&reader, 1);
    heap->own_frames = heap->frame_count;
    return status == KRS_OK ? add_frames_of(&reader, 0) : status;
}

static krs_status add_root(krs_heap_graph *heap, const krs_heap_root *root,
                           PyObject *object) {
    uint32_t before = krs_graph_node_count(heap->graph);
    krs_node node;
    if (object == NULL)
        return KRS_OK;
    krs_status status = krs_graph_node(heap->graph, object, &node);
    if (status != KRS_OK || krs_graph_node_count(heap->graph) == before)
        return status; /* a module under two names keeps its first */
    if (heap->root_count == heap->root_room) {
        size_t room = heap->root_room ? heap->root_room * 2 : 1024;
        krs_heap_root *grown = realloc(heap->roots, room * sizeof *grown);
        if (grown == NULL)
            return KRS_NOMEM;
        heap->roots = grown;
        heap->root_room = room;
    }
    heap->roots[heap->root_count] = *root;
    heap->roots[heap->root_count++].node = node;
    return KRS_OK;
}

static krs_status add_module(krs_heap_graph *heap, PyObject *name, PyObject *module) {
    krs_heap_root root = {.kind = KRS_ROOT_MODULE, .module = name};
    if (!PyUnicode_Check(name) || !PyModule_Check(module))
        return KRS_OK;
    return add_root(heap, &root, PyModule_GetDict(module));
}

static int is_main(PyObject *name) {
    return PyUnicode_Check(name) &&
           PyUnicode_CompareWithASCIIString(name, "__main__") == 0;
}

/* The user's own module first: of equally short paths the first root's is taken. */
static krs_status add_modules(krs_heap_graph *heap) {
    PyObject *modules = PyImport_GetModuleDict(), *name, *module;
    krs_status status = KRS_OK;
    for (int main = 1; main >= 0; main--)
        for (Py_ssize_t at = 0;
             status == KRS_OK && PyDict_Next(modules, &at, &name, &module);)
            if (is_main(name) == main)
                status = add_module(heap, name, module);
    return status;
}

static krs_status add_thread(krs_heap_graph *heap, PyThreadState *thread) {
    krs_heap_root root = {.kind = KRS_ROOT_THREAD, .thread = thread->thread_id};
    root.what = "thread-local";
    krs_status status = add_root(heap, &root, thread->dict);
    root.what = "context variables";
    if (status == KRS_OK)
        status = add_root(heap, &root, thread->context);
    root.what = "error being handled";
    for (_PyErr_StackItem *item = thread->exc_info; status == KRS_OK && item != NULL;
         item = item->previous_item)
        status = add_root(heap, &root, item->exc_value);
    return status;
}

krs_status krs_heap_add_roots(krs_heap_graph *heap) {
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    krs_status status = add_modules(heap);
    for (; status == KRS_OK && thread != NULL; thread = PyThreadState_Next(thread))
        status = add_thread(heap, thread);
    return status;
}

/* An own frame, or a node that nothing else explains, is not where a search begins. */
static int is_root_of_wave(const krs_heap_graph *heap, krs_node node, int wave,
                           const uint8_t *named) {
    if (wave == 0)
        return named[node];
    return !krs_heap_is_frame(heap, node) && !named[node] &&
           (heap->unexplained[node] > 0 ||
            krs_heap_object(heap, node) == PyImport_GetModuleDict());
}

static void collect_roots(const krs_heap_graph *heap, const uint8_t *barred,
                          const uint8_t *named, krs_node *nodes, uint8_t *waves,
                          size_t *count) {
    for (int wave = 0; wave < 2; wave++) {
        for (krs_node node = 0; node < krs_graph_node_count(heap->graph); node++) {
            if (!is_root_of_wave(heap, node, wave, named) ||
                (barred != NULL && barred[node]))
                continue;
            nodes[*count] = node;
            waves[(*count)++] = (uint8_t)wave;
        }
    }
}

krs_status krs_heap_roots(const krs_heap_graph *heap, const uint8_t *barred,
                          krs_node **nodes, uint8_t **waves, size_t *count) {
    size_t node_count = krs_graph_node_count(heap->graph);
    uint8_t *named = calloc(node_count, 1);
    *nodes = malloc(node_count * sizeof **nodes);
    *waves = malloc(node_count);
    *count = 0;
    if (named == NULL || *nodes == NULL || *waves == NULL) {
        free(named);
        return KRS_NOMEM;
    }
    for (krs_node node = heap->own_frames; node < heap->frame_count; node++)
        named[node] = 1;
    for (size_t i = 0; i < heap->root_count; i++)
        named[heap->roots[i].node] = 1;
    collect_roots(heap, barred, named, *nodes, *waves, count);
    free(named);
    return KRS_OK;
}
