/* What the graph costs: building one like a Python heap's, and each question to it.
 *
 *   bench_graph [nodes [edges]]     default: 1,000,000 3,200,000, a TensorFlow process
 *
 * Addresses lie 16-byte aligned over a heap in no order, which is harder than a real
 * one, where what is made together lies together; a third of the references go to a few
 * hundred popular objects (types, None, names), a third to objects made at about the
 * same time, a third anywhere. `expand` gives one source a call, `runs` the same in
 * rows of 256, as the walk of the heap does.
 *
 * Prints medians of nine runs: the time, nodes in a second, and the most bytes a node
 * that the step had asked of malloc at one time, without what the caller brings. Arrays
 * grow by doubling, so what is asked is up to twice what is touched; `resident` is what
 * the process grew by. What bounds every step is waiting for memory: each edge leads to
 * a line of cache that is not there, unless it was fetched ahead. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "keraser.h"

enum { TIMES = 9, POPULAR = 300, NEAR = 200, BATCH = 256 };

#define STEP_MAP(X)                                                                    \
    X(EXPAND, "expand")                                                                \
    X(RUNS, "runs")                                                                    \
    X(OWNED, "owned")                                                                  \
    X(LABEL, "label")                                                                  \
    X(UNEXPLAINED, "unexplained")                                                      \
    X(PATHS, "paths")                                                                  \
    X(REFERRERS, "referrers")                                                          \
    X(DOMINATORS, "dominators")                                                        \
    X(WAYS, "ways")

typedef enum {
#define X(name, text) name,
    STEP_MAP(X)
#undef X
        STEPS
} step;

static const char *const step_name[STEPS] = {
#define X(name, text) text,
    STEP_MAP(X)
#undef X
};

typedef struct {
    double ms, bytes;
} cost;

typedef struct {
    uint32_t nodes;
    const void **targets; /* edges / nodes or so of each node, one after another */
    uint32_t *counts;     /* of each node */
    int64_t *references;
    uint8_t *roles, *owned, *label;
    int64_t *outside;
    krs_node *parent, *other; /* `other` for next nodes and dominators */
    uint64_t *retained;
    uint32_t *members;
} heap;

/* The linker puts these in malloc's place. */
static struct { size_t now, most; } asked;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static void *count_in(void *block) {
    asked.now += malloc_usable_size(block);
    if (asked.now > asked.most)
        asked.most = asked.now;
    return block;
}

void *__wrap_malloc(size_t size) {
    return count_in(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return count_in(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size) {
    asked.now -= malloc_usable_size(block);
    return count_in(__real_realloc(block, size));
}

void __wrap_free(void *block) {
    asked.now -= malloc_usable_size(block);
    __real_free(block);
}

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
    h.counts = array_of(nodes, sizeof *h.counts);
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
        const size_t begin = placed;
        const size_t until = (size_t)((uint64_t)edges * (n + 1) / nodes);
        h.targets[placed++] = (const void *)address[(n + 1) % nodes];
        while (placed < until)
            h.targets[placed++] = (const void *)address[draw_target(n, nodes)];
        h.counts[n] = (uint32_t)(placed - begin);
    }
    free(address);
    h.references = array_of(nodes, sizeof *h.references);
    h.roles = array_of(nodes, 1);
    h.owned = array_of(nodes, 1);
    h.label = array_of(nodes, 1);
    h.outside = array_of(nodes, sizeof *h.outside);
    h.parent = array_of(nodes, sizeof *h.parent);
    h.other = array_of(nodes, sizeof *h.other);
    h.retained = array_of(nodes, sizeof *h.retained);
    h.members = array_of(nodes, sizeof *h.members);
    return h;
}

static krs_graph *graph_of_root(const heap *h) {
    krs_graph *graph = NULL;
    krs_node root;
    must(krs_graph_new(&graph) == KRS_OK, "new");
    must(krs_graph_node(graph, h->targets[h->nodes - 1], &root) == KRS_OK, "node");
    return graph;
}

static krs_graph *expand(const heap *h) {
    krs_graph *graph = graph_of_root(h);
    const void **targets = h->targets;
    for (krs_node n = 0; n < krs_graph_node_count(graph) && n < h->nodes; n++) {
        must(krs_graph_expand(graph, n, targets, h->counts[n]) == KRS_OK, "expand");
        targets += h->counts[n];
    }
    return graph;
}

static krs_graph *expand_runs(const heap *h) {
    krs_graph *graph = graph_of_root(h);
    const void **targets = h->targets;
    for (krs_node n = 0; n < krs_graph_node_count(graph) && n < h->nodes;) {
        const krs_node known = krs_graph_node_count(graph) - n;
        const krs_node sources = known < BATCH ? known : BATCH;
        must(krs_graph_expand_run(graph, n, sources, h->counts + n, targets) == KRS_OK,
             "expand_run");
        for (krs_node i = 0; i < sources; i++)
            targets += h->counts[n + i];
        n += sources;
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

/* What the step costs that `call` is, for as many nodes as the heap has. */
#define MEASURE(h, cost, call)                                                         \
    do {                                                                               \
        const size_t before = asked.most = asked.now;                                  \
        const double at = now_ms();                                                    \
        call;                                                                          \
        (cost).ms = now_ms() - at;                                                     \
        (cost).bytes = (double)(asked.most - before) / (h)->nodes;                     \
    } while (0)

#define MUST(call) must((call) == KRS_OK, #call)

static void ask_what_dies(heap *h, const krs_graph *graph, cost *costs) {
    count_references(h, graph);
    MEASURE(
        h, costs[OWNED],
        MUST(krs_graph_owned(graph, h->references, h->roles, h->owned, h->outside)));
    for (krs_node n = 0; n < h->nodes; n++)
        h->label[n] = n < 5 ? (uint8_t)(n + 1) : 0;
    MEASURE(h, costs[LABEL], MUST(krs_graph_label(graph, h->label)));
}

/* As a census of the whole heap asks, and then who holds the node in the middle. */
static void ask_who_holds(heap *h, const krs_graph *graph, cost *costs) {
    enum { ROOM = 64, REACH = 2000 };
    krs_node roots[POPULAR];
    krs_way ways[ROOM];
    krs_referrers *referrers;
    size_t count;
    const krs_node target = h->nodes / 2;
    for (krs_node i = 0; i < POPULAR; i++)
        roots[i] = (krs_node)((uint64_t)i * h->nodes / POPULAR);
    for (krs_node n = 0; n < h->nodes; n++) {
        h->label[n] = n == target;
        h->retained[n] = 64;
    }
    MEASURE(h, costs[UNEXPLAINED], MUST(krs_graph_unexplained(graph, h->references)));
    MEASURE(h, costs[PATHS],
            MUST(krs_graph_paths(graph, roots, NULL, 1, NULL, h->parent)));
    MEASURE(h, costs[REFERRERS], MUST(krs_referrers_new(graph, &referrers)));
    MEASURE(h, costs[DOMINATORS],
            MUST(krs_graph_dominators(graph, referrers, roots, POPULAR, NULL, h->other,
                                      h->retained, h->members)));
    MUST(krs_graph_paths(graph, roots, NULL, POPULAR, h->label, h->parent));
    MEASURE(h, costs[WAYS],
            MUST(krs_graph_ways(graph, referrers, target, h->label, h->parent, REACH,
                                h->other, ways, ROOM, &count)));
    krs_referrers_free(referrers);
}

static uint64_t resident(void) {
    krs_process process;
    MUST(krs_process_read(&process));
    return process.rss;
}

/* By how much a node the process grew for the graph. */
static double run(heap *h, cost *costs) {
    krs_graph *graph;
    MEASURE(h, costs[EXPAND], graph = expand(h));
    krs_graph_free(graph);
    const uint64_t empty = resident();
    MEASURE(h, costs[RUNS], graph = expand_runs(h));
    const double grown = (double)(resident() - empty) / h->nodes;
    must(krs_graph_node_count(graph) <= h->nodes, "nodes");
    ask_what_dies(h, graph, costs);
    ask_who_holds(h, graph, costs);
    krs_graph_free(graph);
    return grown;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    const uint32_t nodes =
        argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : UINT32_C(1000000);
    const size_t edges = argc > 2 ? strtoul(argv[2], NULL, 10) : (size_t)nodes / 5 * 16;
    must(nodes >= POPULAR && edges >= nodes, "needs 300 nodes and an edge for each");
    heap h = draw_heap(nodes, edges);
    cost costs[TIMES][STEPS];
    double column[TIMES], grown = 0;
    for (int i = 0; i < TIMES; i++)
        grown = run(&h, costs[i]);
    printf("%" PRIu32 " nodes, %zu edges, %.1f bytes/node resident\n", nodes, edges,
           grown);
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < TIMES; i++)
            column[i] = costs[i][s].ms;
        qsort(column, TIMES, sizeof *column, by_value);
        const double ms = column[TIMES / 2];
        printf("%-11s %8.2f ms %8.2f M nodes/s %6.1f bytes/node\n", step_name[s], ms,
               nodes / ms / 1e3, costs[0][s].bytes);
    }
    return 0;
}
