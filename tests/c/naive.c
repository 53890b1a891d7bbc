#include "naive.h"

static uint32_t edges_between(const krs_graph *graph, krs_node from, krs_node to) {
    uint32_t found = 0;
    size_t count;
    const krs_node *targets = krs_graph_targets(graph, from, &count);
    for (size_t i = 0; i < count; i++)
        found += targets[i] == to;
    return found;
}

static int64_t unexplained(const sample *s, const uint8_t *owned, krs_node node) {
    int64_t left = s->references[node] < 0 ? 0 : s->references[node];
    for (krs_node n = 0; n < s->node_count; n++) {
        if (owned[n])
            left -= edges_between(s->graph, n, node);
    }
    return left < 0 ? 0 : left;
}

static bool led_to_by_the_living(const sample *s, const uint8_t *owned, krs_node node) {
    for (krs_node n = 0; n < s->node_count; n++) {
        if (!owned[n] && s->roles[n] == KRS_ROLE_PLAIN &&
            edges_between(s->graph, n, node) > 0)
            return true;
    }
    return false;
}

void naive_owned(const sample *s, uint8_t *owned, int64_t *outside) {
    for (krs_node n = 0; n < s->node_count; n++)
        owned[n] = s->roles[n] != KRS_ROLE_BARRIER;
    for (bool changed = true; changed;) {
        changed = false;
        for (krs_node n = 0; n < s->node_count; n++) {
            if (!owned[n] || s->roles[n] != KRS_ROLE_PLAIN)
                continue;
            if (unexplained(s, owned, n) > 0 || led_to_by_the_living(s, owned, n)) {
                owned[n] = 0;
                changed = true;
            }
        }
    }
    for (krs_node n = 0; n < s->node_count; n++)
        outside[n] = unexplained(s, owned, n);
}

/* Gives `group` to what one edge from it leads to; whether anything changed. */
static bool grow(const sample *s, uint8_t group, uint8_t *label) {
    bool changed = false;
    for (krs_node from = 0; from < s->node_count; from++) {
        for (krs_node to = 0; to < s->node_count; to++) {
            if (label[from] == group && label[to] == 0 &&
                edges_between(s->graph, from, to) > 0) {
                label[to] = group;
                changed = true;
            }
        }
    }
    return changed;
}

void naive_label(const sample *s, uint8_t *label) {
    bool present[UINT8_MAX + 1] = {false};
    for (krs_node n = 0; n < s->node_count; n++)
        present[label[n]] = true;
    for (unsigned group = 1; group <= UINT8_MAX; group++) {
        while (present[group] && grow(s, (uint8_t)group, label))
            continue;
    }
}

enum { FAR = 1 << 20 };

/* Shortens distances within `wave` by one edge; whether anything changed. */
static bool shorten(const sample *s, const uint8_t *barred, unsigned wave,
                    unsigned *wave_of, unsigned *distance) {
    bool changed = false;
    for (krs_node from = 0; from < s->node_count; from++) {
        if (wave_of[from] != wave)
            continue;
        for (krs_node to = 0; to < s->node_count; to++) {
            if (wave_of[to] < wave || (barred != NULL && barred[to]) ||
                distance[to] <= distance[from] + 1 ||
                edges_between(s->graph, from, to) == 0)
                continue;
            wave_of[to] = wave;
            distance[to] = distance[from] + 1;
            changed = true;
        }
    }
    return changed;
}

static void naive_distances(const sample *s, const uint8_t *waves,
                            const uint8_t *barred, unsigned *wave_of,
                            unsigned *distance) {
    for (krs_node n = 0; n < s->node_count; n++)
        wave_of[n] = distance[n] = FAR;
    for (unsigned wave = 0; wave <= SAMPLE_ROOTS; wave++) {
        for (size_t i = 0; i < s->root_count; i++) {
            const krs_node root = s->roots[i];
            const bool in_wave = (waves == NULL ? 0u : waves[i]) == wave;
            if (!in_wave || wave_of[root] < wave || (barred != NULL && barred[root]))
                continue;
            wave_of[root] = wave;
            distance[root] = 0;
        }
        while (shorten(s, barred, wave, wave_of, distance))
            continue;
    }
}

bool naive_paths_agree(const sample *s, const uint8_t *waves, const uint8_t *barred,
                       const krs_node *parent) {
    unsigned wave_of[SAMPLE_NODES], distance[SAMPLE_NODES];
    naive_distances(s, waves, barred, wave_of, distance);
    for (krs_node n = 0; n < s->node_count; n++) {
        const krs_node p = parent[n];
        if ((p == KRS_NODE_NONE) != (distance[n] == FAR))
            return false;
        if (p == KRS_NODE_NONE)
            continue;
        if (p >= s->node_count || (p == n) != (distance[n] == 0))
            return false;
        if (p != n && (edges_between(s->graph, p, n) == 0 || wave_of[p] != wave_of[n] ||
                       distance[p] + 1 != distance[n]))
            return false;
    }
    return true;
}

void naive_unexplained(const sample *s, int64_t *references) {
    for (krs_node to = 0; to < s->node_count; to++) {
        for (krs_node from = 0; from < s->node_count; from++) {
            for (uint32_t i = edges_between(s->graph, from, to); i > 0; i--) {
                if (references[to] != INT64_MAX && references[to] != INT64_MIN)
                    references[to]--;
            }
        }
    }
}

size_t naive_referrers(const sample *s, krs_node node, krs_node *referrers) {
    size_t count = 0;
    for (krs_node from = 0; from < s->node_count; from++) {
        for (uint32_t i = edges_between(s->graph, from, node); i > 0; i--)
            referrers[count++] = from;
    }
    return count;
}

static bool is_barred(const uint8_t *barred, krs_node node) {
    return barred != NULL && barred[node];
}

void naive_reach(const sample *s, krs_node without, const uint8_t *barred,
                 bool *reached) {
    for (krs_node n = 0; n < s->node_count; n++)
        reached[n] = false;
    for (size_t i = 0; i < s->root_count; i++)
        reached[s->roots[i]] =
            s->roots[i] != without && !is_barred(barred, s->roots[i]);
    for (bool changed = true; changed;) {
        changed = false;
        for (krs_node from = 0; from < s->node_count; from++) {
            for (krs_node to = 0; to < s->node_count; to++) {
                if (reached[from] && !reached[to] && to != without &&
                    !is_barred(barred, to) && edges_between(s->graph, from, to) > 0)
                    reached[to] = changed = true;
            }
        }
    }
}

/* The dominator of `node` that all its others dominate, and if it has none, itself. */
static krs_node closest(const sample *s, bool dominates[][SAMPLE_NODES],
                        krs_node node) {
    krs_node found = node;
    for (krs_node d = 0; d < s->node_count; d++) {
        if (d != node && dominates[d][node] && (found == node || dominates[found][d]))
            found = d;
    }
    return found;
}

void naive_dominators(const sample *s, const uint8_t *barred, krs_node *dominator,
                      uint64_t *retained, uint32_t *members) {
    bool all[SAMPLE_NODES], without[SAMPLE_NODES];
    bool dominates[SAMPLE_NODES][SAMPLE_NODES];
    uint64_t own[SAMPLE_NODES];
    naive_reach(s, KRS_NODE_NONE, barred, all);
    for (krs_node d = 0; d < s->node_count; d++) {
        naive_reach(s, d, barred, without);
        own[d] = retained[d];
        for (krs_node n = 0; n < s->node_count; n++)
            dominates[d][n] = all[n] && !without[n];
    }
    for (krs_node n = 0; n < s->node_count; n++) {
        members[n] = 0;
        dominator[n] = all[n] ? closest(s, dominates, n) : KRS_NODE_NONE;
        retained[n] = all[n] ? 0 : own[n];
        for (krs_node m = 0; m < s->node_count; m++) {
            members[n] += dominates[n][m];
            retained[n] += dominates[n][m] ? own[m] : 0;
        }
    }
}
