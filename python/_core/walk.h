/* walk.h - the graph below some objects, and what of it would die with them. */
#ifndef KRS_PY_WALK_H
#define KRS_PY_WALK_H

#include "python.h"
#include "references.h"

enum { KRS_WALK_LABELS = 16 }; /* groups at most, and label 0 for the rest */

/* What one walk found. Addresses may be looked up at any time; only those of nodes
 * marked KRS_WALK_HELD may be dereferenced once Python code has run. */
typedef struct {
    krs_graph *graph;
    uint8_t *owned;   /* per node: 0, KRS_WALK_OWNED or KRS_WALK_HELD */
    int64_t *outside; /* per node: references that the graph does not explain */
    PyObject **held;  /* strong references to the owned objects that are tracked */
    size_t held_count;
    uint64_t objects[KRS_WALK_LABELS]; /* owned, tracked or not, by label */
    uint64_t bytes[KRS_WALK_LABELS];   /* their own bytes, by label */
} krs_walk;

enum { KRS_WALK_OWNED = 1, KRS_WALK_HELD = 2 };

/* The lists that say where to start, all borrowed. */
typedef struct {
    PyObject *seeds;  /* list: objects that are to be let go */
    PyObject *groups; /* list of lists: starting points of each label, from 1 */
    PyObject *ours;   /* list: keraser's own containers; what they hold is not held */
    PyObject *given;  /* list: what the caller gave away, or nothing */
    PyObject *namespaces; /* list of dicts: names bound to `given` do not hold it */
    PyObject
        *own_path; /* str: variables of functions from files under it hold nothing */
    PyObject *sizeof_name;            /* the str "__sizeof__" */
    PyObject *local_mark;             /* the str ".<locals>." */
    const krs_reference_rules *rules; /* for arrays, or NULL */
} krs_walk_start;

/* Walks from `start`; `walk` need not be initialised. Runs no Python code. On failure
 * `walk` is empty. Either way krs_walk_clear() may follow. */
krs_status krs_walk_run(krs_walk *walk, const krs_walk_start *start);

/* Drops everything, the strong references too (this may run Python code). */
void krs_walk_clear(krs_walk *walk);

/* The node of a live object that this walk owns and holds, or KRS_NODE_NONE. */
krs_node krs_walk_find_held(const krs_walk *walk, PyObject *object);

#endif
