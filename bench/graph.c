/* What the graph costs: building one like a Python heap's, and each question to it.
 *
 *   bench_graph [nodes [edges]]     default: 1,000,000 3,200,000, a TensorFlow process
 *
 * Addresses lie 16-byte aligned over a heap in no order, which is harder than a real
 * one, where what is made together lies together; a third of the references go to a few
 * hundred popular objects (types, None, names), a third to objects made at about the
 * same time, a third anywhere. Prints the median of nine runs, in ms. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "keraser.h"

enum { RUNS = 9, POPULAR = 300, NEAR = 200 };

typedef enum { EXPAND, OWNED, LABEL, PATHS, STEPS } step;
static const char *const step_name[STEPS] = {"expand", "owned", "label", "paths"};

typedef struct {
    uint32_t nodes;
    const void **targets; /* edges / nodes or so of each node, one after another */
    size_t *end;          /* by node */
    int64_t *references;
    uint8_t *roles, *owned, *label;
    int64_t *outside;
    krs_node *parent;
} heap;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static uint64_t draw(uint64_t bound) {
    static uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
    state ^= state << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
}

static void must(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "bench_graph: %s\n", what);
    exit(1);
}

static void *array_of(size_t count, size_t size) {
    void *made = calloc(count, size);
    must(made != NULL, "out of memory");
    return made;
}

static uint32_t draw_target(uint32_t source, uint32_t nodes) {
    const uint64_t kind = draw(3);
    if (kind == 0)
        return (uint32_t)draw(nodes < POPULAR ? nodes : POPULAR);
    if (kind == 1)
        return (uint32_t)((source + draw(NEAR)) % nodes);
    return (uint32_t)draw(nodes);
}

/* Every node leads to the next, so that all are reached; the rest is drawn. */
static heap draw_heap(uint32_t nodes, size_t edges) {
    heap h = {.nodes = nodes};
    uintptr_t *address = array_of(nodes, sizeof *address);
    h.targets = array_of(edges, sizeof *h.targets);
    h.end = array_of(nodes, sizeof *h.end);
    for (uint32_t n = 0; n < nodes; n++)
        address[n] = UINT64_C(0x7F0000000000) + (uintptr_t)n * 96 + draw(5) * 16;
    for (uint32_t n = nodes - 1; n > 0; n--) {
        const uint32_t other = (uint32_t)draw(n + 1);
        const uintptr_t kept = address[n];
        address[n] = address[other];
        address[other] = kept;
    }
    size_t placed = 0;
    for (uint32_t n = 0; n < nodes; n++) {
        const size_t until = (size_t)((uint64_t)edges * (n + 1) / nodes);
        h.targets[placed++] = (const void *)address[(n + 1) % nodes];
        while (placed < until)
            h.targets[placed++] = (const void *)address[draw_target(n, nodes)];
        h.end[n] = placed;
    }
    free(address);
    h.references = array_of(nodes, sizeof *h.references);
    h.roles = array_of(nodes, 1);
    h.owned = array_of(nodes, 1);
    h.label = array_of(nodes, 1);
    h.outside = array_of(nodes, sizeof *h.outside);
    h.parent = array_of(nodes, sizeof *h.parent);
    return h;
}

static krs_graph *expand(const heap *h) {
    krs_graph *graph = NULL;
    krs_node root;
    must(krs_graph_new(&graph) == KRS_OK, "new");
    must(krs_graph_node(graph, h->targets[h->nodes - 1], &root) == KRS_OK, "node");
    size_t begin = 0;
    for (krs_node n = 0; n < krs_graph_node_count(graph) && n < h->nodes; n++) {
        must(krs_graph_expand(graph, n, h->targets + begin, h->end[n] - begin) ==
                 KRS_OK,
             "expand");
        begin = h->end[n];
    }
    return graph;
}

/* Counts that the edges explain, but for one node in 200 that is held. */
static void count_references(heap *h, const krs_graph *graph) {
    for (krs_node n = 0; n < h->nodes; n++) {
        h->references[n] = n % 200 == 0 && n > h->nodes / 2;
        h->roles[n] = n % 50 == 0 ? KRS_ROLE_BARRIER : KRS_ROLE_PLAIN;
    }
    h->roles[0] = KRS_ROLE_SEED;
    for (krs_node n = 0; n < h->nodes; n++) {
        size_t count;
        const krs_node *targets = krs_graph_targets(graph, n, &count);
        for (size_t i = 0; i < count; i++)
            h->references[targets[i]]++;
    }
}

static void run(heap *h, double *ms) {
    const krs_node roots[] = {0};
    double at = now_ms();
    krs_graph *graph = expand(h);
    ms[EXPAND] = now_ms() - at;
    must(krs_graph_node_count(graph) <= h->nodes, "nodes");
    count_references(h, graph);
    at = now_ms();
    must(krs_graph_owned(graph, h->references, h->roles, h->owned, h->outside) ==
             KRS_OK,
         "owned");
    ms[OWNED] = now_ms() - at;
    for (krs_node n = 0; n < h->nodes; n++)
        h->label[n] = n < 5 ? (uint8_t)(n + 1) : 0;
    at = now_ms();
    must(krs_graph_label(graph, h->label) == KRS_OK, "label");
    ms[LABEL] = now_ms() - at;
    at = now_ms();
    must(krs_graph_paths(graph, roots, NULL, 1, NULL, h->parent) == KRS_OK, "paths");
    ms[PATHS] = now_ms() - at;
    krs_graph_free(graph);
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    const uint32_t nodes =
        argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : UINT32_C(1000000);
    const size_t edges = argc > 2 ? strtoul(argv[2], NULL, 10) : (size_t)nodes / 5 * 16;
    must(nodes >= 2 && edges >= nodes, "needs at least 2 nodes and an edge for each");
    heap h = draw_heap(nodes, edges);
    double ms[RUNS][STEPS], column[RUNS];
    for (int i = 0; i < RUNS; i++)
        run(&h, ms[i]);
    printf("%" PRIu32 " nodes, %zu edges\n", nodes, edges);
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < RUNS; i++)
            column[i] = ms[i][s];
        qsort(column, RUNS, sizeof *column, by_value);
        printf("%-8s %8.2f ms\n", step_name[s], column[RUNS / 2]);
    }
    return 0;
}
