/* The graph as the files of this folder see it.
 *
 * Nodes are numbered as they are first seen and expanded in rising order, so the
 * edges are laid down sorted by source: the list as it grows is the compressed
 * sparse row form, and nothing is built in a second pass.
 *
 * Invariants (krs__graph_check):
 *  - slot_count is a power of two, and at least a quarter of the slots is empty, so a
 *    probe always ends;
 *  - every node has exactly one slot, found by probing from its hash;
 *  - edge_end[] rises, and edge_end[expanded - 1] == edge_count. */
#ifndef KRS_HEAP_GRAPH_H
#define KRS_HEAP_GRAPH_H

#include <stdbool.h>

#include "keraser.h"

struct krs_graph {
    /* Open addressing, linear probing, nothing ever deleted. A slot is 0 when empty,
     * else a node and 1 in as many low bits as count the slots, and bits of the hash,
     * its tag, in the rest: 8 bits at 12,000,000 nodes. The address is looked up by
     * node, where the tag is right: with it in the slot, 16 bytes each, a walk of
     * 30,000 nodes took a third longer (bench/graph.c). */
    uint32_t *slots;
    size_t slot_count;
    unsigned hash_shift; /* 64 - log2(slot_count) */

    uint32_t node_count;
    uint32_t node_limit; /* what KRS_LIMIT is about; tests lower it */
    size_t node_capacity;
    const void **address; /* by node */

    uint32_t expanded;  /* nodes below this one have their edges, if any */
    uint32_t *edge_end; /* by node below `expanded`: where its edges end */

    uint32_t edge_count;
    uint32_t edge_limit; /* as node_limit */
    size_t edge_capacity;
    krs_node *edges;
};

/* How many slots may be taken. Where only half may, the table takes 8 to 16 bytes a
 * node and not 5 to 11, and expanding is no faster (bench/graph.c). */
static inline size_t krs__slots_most(const krs_graph *graph) {
    return graph->slot_count / 4 * 3;
}

/* The bits of a slot that hold its node. */
static inline uint32_t krs__slot_nodes(const krs_graph *graph) {
    return (uint32_t)(graph->slot_count - 1);
}

/* The edges of `node` are edges[begin] up to edges[end], without the last. */
static inline uint32_t krs__edges_begin(const krs_graph *graph, krs_node node) {
    return node == 0 ? 0 : graph->edge_end[node - 1];
}

static inline uint32_t krs__edges_end(const krs_graph *graph, krs_node node) {
    return graph->edge_end[node];
}

/* Whether `nodes` are `count` nodes of the graph. */
bool krs__are_nodes(const krs_graph *graph, const krs_node *nodes, size_t count);

/* The invariants that cost O(1): debug builds assert them around each mutation. */
bool krs__graph_check(const krs_graph *graph);

/* All of them, in O(nodes + edges + slots): for tests. */
bool krs__graph_check_all(const krs_graph *graph);

#endif
