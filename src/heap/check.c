/* Whether a graph is what heap/graph.h says it is, and nodes are nodes of it. */
#include "heap/graph.h"

bool krs__are_nodes(const krs_graph *graph, const krs_node *nodes, size_t count) {
    if (nodes == NULL && count > 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] >= graph->node_count)
            return false;
    }
    return true;
}

bool krs__graph_check(const krs_graph *graph) {
    const uint32_t edges_placed =
        graph->expanded == 0 ? 0 : graph->edge_end[graph->expanded - 1];
    return graph->slots != NULL && graph->hash_shift > 0 && graph->hash_shift < 64 &&
           graph->slot_count == (size_t)1 << (64 - graph->hash_shift) &&
           graph->node_count <= krs__slots_most(graph) &&
           graph->node_count <= graph->node_capacity &&
           graph->node_count <= graph->node_limit &&
           graph->expanded <= graph->node_count &&
           graph->edge_count <= graph->edge_capacity &&
           graph->edge_count <= graph->edge_limit && graph->edge_count == edges_placed;
}

static bool slots_hold_every_node_once(const krs_graph *graph) {
    uint32_t taken = 0;
    for (size_t i = 0; i < graph->slot_count; i++) {
        if (graph->slots[i] == 0)
            continue;
        const uint32_t node_and_1 = graph->slots[i] & krs__slot_nodes(graph);
        if (node_and_1 == 0 || node_and_1 > graph->node_count)
            return false;
        taken++;
    }
    for (krs_node n = 0; n < graph->node_count; n++) {
        if (krs_graph_find(graph, graph->address[n]) != n)
            return false;
    }
    return taken == graph->node_count;
}

static bool edges_rise_and_stay_inside(const krs_graph *graph) {
    for (krs_node n = 0; n < graph->expanded; n++) {
        if (krs__edges_begin(graph, n) > krs__edges_end(graph, n))
            return false;
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        if (graph->edges[i] >= graph->node_count)
            return false;
    }
    return true;
}

bool krs__graph_check_all(const krs_graph *graph) {
    return krs__graph_check(graph) && slots_hold_every_node_once(graph) &&
           edges_rise_and_stay_inside(graph);
}
