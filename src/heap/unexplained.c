/* What reference counts hold beyond the references that the graph shows. */
#include "heap/graph.h"

krs_status krs_graph_unexplained(const krs_graph *graph, int64_t *references) {
    if (graph == NULL || references == NULL)
        return KRS_INVALID;
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        int64_t *left = &references[graph->edges[i]];
        if (*left != INT64_MAX && *left != INT64_MIN) /* there is nothing below */
            --*left;
    }
    return KRS_OK;
}
