/* The graph read backwards, by counting sort: how many refer to each node, where its
 * referrers begin therefore, and then every source to its place. Edges lie in the order
 * of their sources and the sort is stable, so the referrers of a node rise.
 *
 * A source must know its place before it can go there, and both are anywhere in memory,
 * so both are fetched ahead: 0.8 of the time without (bench/graph.c). */
#include <stdlib.h>
#include <string.h>

#include "heap/referrers.h"

enum { FETCH_AHEAD = 32 };

/* place[n] becomes where the referrers of n begin. */
static void find_places(const krs_graph *graph, uint32_t *place) {
    memset(place, 0, graph->node_count * sizeof *place);
    for (uint32_t i = 0; i < graph->edge_count; i++)
        place[graph->edges[i]]++;
    uint32_t begin = 0;
    for (krs_node n = 0; n < graph->node_count; n++) {
        const uint32_t count = place[n];
        place[n] = begin;
        begin += count;
    }
}

/* Puts every source to its place and moves that on, so that place[n] becomes where the
 * referrers of n end. */
static void fill(const krs_graph *graph, uint32_t *place, krs_node *sources) {
    for (krs_node source = 0; source < graph->expanded; source++) {
        const uint32_t end = graph->edge_end[source];
        for (uint32_t i = krs__edges_begin(graph, source); i < end; i++) {
            if (graph->edge_count - i > FETCH_AHEAD)
                __builtin_prefetch(&place[graph->edges[i + FETCH_AHEAD]], 1);
            if (graph->edge_count - i > FETCH_AHEAD / 2)
                __builtin_prefetch(&sources[place[graph->edges[i + FETCH_AHEAD / 2]]],
                                   1);
            sources[place[graph->edges[i]]++] = source;
        }
    }
}

krs_status krs_referrers_new(const krs_graph *graph, krs_referrers **referrers) {
    if (graph == NULL || referrers == NULL)
        return KRS_INVALID;
    const size_t words = (size_t)graph->node_count + graph->edge_count;
    krs_referrers *made = malloc(sizeof *made + words * sizeof *made->end);
    if (made == NULL)
        return KRS_NOMEM;
    made->node_count = graph->node_count;
    made->edge_count = graph->edge_count;
    made->sources = made->end + graph->node_count;
    find_places(graph, made->end);
    fill(graph, made->end, made->sources);
    *referrers = made;
    return KRS_OK;
}

void krs_referrers_free(krs_referrers *referrers) {
    free(referrers);
}

const krs_node *krs_referrers_of(const krs_referrers *referrers, krs_node node,
                                 size_t *count) {
    if (count != NULL)
        *count = 0;
    if (referrers == NULL || count == NULL || node >= referrers->node_count)
        return NULL;
    const uint32_t begin = krs__referrers_begin(referrers, node);
    *count = krs__referrers_end(referrers, node) - begin;
    return *count == 0 ? NULL : referrers->sources + begin;
}
