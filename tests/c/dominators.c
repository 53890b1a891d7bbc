/* Dominators: what everything else goes through, and what would go with it. */
#include <stdlib.h>

#include "naive.h"
#include "topic.h"

enum { MOST = 8 };

/* Asks for the graph of `edges`, every node of size 1, and asserts. */
static void assert_dominators(krs_node count, const edge *edges, size_t edge_count,
                              const krs_node *roots, size_t root_count,
                              const krs_node *expected,
                              const uint32_t *expected_members) {
    krs_node dominator[MOST];
    uint32_t members[MOST];
    krs_referrers *referrers = NULL;
    krs_graph *graph = graph_of(count, edges, edge_count);
    assert_int_equal(krs_referrers_new(graph, &referrers), KRS_OK);
    assert_int_equal(krs_graph_dominators(graph, referrers, roots, root_count, NULL,
                                          dominator, NULL, members),
                     KRS_OK);
    assert_memory_equal(dominator, expected, count * sizeof *expected);
    assert_memory_equal(members, expected_members, count * sizeof *members);
    krs_referrers_free(referrers);
    krs_graph_free(graph);
}

static void what_two_lead_to_goes_with_what_leads_to_both(void **state) {
    (void)state;
    enum { ROOT, LEFT, RIGHT, SHARED, BELOW, COUNT };
    const edge edges[] = {
        {ROOT, LEFT}, {ROOT, RIGHT}, {LEFT, SHARED}, {RIGHT, SHARED}, {SHARED, BELOW}};
    assert_dominators(COUNT, edges, LENGTH_OF(edges), (krs_node[]){ROOT}, 1,
                      (krs_node[]){ROOT, ROOT, ROOT, ROOT, SHARED},
                      (uint32_t[]){5, 1, 1, 2, 1});
}

static void nothing_dominates_what_two_roots_lead_to(void **state) {
    (void)state;
    enum { FRAME, MODULE, SHARED, OWN, COUNT };
    const edge edges[] = {{FRAME, SHARED}, {MODULE, SHARED}, {FRAME, OWN}};
    assert_dominators(COUNT, edges, LENGTH_OF(edges), (krs_node[]){FRAME, MODULE}, 2,
                      (krs_node[]){FRAME, MODULE, SHARED, FRAME},
                      (uint32_t[]){2, 1, 1, 1});
}

static void a_root_has_no_dominator_whoever_leads_to_it(void **state) {
    (void)state;
    enum { FIRST, SECOND, BELOW, COUNT };
    const edge edges[] = {{FIRST, SECOND}, {SECOND, BELOW}, {BELOW, FIRST}};
    const krs_node roots[] = {FIRST, SECOND, FIRST, SECOND, SECOND};
    assert_dominators(COUNT, edges, LENGTH_OF(edges), roots, LENGTH_OF(roots),
                      (krs_node[]){FIRST, SECOND, SECOND}, (uint32_t[]){1, 2, 1});
}

static void where_no_root_leads_nothing_is_said(void **state) {
    (void)state;
    enum { ROOT, GARBAGE, HELD, COUNT };
    const edge edges[] = {{GARBAGE, HELD}, {ROOT, HELD}, {GARBAGE, GARBAGE}};
    assert_dominators(COUNT, edges, LENGTH_OF(edges), (krs_node[]){ROOT}, 1,
                      (krs_node[]){ROOT, KRS_NODE_NONE, ROOT}, (uint32_t[]){2, 0, 1});
    assert_dominators(COUNT, edges, LENGTH_OF(edges), NULL, 0,
                      (krs_node[]){KRS_NODE_NONE, KRS_NODE_NONE, KRS_NODE_NONE},
                      (uint32_t[]){0, 0, 0});
    assert_dominators(0, NULL, 0, NULL, 0, (krs_node[]){0}, (uint32_t[]){0});
}

/* The example of Lengauer and Tarjan, 1979, figure 1. */
static void the_flow_graph_of_the_textbooks_comes_out_right(void **state) {
    (void)state;
    enum { R, A, B, C, D, E, F, G, H, I, J, K, L, COUNT };
    const edge edges[] = {{R, A}, {R, B}, {R, C}, {A, D}, {B, A}, {B, D}, {B, E},
                          {C, F}, {C, G}, {D, L}, {E, H}, {F, I}, {G, I}, {G, J},
                          {H, E}, {H, K}, {I, K}, {J, I}, {K, I}, {K, R}, {L, H}};
    const krs_node expected[COUNT] = {R, R, R, R, R, R, C, C, R, R, G, R, D};
    krs_node dominator[COUNT];
    krs_referrers *referrers = NULL;
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_referrers_new(graph, &referrers), KRS_OK);
    assert_int_equal(krs_graph_dominators(graph, referrers, (krs_node[]){R}, 1, NULL,
                                          dominator, NULL, NULL),
                     KRS_OK);
    assert_memory_equal(dominator, expected, sizeof expected);
    krs_referrers_free(referrers);
    krs_graph_free(graph);
}

static void a_thousand_random_graphs_agree_with_the_definition(void **state) {
    (void)state;
    size_t deep = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        krs_referrers *referrers = NULL;
        krs_node dominator[SAMPLE_NODES], expected[SAMPLE_NODES];
        uint64_t retained[SAMPLE_NODES], expected_retained[SAMPLE_NODES];
        uint32_t members[SAMPLE_NODES], expected_members[SAMPLE_NODES];
        sample_draw(i, &s);
        const uint8_t *barred = i % 2 ? s.barred : NULL;
        for (krs_node n = 0; n < s.node_count; n++)
            retained[n] = expected_retained[n] = (uint64_t)(n + 1) << n % 40;
        assert_int_equal(krs_referrers_new(s.graph, &referrers), KRS_OK);
        assert_int_equal(krs_graph_dominators(s.graph, referrers, s.roots, s.root_count,
                                              barred, dominator, retained, members),
                         KRS_OK);
        naive_dominators(&s, barred, expected, expected_retained, expected_members);
        assert_memory_equal(dominator, expected, s.node_count * sizeof *expected);
        assert_memory_equal(retained, expected_retained,
                            s.node_count * sizeof *retained);
        assert_memory_equal(members, expected_members, s.node_count * sizeof *members);
        for (krs_node n = 0; n < s.node_count; n++)
            deep += dominator[n] != KRS_NODE_NONE && dominator[n] != n;
        krs_referrers_free(referrers);
        sample_release(&s);
    }
    assert_true(deep > SAMPLES); /* or the samples say little */
}

/* As deep as no stack is: a linked list, its end referring to every node before. */
static void a_linked_list_is_as_deep_as_it_is_long(void **state) {
    (void)state;
    enum { NODES = 300000 };
    krs_graph *graph = NULL;
    krs_node node;
    krs_referrers *referrers = NULL;
    krs_node *dominator = calloc(NODES, sizeof *dominator);
    uint32_t *members = calloc(NODES, sizeof *members);
    const void **all = calloc(NODES, sizeof *all);
    assert_true(dominator != NULL && members != NULL && all != NULL);
    assert_int_equal(krs_graph_new(&graph), KRS_OK);
    for (krs_node n = 0; n < NODES; n++) {
        all[n] = address_of(n);
        assert_int_equal(krs_graph_node(graph, all[n], &node), KRS_OK);
    }
    for (krs_node n = 0; n + 1 < NODES; n++)
        assert_int_equal(krs_graph_expand(graph, n, all + n + 1, 1), KRS_OK);
    assert_int_equal(krs_graph_expand(graph, NODES - 1, all, NODES), KRS_OK);
    assert_int_equal(krs_referrers_new(graph, &referrers), KRS_OK);
    assert_int_equal(krs_graph_dominators(graph, referrers, (krs_node[]){0}, 1, NULL,
                                          dominator, NULL, members),
                     KRS_OK);
    for (krs_node n = 0; n < NODES; n++) {
        assert_int_equal(dominator[n], n == 0 ? 0 : n - 1);
        assert_int_equal(members[n], NODES - n);
    }
    krs_referrers_free(referrers);
    krs_graph_free(graph);
    free(dominator);
    free(members);
    free(all);
}

static void what_cannot_be_asked_is_refused_and_nothing_written(void **state) {
    (void)state;
    const krs_node roots[] = {0}, no_node[] = {1};
    krs_node d[] = {42};
    krs_referrers *r = NULL, *of_two = NULL;
    krs_graph *g = graph_of(1, NULL, 0), *two = graph_of(2, NULL, 0);
    assert_int_equal(krs_referrers_new(g, &r), KRS_OK);
    assert_int_equal(krs_referrers_new(two, &of_two), KRS_OK);
    assert_int_equal(krs_graph_dominators(NULL, r, roots, 1, NULL, d, NULL, NULL),
                     KRS_INVALID);
    assert_int_equal(krs_graph_dominators(g, NULL, roots, 1, NULL, d, NULL, NULL),
                     KRS_INVALID);
    assert_int_equal(krs_graph_dominators(g, of_two, roots, 1, NULL, d, NULL, NULL),
                     KRS_INVALID);
    assert_int_equal(krs_graph_dominators(g, r, NULL, 1, NULL, d, NULL, NULL),
                     KRS_INVALID);
    assert_int_equal(krs_graph_dominators(g, r, no_node, 1, NULL, d, NULL, NULL),
                     KRS_INVALID);
    assert_int_equal(krs_graph_dominators(g, r, roots, 1, NULL, NULL, NULL, NULL),
                     KRS_INVALID);
    assert_int_equal(d[0], 42);
    krs_referrers_free(r);
    krs_referrers_free(of_two);
    krs_graph_free(g);
    krs_graph_free(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_two_lead_to_goes_with_what_leads_to_both),
        cmocka_unit_test(nothing_dominates_what_two_roots_lead_to),
        cmocka_unit_test(a_root_has_no_dominator_whoever_leads_to_it),
        cmocka_unit_test(where_no_root_leads_nothing_is_said),
        cmocka_unit_test(the_flow_graph_of_the_textbooks_comes_out_right),
        cmocka_unit_test(a_thousand_random_graphs_agree_with_the_definition),
        cmocka_unit_test(a_linked_list_is_as_deep_as_it_is_long),
        cmocka_unit_test(what_cannot_be_asked_is_refused_and_nothing_written),
    };
    return cmocka_run_group_tests_name("dominators", tests, NULL, NULL);
}
