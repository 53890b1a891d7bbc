/* Any bytes are a graph: its three answers must be what their definitions say. */
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    sample s;
    sample_decode(bytes, length, &s);
    must(krs__graph_check_all(s.graph));
    try_owned(&s);
    try_label(&s);
    try_paths(&s);
    sample_release(&s);
    return 0;
}
