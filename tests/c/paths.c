/* Shortest paths: fewest steps, earlier waves first, barred nodes shut. */
#include "naive.h"
#include "topic.h"

static void a_path_takes_the_fewest_steps(void **state) {
    (void)state;
    enum { ROOT, LONG_WAY, DETOUR, GOAL, COUNT };
    const edge edges[] = {
        {ROOT, LONG_WAY}, {LONG_WAY, DETOUR}, {DETOUR, GOAL}, {LONG_WAY, GOAL}};
    krs_node parent[COUNT];
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_paths(graph, (krs_node[]){ROOT}, NULL, 1, NULL, parent),
                     KRS_OK);
    assert_int_equal(parent[ROOT], ROOT);
    assert_int_equal(parent[GOAL], LONG_WAY);
    krs_graph_free(graph);
}

static void an_earlier_wave_explains_even_by_a_longer_path(void **state) {
    (void)state;
    enum { FRAME, LIST, GOAL, UNKNOWN, LEFT_OVER, COUNT };
    const edge edges[] = {
        {FRAME, LIST}, {LIST, GOAL}, {UNKNOWN, GOAL}, {UNKNOWN, LEFT_OVER}};
    const krs_node roots[] = {FRAME, UNKNOWN};
    krs_node parent[COUNT];
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_paths(graph, roots, (uint8_t[]){3, 9}, 2, NULL, parent),
                     KRS_OK);
    assert_int_equal(parent[GOAL], LIST);
    assert_int_equal(parent[LEFT_OVER], UNKNOWN);
    assert_int_equal(krs_graph_paths(graph, roots, NULL, 2, NULL, parent), KRS_OK);
    assert_int_equal(parent[GOAL], UNKNOWN);
    krs_graph_free(graph);
}

static void a_later_root_that_is_reached_already_keeps_its_path(void **state) {
    (void)state;
    enum { FIRST, SECOND, COUNT };
    const edge edges[] = {{FIRST, SECOND}};
    krs_node parent[COUNT];
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_paths(graph, (krs_node[]){FIRST, SECOND},
                                     (uint8_t[]){0, 1}, 2, NULL, parent),
                     KRS_OK);
    assert_int_equal(parent[SECOND], FIRST);
    krs_graph_free(graph);
}

static void a_barred_node_is_neither_entered_nor_left(void **state) {
    (void)state;
    enum { ROOT, SHUT, BEHIND, SHUT_ROOT, BELOW, COUNT };
    const edge edges[] = {{ROOT, SHUT}, {SHUT, BEHIND}, {SHUT_ROOT, BELOW}};
    const krs_node roots[] = {ROOT, SHUT_ROOT};
    const uint8_t barred[COUNT] = {[SHUT] = 1, [SHUT_ROOT] = 1};
    krs_node parent[COUNT];
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_paths(graph, roots, NULL, 2, barred, parent), KRS_OK);
    assert_int_equal(parent[ROOT], ROOT);
    for (krs_node n = SHUT; n < COUNT; n++)
        assert_int_equal(parent[n], KRS_NODE_NONE);
    krs_graph_free(graph);
}

static void a_thousand_random_graphs_agree_with_the_definition(void **state) {
    (void)state;
    size_t steps = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        krs_node parent[SAMPLE_NODES];
        sample_draw(i, &s);
        const uint8_t *waves = i % 4 == 0 ? NULL : s.waves;
        const uint8_t *barred = i % 5 == 0 ? NULL : s.barred;
        assert_int_equal(
            krs_graph_paths(s.graph, s.roots, waves, s.root_count, barred, parent),
            KRS_OK);
        assert_true(naive_paths_agree(&s, waves, barred, parent));
        for (krs_node n = 0; n < s.node_count; n++)
            steps += parent[n] != KRS_NODE_NONE && parent[n] != n;
        sample_release(&s);
    }
    assert_true(steps > SAMPLES); /* or the samples say little */
}

static void what_cannot_be_asked_is_refused_and_nothing_written(void **state) {
    (void)state;
    krs_node parent[] = {42, 43};
    const krs_node roots[] = {0, 1}, no_node[] = {2};
    krs_graph *g = graph_of(2, NULL, 0);
    assert_int_equal(krs_graph_paths(NULL, roots, NULL, 2, NULL, parent), KRS_INVALID);
    assert_int_equal(krs_graph_paths(g, NULL, NULL, 2, NULL, parent), KRS_INVALID);
    assert_int_equal(krs_graph_paths(g, roots, NULL, 2, NULL, NULL), KRS_INVALID);
    assert_int_equal(krs_graph_paths(g, no_node, NULL, 1, NULL, parent), KRS_INVALID);
    assert_int_equal(krs_graph_paths(g, roots, (uint8_t[]){1, 0}, 2, NULL, parent),
                     KRS_INVALID);
    assert_int_equal(parent[0], 42);
    assert_int_equal(parent[1], 43);
    krs_graph_free(g);
}

static void without_roots_nothing_is_reached(void **state) {
    (void)state;
    krs_node parent[] = {42};
    krs_graph *one = graph_of(1, NULL, 0), *empty = graph_of(0, NULL, 0);
    assert_int_equal(krs_graph_paths(one, NULL, NULL, 0, NULL, parent), KRS_OK);
    assert_int_equal(parent[0], KRS_NODE_NONE);
    assert_int_equal(krs_graph_paths(empty, NULL, NULL, 0, NULL, parent), KRS_OK);
    krs_graph_free(one);
    krs_graph_free(empty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_takes_the_fewest_steps),
        cmocka_unit_test(an_earlier_wave_explains_even_by_a_longer_path),
        cmocka_unit_test(a_later_root_that_is_reached_already_keeps_its_path),
        cmocka_unit_test(a_barred_node_is_neither_entered_nor_left),
        cmocka_unit_test(a_thousand_random_graphs_agree_with_the_definition),
        cmocka_unit_test(what_cannot_be_asked_is_refused_and_nothing_written),
        cmocka_unit_test(without_roots_nothing_is_reached),
    };
    return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
