/* Who holds a model: the ways that lead to it, one for each place that a user would
 * name, ranked as keraser.why() does. */
#include <stdlib.h>
#include <string.h>

#include "outside/reading.h"

/* Nodes opened looking backwards, as in the process itself; ways that are looked at. */
enum { REACH = 4096, WAYS = 48, RANK_C = 3 };

typedef struct {
    const krs__reading *reading;
    krs_node *parent, *next;
    krs_way ways[WAYS];
    size_t way_count;
    krs_outside_holder *holders;
    size_t room, count;
} search;

static int rank_of(const krs_outside_holder *holder) {
    if (!strcmp(holder->kind, "c"))
        return RANK_C;
    return !strcmp(holder->kind, "module") || !strcmp(holder->kind, "thread") ? 2 : 1;
}

static bool comes_before(const krs_outside_holder *a, const krs_outside_holder *b) {
    const int x = rank_of(a), y = rank_of(b);
    return x != y ? x < y : a->steps < b->steps;
}

/* Two paths that begin at one place are one holder to a user; of what IPython and sys
 * keep of one result or error, and what C code holds, too. */
static bool is_same(const krs_outside_holder *a, const krs_outside_holder *b) {
    if (strcmp(a->kind, b->kind) != 0)
        return false;
    if (!strcmp(a->kind, "error") || !strcmp(a->kind, "registry"))
        return true;
    return !strcmp(a->place, b->place);
}

/* Keeps a holder in its order, the shortest of those that are the same. */
static void keep(search *s, const krs_outside_holder *holder) {
    size_t at = 0;
    while (at < s->count && !is_same(&s->holders[at], holder))
        at++;
    if (at < s->count && !comes_before(holder, &s->holders[at]))
        return;
    if (at == s->count && s->count == s->room) {
        if (s->room == 0 || !comes_before(holder, &s->holders[s->count - 1]))
            return;
        at = s->count - 1;
    }
    if (at == s->count)
        s->count++;
    for (; at > 0 && comes_before(holder, &s->holders[at - 1]); at--)
        s->holders[at] = s->holders[at - 1];
    s->holders[at] = *holder;
}

static size_t steps_down_to(const krs_node *parent, krs_node node) {
    size_t count = 1;
    for (; parent[node] != node; node = parent[node])
        count++;
    return count;
}

/* root -> ... -> holder -> held -> ... -> target; NULL where memory runs out. */
static krs_node *chain_of(const search *s, const krs_way *way, size_t *length,
                          size_t *at) {
    const size_t before = steps_down_to(s->parent, way->holder);
    size_t behind = 1;
    for (krs_node n = way->held; s->next[n] != KRS_NODE_NONE; n = s->next[n])
        behind++;
    krs_node *nodes = malloc((before + behind) * sizeof *nodes);
    if (nodes == NULL)
        return NULL;
    size_t i = before;
    for (krs_node n = way->holder; i > 0; n = s->parent[n])
        nodes[--i] = n;
    i = before;
    for (krs_node n = way->held; n != KRS_NODE_NONE; n = s->next[n])
        nodes[i++] = n;
    *length = i;
    *at = before - 1;
    return nodes;
}

static krs_status describe(search *s, const krs_way *way) {
    krs__chain chain = {.reading = s->reading};
    krs_node *nodes = chain_of(s, way, &chain.length, &chain.at);
    if (nodes == NULL)
        return KRS_NOMEM;
    chain.nodes = nodes;
    const size_t references = krs__reading_count(s->reading, way->holder, way->held);
    for (chain.nth = 0; chain.nth < references && chain.nth < WAYS; chain.nth++) {
        krs_outside_holder holder = {.steps = way->steps};
        krs__chain_describe(&chain, &holder);
        keep(s, &holder);
    }
    free(nodes);
    return KRS_OK;
}

static krs_status find_parents(search *s, const uint8_t *barred) {
    krs_node *roots = NULL;
    uint8_t *waves = NULL;
    size_t count = 0;
    krs_status status = krs__reading_roots(s->reading, barred, &roots, &waves, &count);
    if (status == KRS_OK)
        status =
            krs_graph_paths(s->reading->graph, roots, waves, count, barred, s->parent);
    free(roots);
    free(waves);
    return status;
}

krs_status krs__holders_find(const krs__reading *reading,
                             const krs_referrers *referrers, krs_node model,
                             krs_outside_holder *holders, size_t room, size_t *count) {
    const size_t nodes = krs_graph_node_count(reading->graph);
    search s = {.reading = reading,
                .parent = malloc((nodes + 1) * sizeof *s.parent),
                .next = malloc((nodes + 1) * sizeof *s.next),
                .holders = holders,
                .room = room};
    uint8_t *barred = calloc(nodes + 1, 1);
    krs_status status = s.parent && s.next && barred ? KRS_OK : KRS_NOMEM;
    if (status == KRS_OK) {
        barred[model] = 1;
        status = find_parents(&s, barred);
    }
    if (status == KRS_OK)
        status = krs_graph_ways(reading->graph, referrers, model, barred, s.parent,
                                REACH, s.next, s.ways, WAYS, &s.way_count);
    for (size_t i = 0; status == KRS_OK && i < s.way_count; i++)
        status = describe(&s, &s.ways[i]);
    if (status == KRS_OK && reading->target->memory.out_of_memory)
        status = KRS_NOMEM;
    free(s.parent);
    free(s.next);
    free(barred);
    /* What C code seems to hold may be values in use this moment: it is only told where
     * nothing with a name holds the model. */
    while (s.count > 1 && rank_of(&holders[s.count - 1]) == RANK_C &&
           rank_of(&holders[0]) != RANK_C)
        s.count--;
    if (status == KRS_OK)
        *count = s.count;
    return status;
}
