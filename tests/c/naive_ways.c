/* Ways, each found by itself: walked from its root to its target. */
#include <stdlib.h>

#include "naive.h"

typedef struct {
    const sample *s;
    krs_node target;
    const uint8_t *barred;
    const krs_node *parent;
    krs_node *next;
} ways_of;

static size_t references_to(const sample *s, krs_node node) {
    krs_node referrers[SAMPLE_EDGES];
    return naive_referrers(s, node, referrers);
}

static bool refers_to(const sample *s, krs_node from, krs_node to) {
    size_t count;
    const krs_node *targets = krs_graph_targets(s->graph, from, &count);
    for (size_t i = 0; i < count; i++) {
        if (targets[i] == to)
            return true;
    }
    return false;
}

/* References from the root to `holder`, then to `held`, then to the target; 0 where a
 * node comes twice. */
static uint32_t steps_by(const ways_of *w, krs_node holder, krs_node held) {
    uint32_t steps = 1;
    bool met[SAMPLE_NODES] = {false};
    for (krs_node n = holder;; n = w->parent[n], steps++) {
        met[n] = true;
        if (w->parent[n] == n)
            break;
    }
    for (krs_node n = held;; n = w->next[n], steps++) {
        if (met[n])
            return 0;
        if (n == w->target)
            return steps;
    }
}

static bool comes_before(krs_way a, krs_way b) {
    if (a.steps != b.steps)
        return a.steps < b.steps;
    return a.holder != b.holder ? a.holder < b.holder : a.held < b.held;
}

static size_t insert(krs_way *ways, size_t count, krs_way way) {
    size_t i = count;
    for (; i > 0 && comes_before(way, ways[i - 1]); i--)
        ways[i] = ways[i - 1];
    ways[i] = way;
    return count + 1;
}

size_t naive_ways(const sample *s, krs_node target, const uint8_t *barred,
                  const krs_node *parent, uint32_t reach, krs_node *next,
                  krs_way *ways) {
    const ways_of w = {s, target, barred, parent, next};
    krs_node queue[SAMPLE_NODES + 1] = {target};
    size_t queued = 1, count = 0;
    for (krs_node n = 0; n < s->node_count; n++)
        next[n] = KRS_NODE_NONE;
    for (size_t i = 0; i < queued; i++) {
        const krs_node held = queue[i];
        const bool may_open = held == target || (parent[held] != held &&
                                                 references_to(s, held) <= KRS_POPULAR);
        const bool opens = may_open && (held == target || reach > 0);
        reach -= opens && held != target;
        for (krs_node holder = 0; holder < s->node_count; holder++) {
            if (barred[holder] || parent[holder] == KRS_NODE_NONE ||
                !refers_to(s, holder, held) || (!opens && parent[held] != holder))
                continue;
            if (opens && next[holder] == KRS_NODE_NONE) {
                next[holder] = held;
                queue[queued++] = holder;
            }
            const uint32_t steps = steps_by(&w, holder, held);
            if (steps > 0)
                count = insert(ways, count, (krs_way){holder, held, steps});
        }
    }
    return count;
}
