/* Expanding sources in a row is expanding them one by one. */
#include "heap/graph.h"
#include "sample.h"
#include "topic.h"

enum { FIRST = 40, NODES = 100, MOST = 5, WORDS = NODES * MOST };

static uint32_t draw(uint64_t *state, uint32_t bound) {
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % bound;
}

/* Two graphs of the same first nodes. */
static void make_two(krs_graph **one, krs_graph **other) {
    *one = graph_of(0, NULL, 0);
    *other = graph_of(0, NULL, 0);
    for (krs_node n = 0; n < FIRST; n++) {
        krs_node made;
        assert_int_equal(krs_graph_node(*one, address_of(n), &made), KRS_OK);
        assert_int_equal(krs_graph_node(*other, address_of(n), &made), KRS_OK);
    }
}

static void assert_alike(const krs_graph *one, const krs_graph *other) {
    assert_true(krs__graph_check_all(one));
    assert_int_equal(krs_graph_node_count(one), krs_graph_node_count(other));
    assert_int_equal(krs_graph_edge_count(one), krs_graph_edge_count(other));
    for (krs_node n = 0; n < krs_graph_node_count(one); n++) {
        size_t count, expected;
        const krs_node *targets = krs_graph_targets(one, n, &count);
        const krs_node *expected_targets = krs_graph_targets(other, n, &expected);
        assert_ptr_equal(krs_graph_address(one, n), krs_graph_address(other, n));
        assert_int_equal(count, expected);
        if (count > 0)
            assert_memory_equal(targets, expected_targets, count * sizeof *targets);
    }
}

static void runs_agree_with_one_by_one_on_a_thousand_random_graphs(void **state) {
    (void)state;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        uint64_t seed = i;
        krs_graph *run, *single;
        make_two(&run, &single);
        for (krs_node first = draw(&seed, 3); first < krs_graph_node_count(single);) {
            const krs_node left = krs_graph_node_count(single) - first;
            const uint32_t sources = 1 + draw(&seed, left);
            uint32_t counts[NODES];
            const void *targets[WORDS];
            size_t at = 0;
            for (uint32_t k = 0; k < sources; k++) {
                const size_t begin = at;
                counts[k] = draw(&seed, MOST + 1);
                for (uint32_t c = 0; c < counts[k]; c++) {
                    const uint32_t drawn = draw(&seed, NODES + 1);
                    targets[at++] = drawn == NODES ? NULL : address_of(drawn);
                }
                assert_int_equal(
                    krs_graph_expand(single, first + k, targets + begin, counts[k]),
                    KRS_OK);
            }
            assert_int_equal(krs_graph_expand_run(run, first, sources, counts, targets),
                             KRS_OK);
            first += sources + draw(&seed, 3); /* some are passed over */
        }
        assert_alike(run, single);
        krs_graph_free(run);
        krs_graph_free(single);
    }
}

static void a_run_of_none_changes_nothing(void **state) {
    (void)state;
    krs_graph *one, *other;
    make_two(&one, &other);
    assert_int_equal(krs_graph_expand_run(one, 7, 0, NULL, NULL), KRS_OK);
    assert_alike(one, other);
    assert_int_equal(krs_graph_expand_run(one, 3, 1, (uint32_t[]){0}, NULL), KRS_OK);
    krs_graph_free(one);
    krs_graph_free(other);
}

static void a_run_that_is_not_all_nodes_to_come_is_refused(void **state) {
    (void)state;
    const uint32_t counts[] = {1, 0, 0};
    const void *targets[] = {address_of(FIRST)};
    krs_graph *g, *unused;
    make_two(&g, &unused);
    assert_int_equal(krs_graph_expand_run(g, FIRST - 2, 3, counts, targets),
                     KRS_INVALID); /* the last becomes a node by the first */
    assert_int_equal(krs_graph_expand_run(g, FIRST - 2, SIZE_MAX, counts, targets),
                     KRS_INVALID);
    assert_int_equal(krs_graph_expand_run(g, FIRST, 1, counts, targets), KRS_INVALID);
    assert_int_equal(krs_graph_expand_run(NULL, 0, 1, counts, targets), KRS_INVALID);
    assert_int_equal(krs_graph_expand_run(g, 0, 1, NULL, targets), KRS_INVALID);
    assert_int_equal(krs_graph_expand_run(g, 0, 1, counts, NULL), KRS_INVALID);
    assert_alike(g, unused);
    assert_int_equal(krs_graph_expand_run(g, 5, 2, counts, targets), KRS_OK);
    assert_int_equal(krs_graph_expand_run(g, 6, 2, counts, targets), KRS_INVALID);
    assert_int_equal(krs_graph_expand_run(g, 7, 2, counts, targets), KRS_OK);
    krs_graph_free(g);
    krs_graph_free(unused);
}

static void the_targets_of_a_whole_run_count_against_the_limit(void **state) {
    (void)state;
    const uint32_t counts[] = {1, UINT32_MAX, UINT32_MAX};
    const void *targets[] = {address_of(0), address_of(1)};
    krs_graph *g, *unused;
    make_two(&g, &unused);
    assert_int_equal(krs_graph_expand_run(g, 0, 3, counts, targets), KRS_LIMIT);
    g->edge_limit = 1;
    assert_int_equal(krs_graph_expand_run(g, 0, 2, (uint32_t[]){1, 1}, targets),
                     KRS_LIMIT);
    assert_int_equal(krs_graph_expand_run(g, 0, 2, (uint32_t[]){1, 0}, targets),
                     KRS_OK);
    krs_graph_free(g);
    krs_graph_free(unused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_agree_with_one_by_one_on_a_thousand_random_graphs),
        cmocka_unit_test(a_run_of_none_changes_nothing),
        cmocka_unit_test(a_run_that_is_not_all_nodes_to_come_is_refused),
        cmocka_unit_test(the_targets_of_a_whole_run_count_against_the_limit),
    };
    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
