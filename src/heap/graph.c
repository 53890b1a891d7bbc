/* Building the graph: addresses to numbers by an open-addressing table, and edges
 * appended as their sources come. What a walk of the Python heap spends here is cache
 * misses: in the table, and in the addresses to compare with. So both are fetched
 * ahead, and tags spare most comparisons that would fail (bench/graph.c: a run of
 * sources takes 0.6 of the time without). */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "heap/graph.h"

enum {
    EMPTY = 0,
    FIRST_SLOTS_LOG2 = 10, /* 4 KiB: most walks are of one model, not of a process */
    FETCH_AHEAD = 32,      /* targets: with 8 a run takes two fifths longer */
};

/* Of nodes and of edges. One below KRS_NODE_NONE, so that a count of nodes never looks
 * like it. */
#define LIMIT (KRS_NODE_NONE - 1)

/* Objects are 16-byte aligned, so the low bits say nothing; multiplying by 2^64 / phi
 * spreads the rest over the high bits (Knuth, TAOCP vol. 3, 6.4). */
static uint64_t hash_of(const void *address) {
    return ((uint64_t)(uintptr_t)address >> 4) * UINT64_C(0x9E3779B97F4A7C15);
}

static size_t home_of(const krs_graph *graph, uint64_t hash) {
    return (size_t)(hash >> graph->hash_shift);
}

/* What a slot says of the hash: the bits after those that make its home. */
static uint32_t tag_of(const krs_graph *graph, uint64_t hash) {
    return (uint32_t)(hash << (64 - graph->hash_shift) >> 32) & ~krs__slot_nodes(graph);
}

/* From slot `i` on, the first that is empty or bears the tag of `hash`. */
static size_t next_likely(const krs_graph *graph, uint64_t hash, size_t i) {
    const uint32_t nodes = krs__slot_nodes(graph), tag = tag_of(graph, hash);
    while (graph->slots[i] != EMPTY && (graph->slots[i] & ~nodes) != tag)
        i = (i + 1) & (graph->slot_count - 1);
    return i;
}

static krs_node node_in(const krs_graph *graph, size_t slot) {
    return (graph->slots[slot] & krs__slot_nodes(graph)) - 1;
}

/* The slot that holds the node of `address`, or the empty one where it belongs. */
static size_t find_slot(const krs_graph *graph, const void *address) {
    const uint64_t hash = hash_of(address);
    size_t i = next_likely(graph, hash, home_of(graph, hash));
    while (graph->slots[i] != EMPTY && graph->address[node_in(graph, i)] != address)
        i = next_likely(graph, hash, (i + 1) & (graph->slot_count - 1));
    return i;
}

static void fetch_slot(const krs_graph *graph, const void *address) {
    __builtin_prefetch(&graph->slots[home_of(graph, hash_of(address))]);
}

/* Fetches what find_slot() will compare, when the slot has been fetched. */
static void fetch_address(const krs_graph *graph, const void *address) {
    const uint64_t hash = hash_of(address);
    const size_t i = next_likely(graph, hash, home_of(graph, hash));
    if (graph->slots[i] != EMPTY)
        __builtin_prefetch(&graph->address[node_in(graph, i)]);
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
        const uint64_t hash = hash_of(graph->address[n]);
        size_t i = home_of(graph, hash);
        while (slots[i] != EMPTY) /* no two are alike, so none need be compared */
            i = (i + 1) & (graph->slot_count - 1);
        slots[i] = tag_of(graph, hash) | (n + 1);
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
    uint32_t *edge_end =
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
    if (status == KRS_OK && graph->node_count >= krs__slots_most(graph))
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
        graph->slots[slot] = tag_of(graph, hash_of(address)) | graph->node_count;
    }
    *node = node_in(graph, slot);
    return KRS_OK;
}

krs_status krs_graph_new(krs_graph **graph) {
    if (graph == NULL)
        return KRS_INVALID;
    krs_graph *made = calloc(1, sizeof *made);
    if (made == NULL)
        return KRS_NOMEM;
    made->node_limit = made->edge_limit = LIMIT;
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
    const size_t slot = find_slot(graph, address);
    return graph->slots[slot] == EMPTY ? KRS_NODE_NONE : node_in(graph, slot);
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

/* While target `at` is looked up: fetches the slot of one far ahead, and for one half
 * as far, whose slot is there by now, the address to compare with. */
static void fetch_target(const krs_graph *graph, const void *const *targets, size_t at,
                         size_t count) {
    if (at + FETCH_AHEAD < count)
        fetch_slot(graph, targets[at + FETCH_AHEAD]);
    if (at + FETCH_AHEAD / 2 < count)
        fetch_address(graph, targets[at + FETCH_AHEAD / 2]);
}

/* Appends the edges of one source and then another; there is room for all. */
static krs_status append_edges(krs_graph *graph, size_t sources, const uint32_t *counts,
                               const void *const *targets, size_t total) {
    size_t at = 0;
    for (size_t i = 0; i < total && i < FETCH_AHEAD; i++)
        fetch_slot(graph, targets[i]);
    for (size_t i = 0; i < sources; i++) {
        for (const size_t end = at + counts[i]; at < end; at++) {
            fetch_target(graph, targets, at, total);
            if (targets[at] == NULL)
                continue;
            const krs_status status =
                intern(graph, targets[at], &graph->edges[graph->edge_count]);
            if (status != KRS_OK)
                return status;
            graph->edge_count++;
        }
        graph->edge_end[graph->expanded++] = graph->edge_count;
    }
    return KRS_OK;
}

/* Makes room for `more` edges. */
static krs_status reserve_edges(krs_graph *graph, uint64_t more) {
    if (more > graph->edge_limit - graph->edge_count)
        return KRS_LIMIT;
    if (more <= graph->edge_capacity - graph->edge_count)
        return KRS_OK;
    return grow_edges(graph, graph->edge_count + (size_t)more);
}

krs_status krs_graph_expand_run(krs_graph *graph, krs_node first, size_t sources,
                                const uint32_t *counts, const void *const *targets) {
    if (graph == NULL || (counts == NULL && sources > 0))
        return KRS_INVALID;
    assert(krs__graph_check(graph));
    if (sources == 0)
        return KRS_OK;
    if (first < graph->expanded || first >= graph->node_count ||
        sources > graph->node_count - first)
        return KRS_INVALID;
    uint64_t total = 0;
    for (size_t i = 0; i < sources; i++)
        total += counts[i];
    if (targets == NULL && total > 0)
        return KRS_INVALID;
    krs_status status = reserve_edges(graph, total);
    if (status != KRS_OK)
        return status;
    while (graph->expanded < first) /* passed over */
        graph->edge_end[graph->expanded++] = graph->edge_count;
    status = append_edges(graph, sources, counts, targets, (size_t)total);
    assert(status != KRS_OK || krs__graph_check(graph));
    return status;
}

krs_status krs_graph_expand(krs_graph *graph, krs_node source,
                            const void *const *targets, size_t count) {
    const uint32_t count_of_one = (uint32_t)count;
    if (count_of_one != count)
        return KRS_LIMIT;
    return krs_graph_expand_run(graph, source, 1, &count_of_one, targets);
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
