/* Three answers to one question, by three algorithms: what goes when one object goes?
 * What trial deletion owns, what the search loses that may not enter the object, and
 * what the object dominates are the same set, wherever every count is what the edges
 * and the roots make it and no garbage lies about: that would be owned, having no
 * holder, and is reached by no search. */
#include <string.h>

#include "naive.h"
#include "topic.h"

/* What the roots of a sample lead to, as a sample of its own with exact counts. */
static void keep_the_reached(const sample *from, sample *made) {
    bool reached[SAMPLE_NODES];
    krs_node renamed[SAMPLE_NODES];
    edge edges[SAMPLE_EDGES];
    size_t edge_count = 0;
    *made = (sample){.root_count = from->root_count};
    naive_reach(from, KRS_NODE_NONE, NULL, reached);
    for (krs_node n = 0; n < from->node_count; n++) {
        if (reached[n])
            renamed[n] = made->node_count++;
    }
    for (krs_node n = 0; n < from->node_count; n++) {
        size_t count;
        const krs_node *targets = krs_graph_targets(from->graph, n, &count);
        for (size_t i = 0; reached[n] && i < count; i++) {
            edges[edge_count++] = (edge){renamed[n], renamed[targets[i]]};
            made->references[renamed[targets[i]]]++;
        }
    }
    for (size_t i = 0; i < from->root_count; i++) {
        made->roots[i] = renamed[from->roots[i]];
        made->references[made->roots[i]]++;
    }
    made->graph = graph_of(made->node_count, edges, edge_count);
}

static void owned_by(const sample *s, krs_node seed, uint8_t *set) {
    uint8_t roles[SAMPLE_NODES] = {0};
    int64_t outside[SAMPLE_NODES];
    roles[seed] = KRS_ROLE_SEED;
    assert_int_equal(krs_graph_owned(s->graph, s->references, roles, set, outside),
                     KRS_OK);
}

static void lost_without(const sample *s, krs_node seed, uint8_t *set) {
    uint8_t barred[SAMPLE_NODES] = {0};
    krs_node with[SAMPLE_NODES], without[SAMPLE_NODES];
    barred[seed] = 1;
    assert_int_equal(
        krs_graph_paths(s->graph, s->roots, NULL, s->root_count, NULL, with), KRS_OK);
    assert_int_equal(
        krs_graph_paths(s->graph, s->roots, NULL, s->root_count, barred, without),
        KRS_OK);
    for (krs_node n = 0; n < s->node_count; n++)
        set[n] = with[n] != KRS_NODE_NONE && without[n] == KRS_NODE_NONE;
}

static void dominated_by(const sample *s, krs_node seed, uint8_t *set) {
    krs_node dominator[SAMPLE_NODES];
    uint32_t members[SAMPLE_NODES], count = 0;
    krs_referrers *referrers = NULL;
    assert_int_equal(krs_referrers_new(s->graph, &referrers), KRS_OK);
    assert_int_equal(krs_graph_dominators(s->graph, referrers, s->roots, s->root_count,
                                          NULL, dominator, NULL, members),
                     KRS_OK);
    for (krs_node n = 0; n < s->node_count; n++) {
        krs_node d = n;
        while (d != seed && dominator[d] != d)
            d = dominator[d];
        set[n] = d == seed;
        count += set[n];
    }
    assert_int_equal(members[seed], count);
    krs_referrers_free(referrers);
}

static void
three_answers_agree_on_every_node_of_a_thousand_random_graphs(void **state) {
    (void)state;
    size_t gone = 0, stayed = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample drawn, s;
        uint8_t owned[SAMPLE_NODES], lost[SAMPLE_NODES], dominated[SAMPLE_NODES];
        sample_draw(i, &drawn);
        keep_the_reached(&drawn, &s);
        sample_release(&drawn);
        for (krs_node seed = 0; seed < s.node_count; seed++) {
            owned_by(&s, seed, owned);
            lost_without(&s, seed, lost);
            dominated_by(&s, seed, dominated);
            assert_memory_equal(owned, lost, s.node_count);
            assert_memory_equal(owned, dominated, s.node_count);
            for (krs_node n = 0; n < s.node_count; n++) {
                gone += owned[n] && n != seed;
                stayed += !owned[n];
            }
        }
        sample_release(&s);
    }
    assert_true(gone > SAMPLES && stayed > SAMPLES); /* or the samples say little */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_answers_agree_on_every_node_of_a_thousand_random_graphs),
    };
    return cmocka_run_group_tests_name("agreement", tests, NULL, NULL);
}
