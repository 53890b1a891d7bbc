/* enumerate.h - every object that the collector tracks, one after the other. */
#ifndef KRS_PY_ENUMERATE_H
#define KRS_PY_ENUMERATE_H

#include "python.h"

/* How the objects are found, best first. */
typedef enum {
    KRS_ENUMERATE_HEADS, /* the generations' lists themselves: frozen objects too */
    KRS_ENUMERATE_VISIT, /* PyUnstable_GC_VisitObjects, 3.12+: frozen ones are missed */
    KRS_ENUMERATE_LIST,  /* gc.get_objects(): any Python; frozen ones are missed */
} krs_enumeration;

/* Returns 0 to go on. Must not run Python code, nor make or drop objects. */
typedef int (*krs_object_visitor)(PyObject *object, void *context);

/* The best way that passes its self-check on this Python, at this moment. */
krs_enumeration krs_enumerate_choose(void);
const char *krs_enumeration_name(krs_enumeration way);

/* Calls `visit` for each tracked object, in no order. Returns 0, the visitor's
 * non-zero answer, or -1 with an exception set. */
int krs_enumerate(krs_enumeration way, krs_object_visitor visit, void *context);

/* The same for the objects of one generation, 0 to 2. */
int krs_enumerate_generation(krs_enumeration way, int generation,
                             krs_object_visitor visit, void *context);

/* The same for the objects of one generation and all older ones, and the frozen. */
int krs_enumerate_old(krs_enumeration way, int generation, krs_object_visitor visit,
                      void *context);

/* The same for at most `limit` objects, those that were made last: generation after
 * generation, each from its end. Only the lists know the order; any other way visits
 * everything. */
int krs_enumerate_recent(krs_enumeration way, size_t limit, krs_object_visitor visit,
                         void *context);

#endif
