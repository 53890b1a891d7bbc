/* Any bytes are a graph: its answers must be what their definitions say. */
#include <stdlib.h>
#include <string.h>

#include "heap/graph.h"
#include "naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

static void try_owned(const sample *s) {
    uint8_t owned[SAMPLE_NODES] = {0}, expected[SAMPLE_NODES] = {0};
    int64_t outside[SAMPLE_NODES] = {0}, expected_outside[SAMPLE_NODES] = {0};
    must(krs_graph_owned(s->graph, s->references, s->roles, owned, outside) == KRS_OK);
    naive_owned(s, expected, expected_outside);
    must(memcmp(owned, expected, sizeof owned) == 0);
    must(memcmp(outside, expected_outside, sizeof outside) == 0);
}

static void try_label(const sample *s) {
    uint8_t label[SAMPLE_NODES], expected[SAMPLE_NODES];
    memcpy(label, s->label, sizeof label);
    memcpy(expected, s->label, sizeof expected);
    must(krs_graph_label(s->graph, label) == KRS_OK);
    naive_label(s, expected);
    must(memcmp(label, expected, sizeof label) == 0);
}

static void try_paths(const sample *s) {
    krs_node parent[SAMPLE_NODES];
    must(krs_graph_paths(s->graph, s->roots, s->waves, s->root_count, s->barred,
                         parent) == KRS_OK);
    must(naive_paths_agree(s, s->waves, s->barred, parent));
}

static void try_unexplained(const sample *s) {
    int64_t references[SAMPLE_NODES], expected[SAMPLE_NODES];
    memcpy(references, s->references, sizeof references);
    memcpy(expected, s->references, sizeof expected);
    must(krs_graph_unexplained(s->graph, references) == KRS_OK);
    naive_unexplained(s, expected);
    must(memcmp(references, expected, sizeof references) == 0);
}

static void try_referrers(const sample *s, const krs_referrers *referrers) {
    for (krs_node n = 0; n < s->node_count; n++) {
        krs_node expected[SAMPLE_EDGES];
        size_t count;
        const krs_node *found = krs_referrers_of(referrers, n, &count);
        must(count == naive_referrers(s, n, expected));
        must(count == 0 || memcmp(found, expected, count * sizeof *found) == 0);
    }
}

static void try_dominators(const sample *s, const krs_referrers *referrers) {
    krs_node dominator[SAMPLE_NODES] = {0}, expected[SAMPLE_NODES] = {0};
    uint64_t retained[SAMPLE_NODES], expected_retained[SAMPLE_NODES];
    uint32_t members[SAMPLE_NODES] = {0}, expected_members[SAMPLE_NODES] = {0};
    for (krs_node n = 0; n < SAMPLE_NODES; n++)
        retained[n] = expected_retained[n] = n * UINT64_C(977) + 1;
    must(krs_graph_dominators(s->graph, referrers, s->roots, s->root_count, s->barred,
                              dominator, retained, members) == KRS_OK);
    naive_dominators(s, s->barred, expected, expected_retained, expected_members);
    must(memcmp(dominator, expected, sizeof dominator) == 0);
    must(memcmp(retained, expected_retained, sizeof retained) == 0);
    must(memcmp(members, expected_members, sizeof members) == 0);
}

/* How far to reach and how many to write come from what else the sample has drawn. */
static void try_ways(sample *s, const krs_referrers *referrers) {
    krs_node parent[SAMPLE_NODES], next[SAMPLE_NODES], expected_next[SAMPLE_NODES];
    krs_way ways[SAMPLE_WAYS], expected[SAMPLE_WAYS];
    size_t count;
    const krs_node target = s->node_count / 2;
    const uint32_t reach = s->label[0] == 0 ? UINT32_MAX : s->label[0];
    const size_t room = s->root_count % 2 == 0 ? SAMPLE_WAYS : s->root_count;
    s->barred[target] = 1;
    must(krs_graph_paths(s->graph, s->roots, s->waves, s->root_count, s->barred,
                         parent) == KRS_OK);
    must(krs_graph_ways(s->graph, referrers, target, s->barred, parent, reach, next,
                        ways, room, &count) == KRS_OK);
    const size_t all =
        naive_ways(s, target, s->barred, parent, reach, expected_next, expected);
    must(count == (all < room ? all : room));
    must(memcmp(next, expected_next, s->node_count * sizeof *next) == 0);
    must(count == 0 || memcmp(ways, expected, count * sizeof *ways) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    sample s;
    krs_referrers *referrers;
    sample_decode(bytes, length, &s);
    must(krs__graph_check_all(s.graph));
    try_owned(&s);
    try_label(&s);
    try_paths(&s);
    try_unexplained(&s);
    must(krs_referrers_new(s.graph, &referrers) == KRS_OK);
    try_referrers(&s, referrers);
    try_dominators(&s, referrers);
    try_ways(&s, referrers);
    krs_referrers_free(referrers);
    sample_release(&s);
    return 0;
}
