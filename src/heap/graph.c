/* Building the graph: addresses to numbers by an open-addressing table, and edges
 * appended as their sources come. What a walk of the Python heap spends here is cache
 * misses in the table, so its slots are fetched ahead (bench/graph.c). */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "heap/graph.h"

enum {
    EMPTY = 0,
    FIRST_SLOTS_LOG2 = 10, /* 4 KiB: most walks are of one model, not of a process */
    FETCH_AHEAD = 16,      /* targets: with 4 or 64 expanding takes a sixth longer */
};

/* One below KRS_NODE_NONE, so that a count of nodes never looks like it. */
#define NODE_LIMIT (KRS_NODE_NONE - 1)

/* Objects are 16-byte aligned, so the low bits say nothing; multiplying by 2^64 / phi
 * spreads the rest over the high bits (Knuth, TAOCP vol. 3, 6.4). */
static size_t home_slot(const krs_graph *graph, const void *address) {
    const uint64_t key = (uint64_t)(uintptr_t)address >> 4;
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> graph->hash_shift);
}

/* The slot that holds the node of `address`, or the empty one where it belongs. */
static size_t find_slot(const krs_graph *graph, const void *address) {
    const size_t mask = graph->slot_count - 1;
    size_t i = home_slot(graph, address);
    while (graph->slots[i] != EMPTY && graph->address[graph->slots[i] - 1] != address)
        i = (i + 1) & mask;
    return i;
}

static void fetch_slot(const krs_graph *graph, const void *address) {
    __builtin_prefetch(&graph->slots[home_slot(graph, address)]);
}

/* Moves to a table of 2^log2 slots; the old one stays where there is no room. */
static krs_status rehash(krs_graph *graph, unsigned log2) {
    uint32_t *slots = calloc((size_t)1 << log2, sizeof *slots);
    if (slots == NULL)
        return KRS_NOMEM;
    free(graph->slots);
    graph->slots = slots;
    graph->slot_count = (size_t)1 << log2;
    graph->hash_shift = 64 - log2;
    for (krs_node n = 0; n < graph->node_count; n++) {
        if (n + FETCH_AHEAD < graph->node_count)
            fetch_slot(graph, graph->address[n + FETCH_AHEAD]);
        size_t i = home_slot(graph, graph->address[n]);
        while (slots[i] != EMPTY) /* no two are alike, so none need be compared */
            i = (i + 1) & (graph->slot_count - 1);
        slots[i] = n + 1;
    }
    return KRS_OK;
}

static krs_status grow_nodes(krs_graph *graph) {
    const size_t capacity = krs__array_capacity(
        graph->node_capacity, (size_t)graph->node_count + 1, sizeof *graph->address);
    const void **address =
        krs__array_resize(graph->address, capacity, sizeof *graph->address);
    if (address == NULL)
        return KRS_NOMEM;
    graph->address = address;
    size_t *edge_end =
        krs__array_resize(graph->edge_end, capacity, sizeof *graph->edge_end);
    if (edge_end == NULL)
        return KRS_NOMEM;
    graph->edge_end = edge_end;
    graph->node_capacity = capacity;
    return KRS_OK;
}

static krs_status grow_edges(krs_graph *graph, size_t needed) {
    const size_t capacity =
        krs__array_capacity(graph->edge_capacity, needed, sizeof *graph->edges);
    krs_node *edges = krs__array_resize(graph->edges, capacity, sizeof *graph->edges);
    if (edges == NULL)
        return KRS_NOMEM;
    graph->edges = edges;
    graph->edge_capacity = capacity;
    return KRS_OK;
}

/* Makes room for one more node in the arrays and in the table. */
static krs_status reserve_node(krs_graph *graph) {
    krs_status status = KRS_OK;
    if (graph->node_count >= graph->node_limit)
        return KRS_LIMIT;
    if (graph->node_count == graph->node_capacity)
        status = grow_nodes(graph);
    if (status == KRS_OK && graph->node_count >= graph->slot_count / 2)
        status = rehash(graph, 64 - graph->hash_shift + 1);
    return status;
}

static krs_status intern(krs_graph *graph, const void *address, krs_node *node) {
    size_t slot = find_slot(graph, address);
    if (graph->slots[slot] == EMPTY) {
        const size_t slot_count = graph->slot_count;
        const krs_status status = reserve_node(graph);
        if (status != KRS_OK)
            return status;
        if (graph->slot_count != slot_count)
            slot = find_slot(graph, address);
        graph->address[graph->node_count++] = address;
        graph->slots[slot] = graph->node_count;
    }
    *node = graph->slots[slot] - 1;
    return KRS_OK;
}

krs_status krs_graph_new(krs_graph **graph) {
    if (graph == NULL)
        return KRS_INVALID;
    krs_graph *made = calloc(1, sizeof *made);
    if (made == NULL)
        return KRS_NOMEM;
    made->node_limit = NODE_LIMIT;
    const krs_status status = rehash(made, FIRST_SLOTS_LOG2);
    if (status != KRS_OK) {
        krs_graph_free(made);
        return status;
    }
    assert(krs__graph_check(made));
    *graph = made;
    return KRS_OK;
}

void krs_graph_free(krs_graph *graph) {
    if (graph == NULL)
        return;
    free(graph->slots);
    free((void *)graph->address);
    free(graph->edge_end);
    free(graph->edges);
    free(graph);
}

krs_status krs_graph_node(krs_graph *graph, const void *address, krs_node *node) {
    if (graph == NULL || address == NULL || node == NULL)
        return KRS_INVALID;
    assert(krs__graph_check(graph));
    const krs_status status = intern(graph, address, node);
    assert(krs__graph_check(graph));
    return status;
}

krs_node krs_graph_find(const krs_graph *graph, const void *address) {
    if (graph == NULL || address == NULL)
        return KRS_NODE_NONE;
    const uint32_t slot = graph->slots[find_slot(graph, address)];
    return slot == EMPTY ? KRS_NODE_NONE : slot - 1;
}

uint32_t krs_graph_node_count(const krs_graph *graph) {
    return graph == NULL ? 0 : graph->node_count;
}

uint64_t krs_graph_edge_count(const krs_graph *graph) {
    return graph == NULL ? 0 : graph->edge_count;
}

const void *krs_graph_address(const krs_graph *graph, krs_node node) {
    if (graph == NULL || node >= graph->node_count)
        return NULL;
    return graph->address[node];
}

/* Appends an edge to each of `targets`; there is room for `count` more. */
static krs_status append_edges(krs_graph *graph, const void *const *targets,
                               size_t count) {
    for (size_t i = 0; i < count && i < FETCH_AHEAD; i++)
        fetch_slot(graph, targets[i]);
    for (size_t i = 0; i < count; i++) {
        if (count - i > FETCH_AHEAD)
            fetch_slot(graph, targets[i + FETCH_AHEAD]);
        if (targets[i] == NULL)
            continue;
        const krs_status status =
            intern(graph, targets[i], &graph->edges[graph->edge_count]);
        if (status != KRS_OK)
            return status;
        graph->edge_count++;
    }
    return KRS_OK;
}

krs_status krs_graph_expand(krs_graph *graph, krs_node source,
                            const void *const *targets, size_t count) {
    if (graph == NULL || (targets == NULL && count > 0))
        return KRS_INVALID;
    assert(krs__graph_check(graph));
    if (source >= graph->node_count || source < graph->expanded)
        return KRS_INVALID;
    if (count > graph->edge_capacity - graph->edge_count) {
        if (count > SIZE_MAX - graph->edge_count)
            return KRS_NOMEM;
        const krs_status status = grow_edges(graph, graph->edge_count + count);
        if (status != KRS_OK)
            return status;
    }
    for (krs_node barrier = graph->expanded; barrier < source; barrier++)
        graph->edge_end[barrier] = graph->edge_count;
    const krs_status status = append_edges(graph, targets, count);
    graph->edge_end[source] = graph->edge_count;
    graph->expanded = source + 1;
    assert(krs__graph_check(graph));
    return status;
}

const krs_node *krs_graph_targets(const krs_graph *graph, krs_node node,
                                  size_t *count) {
    if (count != NULL)
        *count = 0;
    if (graph == NULL || count == NULL || node >= graph->expanded)
        return NULL;
    const size_t begin = krs__edges_begin(graph, node);
    *count = krs__edges_end(graph, node) - begin;
    return *count == 0 ? NULL : graph->edges + begin;
}
