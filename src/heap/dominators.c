/* Dominators by Semi-NCA (Georgiadis, Tarjan and Werneck, "Finding dominators in
 * practice", 2006): a depth-first tree from a virtual root above the roots; the
 * semidominator of each node in reverse preorder, by path compression, as Lengauer and
 * Tarjan find it; the dominator is then the closest ancestor in the tree of dominators
 * whose number is not above the semidominator.
 *
 * Nodes go by their preorder numbers, the virtual root's is 0, so that an ancestor has
 * the lower number and most of what is compared lies close together. No recursion: a
 * linked list in Python is as deep as it is long; the tree itself leads back. Half of
 * the time goes into growing it, where each step waits for the one before; to fetch
 * ahead elsewhere gained nothing (bench/graph.c). */
#include <stdlib.h>

#include "heap/referrers.h"

typedef struct {
    const krs_graph *graph;
    const uint8_t *barred; /* or NULL */
    uint32_t *number;      /* by node: its own, KRS_NODE_NONE where no root leads */
    uint32_t reached;      /* numbers given, the virtual root's among them */
    /* By number: */
    krs_node *node;
    uint32_t *ancestor;  /* in the tree; moved up by compression */
    uint32_t *dominator; /* at first the parent in the tree */
    uint32_t *semi;      /* while the tree grows: the edge to look at next */
    uint32_t *label;     /* the least semidominator from here up to the ancestor */
} tree;

enum { ARRAYS_BY_NUMBER = 5 };

static bool is_barred(const tree *t, krs_node node) {
    return t->barred != NULL && t->barred[node];
}

static void discover(tree *t, krs_node node, uint32_t parent) {
    const uint32_t number = t->reached++;
    t->number[node] = number;
    t->node[number] = node;
    t->ancestor[number] = t->dominator[number] = parent;
    t->semi[number] = node < t->graph->expanded ? krs__edges_begin(t->graph, node) : 0;
}

/* The next node under `number` that has none yet, or KRS_NODE_NONE. */
static krs_node next_below(tree *t, uint32_t number) {
    const krs_node node = t->node[number];
    const uint32_t end = node < t->graph->expanded ? krs__edges_end(t->graph, node) : 0;
    while (t->semi[number] < end) {
        const krs_node target = t->graph->edges[t->semi[number]++];
        if (t->number[target] == KRS_NODE_NONE && !is_barred(t, target))
            return target;
    }
    return KRS_NODE_NONE;
}

static void grow_from(tree *t, krs_node root) {
    if (t->number[root] != KRS_NODE_NONE || is_barred(t, root))
        return;
    uint32_t at = t->reached;
    discover(t, root, 0);
    while (at != 0) {
        const krs_node below = next_below(t, at);
        if (below == KRS_NODE_NONE) {
            at = t->ancestor[at];
            continue;
        }
        discover(t, below, at);
        at = t->reached - 1;
    }
}

/* Grows the tree. A root hangs under the virtual one, whoever else leads to it. */
static void grow(tree *t, const krs_node *roots, size_t root_count) {
    for (krs_node n = 0; n < t->graph->node_count; n++)
        t->number[n] = KRS_NODE_NONE;
    t->reached = 1;
    for (size_t i = 0; i < root_count; i++)
        grow_from(t, roots[i]);
    for (uint32_t i = 1; i < t->reached; i++)
        t->semi[i] = t->ancestor[i];
    for (size_t i = 0; i < root_count; i++)
        if (!is_barred(t, roots[i]))
            t->semi[t->number[roots[i]]] = 0;
}

/* The least semidominator on the way from `number` up to, and without, the first that
 * has not been settled: that is `last` or below. Everything on the way then points
 * there at once. Goes up turning the pointers round and comes down by them. */
static uint32_t least_semi(tree *t, uint32_t number, uint32_t last) {
    uint32_t below = 0, at = number;
    while (t->ancestor[at] > last) {
        const uint32_t above = t->ancestor[at];
        t->ancestor[at] = below;
        below = at;
        at = above;
    }
    const uint32_t top = t->ancestor[at];
    while (below != 0) {
        const uint32_t next = t->ancestor[below];
        if (t->label[below] > t->label[at])
            t->label[below] = t->label[at];
        t->ancestor[below] = top;
        at = below;
        below = next;
    }
    return t->label[number];
}

static void find_semidominators(tree *t, const krs_referrers *referrers) {
    for (uint32_t i = t->reached - 1; i > 0; i--) {
        const krs_node node = t->node[i];
        const uint32_t end = krs__referrers_end(referrers, node);
        uint32_t least = t->semi[i];
        for (uint32_t r = krs__referrers_begin(referrers, node); r < end; r++) {
            const uint32_t from = t->number[referrers->sources[r]];
            if (from == KRS_NODE_NONE)
                continue;
            const uint32_t semi = from <= i ? from : least_semi(t, from, i);
            if (semi < least)
                least = semi;
        }
        t->semi[i] = t->label[i] = least;
    }
}

static void find_dominators(tree *t) {
    for (uint32_t i = 1; i < t->reached; i++) {
        uint32_t d = t->dominator[i];
        while (d > t->semi[i])
            d = t->dominator[d];
        t->dominator[i] = d;
    }
}

/* Adds what each node has to its dominator, which has a lower number. */
static void sum_up(const tree *t, uint64_t *retained, uint32_t *members) {
    for (krs_node n = 0; members != NULL && n < t->graph->node_count; n++)
        members[n] = t->number[n] != KRS_NODE_NONE;
    for (uint32_t i = t->reached - 1; i > 0; i--) {
        if (t->dominator[i] == 0)
            continue;
        const krs_node node = t->node[i], dominator = t->node[t->dominator[i]];
        if (retained != NULL)
            retained[dominator] += retained[node];
        if (members != NULL)
            members[dominator] += members[node];
    }
}

krs_status krs_graph_dominators(const krs_graph *graph, const krs_referrers *referrers,
                                const krs_node *roots, size_t root_count,
                                const uint8_t *barred, krs_node *dominator,
                                uint64_t *retained, uint32_t *members) {
    if (graph == NULL || referrers == NULL || dominator == NULL ||
        !krs__referrers_fit(referrers, graph) ||
        !krs__are_nodes(graph, roots, root_count))
        return KRS_INVALID;
    const size_t numbers = (size_t)graph->node_count + 1;
    uint32_t *arrays = malloc(ARRAYS_BY_NUMBER * numbers * sizeof *arrays);
    if (arrays == NULL)
        return KRS_NOMEM;
    tree t = {.graph = graph,
              .barred = barred,
              .number = dominator,
              .node = arrays,
              .ancestor = arrays + numbers,
              .dominator = arrays + 2 * numbers,
              .semi = arrays + 3 * numbers,
              .label = arrays + 4 * numbers};
    grow(&t, roots, root_count);
    find_semidominators(&t, referrers);
    find_dominators(&t);
    sum_up(&t, retained, members);
    for (uint32_t i = 1; i < t.reached; i++) {
        const krs_node node = t.node[i];
        dominator[node] = t.dominator[i] == 0 ? node : t.node[t.dominator[i]];
    }
    free(arrays);
    return KRS_OK;
}
