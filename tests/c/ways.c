/* Ways: every holder of a target, with the path to it and the path on from it. */
#include <string.h>

#include "naive.h"
#include "topic.h"

enum { MOST = 420 };

typedef struct {
    krs_graph *graph;
    krs_referrers *referrers;
    uint8_t barred[MOST];
    krs_node parent[MOST], next[MOST];
    krs_way ways[MOST];
    size_t count;
} question;

/* Bars the target and finds the parents. */
static void start(question *q, krs_graph *graph, krs_node target, const krs_node *roots,
                  size_t root_count) {
    *q = (question){.graph = graph};
    q->barred[target] = 1;
    assert_int_equal(krs_referrers_new(graph, &q->referrers), KRS_OK);
    assert_int_equal(
        krs_graph_paths(graph, roots, NULL, root_count, q->barred, q->parent), KRS_OK);
}

static void ask(question *q, krs_node target, uint32_t reach, size_t room) {
    q->count = 42;
    assert_int_equal(krs_graph_ways(q->graph, q->referrers, target, q->barred,
                                    q->parent, reach, q->next, q->ways, room,
                                    &q->count),
                     KRS_OK);
}

static void assert_ways(const question *q, const krs_way *expected, size_t count) {
    assert_int_equal(q->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(q->ways[i].holder, expected[i].holder);
        assert_int_equal(q->ways[i].held, expected[i].held);
        assert_int_equal(q->ways[i].steps, expected[i].steps);
    }
}

static void finish(question *q) {
    krs_referrers_free(q->referrers);
    krs_graph_free(q->graph);
}

static void every_reference_on_the_way_back_is_a_way_the_shortest_first(void **state) {
    (void)state;
    enum { FRAME, LIST, OTHER, INNER, MODEL, COUNT };
    const edge edges[] = {{FRAME, LIST},  {LIST, MODEL},  {LIST, MODEL}, {FRAME, OTHER},
                          {OTHER, INNER}, {INNER, MODEL}, {OTHER, LIST}};
    const krs_way expected[] = {{FRAME, LIST, 2}, {LIST, MODEL, 2},  {FRAME, OTHER, 3},
                                {OTHER, LIST, 3}, {OTHER, INNER, 3}, {INNER, MODEL, 3}};
    question q;
    start(&q, graph_of(COUNT, edges, LENGTH_OF(edges)), MODEL, (krs_node[]){FRAME}, 1);
    ask(&q, MODEL, 10, MOST);
    assert_int_equal(q.next[FRAME], LIST);
    assert_int_equal(q.next[OTHER], LIST);
    assert_int_equal(q.next[MODEL], KRS_NODE_NONE);
    assert_ways(&q, expected, LENGTH_OF(expected));
    finish(&q);
}

static void only_the_first_ways_are_written(void **state) {
    (void)state;
    enum { MODEL, A, B, C, D, COUNT };
    const edge edges[] = {{D, MODEL}, {C, MODEL}, {B, MODEL}, {A, MODEL}, {A, D}};
    const krs_way expected[] = {{A, MODEL, 1}, {B, MODEL, 1}, {C, MODEL, 1}};
    question q;
    start(&q, graph_of(COUNT, edges, LENGTH_OF(edges)), MODEL, (krs_node[]){A, B, C},
          3);
    ask(&q, MODEL, 10, LENGTH_OF(expected));
    assert_ways(&q, expected, LENGTH_OF(expected));
    ask(&q, MODEL, 10, 0);
    assert_int_equal(q.count, 0);
    finish(&q);
}

static void a_way_in_a_circle_is_left_out(void **state) {
    (void)state;
    enum { FRAME, LAYER, INNER, MODEL, COUNT };
    const edge edges[] = {
        {FRAME, LAYER}, {LAYER, INNER}, {INNER, LAYER}, {LAYER, MODEL}, {MODEL, LAYER}};
    const krs_way expected[] = {{FRAME, LAYER, 2}, {LAYER, MODEL, 2}};
    question q; /* and not frame, layer, inner, layer, model */
    start(&q, graph_of(COUNT, edges, LENGTH_OF(edges)), MODEL, (krs_node[]){FRAME}, 1);
    ask(&q, MODEL, 10, MOST);
    assert_ways(&q, expected, LENGTH_OF(expected));
    assert_int_equal(q.next[INNER], LAYER); /* met all the same */
    finish(&q);
}

static void nothing_barred_or_unreached_holds(void **state) {
    (void)state;
    enum { FRAME, SHUT, GARBAGE, MODEL, COUNT };
    const edge edges[] = {{FRAME, SHUT}, {SHUT, MODEL}, {GARBAGE, MODEL}};
    question q;
    start(&q, graph_of(COUNT, edges, LENGTH_OF(edges)), MODEL, (krs_node[]){FRAME}, 1);
    q.barred[SHUT] = 1; /* and has a parent: neither alone lets it in */
    ask(&q, MODEL, 10, MOST);
    assert_int_equal(q.count, 0);
    for (krs_node n = 0; n < COUNT; n++)
        assert_int_equal(q.next[n], KRS_NODE_NONE);
    finish(&q);
}

/* Of what refers to a root, not even a parent gives a way: it has none. */
static void a_root_is_not_opened(void **state) {
    (void)state;
    enum { FRAME, MODULE, MODEL, COUNT };
    const edge edges[] = {{FRAME, MODULE}, {MODULE, MODEL}};
    const krs_way expected[] = {{MODULE, MODEL, 1}};
    question q;
    start(&q, graph_of(COUNT, edges, LENGTH_OF(edges)), MODEL,
          (krs_node[]){FRAME, MODULE}, 2);
    ask(&q, MODEL, 10, MOST);
    assert_ways(&q, expected, LENGTH_OF(expected));
    assert_int_equal(q.next[FRAME], KRS_NODE_NONE);
    finish(&q);
}

/* FRAME leads to every HOLDER, each of those to TYPE, that to MODEL. */
static void ask_about_a_type(question *q, krs_node holders) {
    enum { FRAME, TYPE, MODEL, FIRST };
    edge edges[MOST * 2] = {{TYPE, MODEL}};
    size_t edge_count = 1;
    for (krs_node n = FIRST; n < FIRST + holders; n++) {
        edges[edge_count++] = (edge){FRAME, n};
        edges[edge_count++] = (edge){n, TYPE};
    }
    krs_graph *graph = graph_of(FIRST + holders, edges, edge_count);
    start(q, graph, MODEL, (krs_node[]){FRAME}, 1);
    ask(q, MODEL, 1, MOST);
    for (krs_node n = FIRST; n < FIRST + holders; n++)
        assert_int_equal(q->next[n], holders > KRS_POPULAR ? KRS_NODE_NONE : TYPE);
}

static void of_what_refers_to_a_popular_node_only_its_parent_gives_a_way(void **state) {
    (void)state;
    enum { FRAME, TYPE, MODEL, FIRST };
    question q;
    ask_about_a_type(&q, KRS_POPULAR + 1);
    assert_ways(&q, (krs_way[]){{TYPE, MODEL, 3}, {FIRST, TYPE, 3}}, 2);
    finish(&q);
    ask_about_a_type(&q, KRS_POPULAR);
    assert_int_equal(q.count, 1 + 2 * KRS_POPULAR); /* each by itself and by FRAME */
    assert_int_equal(q.ways[0].holder, FRAME);
    assert_int_equal(q.ways[0].held, FIRST);
    finish(&q);
}

static void beyond_reach_only_parents_give_ways(void **state) {
    (void)state;
    enum { FRAME, A, B, C, OTHER, MODEL, COUNT };
    const edge edges[] = {{FRAME, A}, {A, B},     {B, C},         {C, MODEL},
                          {OTHER, B}, {OTHER, C}, {FRAME, OTHER}, {OTHER, A}};
    const krs_way reach_0[] = {{C, MODEL, 3}, {OTHER, C, 3}};
    const krs_way reach_1[] = {
        {FRAME, OTHER, 3}, {C, MODEL, 3}, {OTHER, C, 3}, {A, B, 4}, {B, C, 4}};
    question q;
    start(&q, graph_of(COUNT, edges, LENGTH_OF(edges)), MODEL, (krs_node[]){FRAME}, 1);
    ask(&q, MODEL, 0, MOST);
    assert_ways(&q, reach_0, LENGTH_OF(reach_0));
    assert_int_equal(q.next[C], MODEL);
    assert_int_equal(q.next[OTHER], KRS_NODE_NONE);
    ask(&q, MODEL, 1, MOST);
    assert_int_equal(q.next[B], C);
    assert_ways(&q, reach_1, LENGTH_OF(reach_1));
    finish(&q);
}

static void a_thousand_random_graphs_agree_with_the_definition(void **state) {
    (void)state;
    size_t found = 0, cut = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample s;
        question q;
        krs_node next[SAMPLE_NODES];
        krs_way expected[SAMPLE_WAYS];
        sample_draw(i, &s);
        const krs_node target = (krs_node)(i % s.node_count);
        const uint32_t reach = i % 3 == 0 ? (uint32_t)(i % 7) : UINT32_MAX;
        const size_t room = i % 5 == 0 ? i % 11 : MOST;
        s.barred[target] = 1;
        q = (question){.graph = s.graph};
        memcpy(q.barred, s.barred, sizeof s.barred);
        assert_int_equal(krs_referrers_new(s.graph, &q.referrers), KRS_OK);
        assert_int_equal(
            krs_graph_paths(s.graph, s.roots, NULL, s.root_count, q.barred, q.parent),
            KRS_OK);
        ask(&q, target, reach, room);
        const size_t all =
            naive_ways(&s, target, q.barred, q.parent, reach, next, expected);
        assert_ways(&q, expected, all < room ? all : room);
        assert_memory_equal(q.next, next, s.node_count * sizeof *next);
        found += all;
        cut += all > room;
        finish(&q); /* the graph of the sample, too */
    }
    assert_true(found > SAMPLES && cut > 20); /* or the samples say little */
}

static void what_cannot_be_asked_is_refused_and_nothing_written(void **state) {
    (void)state;
    const uint8_t barred[] = {0, 1};
    const krs_node parent[] = {0, KRS_NODE_NONE}, no_node[] = {0, 2};
    krs_node n[] = {42, 43};
    krs_way w[] = {{44, 45, 46}};
    size_t c = 47;
    krs_referrers *r = NULL, *of_one = NULL;
    krs_graph *g = graph_of(2, (edge[]){{0, 1}}, 1), *one = graph_of(1, NULL, 0);
    assert_int_equal(krs_referrers_new(g, &r), KRS_OK);
    assert_int_equal(krs_referrers_new(one, &of_one), KRS_OK);
#define ASSERT_REFUSED(...) assert_int_equal(krs_graph_ways(__VA_ARGS__), KRS_INVALID)
    ASSERT_REFUSED(NULL, r, 1, barred, parent, 1, n, w, 1, &c);
    ASSERT_REFUSED(g, NULL, 1, barred, parent, 1, n, w, 1, &c);
    ASSERT_REFUSED(g, of_one, 1, barred, parent, 1, n, w, 1, &c);
    ASSERT_REFUSED(g, r, 2, barred, parent, 1, n, w, 1, &c); /* no node */
    ASSERT_REFUSED(g, r, 0, barred, parent, 1, n, w, 1, &c); /* not barred */
    ASSERT_REFUSED(g, r, 1, NULL, parent, 1, n, w, 1, &c);
    ASSERT_REFUSED(g, r, 1, barred, NULL, 1, n, w, 1, &c);
    ASSERT_REFUSED(g, r, 1, barred, no_node, 1, n, w, 1, &c);
    ASSERT_REFUSED(g, r, 1, barred, parent, 1, NULL, w, 1, &c);
    ASSERT_REFUSED(g, r, 1, barred, parent, 1, n, NULL, 1, &c);
    ASSERT_REFUSED(g, r, 1, barred, parent, 1, n, w, 1, NULL);
#undef ASSERT_REFUSED
    assert_int_equal(n[0], 42);
    assert_int_equal(n[1], 43);
    assert_int_equal(w[0].holder, 44);
    assert_int_equal(c, 47);
    assert_int_equal(krs_graph_ways(g, r, 1, barred, parent, 1, n, NULL, 0, &c),
                     KRS_OK);
    krs_referrers_free(r);
    krs_referrers_free(of_one);
    krs_graph_free(g);
    krs_graph_free(one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reference_on_the_way_back_is_a_way_the_shortest_first),
        cmocka_unit_test(only_the_first_ways_are_written),
        cmocka_unit_test(a_way_in_a_circle_is_left_out),
        cmocka_unit_test(nothing_barred_or_unreached_holds),
        cmocka_unit_test(a_root_is_not_opened),
        cmocka_unit_test(of_what_refers_to_a_popular_node_only_its_parent_gives_a_way),
        cmocka_unit_test(beyond_reach_only_parents_give_ways),
        cmocka_unit_test(a_thousand_random_graphs_agree_with_the_definition),
        cmocka_unit_test(what_cannot_be_asked_is_refused_and_nothing_written),
    };
    return cmocka_run_group_tests_name("ways", tests, NULL, NULL);
}
