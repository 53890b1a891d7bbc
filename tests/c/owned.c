/* Trial deletion: what dies with the seeds, and who holds the rest. */
#include "naive.h"
#include "topic.h"

enum {
    PLAIN = KRS_ROLE_PLAIN,
    SEED = KRS_ROLE_SEED,
    BARRIER = KRS_ROLE_BARRIER,
    MOST = 8
};

/* Asks for the graph of `edges`, and asserts what is owned and held from elsewhere. */
static void assert_owned(krs_node count, const edge *edges, size_t edge_count,
                         const int64_t *references, const uint8_t *roles,
                         const uint8_t *expected, const int64_t *expected_outside) {
    uint8_t owned[MOST] = {0};
    int64_t outside[MOST] = {0};
    krs_graph *graph = graph_of(count, edges, edge_count);
    assert_int_equal(krs_graph_owned(graph, references, roles, owned, outside), KRS_OK);
    krs_graph_free(graph);
    assert_memory_equal(owned, expected, count);
    assert_memory_equal(outside, expected_outside, count * sizeof *outside);
}

static void a_cycle_that_nobody_holds_dies_with_its_seed(void **state) {
    (void)state;
    enum { MODEL, LAYER, VARIABLE, COUNT };
    const edge edges[] = {
        {MODEL, LAYER}, {LAYER, MODEL}, {LAYER, VARIABLE}, {VARIABLE, LAYER}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){1, 2, 1},
                 (uint8_t[]){SEED, PLAIN, PLAIN}, (uint8_t[]){1, 1, 1},
                 (int64_t[]){0, 0, 0});
}

static void what_is_held_from_outside_lives_and_so_does_all_it_leads_to(void **state) {
    (void)state;
    enum { MODEL, SHARED, KERNEL, OWN, COUNT };
    const edge edges[] = {{MODEL, SHARED}, {SHARED, KERNEL}, {MODEL, OWN}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){0, 2, 1, 1},
                 (uint8_t[]){SEED, PLAIN, PLAIN, PLAIN}, (uint8_t[]){1, 0, 0, 1},
                 (int64_t[]){0, 1, 1, 0});
}

static void each_reference_counts_once(void **state) {
    (void)state;
    enum { LIST, ITEM, COUNT };
    const edge edges[] = {{LIST, ITEM}, {LIST, ITEM}, {LIST, ITEM}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){0, 3},
                 (uint8_t[]){SEED, PLAIN}, (uint8_t[]){1, 1}, (int64_t[]){0, 0});
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){0, 4},
                 (uint8_t[]){SEED, PLAIN}, (uint8_t[]){1, 0}, (int64_t[]){0, 1});
}

static void
a_seed_held_from_outside_is_owned_and_its_holders_are_counted(void **state) {
    (void)state;
    enum { MODEL, LAYER, COUNT };
    const edge edges[] = {{MODEL, LAYER}, {LAYER, MODEL}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){3, 1},
                 (uint8_t[]){SEED, PLAIN}, (uint8_t[]){1, 1}, (int64_t[]){2, 0});
}

static void a_seed_held_by_a_node_that_lives_is_seen_to_be_held(void **state) {
    (void)state;
    enum { MODEL, SHARED, COUNT };
    const edge edges[] = {{MODEL, SHARED}, {SHARED, MODEL}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){1, 2},
                 (uint8_t[]){SEED, PLAIN}, (uint8_t[]){1, 0}, (int64_t[]){1, 1});
}

static void life_does_not_spread_through_a_seed(void **state) {
    (void)state;
    enum { HOLDER, MODEL, LAYER, COUNT };
    const edge edges[] = {{HOLDER, MODEL}, {MODEL, LAYER}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){1, 1, 1},
                 (uint8_t[]){PLAIN, SEED, PLAIN}, (uint8_t[]){0, 1, 1},
                 (int64_t[]){1, 1, 0});
}

static void a_barrier_lives_whatever_its_count(void **state) {
    (void)state;
    enum { MODEL, MODULE, COUNT };
    const edge edges[] = {{MODEL, MODULE}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){0, 1},
                 (uint8_t[]){SEED, BARRIER}, (uint8_t[]){1, 0}, (int64_t[]){0, 0});
}

/* As if it had never been expanded: its reference is one the graph cannot explain, and
 * where the counts say there is none, it leads nowhere. */
static void the_edges_of_a_barrier_count_for_nothing(void **state) {
    (void)state;
    enum { MODULE, HELD, VISITED, COUNT };
    const edge edges[] = {{MODULE, HELD}, {MODULE, VISITED}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){5, 1, 0},
                 (uint8_t[]){BARRIER, PLAIN, PLAIN}, (uint8_t[]){0, 0, 1},
                 (int64_t[]){5, 1, 0});
}

static void more_edges_than_references_are_clamped_to_0(void **state) {
    (void)state;
    enum { MODEL, BORROWED, DEBTOR, COUNT };
    const edge edges[] = {{MODEL, BORROWED}, {MODEL, BORROWED}, {MODEL, DEBTOR}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){-2, 1, INT64_MIN},
                 (uint8_t[]){SEED, PLAIN, PLAIN}, (uint8_t[]){1, 1, 1},
                 (int64_t[]){0, 0, 0});
}

/* A negative balance must not eat what a holder elsewhere adds. */
static void a_node_that_the_living_lead_to_lives_even_if_over_explained(void **state) {
    (void)state;
    enum { MODEL, HELD, BORROWED, COUNT };
    const edge edges[] = {{MODEL, BORROWED}, {MODEL, BORROWED}, {HELD, BORROWED}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){0, 1, 1},
                 (uint8_t[]){SEED, PLAIN, PLAIN}, (uint8_t[]){1, 0, 0},
                 (int64_t[]){0, 1, 0});
}

static void an_immortal_lives_and_keeps_what_it_leads_to(void **state) {
    (void)state;
    enum { MODEL, NONE, NAME, COUNT };
    const edge edges[] = {{MODEL, NONE}, {MODEL, NONE}, {NONE, NONE}, {NONE, NAME}};
    assert_owned(COUNT, edges, LENGTH_OF(edges), (int64_t[]){0, INT64_MAX, 1},
                 (uint8_t[]){SEED, PLAIN, PLAIN}, (uint8_t[]){1, 0, 0},
                 (int64_t[]){0, INT64_MAX - 2, 1});
}

static void a_thousand_random_graphs_agree_with_the_definition(void **state) {
    (void)state;
    size_t dead = 0, alive = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        uint8_t owned[SAMPLE_NODES], expected[SAMPLE_NODES];
        int64_t outside[SAMPLE_NODES], expected_outside[SAMPLE_NODES];
        sample_draw(i, &s);
        assert_int_equal(
            krs_graph_owned(s.graph, s.references, s.roles, owned, outside), KRS_OK);
        naive_owned(&s, expected, expected_outside);
        assert_memory_equal(owned, expected, s.node_count);
        assert_memory_equal(outside, expected_outside, s.node_count * sizeof *outside);
        for (krs_node n = 0; n < s.node_count; n++) {
            dead += s.roles[n] == PLAIN && owned[n];
            alive += s.roles[n] == PLAIN && !owned[n];
        }
        sample_release(&s);
    }
    assert_true(dead > SAMPLES && alive > SAMPLES); /* or the samples say little */
}

static void what_cannot_be_asked_is_refused_and_nothing_written(void **state) {
    (void)state;
    const int64_t references[] = {1};
    const uint8_t roles[] = {PLAIN}, no_role[] = {BARRIER + 1};
    uint8_t owned[] = {42};
    int64_t outside[] = {43};
    krs_graph *g = graph_of(1, NULL, 0);
    assert_int_equal(krs_graph_owned(NULL, references, roles, owned, outside),
                     KRS_INVALID);
    assert_int_equal(krs_graph_owned(g, NULL, roles, owned, outside), KRS_INVALID);
    assert_int_equal(krs_graph_owned(g, references, NULL, owned, outside), KRS_INVALID);
    assert_int_equal(krs_graph_owned(g, references, roles, NULL, outside), KRS_INVALID);
    assert_int_equal(krs_graph_owned(g, references, roles, owned, NULL), KRS_INVALID);
    assert_int_equal(krs_graph_owned(g, references, no_role, owned, outside),
                     KRS_INVALID);
    assert_int_equal(owned[0], 42);
    assert_int_equal(outside[0], 43);
    krs_graph_free(g);
}

static void an_empty_graph_owns_nothing(void **state) {
    (void)state;
    assert_owned(0, NULL, 0, (int64_t[]){0}, (uint8_t[]){0}, (uint8_t[]){0},
                 (int64_t[]){0});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_that_nobody_holds_dies_with_its_seed),
        cmocka_unit_test(what_is_held_from_outside_lives_and_so_does_all_it_leads_to),
        cmocka_unit_test(each_reference_counts_once),
        cmocka_unit_test(a_seed_held_from_outside_is_owned_and_its_holders_are_counted),
        cmocka_unit_test(a_seed_held_by_a_node_that_lives_is_seen_to_be_held),
        cmocka_unit_test(life_does_not_spread_through_a_seed),
        cmocka_unit_test(a_barrier_lives_whatever_its_count),
        cmocka_unit_test(the_edges_of_a_barrier_count_for_nothing),
        cmocka_unit_test(more_edges_than_references_are_clamped_to_0),
        cmocka_unit_test(a_node_that_the_living_lead_to_lives_even_if_over_explained),
        cmocka_unit_test(an_immortal_lives_and_keeps_what_it_leads_to),
        cmocka_unit_test(a_thousand_random_graphs_agree_with_the_definition),
        cmocka_unit_test(what_cannot_be_asked_is_refused_and_nothing_written),
        cmocka_unit_test(an_empty_graph_owns_nothing),
    };
    return cmocka_run_group_tests_name("owned", tests, NULL, NULL);
}
