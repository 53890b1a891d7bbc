/* interpreter.h - the interpreter in the memory of the target, and its objects. */
#ifndef KRS_OUTSIDE_INTERPRETER_H
#define KRS_OUTSIDE_INTERPRETER_H

#include "outside/target.h"

/* Finds the main interpreter from `target->runtime`, its version known, and where the
 * collector's lists begin. Returns what is not as it must be, KRS_OUTSIDE_READ where
 * everything is. */
krs_outside_refusal krs__interpreter_find(krs__target *target);

/* Whether the collector works at this moment, read anew and not from the copy: its
 * lists are then not whole. */
bool krs__collector_is_busy(krs__target *target);

/* Calls `visit` for each object that the collector tracks, the oldest first. What is
 * torn, since the target has gone on meanwhile, is passed over; `*torn` is how often.
 */
typedef krs_status krs__object_visitor(void *context, uint64_t object);
krs_status krs__collector_visit(krs__target *target, krs__object_visitor *visit,
                                void *context, size_t *torn);

#endif
