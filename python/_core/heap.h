/* heap.h - the whole heap as a graph, with the running functions in it. */
#ifndef KRS_PY_HEAP_H
#define KRS_PY_HEAP_H

#include "frames.h"
#include "python.h"

typedef struct {
    krs_graph *graph;
    krs_variable *variables; /* of running functions, frame after frame */
    size_t variable_count, variable_room;
    krs_node first_frame; /* frames are the nodes [first_frame, first_frame + frames) */
    uint32_t frame_count;
    int64_t *outside; /* per node: references that the heap does not explain */
} krs_heap_graph;

/* Reads the heap. Variables of functions from files under `own_path` are left out.
 * Addresses are good until Python code runs or an object dies. On failure, and at the
 * end, krs_heap_graph_clear(). KRS_INVALID with a Python exception set when the
 * enumeration failed. */
krs_status krs_heap_graph_read(krs_heap_graph *heap, PyObject *own_path);
void krs_heap_graph_clear(krs_heap_graph *heap);

/* 1 for a node that stands for a frame and not for an object. */
int krs_heap_graph_is_frame(const krs_heap_graph *heap, krs_node node);

/* The variable through which frame node `frame` holds `node`, or NULL. */
const krs_variable *krs_heap_graph_variable(const krs_heap_graph *heap, krs_node frame,
                                            krs_node node);

/* Shortest paths from modules and frames, then, for what they do not reach, from what C
 * code holds. `barred` as in krs_graph_paths(). */
krs_status krs_heap_graph_paths(const krs_heap_graph *heap, const uint8_t *barred,
                                krs_node *parent);

#endif
