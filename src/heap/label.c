/* Labels: to which group does each node belong?
 *
 * Groups grow one after another and keep what they reach, so a node belongs to the
 * first group that leads to it. A later group never needs to pass through a node that
 * an earlier one has: all that lies behind it is taken already. */
#include <stdlib.h>

#include "heap/graph.h"

enum { GROUPS = UINT8_MAX + 1 };

/* Writes the nodes that start a group to `order`, group by group; how many. */
static uint32_t sort_starts(const krs_graph *graph, const uint8_t *label,
                            krs_node *order) {
    uint32_t place[GROUPS] = {0};
    for (krs_node n = 0; n < graph->node_count; n++)
        place[label[n]]++;
    uint32_t starts = 0;
    for (unsigned group = 1; group < GROUPS; group++) {
        const uint32_t size = place[group];
        place[group] = starts;
        starts += size;
    }
    for (krs_node n = 0; n < graph->node_count; n++) {
        if (label[n] != 0)
            order[place[label[n]]++] = n;
    }
    return starts;
}

/* Gives the label of `node` to its targets that have none and appends them to `queue`
 * after the `queued` that it holds; how many it holds then. */
static uint32_t spread(const krs_graph *graph, krs_node node, uint8_t *label,
                       krs_node *queue, uint32_t queued) {
    if (node >= graph->expanded)
        return queued;
    const uint32_t end = krs__edges_end(graph, node);
    for (uint32_t i = krs__edges_begin(graph, node); i < end; i++) {
        const krs_node target = graph->edges[i];
        if (label[target] != 0)
            continue;
        label[target] = label[node];
        queue[queued++] = target;
    }
    return queued;
}

krs_status krs_graph_label(const krs_graph *graph, uint8_t *label) {
    if (graph == NULL || label == NULL)
        return KRS_INVALID;
    if (graph->node_count == 0)
        return KRS_OK;
    /* The starts lie in front, what they lead to behind: a node is one or the other. */
    krs_node *queue = malloc(graph->node_count * sizeof *queue);
    if (queue == NULL)
        return KRS_NOMEM;
    const uint32_t starts = sort_starts(graph, label, queue);
    uint32_t queued = starts, next = starts;
    for (uint32_t i = 0; i < starts; i++) {
        queued = spread(graph, queue[i], label, queue, queued);
        while (next < queued)
            queued = spread(graph, queue[next++], label, queue, queued);
    }
    free(queue);
    return KRS_OK;
}
