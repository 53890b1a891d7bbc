/* Trial deletion: what would die with the seeds.
 *
 * Every node but the barriers is first taken to be dead and its references deducted
 * from the counts of what it refers to. What then still has a count is held from
 * elsewhere, so it lives, and so does all it leads to; a node that turns out to live
 * gives back what was deducted for it. Seeds are the exception: the caller will let
 * them go, so nothing makes one live and its references stay deducted.
 *
 * `outside` serves as the balance, which may fall below 0 while an object shows more
 * references than it counts (a tp_traverse that visits a borrowed one). Every deduction
 * is given back at most once, so a balance never rises above the count it began with:
 * INT64_MAX stands for "immortal" without overflow. */
#include <stdlib.h>

#include "heap/graph.h"

/* Adds `change` to the balance of each target of `node`, once a reference. */
static void settle(const krs_graph *graph, krs_node node, int64_t change,
                   int64_t *balance) {
    const size_t end = krs__edges_end(graph, node);
    for (size_t i = krs__edges_begin(graph, node); i < end; i++)
        balance[graph->edges[i]] += change;
}

/* Takes every node to be dead but the barriers. */
static void deduct(const krs_graph *graph, const int64_t *references,
                   const uint8_t *roles, int64_t *balance) {
    for (krs_node n = 0; n < graph->node_count; n++)
        balance[n] = references[n] < 0 ? 0 : references[n];
    for (krs_node n = 0; n < graph->expanded; n++) {
        if (roles[n] != KRS_ROLE_BARRIER)
            settle(graph, n, -1, balance);
    }
}

/* Brings to life what is held from elsewhere and all it leads to; `queue` has room for
 * every node, and each enters it at most once. */
static void revive(const krs_graph *graph, const uint8_t *roles, uint8_t *owned,
                   int64_t *balance, krs_node *queue) {
    uint32_t queued = 0;
    for (krs_node n = 0; n < graph->node_count; n++) {
        const bool held = roles[n] == KRS_ROLE_PLAIN && balance[n] > 0;
        owned[n] = roles[n] != KRS_ROLE_BARRIER && !held;
        if (held)
            queue[queued++] = n;
    }
    for (uint32_t i = 0; i < queued; i++) {
        if (queue[i] >= graph->expanded)
            continue;
        settle(graph, queue[i], +1, balance);
        const size_t end = krs__edges_end(graph, queue[i]);
        for (size_t e = krs__edges_begin(graph, queue[i]); e < end; e++) {
            const krs_node target = graph->edges[e];
            if (!owned[target] || roles[target] == KRS_ROLE_SEED)
                continue;
            owned[target] = 0;
            queue[queued++] = target;
        }
    }
}

krs_status krs_graph_owned(const krs_graph *graph, const int64_t *references,
                           const uint8_t *roles, uint8_t *owned, int64_t *outside) {
    if (graph == NULL || references == NULL || roles == NULL || owned == NULL ||
        outside == NULL)
        return KRS_INVALID;
    for (krs_node n = 0; n < graph->node_count; n++) {
        if (roles[n] > KRS_ROLE_BARRIER)
            return KRS_INVALID;
    }
    if (graph->node_count == 0)
        return KRS_OK;
    krs_node *queue = malloc(graph->node_count * sizeof *queue);
    if (queue == NULL)
        return KRS_NOMEM;
    deduct(graph, references, roles, outside);
    revive(graph, roles, owned, outside, queue);
    for (krs_node n = 0; n < graph->node_count; n++) {
        if (outside[n] < 0)
            outside[n] = 0;
    }
    free(queue);
    return KRS_OK;
}
