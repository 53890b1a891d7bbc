/* Arrays that grow by doubling, so that n pushes cost O(n). */
#ifndef KRS_BASE_ARRAY_H
#define KRS_BASE_ARRAY_H

#include <stddef.h>

#include "keraser.h"

/* A capacity for at least `needed` items, found by doubling `capacity`; 0 where the
 * bytes of `needed` items of `item_size` do not fit a size_t. */
size_t krs__array_capacity(size_t capacity, size_t needed, size_t item_size);

/* Moves `items`, of `item_size` each, to room for `capacity` of them; NULL, with
 * `items` still good, where there is none. */
void *krs__array_resize(void *items, size_t capacity, size_t item_size);

#endif
