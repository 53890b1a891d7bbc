/* Growth with the overflow checks in one place: a count that does not fit is refused
 * as an allocation that failed, which is what it would become. */
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"

enum { FIRST_BYTES = 512 };

size_t krs__array_capacity(size_t capacity, size_t needed, size_t item_size) {
    const size_t most = SIZE_MAX / item_size;
    if (needed > most)
        return 0;
    if (capacity < FIRST_BYTES / item_size)
        capacity = FIRST_BYTES / item_size;
    while (capacity < needed)
        capacity = capacity > most / 2 ? most : capacity * 2;
    return capacity;
}

void *krs__array_resize(void *items, size_t capacity, size_t item_size) {
    if (capacity == 0 || capacity > SIZE_MAX / item_size)
        return NULL;
    return realloc(items, capacity * item_size);
}
