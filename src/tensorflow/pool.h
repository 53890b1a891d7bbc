/* pool.h - TensorFlow's CPU pool: found, read, and allocated from. */
#ifndef KRS_TENSORFLOW_POOL_H
#define KRS_TENSORFLOW_POOL_H

#include "tensorflow/memory_map.h"
#include "tensorflow/symbols.h"

/* Requests below this do not reach the pool: kSmallAllocationsThreshold of
 * tensorflow/core/common_runtime/mkl_cpu_allocator.h. */
enum { KRS__POOL_SMALLEST = 262144 };

typedef struct {
    const krs__tensorflow *tf;
    void *bfc; /* the tsl::BFCAllocator */
} krs__pool;

/* Fails where a load would raise SIGSEGV. */
bool krs__read_words(uintptr_t address, uintptr_t *words, size_t count);

/* The first word behind what may be a pointer to an object. */
bool krs__read_object(uintptr_t address, uintptr_t *first);

/* Finds the pool in the allocator that TensorFlow uses. The objects are known by their
 * tables of virtual functions, and until they are, memory is read in a way that cannot
 * crash. */
void krs__pool_find(const krs__tensorflow *tf, krs__pool *pool, krs_refusal *refusal);

/* Room for a tensorflow.MemoryDump, which has some 150 bytes. */
typedef struct {
    _Alignas(max_align_t) unsigned char bytes[4096];
} krs__dump;

/* Reads what TensorFlow has recorded, and destroys it. */
krs_status krs__dump_read(const krs__tensorflow *tf, krs__dump *dump,
                          krs__memory_map *map, krs_refusal *refusal);

/* The same, and hands out the text that names in the map are counted from, to be
 * freed: NULL where the map was not read. */
krs_status krs__dump_read_with_text(const krs__tensorflow *tf, krs__dump *dump,
                                    krs__memory_map *map, uint8_t **text,
                                    krs_refusal *refusal);

/* Reads its map anew, under the pool's own lock.
 * `*refusal` becomes KRS_REFUSAL_MAP where it is not understood, and `map` stays. */
krs_status krs__pool_read(const krs__pool *pool, krs__memory_map *map,
                          krs_refusal *refusal);

/* A tensor of ours in the pool: from begin to end nobody else has business. */
typedef struct {
    void *tensor;
    uintptr_t begin, end;
} krs__block;

/* False where TensorFlow has no memory. `bytes` is at least KRS__POOL_SMALLEST. */
bool krs__block_take(const krs__pool *pool, uint64_t bytes, krs__block *block);
void krs__block_free(const krs__pool *pool, krs__block *block);

/* Takes a block of the smallest size, if there is a free chunk for it, and looks
 * whether the map has it in use then. KRS_REFUSAL_UNTRIED where there is none. Reads
 * `map`. */
krs_status krs__pool_test(const krs__pool *pool, krs__memory_map *map,
                          krs_refusal *refusal);

#endif
