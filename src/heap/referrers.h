/* Referrers as the files of this folder see them: the compressed sparse row form of the
 * graph with every edge turned round. */
#ifndef KRS_HEAP_REFERRERS_H
#define KRS_HEAP_REFERRERS_H

#include "heap/graph.h"

struct krs_referrers {
    uint32_t node_count, edge_count; /* of the graph */
    krs_node *sources;               /* by target, one for each edge */
    uint32_t end[]; /* by node: where its referrers end; then the sources */
};

/* The referrers of `node` are sources[begin] up to sources[end], without the last. */
static inline uint32_t krs__referrers_begin(const krs_referrers *referrers,
                                            krs_node node) {
    return node == 0 ? 0 : referrers->end[node - 1];
}

static inline uint32_t krs__referrers_end(const krs_referrers *referrers,
                                          krs_node node) {
    return referrers->end[node];
}

/* Whether they are of `graph` as it is now, as far as counts tell. */
static inline bool krs__referrers_fit(const krs_referrers *referrers,
                                      const krs_graph *graph) {
    return referrers->node_count == graph->node_count &&
           referrers->edge_count == graph->edge_count;
}

#endif
