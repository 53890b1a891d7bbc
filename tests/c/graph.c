/* Building a graph: numbers in the order of first sight, every reference an edge. */
#include "heap/graph.h"
#include "sample.h"
#include "topic.h"

static int make_graph(void **state) {
    krs_graph *graph = NULL;
    if (krs_graph_new(&graph) != KRS_OK)
        return -1;
    *state = graph;
    return 0;
}

static int free_graph(void **state) {
    krs_graph_free(*state);
    return 0;
}

static krs_node node_of(krs_graph *graph, krs_node n) {
    krs_node node = KRS_NODE_NONE;
    assert_int_equal(krs_graph_node(graph, address_of(n), &node), KRS_OK);
    return node;
}

static void assert_targets(const krs_graph *graph, krs_node node,
                           const krs_node *expected, size_t expected_count) {
    size_t count = SIZE_MAX;
    const krs_node *targets = krs_graph_targets(graph, node, &count);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(targets[i], expected[i]);
}

static void an_address_has_one_node_however_often_it_is_seen(void **state) {
    krs_graph *graph = *state;
    assert_int_equal(node_of(graph, 7), 0);
    assert_int_equal(node_of(graph, 3), 1);
    assert_int_equal(node_of(graph, 7), 0);
    assert_int_equal(krs_graph_node_count(graph), 2);
    assert_ptr_equal(krs_graph_address(graph, 1), address_of(3));
    assert_null(krs_graph_address(graph, 2));
}

static void an_address_never_seen_is_not_found(void **state) {
    krs_graph *graph = *state;
    node_of(graph, 7);
    assert_int_equal(krs_graph_find(graph, address_of(7)), 0);
    assert_int_equal(krs_graph_find(graph, address_of(8)), KRS_NODE_NONE);
    assert_int_equal(krs_graph_find(graph, NULL), KRS_NODE_NONE);
    assert_int_equal(krs_graph_node_count(graph), 1);
}

static void addresses_that_share_a_slot_are_told_apart(void **state) {
    krs_graph *graph = *state;
    for (uintptr_t i = 1; i <= 15; i++) { /* alike but for the bits the hash drops */
        krs_node node;
        assert_int_equal(krs_graph_node(graph, (const void *)i, &node), KRS_OK);
        assert_int_equal(node, i - 1);
    }
    assert_true(krs__graph_check_all(graph));
}

static void expanding_keeps_order_and_multiplicity_and_passes_null_over(void **state) {
    krs_graph *graph = *state;
    node_of(graph, 0);
    const void *targets[] = {address_of(2), NULL, address_of(1), address_of(2),
                             address_of(0)};
    assert_int_equal(krs_graph_expand(graph, 0, targets, LENGTH_OF(targets)), KRS_OK);
    assert_targets(graph, 0, (krs_node[]){1, 2, 1, 0}, 4);
    assert_int_equal(krs_graph_edge_count(graph), 4);
    assert_int_equal(krs_graph_node_count(graph), 3);
}

static void a_node_passed_over_refers_to_nothing(void **state) {
    krs_graph *graph = *state;
    for (krs_node n = 0; n < 4; n++)
        node_of(graph, n);
    const void *first[] = {address_of(3)}, *second[] = {address_of(0), address_of(1)};
    assert_int_equal(krs_graph_expand(graph, 0, first, 1), KRS_OK);
    assert_int_equal(krs_graph_expand(graph, 2, second, 2), KRS_OK);
    assert_targets(graph, 0, (krs_node[]){3}, 1);
    assert_targets(graph, 1, NULL, 0);
    assert_targets(graph, 2, (krs_node[]){0, 1}, 2);
    assert_targets(graph, 3, NULL, 0); /* not yet come to */
    assert_targets(graph, 4, NULL, 0); /* no node */
}

static void a_source_out_of_order_is_refused(void **state) {
    krs_graph *graph = *state;
    for (krs_node n = 0; n < 3; n++)
        node_of(graph, n);
    assert_int_equal(krs_graph_expand(graph, 1, NULL, 0), KRS_OK);
    assert_int_equal(krs_graph_expand(graph, 1, NULL, 0), KRS_INVALID); /* twice */
    assert_int_equal(krs_graph_expand(graph, 0, NULL, 0), KRS_INVALID); /* backwards */
    assert_int_equal(krs_graph_expand(graph, 3, NULL, 0), KRS_INVALID); /* no node */
    assert_int_equal(krs_graph_expand(graph, 2, NULL, 0), KRS_OK);
}

static void arguments_that_are_missing_are_refused(void **state) {
    krs_graph *graph = *state;
    krs_node node = 42;
    assert_int_equal(krs_graph_new(NULL), KRS_INVALID);
    assert_int_equal(krs_graph_node(NULL, address_of(0), &node), KRS_INVALID);
    assert_int_equal(krs_graph_node(graph, NULL, &node), KRS_INVALID);
    assert_int_equal(krs_graph_node(graph, address_of(0), NULL), KRS_INVALID);
    assert_int_equal(node, 42);
    assert_int_equal(krs_graph_node_count(graph), 0);
    node_of(graph, 0);
    assert_int_equal(krs_graph_expand(graph, 0, NULL, 1), KRS_INVALID);
    assert_int_equal(krs_graph_expand(NULL, 0, NULL, 0), KRS_INVALID);
    assert_int_equal(krs_graph_node_count(NULL), 0);
    assert_int_equal(krs_graph_edge_count(NULL), 0);
    assert_null(krs_graph_targets(graph, 0, NULL));
    krs_graph_free(NULL);
}

static void a_graph_grows_far_beyond_its_first_size(void **state) {
    krs_graph *graph = *state;
    enum { NODES = 20000 };
    static const void *targets[NODES];
    for (krs_node n = 0; n < NODES; n++)
        targets[n] = address_of(n * 7919 % NODES); /* a permutation */
    node_of(graph, 0);
    assert_int_equal(krs_graph_expand(graph, 0, targets, NODES), KRS_OK);
    assert_int_equal(krs_graph_node_count(graph), NODES);
    for (krs_node n = 1; n < NODES; n++)
        assert_int_equal(krs_graph_expand(graph, n, targets + n - 1, 2), KRS_OK);
    assert_int_equal(krs_graph_edge_count(graph), 3 * NODES - 2);
    assert_true(krs__graph_check_all(graph));
    for (krs_node n = 0; n < NODES; n++)
        assert_ptr_equal(krs_graph_address(graph, n), targets[n]);
}

static void one_node_too_many_is_the_limit(void **state) {
    krs_graph *graph = *state;
    assert_int_equal(graph->node_limit, UINT32_MAX - 1);
    graph->node_limit = 3;
    node_of(graph, 0);
    const void *two[] = {address_of(1), address_of(2)}, *third[] = {address_of(3)};
    assert_int_equal(krs_graph_expand(graph, 0, two, 2), KRS_OK);
    krs_node node = 42;
    assert_int_equal(krs_graph_node(graph, address_of(3), &node), KRS_LIMIT);
    assert_int_equal(node, 42);
    assert_int_equal(node_of(graph, 2), 2); /* known ones are still found */
    assert_int_equal(krs_graph_expand(graph, 1, third, 1), KRS_LIMIT);
}

static void one_edge_too_many_is_the_limit(void **state) {
    krs_graph *graph = *state;
    assert_int_equal(graph->edge_limit, UINT32_MAX - 1);
    graph->edge_limit = 3;
    node_of(graph, 0);
    node_of(graph, 1);
    const void *targets[] = {address_of(0), address_of(1)};
    assert_int_equal(krs_graph_expand(graph, 0, targets, 2), KRS_OK);
    assert_int_equal(krs_graph_expand(graph, 1, targets, 2), KRS_LIMIT);
    assert_int_equal(krs_graph_expand(graph, 1, targets, SIZE_MAX), KRS_LIMIT);
    assert_int_equal(krs_graph_expand(graph, 1, targets, 1), KRS_OK);
    assert_int_equal(krs_graph_edge_count(graph), 3);
}

static void the_check_sees_each_broken_invariant(void **state) {
    krs_graph *graph = *state;
    const void *targets[] = {address_of(0), address_of(1)};
    node_of(graph, 0);
    assert_int_equal(krs_graph_expand(graph, 0, targets, 2), KRS_OK);
    assert_int_equal(krs_graph_expand(graph, 1, targets, 2), KRS_OK);
    assert_true(krs__graph_check_all(graph));
#define ASSERT_SEEN(field, broken)                                                     \
    do {                                                                               \
        const uint64_t good = (field);                                                 \
        (field) = (broken);                                                            \
        assert_false(krs__graph_check_all(graph));                                     \
        (field) = (__typeof__(field))good;                                             \
        assert_true(krs__graph_check_all(graph));                                      \
    } while (0)
    ASSERT_SEEN(graph->edge_count, 3);
    ASSERT_SEEN(graph->edges[1], 2);
    ASSERT_SEEN(graph->edge_end[0], 5);
    ASSERT_SEEN(graph->node_count, 1);
    ASSERT_SEEN(graph->node_limit, 1);
    ASSERT_SEEN(graph->edge_limit, 3);
    ASSERT_SEEN(graph->slot_count, graph->slot_count / 2);
    size_t empty = 0;
    while (graph->slots[empty] != 0)
        empty++;
    ASSERT_SEEN(graph->slots[empty], 1);        /* node 0 in a second slot */
    ASSERT_SEEN(graph->slots[empty], 1u << 31); /* a tag of no node */
#undef ASSERT_SEEN
    graph->address[1] = address_of(2);
    assert_false(krs__graph_check_all(graph));
}

#define graph_test(f) cmocka_unit_test_setup_teardown(f, make_graph, free_graph)

int main(void) {
    const struct CMUnitTest tests[] = {
        graph_test(an_address_has_one_node_however_often_it_is_seen),
        graph_test(an_address_never_seen_is_not_found),
        graph_test(addresses_that_share_a_slot_are_told_apart),
        graph_test(expanding_keeps_order_and_multiplicity_and_passes_null_over),
        graph_test(a_node_passed_over_refers_to_nothing),
        graph_test(a_source_out_of_order_is_refused),
        graph_test(arguments_that_are_missing_are_refused),
        graph_test(a_graph_grows_far_beyond_its_first_size),
        graph_test(one_node_too_many_is_the_limit),
        graph_test(one_edge_too_many_is_the_limit),
        graph_test(the_check_sees_each_broken_invariant),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
