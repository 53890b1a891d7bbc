/* memory_map.h - the chunks of a BFC pool, as TensorFlow writes them down. */
#ifndef KRS_TENSORFLOW_MEMORY_MAP_H
#define KRS_TENSORFLOW_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keraser.h"

typedef struct {
    uintptr_t begin, end;
    uint64_t requested; /* bytes that were asked for; of a free one they mean nothing */
    uint64_t freed_at;  /* the pool's count of actions then; 0: not written down */
    uint32_t op, op_length; /* its name, in the text that was read; builds for
                               debugging alone write it down */
    int32_t bin;            /* of free ones of like size; -1 in use */
    bool in_use;
} krs__chunk;

/* By rising address, none overlapping another. `name` is the pool's, cut where it is
 * longer; `told_in_use` what its own book has for the bytes in use. */
typedef struct {
    krs__chunk *chunks;
    size_t count, capacity;
    uint64_t told_in_use;
    char name[KRS_POOL_NAME];
} krs__memory_map;

/* Reads a serialized tensorflow.MemoryDump into `map`, whose chunks it replaces; start
 * from {0}. KRS_FORMAT where the bytes are no such message, a chunk is empty or beyond
 * the address space, or chunks are out of order or overlap. After a failure the map is
 * as it was. */
krs_status krs__memory_map_parse(const uint8_t *bytes, size_t length,
                                 krs__memory_map *map);
void krs__memory_map_free(krs__memory_map *map);

/* The chunk that `address` is in, or NULL. */
const krs__chunk *krs__memory_map_find(const krs__memory_map *map, uintptr_t address);

/* Whether one chunk of at least `bytes` is free. */
bool krs__memory_map_has_free(const krs__memory_map *map, uint64_t bytes);

/* Bytes of all chunks, and of those in use. */
uint64_t krs__memory_map_size(const krs__memory_map *map);
uint64_t krs__memory_map_in_use(const krs__memory_map *map);

#endif
