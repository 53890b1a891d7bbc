/* Where paths begin. What has a name in the interpreter comes first; an object that is
 * referred to more often than the graph shows, only where nothing else explains it. */
#include <stdlib.h>

#include "outside/reading.h"

/* Reference counts, INT64_MAX for what never dies. */
static int64_t *read_counts(const krs__reading *reading) {
    const uint32_t count = krs_graph_node_count(reading->graph);
    int64_t *counts = malloc(((size_t)count + 1) * sizeof *counts);
    for (krs_node node = 0; counts != NULL && node < count; node++) {
        const uint64_t word =
            node < reading->running_count
                ? 0
                : krs__memory_pointer(&reading->target->memory,
                                      krs__reading_address(reading, node));
        const bool immortal =
            reading->target->layout.minor >= 12 && (int32_t)(uint32_t)word < 0;
        counts[node] = immortal || word > INT64_MAX ? INT64_MAX : (int64_t)word;
    }
    return counts;
}

krs_status krs__reading_roots(const krs__reading *reading, const uint8_t *barred,
                              krs_node **nodes, uint8_t **waves, size_t *count) {
    const uint32_t node_count = krs_graph_node_count(reading->graph);
    int64_t *unexplained = read_counts(reading);
    krs_node *roots = malloc(((size_t)node_count + 1) * sizeof *roots);
    uint8_t *order = calloc((size_t)node_count + 1, 1);
    uint8_t *named = calloc((size_t)node_count + 1, 1);
    size_t used = 0;
    krs_status status = unexplained && roots && order && named ? KRS_OK : KRS_NOMEM;
    if (status == KRS_OK)
        status = krs_graph_unexplained(reading->graph, unexplained);
    if (status == KRS_OK) {
        for (krs_node node = 0; node < reading->running_count; node++)
            named[node] = 1;
        for (size_t i = 0; i < reading->module_count; i++)
            named[reading->modules[i].node] = 1;
        for (uint8_t wave = 0; wave < 2; wave++)
            for (krs_node node = 0; node < node_count; node++)
                if (!barred[node] &&
                    (wave == 0 ? named[node] != 0
                               : !named[node] && unexplained[node] > 0)) {
                    order[used] = wave;
                    roots[used++] = node;
                }
        *nodes = roots;
        *waves = order;
        *count = used;
    } else {
        free(roots);
        free(order);
    }
    free(unexplained);
    free(named);
    return status;
}
