/* sample.h - graphs to try the library on: written out, or made of bytes. */
#ifndef KRS_TESTS_SAMPLE_H
#define KRS_TESTS_SAMPLE_H

#include "keraser.h"

typedef struct {
    krs_node from, to;
} edge;

/* A graph of `count` nodes, all expanded, with `edges` in any order, at most
 * GRAPH_TARGETS of them from one node. */
enum { GRAPH_TARGETS = 320 };
krs_graph *graph_of(krs_node count, const edge *edges, size_t edge_count);

/* The address of node `n` in every graph made here; never dereferenced. */
const void *address_of(krs_node n);

enum { SAMPLE_NODES = 64, SAMPLE_ROOTS = 8, SAMPLE_BYTES = 640 };
enum { SAMPLE_EDGES = SAMPLE_NODES * 4, SAMPLE_WAYS = SAMPLE_EDGES + SAMPLE_NODES };

/* A graph with everything the questions ask for. Counts mostly agree with the
 * edges, as they do in a real heap; some are held, immortal, too low or below 0. */
typedef struct {
    krs_graph *graph;
    uint32_t node_count;
    int64_t references[SAMPLE_NODES];
    uint8_t roles[SAMPLE_NODES];
    uint8_t label[SAMPLE_NODES];
    uint8_t barred[SAMPLE_NODES];
    krs_node roots[SAMPLE_ROOTS];
    uint8_t waves[SAMPLE_ROOTS];
    size_t root_count;
} sample;

/* Reads any bytes as a sample, as if zeros followed them. */
void sample_decode(const uint8_t *bytes, size_t length, sample *made);

/* Sample number `number` of an endless row, each the same in every run. */
void sample_draw(uint64_t number, sample *made);

void sample_release(sample *made);

#endif
