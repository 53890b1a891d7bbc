#include <stdlib.h>

#include "sample.h"

/* Building a sample is not what is being tested, so a failure there ends the program.
 */
static void must(int holds) {
    if (!holds)
        abort();
}

const void *address_of(krs_node n) {
    return (const void *)(0x10000 + (uintptr_t)n * 16);
}

static krs_graph *nodes_only(krs_node count) {
    krs_graph *graph = NULL;
    must(krs_graph_new(&graph) == KRS_OK);
    for (krs_node n = 0; n < count; n++) {
        krs_node made;
        must(krs_graph_node(graph, address_of(n), &made) == KRS_OK && made == n);
    }
    return graph;
}

krs_graph *graph_of(krs_node count, const edge *edges, size_t edge_count) {
    const void *targets[GRAPH_TARGETS];
    krs_graph *graph = nodes_only(count);
    for (krs_node n = 0; n < count; n++) {
        size_t found = 0;
        for (size_t i = 0; i < edge_count; i++) {
            if (edges[i].from != n)
                continue;
            must(found < GRAPH_TARGETS);
            targets[found++] = address_of(edges[i].to);
        }
        must(krs_graph_expand(graph, n, targets, found) == KRS_OK);
    }
    return graph;
}

typedef struct {
    const uint8_t *at, *end;
} reader;

static uint8_t next(reader *r) {
    return r->at < r->end ? *r->at++ : 0;
}

static uint8_t next_below(reader *r, uint32_t bound) {
    return (uint8_t)(next(r) % bound);
}

/* Every target below `known` is a node already; NULL and new ones come in between. */
static void expand(reader *r, krs_graph *graph, krs_node source, uint32_t known) {
    const void *targets[4];
    const uint8_t choice = next(r);
    if (choice >= 240)
        return; /* passed over, so a barrier by construction */
    const size_t count = choice % 5;
    for (size_t i = 0; i < count; i++) {
        const uint8_t target = next_below(r, known + known / 8 + 1);
        targets[i] = target == known ? NULL : address_of(target);
    }
    must(krs_graph_expand(graph, source, targets, count) == KRS_OK);
}

static int64_t references_of(reader *r, int64_t in_degree) {
    const uint8_t choice = next(r);
    if (choice < 234)
        return in_degree;
    if (choice < 240)
        return in_degree + 1;
    if (choice < 246)
        return in_degree - 1;
    if (choice < 250)
        return INT64_MAX;
    return choice < 253 ? 0 : INT64_MIN;
}

static void draw_references(reader *r, sample *made) {
    int64_t in_degree[SAMPLE_NODES] = {0};
    for (krs_node n = 0; n < made->node_count; n++) {
        size_t count;
        const krs_node *targets = krs_graph_targets(made->graph, n, &count);
        for (size_t i = 0; i < count; i++)
            in_degree[targets[i]]++;
    }
    for (krs_node n = 0; n < made->node_count; n++)
        made->references[n] = references_of(r, in_degree[n]);
}

static void draw_roots(reader *r, sample *made) {
    uint8_t wave = 0;
    made->root_count = next_below(r, SAMPLE_ROOTS + 1);
    for (size_t i = 0; i < made->root_count; i++) {
        made->roots[i] = next_below(r, made->node_count);
        made->waves[i] = wave;
        wave = (uint8_t)(wave + next_below(r, 2));
    }
}

void sample_decode(const uint8_t *bytes, size_t length, sample *made) {
    reader r = {bytes, bytes + length};
    const uint32_t known = next_below(&r, SAMPLE_NODES * 7 / 8) + 1u;
    *made = (sample){.graph = nodes_only(known)};
    for (krs_node n = 0; n < known; n++)
        expand(&r, made->graph, n, known);
    made->node_count = krs_graph_node_count(made->graph);
    must(made->node_count <= SAMPLE_NODES);
    draw_references(&r, made);
    for (krs_node n = 0; n < made->node_count; n++) {
        const uint8_t role = next_below(&r, 16), group = next_below(&r, 16);
        made->roles[n] = role == 15   ? KRS_ROLE_BARRIER
                         : role >= 13 ? KRS_ROLE_SEED
                                      : KRS_ROLE_PLAIN;
        made->label[n] = group <= 3 ? group : group == 15 ? UINT8_MAX : 0;
        made->barred[n] = next_below(&r, 8) == 7;
    }
    draw_roots(&r, made);
}

void sample_draw(uint64_t number, sample *made) {
    uint8_t bytes[SAMPLE_BYTES];
    uint64_t state = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = 0; i < sizeof bytes; i++) {
        state ^= state << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (uint8_t)(state >> 32);
    }
    sample_decode(bytes, sizeof bytes, made);
}

void sample_release(sample *made) {
    krs_graph_free(made->graph);
}
