/* heap.h - the whole heap as a graph, with the running functions in it. */
#ifndef KRS_PY_HEAP_H
#define KRS_PY_HEAP_H

#include "frames.h"
#include "python.h"
#include "references.h"

/* Where a search for what is alive begins, in the terms of a user. */
typedef enum {
    KRS_ROOT_MODULE, /* the names of a module */
    KRS_ROOT_FRAME,  /* the variables of a running function */
    KRS_ROOT_THREAD, /* what the interpreter keeps for a thread */
    KRS_ROOT_C,      /* an object with references that nothing else explains */
} krs_root_kind;

typedef struct {
    krs_node node;
    krs_root_kind kind;
    PyObject *module; /* borrowed str, of KRS_ROOT_MODULE */
    uint64_t thread;  /* of KRS_ROOT_THREAD, as threading.get_ident() */
    const char *what; /* of KRS_ROOT_THREAD: which of its things */
} krs_heap_root;

typedef struct {
    krs_graph *graph;
    krs_variable *variables; /* of running functions, frame after frame */
    size_t variable_count, variable_room;
    uint32_t frame_count; /* the nodes below this one are frames and not objects */
    krs_node own_frames;  /* the frames below this one are keraser's own */
    krs_heap_root *roots; /* those that are neither frames nor held by C code */
    size_t root_count, root_room;
    int64_t *unexplained; /* per node: references that the heap does not explain */
} krs_heap_graph;

/* How to read. */
typedef struct {
    int lean;           /* leave out str, int, float, bytes, bool and None, and the
                           tuples that belong to code */
    PyObject *own_path; /* variables of functions from files under it hold nothing */
    const krs_reference_rules *references;
} krs_heap_rules;

/* Reads the heap; `wanted`, a list, is part of it whatever refers to it. Addresses are
 * good until Python code runs or an object dies. On failure, and at the end,
 * krs_heap_graph_clear(). KRS_INVALID with a Python exception set when the enumeration
 * failed. */
krs_status krs_heap_graph_read(krs_heap_graph *heap, const krs_heap_rules *rules,
                               PyObject *wanted);
void krs_heap_graph_clear(krs_heap_graph *heap);

/* The object of a node that is no frame. */
static inline PyObject *krs_heap_object(const krs_heap_graph *heap, krs_node node) {
    return (PyObject *)krs_graph_address(heap->graph, node);
}

/* 1 for a node that stands for a frame and not for an object. */
static inline int krs_heap_is_frame(const krs_heap_graph *heap, krs_node node) {
    return node < heap->frame_count;
}

/* The `nth` variable through which frame node `frame` holds `node`, or NULL, and how
 * many there are. */
const krs_variable *krs_heap_variable(const krs_heap_graph *heap, krs_node frame,
                                      krs_node node, size_t nth);
size_t krs_heap_count_variables(const krs_heap_graph *heap, krs_node frame,
                                krs_node node);

/* The root that is `node` and neither a frame nor held by C code, or NULL. */
const krs_heap_root *krs_heap_find_root(const krs_heap_graph *heap, krs_node node);

/* All roots, in waves: modules, frames and threads first, then, for what these do not
 * reach, sys.modules and what C code holds, so that a thread's argument tuple is
 * explained by the frame that uses it and not as "held by C". Writes an array of
 * `*count` nodes and one of waves; the caller frees both. NULL bars nothing. */
krs_status krs_heap_roots(const krs_heap_graph *heap, const uint8_t *barred,
                          krs_node **nodes, uint8_t **waves, size_t *count);

/* Shortest paths from all roots. `barred` and `parent` as in krs_graph_paths(). */
krs_status krs_heap_paths(const krs_heap_graph *heap, const uint8_t *barred,
                          krs_node *parent);

/* Fills in roots.c what the reading starts from. */
krs_status krs_heap_add_frames(krs_heap_graph *heap, PyObject *own_path);
krs_status krs_heap_add_roots(krs_heap_graph *heap);

#endif
