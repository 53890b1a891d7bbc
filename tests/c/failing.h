/* failing.h - malloc and realloc of a test that lets one of its allocations fail. For
 * the one file of a program, which wraps both by the linker. */
#ifndef KRS_TESTS_FAILING_H
#define KRS_TESTS_FAILING_H

#include <stddef.h>

static long failing; /* the allocation that fails, from 1 */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

void *__wrap_malloc(size_t size) {
    return --failing == 0 ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *block, size_t size) {
    return --failing == 0 ? NULL : __real_realloc(block, size);
}

#endif
