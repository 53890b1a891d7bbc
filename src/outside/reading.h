/* reading.h - one reading of the heap of the target: its objects and frames as a graph,
 * and what of it has a name. */
#ifndef KRS_OUTSIDE_READING_H
#define KRS_OUTSIDE_READING_H

#include "outside/references.h"

typedef struct {
    uint64_t frame, thread;
} krs__running;

/* A module: its dict is where paths begin. */
typedef struct {
    krs_node node;
    uint64_t name; /* a str of the target */
} krs__module;

typedef struct {
    krs__target *target;
    krs_graph *graph;
    uint64_t *objects; /* that the collector tracks */
    size_t object_count, object_room;
    krs__running *running; /* by node, the first of the graph */
    size_t running_count, running_room;
    krs__module *modules;
    size_t module_count, module_room;
    uint64_t module_table; /* sys.modules */
    const void **targets;  /* of the object that is being read */
    size_t target_count, target_room;
    size_t torn;
    krs_status status; /* of what is called back */
} krs__reading;

/* Finds frames, objects and modules; the first two begin `torn` anew. `*sys` becomes
 * the dict of the module sys, 0 where there is none. */
krs_status krs__reading_find(krs__reading *reading, uint64_t *sys);

/* Makes the graph of what was found and what it leads to. */
krs_status krs__reading_build(krs__reading *reading);

/* Frees what it has, and forgets what it has found. */
void krs__reading_clear(krs__reading *reading);

uint64_t krs__reading_address(const krs__reading *reading, krs_node node);

/* The object of a node; NULL for a frame, which has no type. */
krs__type *krs__reading_type(const krs__reading *reading, krs_node node);

/* The module whose dict a node is, or NULL. */
const krs__module *krs__reading_module(const krs__reading *reading, krs_node node);

/* Roots of paths, with their waves: modules and frames, then what is referred to more
 * often than the graph shows; both arrays are the caller's to free. */
krs_status krs__reading_roots(const krs__reading *reading, const uint8_t *barred,
                              krs_node **nodes, uint8_t **waves, size_t *count);

/* models.c: the models among the nodes, both arrays the caller's to free; and which of
 * them nothing but another one holds. */
krs_status krs__models_find(const krs__reading *reading, krs_outside_model **models,
                            krs_node **nodes, size_t *count);
krs_status krs__models_nest(const krs__reading *reading, const krs_referrers *referrers,
                            krs_outside_model *models, const krs_node *nodes,
                            size_t count);

/* roles.c: by the classes that a class comes from. */
krs__role krs__role_of(krs__target *target, krs__type *type);

/* holders.c: krs_outside_holders() by node. */
krs_status krs__holders_find(const krs__reading *reading,
                             const krs_referrers *referrers, krs_node model,
                             krs_outside_holder *holders, size_t room, size_t *count);

/* words.c: a chain from a root to a model; `nth` of the references from chain[at]. */
typedef struct {
    const krs__reading *reading;
    const krs_node *nodes;
    size_t length, at, nth;
} krs__chain;

void krs__chain_describe(const krs__chain *chain, krs_outside_holder *holder);

/* How often a node refers to another by a name of its own. */
size_t krs__reading_count(const krs__reading *reading, krs_node source, krs_node to);

/* The `nth` reference from an object or frame to another, those by name first; false
 * where there is none. */
bool krs__reading_reference(const krs__reading *reading, krs_node source, krs_node to,
                            size_t nth, krs__reference *found);

#endif
