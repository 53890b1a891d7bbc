/* Memory runs out at every place where it can: the function says KRS_NOMEM, has written
 * nothing, and what it had taken by then is given back. */
#include <stdbool.h>
#include <string.h>

#include "fake_tensorflow.h"
#include "heap/graph.h"
#include "sample.h"
#include "topic.h"

/* The allocator that the linker puts in malloc's place, in this program and in the
 * core: it fails the allocation with the number `failing`, from 1, and counts what
 * lives. */
static struct { long number, failing, alive; } allocator;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static bool fails_now(void) {
    return ++allocator.number == allocator.failing;
}

static void *counted(void *block) {
    allocator.alive += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails_now() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size) {
    if (fails_now())
        return NULL;
    void *moved = __real_realloc(block, size);
    allocator.alive += block == NULL && moved != NULL;
    return moved;
}

void __wrap_free(void *block) {
    allocator.alive -= block != NULL;
    __real_free(block);
}

static void fail_allocation(long number) {
    allocator.number = 0;
    allocator.failing = number;
}

/* Runs `attempt` with each of its allocations failing in turn, until one run has none
 * left to fail; how many did. */
static long fail_each_in_turn(krs_status (*attempt)(void *), void *argument) {
    for (long number = 1;; number++) {
        const long alive = allocator.alive;
        fail_allocation(number);
        const krs_status status = attempt(argument);
        const bool failed = allocator.number >= number;
        fail_allocation(0);
        assert_int_equal(allocator.alive, alive);
        assert_int_equal(status, failed ? KRS_NOMEM : KRS_OK);
        if (!failed)
            return number - 1;
    }
}

static krs_status attempt_new(void *unused) {
    (void)unused;
    krs_graph *const untouched = (krs_graph *)&allocator;
    krs_graph *graph = untouched;
    const krs_status status = krs_graph_new(&graph);
    if (status != KRS_OK)
        assert_ptr_equal(graph, untouched);
    else
        krs_graph_free(graph);
    return status;
}

/* Large enough that every array and the table grow several times. */
enum { NODES = 3000 };

static krs_status attempt_nodes(void *unused) {
    (void)unused;
    krs_graph *graph;
    krs_status status = krs_graph_new(&graph);
    if (status != KRS_OK)
        return status;
    for (krs_node n = 0; n < NODES && status == KRS_OK; n++) {
        krs_node node = KRS_NODE_NONE;
        status = krs_graph_node(graph, address_of(n), &node);
        assert_int_equal(node, status == KRS_OK ? n : KRS_NODE_NONE);
        if (status != KRS_OK) /* one node the poorer, and otherwise whole */
            assert_int_equal(krs_graph_node_count(graph), n);
    }
    assert_true(krs__graph_check_all(graph));
    krs_graph_free(graph);
    return status;
}

static krs_status attempt_expand(void *unused) {
    (void)unused;
    krs_graph *graph;
    krs_node root;
    krs_status status = krs_graph_new(&graph);
    if (status != KRS_OK)
        return status;
    status = krs_graph_node(graph, address_of(0), &root);
    for (krs_node n = 0; n < NODES && status == KRS_OK; n++) {
        const void *targets[] = {address_of(n + 1), address_of(2 * n), address_of(n)};
        status = krs_graph_expand(graph, n, targets, LENGTH_OF(targets));
    }
    krs_graph_free(graph);
    return status;
}

static krs_status attempt_expand_run(void *unused) {
    (void)unused;
    krs_graph *graph;
    krs_node root;
    krs_status status = krs_graph_new(&graph);
    if (status != KRS_OK)
        return status;
    status = krs_graph_node(graph, address_of(0), &root);
    for (krs_node n = 0; n < NODES && status == KRS_OK; n += (n == 0 ? 1 : 2)) {
        const void *targets[] = {address_of(n + 1), address_of(2 * n), address_of(n),
                                 address_of(n + 2), address_of(n + 3)};
        status =
            krs_graph_expand_run(graph, n, n == 0 ? 1 : 2, (uint32_t[]){5, 0}, targets);
    }
    krs_graph_free(graph);
    return status;
}

static krs_status attempt_owned(void *drawn) {
    const sample *s = drawn;
    uint8_t owned[SAMPLE_NODES], untouched[SAMPLE_NODES * sizeof(int64_t)];
    int64_t outside[SAMPLE_NODES];
    memset(owned, 0x5A, sizeof owned);
    memset(outside, 0x5A, sizeof outside);
    memset(untouched, 0x5A, sizeof untouched);
    const krs_status status =
        krs_graph_owned(s->graph, s->references, s->roles, owned, outside);
    if (status != KRS_OK) {
        assert_memory_equal(owned, untouched, sizeof owned);
        assert_memory_equal(outside, untouched, sizeof outside);
    }
    return status;
}

static krs_status attempt_label(void *drawn) {
    const sample *s = drawn;
    uint8_t label[SAMPLE_NODES];
    memcpy(label, s->label, sizeof label);
    const krs_status status = krs_graph_label(s->graph, label);
    if (status != KRS_OK)
        assert_memory_equal(label, s->label, sizeof label);
    return status;
}

static krs_status attempt_paths(void *drawn) {
    const sample *s = drawn;
    krs_node parent[SAMPLE_NODES], untouched[SAMPLE_NODES];
    memset(parent, 0x5A, sizeof parent);
    memset(untouched, 0x5A, sizeof untouched);
    const krs_status status =
        krs_graph_paths(s->graph, s->roots, s->waves, s->root_count, s->barred, parent);
    if (status != KRS_OK)
        assert_memory_equal(parent, untouched, sizeof parent);
    return status;
}

static krs_status attempt_static_find(void *unused) {
    (void)unused;
    static volatile uintptr_t held = (uintptr_t)0x1234567887654321;
    const uintptr_t word = held;
    krs_static_hit hit = {"untouched", 0, 1};
    size_t count = 99;
    const krs_status status = krs_static_find(&word, 1, &hit, 1, &count);
    assert_int_equal(count, status == KRS_OK ? 1 : 99);
    assert_true((status == KRS_OK) == (strcmp(hit.path, "untouched") != 0));
    return status;
}

static krs_status attempt_referrers(void *drawn) {
    const sample *s = drawn;
    krs_referrers *const untouched = (krs_referrers *)&allocator;
    krs_referrers *referrers = untouched;
    const krs_status status = krs_referrers_new(s->graph, &referrers);
    if (status != KRS_OK)
        assert_ptr_equal(referrers, untouched);
    else
        krs_referrers_free(referrers);
    return status;
}

/* A sample whose graph has been read backwards. */
typedef struct {
    sample s;
    krs_referrers *referrers;
} sample_both_ways;

static krs_status attempt_dominators(void *drawn) {
    const sample_both_ways *b = drawn;
    krs_node dominator[SAMPLE_NODES];
    uint64_t retained[SAMPLE_NODES];
    uint32_t members[SAMPLE_NODES];
    uint8_t untouched[SAMPLE_NODES * sizeof *retained];
    memset(dominator, 0x5A, sizeof dominator);
    memset(retained, 0x5A, sizeof retained);
    memset(members, 0x5A, sizeof members);
    memset(untouched, 0x5A, sizeof untouched);
    const krs_status status =
        krs_graph_dominators(b->s.graph, b->referrers, b->s.roots, b->s.root_count,
                             NULL, dominator, retained, members);
    if (status != KRS_OK) {
        assert_memory_equal(dominator, untouched, sizeof dominator);
        assert_memory_equal(retained, untouched, sizeof retained);
        assert_memory_equal(members, untouched, sizeof members);
    }
    return status;
}

static krs_status attempt_ways(void *drawn) {
    const sample_both_ways *b = drawn;
    krs_node next[SAMPLE_NODES];
    krs_way ways[SAMPLE_WAYS];
    uint8_t untouched[sizeof ways];
    size_t count = 42;
    const uint8_t barred[SAMPLE_NODES] = {1}; /* node 0 */
    krs_node parent[SAMPLE_NODES] = {KRS_NODE_NONE};
    for (krs_node n = 1; n < b->s.node_count; n++)
        parent[n] = n; /* a root */
    memset(next, 0x5A, sizeof next);
    memset(ways, 0x5A, sizeof ways);
    memset(untouched, 0x5A, sizeof untouched);
    const krs_status status =
        krs_graph_ways(b->s.graph, b->referrers, 0, barred, parent, 100, next, ways,
                       SAMPLE_WAYS, &count);
    if (status != KRS_OK) {
        assert_memory_equal(next, untouched, sizeof next);
        assert_memory_equal(ways, untouched, sizeof ways);
        assert_int_equal(count, 42);
    }
    return status;
}

/* Several chunks, one of them taken in parts; 42 means untouched. */
static krs_status attempt_trim(void *unused) {
    (void)unused;
    fake_start();
    void *kept = fake_tensor(FAKE_MIB);
    for (size_t mib = 1; mib < 8; mib += 2)
        fake_delete(fake_tensor(mib * FAKE_MIB));
    krs_trim trim = {.returned = 42};
    const krs_status status = krs_tensorflow_trim(&trim);
    assert_int_equal(status == KRS_OK, trim.returned != 42);
    fake_delete(kept);
    fake_stop(); /* no tensor, no map is left */
    return status;
}

static krs_status attempt_probe(void *unused) {
    (void)unused;
    fake_start();
    fake_delete(fake_tensor(FAKE_MIB));
    krs_capability lines[KRS_CAPABILITIES];
    size_t count = 42;
    const krs_status status = krs_tensorflow_probe(lines, KRS_CAPABILITIES, &count);
    assert_int_equal(status == KRS_OK, count != 42);
    fake_stop();
    return status;
}

static void a_new_graph_survives_every_failure(void **state) {
    (void)state;
    assert_int_equal(fail_each_in_turn(attempt_new, NULL), 2); /* itself, its table */
}

static void making_nodes_survives_every_failure(void **state) {
    (void)state;
    assert_true(fail_each_in_turn(attempt_nodes, NULL) > 10);
}

static void expanding_survives_every_failure(void **state) {
    (void)state;
    assert_true(fail_each_in_turn(attempt_expand, NULL) > 15);
    assert_true(fail_each_in_turn(attempt_expand_run, NULL) > 15);
}

static void each_question_survives_its_failure_and_writes_nothing(void **state) {
    (void)state;
    sample_both_ways b;
    sample_draw(1, &b.s);
    assert_true(fail_each_in_turn(attempt_owned, &b.s) > 0);
    assert_true(fail_each_in_turn(attempt_label, &b.s) > 0);
    assert_true(fail_each_in_turn(attempt_paths, &b.s) > 0);
    assert_true(fail_each_in_turn(attempt_referrers, &b.s) > 0);
    assert_int_equal(krs_referrers_new(b.s.graph, &b.referrers), KRS_OK);
    assert_true(fail_each_in_turn(attempt_dominators, &b) > 0);
    assert_int_equal(fail_each_in_turn(attempt_ways, &b), 3);
    krs_referrers_free(b.referrers);
    sample_release(&b.s);
}

static void searching_static_variables_survives_every_failure(void **state) {
    (void)state;
    assert_int_equal(fail_each_in_turn(attempt_static_find, NULL), 3);
}

static void trimming_survives_every_failure_and_leaves_no_tensor(void **state) {
    (void)state;
    assert_true(fail_each_in_turn(attempt_trim, NULL) > 15);
    assert_true(fail_each_in_turn(attempt_probe, NULL) > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_graph_survives_every_failure),
        cmocka_unit_test(making_nodes_survives_every_failure),
        cmocka_unit_test(expanding_survives_every_failure),
        cmocka_unit_test(each_question_survives_its_failure_and_writes_nothing),
        cmocka_unit_test(searching_static_variables_survives_every_failure),
        cmocka_unit_test(trimming_survives_every_failure_and_leaves_no_tensor),
    };
    return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
