/* Who refers to a node, and how many references to it the graph does not show. */
#include "naive.h"
#include "topic.h"

static void referrers_come_in_rising_order_one_for_each_reference(void **state) {
    (void)state;
    enum { LIST, DICT, ITEM, COUNT };
    const edge edges[] = {{ITEM, ITEM}, {DICT, ITEM}, {LIST, ITEM}, {LIST, ITEM}};
    const krs_node expected[] = {LIST, LIST, DICT, ITEM};
    size_t count;
    krs_referrers *referrers = NULL;
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_referrers_new(graph, &referrers), KRS_OK);
    krs_graph_free(graph); /* no longer asked */
    const krs_node *found = krs_referrers_of(referrers, ITEM, &count);
    assert_int_equal(count, LENGTH_OF(expected));
    assert_memory_equal(found, expected, sizeof expected);
    assert_null(krs_referrers_of(referrers, LIST, &count));
    assert_int_equal(count, 0);
    krs_referrers_free(referrers);
}

static void a_thousand_random_graphs_read_backwards_are_what_they_were(void **state) {
    (void)state;
    size_t seen = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        krs_referrers *referrers = NULL;
        sample_draw(i, &s);
        assert_int_equal(krs_referrers_new(s.graph, &referrers), KRS_OK);
        for (krs_node n = 0; n < s.node_count; n++) {
            krs_node expected[SAMPLE_EDGES];
            size_t count;
            const krs_node *found = krs_referrers_of(referrers, n, &count);
            assert_int_equal(count, naive_referrers(&s, n, expected));
            if (count > 0)
                assert_memory_equal(found, expected, count * sizeof *found);
            seen += count;
        }
        krs_referrers_free(referrers);
        sample_release(&s);
    }
    assert_true(seen > 10 * SAMPLES); /* or the samples say little */
}

static void what_counts_hold_beyond_the_edges_is_unexplained(void **state) {
    (void)state;
    enum { HOLDER, HELD, VISITED, NONE, DEBTOR, COUNT };
    const edge edges[] = {{HOLDER, HELD},
                          {HELD, HELD},
                          {HOLDER, VISITED},
                          {HOLDER, NONE},
                          {NONE, DEBTOR}};
    int64_t references[COUNT] = {1, 5, 0, INT64_MAX, INT64_MIN};
    const int64_t expected[COUNT] = {1, 3, -1, INT64_MAX, INT64_MIN};
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_unexplained(graph, references), KRS_OK);
    assert_memory_equal(references, expected, sizeof expected);
    krs_graph_free(graph);
}

static void unexplained_agrees_with_counting_on_a_thousand_random_graphs(void **state) {
    (void)state;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        int64_t references[SAMPLE_NODES], expected[SAMPLE_NODES];
        sample_draw(i, &s);
        for (krs_node n = 0; n < s.node_count; n++)
            references[n] = expected[n] = s.references[n];
        assert_int_equal(krs_graph_unexplained(s.graph, references), KRS_OK);
        naive_unexplained(&s, expected);
        assert_memory_equal(references, expected, s.node_count * sizeof *expected);
        sample_release(&s);
    }
}

static void what_cannot_be_asked_is_refused(void **state) {
    (void)state;
    krs_referrers *referrers = NULL;
    size_t count = 42;
    krs_graph *g = graph_of(1, (edge[]){{0, 0}}, 1);
    assert_int_equal(krs_graph_unexplained(NULL, (int64_t[]){0}), KRS_INVALID);
    assert_int_equal(krs_graph_unexplained(g, NULL), KRS_INVALID);
    assert_int_equal(krs_referrers_new(NULL, &referrers), KRS_INVALID);
    assert_int_equal(krs_referrers_new(g, NULL), KRS_INVALID);
    assert_null(referrers);
    assert_int_equal(krs_referrers_new(g, &referrers), KRS_OK);
    assert_null(krs_referrers_of(referrers, 0, NULL));
    assert_null(krs_referrers_of(referrers, 1, &count)); /* no node */
    assert_int_equal(count, 0);
    assert_null(krs_referrers_of(NULL, 0, &count));
    krs_referrers_free(referrers);
    krs_referrers_free(NULL);
    krs_graph_free(g);
}

static void an_empty_graph_has_no_referrers(void **state) {
    (void)state;
    krs_referrers *referrers = NULL;
    size_t count = 42;
    krs_graph *g = graph_of(0, NULL, 0);
    assert_int_equal(krs_referrers_new(g, &referrers), KRS_OK);
    assert_null(krs_referrers_of(referrers, 0, &count));
    assert_int_equal(count, 0);
    krs_referrers_free(referrers);
    krs_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(referrers_come_in_rising_order_one_for_each_reference),
        cmocka_unit_test(a_thousand_random_graphs_read_backwards_are_what_they_were),
        cmocka_unit_test(what_counts_hold_beyond_the_edges_is_unexplained),
        cmocka_unit_test(unexplained_agrees_with_counting_on_a_thousand_random_graphs),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(an_empty_graph_has_no_referrers),
    };
    return cmocka_run_group_tests_name("referrers", tests, NULL, NULL);
}
