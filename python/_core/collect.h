/* collect.h - collections on purpose, most of them of the youngest generation. */
#ifndef KRS_PY_COLLECT_H
#define KRS_PY_COLLECT_H

#include "python.h"
#include "state.h"

/* Moves `count` objects, those of them that are tracked, to generation 0. */
void krs_collect_rejuvenate(PyObject *const *objects, size_t count);

/* Collects generation 0. Returns how many objects the collector found unreachable,
 * -1 with an exception set when a collection is under way already (we are inside a
 * finalizer or a gc callback) or when it failed. */
Py_ssize_t krs_collect_young(krs_state *state);

/* Collects a generation, 0 to 2, and all younger ones, once no other thread's
 * collection is under way, for which it lets the GIL go. Returns 0, or -1 with an
 * exception set: RuntimeError when one goes on for longer than any takes, so that it
 * must be our own caller's. */
int krs_collect_in_turn(krs_state *state, int generation);

#endif
