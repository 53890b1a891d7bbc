/* The ways in which a target is held: breadth first backwards from it, and each
 * referrer that is met is a holder, whose own path is known by its parents.
 *
 * A way whose path to the holder meets its path to the target would pass a node twice,
 * so it says nothing that a shorter one does not. Whether it does is remembered for
 * every node on the path, for as long as the same node is open, and so is how far that
 * is from its root: many referrers of one node mostly share their path, and in a linked
 * list paths are as long as the list. */
#include <stdlib.h>

#include "heap/referrers.h"

/* In place of a depth: the path meets the one to the target. */
#define CIRCLE KRS_NODE_NONE

/* A node that was met, and what the way by it takes: CIRCLE where there is none. */
typedef struct {
    krs_node node;
    uint32_t distance; /* references from it to the target */
    uint32_t steps;
} met;

typedef struct {
    const krs_graph *graph;
    const krs_referrers *referrers;
    const uint8_t *barred;
    const krs_node *parent;
    krs_node *next;
    met *queue;
    uint32_t queued;
    uint32_t
        opened; /* nodes so far: tells what is remembered for the one that is open */
    uint32_t *open_for; /* by node: for which of them depth[] holds */
    uint32_t *depth;    /* by node: of its path from the root, or CIRCLE */
    krs_way *ways;      /* a heap, the last way in order on top */
    size_t room, count;
} search;

static int by_order(const void *a, const void *b) {
    const krs_way *x = a, *y = b;
    if (x->steps != y->steps)
        return x->steps < y->steps ? -1 : 1;
    if (x->holder != y->holder)
        return x->holder < y->holder ? -1 : 1;
    return (x->held > y->held) - (x->held < y->held);
}

static void swap(krs_way *a, krs_way *b) {
    const krs_way kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_up(krs_way *ways, size_t i) {
    for (; i > 0 && by_order(&ways[(i - 1) / 2], &ways[i]) < 0; i = (i - 1) / 2)
        swap(&ways[(i - 1) / 2], &ways[i]);
}

static void sift_down(krs_way *ways, size_t count) {
    for (size_t i = 0, child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && by_order(&ways[child], &ways[child + 1]) < 0)
            child++;
        if (by_order(&ways[i], &ways[child]) >= 0)
            return;
        swap(&ways[i], &ways[child]);
    }
}

/* Keeps the way if it is among the first `room` so far. */
static void keep(search *s, krs_node holder, krs_node held, uint32_t steps) {
    const krs_way way = {.holder = holder, .held = held, .steps = steps};
    if (s->count < s->room) {
        s->ways[s->count] = way;
        sift_up(s->ways, s->count++);
    } else if (s->room > 0 && by_order(&way, &s->ways[0]) < 0) {
        s->ways[0] = way;
        sift_down(s->ways, s->count);
    }
}

/* Remembers which nodes lie on the way from `node` to the target. */
static void mark_way(search *s, krs_node node) {
    s->opened++;
    for (; node != KRS_NODE_NONE; node = s->next[node]) {
        s->open_for[node] = s->opened;
        s->depth[node] = CIRCLE;
    }
}

/* How many references lie between the root of `node` and itself; CIRCLE if a node in
 * between, itself included, is marked. */
static uint32_t depth_of(search *s, krs_node node) {
    uint32_t steps = 0;
    krs_node known = node;
    for (; s->open_for[known] != s->opened; known = s->parent[known], steps++) {
        if (s->parent[known] != known)
            continue;
        s->open_for[known] = s->opened;
        s->depth[known] = 0;
        break;
    }
    const uint32_t base = s->depth[known];
    for (krs_node n = node; n != known; n = s->parent[n], steps--) {
        s->open_for[n] = s->opened;
        s->depth[n] = base == CIRCLE ? CIRCLE : base + steps;
    }
    return s->depth[node];
}

static void meet(search *s, krs_node holder, const met *held) {
    const uint32_t depth = depth_of(s, holder);
    const uint32_t steps = depth == CIRCLE ? CIRCLE : depth + 1 + held->distance;
    if (steps != CIRCLE)
        keep(s, holder, held->node, steps);
    if (s->next[holder] != KRS_NODE_NONE)
        return;
    s->next[holder] = held->node;
    s->queue[s->queued++] =
        (met){.node = holder, .distance = held->distance + 1, .steps = steps};
}

static void open_node(search *s, const met *held) {
    const uint32_t end = krs__referrers_end(s->referrers, held->node);
    krs_node last = KRS_NODE_NONE;
    mark_way(s, held->node);
    for (uint32_t i = krs__referrers_begin(s->referrers, held->node); i < end; i++) {
        const krs_node holder = s->referrers->sources[i];
        if (holder == last || s->barred[holder] || s->parent[holder] == KRS_NODE_NONE)
            continue;
        last = holder;
        meet(s, holder, held);
    }
}

static uint32_t in_degree(const krs_referrers *referrers, krs_node node) {
    return krs__referrers_end(referrers, node) - krs__referrers_begin(referrers, node);
}

/* The way by the parent of a node that is not opened is the one by the node itself, and
 * meets no other nodes. */
static void look_back(search *s, krs_node target, uint32_t reach) {
    open_node(s, &(met){.node = target, .distance = 0});
    for (uint32_t i = 0; i < s->queued; i++) {
        const met *m = &s->queue[i];
        const krs_node parent = s->parent[m->node];
        if (parent == m->node)
            continue;
        if (reach > 0 && in_degree(s->referrers, m->node) <= KRS_POPULAR) {
            reach--;
            open_node(s, m);
        } else if (m->steps != CIRCLE) {
            keep(s, parent, m->node, m->steps);
        }
    }
}

/* How many nodes can be met. */
static size_t most_met(const krs_graph *graph, const krs_referrers *referrers,
                       krs_node target, uint32_t reach) {
    const uint64_t most = in_degree(referrers, target) + (uint64_t)reach * KRS_POPULAR;
    return most < graph->node_count ? (size_t)most : graph->node_count;
}

static bool parents_are_nodes(const krs_graph *graph, const krs_node *parent) {
    for (krs_node n = 0; n < graph->node_count; n++) {
        if (parent[n] != KRS_NODE_NONE && parent[n] >= graph->node_count)
            return false;
    }
    return true;
}

static void find(search *s, krs_node target, uint32_t reach) {
    for (krs_node n = 0; n < s->graph->node_count; n++)
        s->next[n] = KRS_NODE_NONE;
    look_back(s, target, reach);
    if (s->count > 0)
        qsort(s->ways, s->count, sizeof *s->ways, by_order);
}

krs_status krs_graph_ways(const krs_graph *graph, const krs_referrers *referrers,
                          krs_node target, const uint8_t *barred,
                          const krs_node *parent, uint32_t reach, krs_node *next,
                          krs_way *ways, size_t room, size_t *count) {
    if (graph == NULL || referrers == NULL || barred == NULL || parent == NULL ||
        next == NULL || (ways == NULL && room > 0) || count == NULL ||
        !krs__referrers_fit(referrers, graph) || target >= graph->node_count ||
        !barred[target] || !parents_are_nodes(graph, parent))
        return KRS_INVALID;
    search s = {.graph = graph,
                .referrers = referrers,
                .barred = barred,
                .parent = parent,
                .next = next,
                .ways = ways,
                .room = room};
    const size_t most = most_met(graph, referrers, target, reach);
    s.queue = malloc((most + 1) * sizeof *s.queue); /* never of 0 bytes */
    s.open_for = calloc(graph->node_count, sizeof *s.open_for);
    s.depth = malloc(graph->node_count * sizeof *s.depth);
    const bool whole = s.queue != NULL && s.open_for != NULL && s.depth != NULL;
    if (whole) {
        find(&s, target, reach);
        *count = s.count;
    }
    free(s.queue);
    free(s.open_for);
    free(s.depth);
    return whole ? KRS_OK : KRS_NOMEM;
}
