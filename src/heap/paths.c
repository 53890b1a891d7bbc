/* Shortest paths from roots: breadth first, one wave of roots after another, so that a
 * node is explained by the most telling roots that reach it, and by the fewest steps
 * from those. */
#include <stdlib.h>

#include "heap/graph.h"

typedef struct {
    krs_node *queue; /* every node enters at most once, so there is room for each */
    uint32_t queued;
    const uint8_t *barred;
    krs_node *parent;
} search;

static void enter(search *s, krs_node node, krs_node from) {
    if (s->parent[node] != KRS_NODE_NONE || (s->barred != NULL && s->barred[node]))
        return;
    s->parent[node] = from;
    s->queue[s->queued++] = node;
}

static void leave(search *s, const krs_graph *graph, krs_node node) {
    if (node >= graph->expanded)
        return;
    const uint32_t end = krs__edges_end(graph, node);
    for (uint32_t i = krs__edges_begin(graph, node); i < end; i++)
        enter(s, graph->edges[i], node);
}

static bool waves_rise(const uint8_t *waves, size_t root_count) {
    for (size_t i = 1; waves != NULL && i < root_count; i++) {
        if (waves[i] < waves[i - 1])
            return false;
    }
    return true;
}

krs_status krs_graph_paths(const krs_graph *graph, const krs_node *roots,
                           const uint8_t *waves, size_t root_count,
                           const uint8_t *barred, krs_node *parent) {
    if (graph == NULL || parent == NULL || !krs__are_nodes(graph, roots, root_count) ||
        !waves_rise(waves, root_count))
        return KRS_INVALID;
    if (graph->node_count == 0)
        return KRS_OK;
    search s = {.barred = barred, .parent = parent};
    s.queue = malloc(graph->node_count * sizeof *s.queue);
    if (s.queue == NULL)
        return KRS_NOMEM;
    for (krs_node n = 0; n < graph->node_count; n++)
        parent[n] = KRS_NODE_NONE;
    uint32_t left = 0;
    for (size_t i = 0; i < root_count; i++) {
        enter(&s, roots[i], roots[i]);
        const bool wave_is_whole =
            i + 1 == root_count || (waves != NULL && waves[i] != waves[i + 1]);
        while (wave_is_whole && left < s.queued)
            leave(&s, graph, s.queue[left++]);
    }
    free(s.queue);
    return KRS_OK;
}
