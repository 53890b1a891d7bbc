/* fake_heap.h - memory made like that of a Python with two modules, a model, what holds
 * it, and what it has, in the layout of each version. */
#ifndef KRS_TESTS_FAKE_HEAP_H
#define KRS_TESTS_FAKE_HEAP_H

#include "outside/layout.h"
#include "outside/made.h"

enum { FAKE_BASE = 0x100000, FAKE_BYTES = 32768 };

typedef struct {
    uint8_t bytes[FAKE_BYTES];
    size_t used;
    krs__layout layout;
    uint64_t list_head; /* of the collector's oldest generation */
    uint64_t type_type, dict_type, list_type, tuple_type, text_type, int_type,
        module_type, model_type, layer_type, variable_type;
    /* Places that tests change. */
    uint64_t interpreter, sys_dict, main_dict, model, model_dict, models_list, shape,
        version;
} fake_heap;

void fake_heap_make(fake_heap *heap, unsigned minor);

/* The words of the memory. */
uint64_t fake_heap_word(const fake_heap *heap, uint64_t address);
void fake_heap_set(fake_heap *heap, uint64_t address, uint64_t word);

/* Any bytes as such memory: `context` is a fake_bytes. */
typedef struct {
    const uint8_t *bytes;
    size_t size;
} fake_bytes;

ptrdiff_t fake_heap_read(void *context, uint64_t address, void *to, size_t size);

/* The memory of `bytes`, whose runtime is at its beginning. */
krs__made_memory fake_memory(fake_bytes *bytes, unsigned minor);

#endif
