/* The graph as the files of this folder see it.
 *
 * Nodes are numbered as they are first seen and expanded in rising order, so the
 * edges are laid down sorted by source: the list as it grows is the compressed
 * sparse row form, and nothing is built in a second pass.
 *
 * Invariants (krs__graph_check):
 *  - slot_count is a power of two, and at least half of the slots are empty, so a
 *    probe always ends;
 *  - every node has exactly one slot, found by probing from its hash;
 *  - edge_end[] rises, and edge_end[expanded - 1] == edge_count. */
#ifndef KRS_HEAP_GRAPH_H
#define KRS_HEAP_GRAPH_H

#include <stdbool.h>

#include "keraser.h"

struct krs_graph {
    /* Open addressing, linear probing, nothing ever deleted. A slot is 0 when empty,
     * else a node and 1; its address is looked up by node. With the address beside it,
     * 16 bytes a slot, a walk of 30,000 nodes took a third longer (bench/graph.c). */
    uint32_t *slots;
    size_t slot_count;
    unsigned hash_shift; /* 64 - log2(slot_count) */

    uint32_t node_count;
    uint32_t node_limit; /* what KRS_LIMIT is about; tests lower it */
    size_t node_capacity;
    const void **address; /* by node */

    uint32_t expanded; /* nodes below this one have their edges, if any */
    size_t *edge_end;  /* by node below `expanded`: where its edges end */

    size_t edge_count;
    size_t edge_capacity;
    krs_node *edges;
};

/* The edges of `node` are edges[begin] up to edges[end], without the last. */
static inline size_t krs__edges_begin(const krs_graph *graph, krs_node node) {
    return node == 0 ? 0 : graph->edge_end[node - 1];
}

static inline size_t krs__edges_end(const krs_graph *graph, krs_node node) {
    return graph->edge_end[node];
}

/* The invariants that cost O(1): debug builds assert them around each mutation. */
bool krs__graph_check(const krs_graph *graph);

/* All of them, in O(nodes + edges + slots): for tests. */
bool krs__graph_check_all(const krs_graph *graph);

#endif
