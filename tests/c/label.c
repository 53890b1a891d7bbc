/* Labels: each node goes to the first group that leads to it. */
#include <string.h>

#include "naive.h"
#include "topic.h"

static void a_node_that_two_groups_lead_to_goes_to_the_lower_number(void **state) {
    (void)state;
    enum { SECOND, FIRST, SHARED, COUNT };
    const edge edges[] = {{SECOND, SHARED}, {FIRST, SHARED}};
    uint8_t label[COUNT] = {2, 1, 0};
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_label(graph, label), KRS_OK);
    assert_memory_equal(label, ((uint8_t[]){2, 1, 1}), COUNT);
    krs_graph_free(graph);
}

static void a_group_does_not_pass_through_the_start_of_another(void **state) {
    (void)state;
    enum { MODEL, OPTIMIZER, SLOT, COUNT };
    const edge edges[] = {{MODEL, OPTIMIZER}, {OPTIMIZER, SLOT}};
    uint8_t label[COUNT] = {1, 2, 0};
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_label(graph, label), KRS_OK);
    assert_memory_equal(label, ((uint8_t[]){1, 2, 2}), COUNT);
    krs_graph_free(graph);
}

static void what_no_group_leads_to_keeps_no_label(void **state) {
    (void)state;
    enum { START, FAR, ELSEWHERE, COUNT };
    const edge edges[] = {{START, FAR}, {FAR, START}, {ELSEWHERE, START}};
    uint8_t label[COUNT] = {UINT8_MAX, 0, 0};
    krs_graph *graph = graph_of(COUNT, edges, LENGTH_OF(edges));
    assert_int_equal(krs_graph_label(graph, label), KRS_OK);
    assert_memory_equal(label, ((uint8_t[]){UINT8_MAX, UINT8_MAX, 0}), COUNT);
    krs_graph_free(graph);
}

static void a_thousand_random_graphs_agree_with_the_definition(void **state) {
    (void)state;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        uint8_t label[SAMPLE_NODES], expected[SAMPLE_NODES];
        sample_draw(i, &s);
        memcpy(label, s.label, sizeof label);
        memcpy(expected, s.label, sizeof expected);
        assert_int_equal(krs_graph_label(s.graph, label), KRS_OK);
        naive_label(&s, expected);
        assert_memory_equal(label, expected, sizeof label);
        sample_release(&s);
    }
}

static void what_cannot_be_asked_is_refused(void **state) {
    (void)state;
    uint8_t label[] = {1};
    krs_graph *graph = graph_of(0, NULL, 0);
    assert_int_equal(krs_graph_label(NULL, label), KRS_INVALID);
    assert_int_equal(krs_graph_label(graph, NULL), KRS_INVALID);
    assert_int_equal(krs_graph_label(graph, label), KRS_OK); /* empty */
    krs_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_two_groups_lead_to_goes_to_the_lower_number),
        cmocka_unit_test(a_group_does_not_pass_through_the_start_of_another),
        cmocka_unit_test(what_no_group_leads_to_keeps_no_label),
        cmocka_unit_test(a_thousand_random_graphs_agree_with_the_definition),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
    };
    return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
