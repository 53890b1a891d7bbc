/* scan.h - references of objects whose fields are not known: every word of the body
 * that could be one. Who visits must know which addresses are objects. */
#ifndef KRS_OUTSIDE_SCAN_H
#define KRS_OUTSIDE_SCAN_H

#include "outside/references.h"

/* The body from `begin` on, without what is known to be no reference: the list of weak
 * references to it, the place of its dict. */
void krs__scan(krs__target *target, uint64_t object, const krs__type *type,
               uint64_t begin, krs__reference_visitor *visit, void *context);

/* attributes.c: values and the dict of attributes, the latter as one reference. */
void krs__attribute_references(krs__target *target, uint64_t object,
                               const krs__type *type, krs__reference_visitor *visit,
                               void *context);

#endif
