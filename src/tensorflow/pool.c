#define _GNU_SOURCE /* process_vm_readv */
#include "tensorflow/pool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    NO_NODE = -1,  /* port::kNUMANoAffinity */
    WORDS = 8,     /* of the allocator; the pool is its second in 2.15 and 2.21 */
    BYTE_TYPE = 4, /* TF_UINT8 */
};

bool krs__read_words(uintptr_t address, uintptr_t *words, size_t count) {
    const struct iovec here = {words, count * sizeof *words};
    const struct iovec there = {(void *)address, here.iov_len};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)here.iov_len;
}

bool krs__read_object(uintptr_t address, uintptr_t *first) {
    enum { LEAST_ADDRESS = 4096 };
    return address >= LEAST_ADDRESS && address % sizeof(void *) == 0 &&
           krs__read_words(address, first, 1);
}

void krs__pool_find(const krs__tensorflow *tf, krs__pool *pool, krs_refusal *refusal) {
    uintptr_t words[WORDS], first;
    const uintptr_t allocator = (uintptr_t)tf->cpu_allocator(NO_NODE);
    *refusal = KRS_REFUSAL_ALLOCATOR;
    if (!krs__read_words(allocator, words, WORDS) ||
        !krs__is_of(words[0], tf->mkl_table))
        return;
    *refusal = KRS_REFUSAL_POOL;
    for (size_t i = 1; i < WORDS; i++) {
        if (!krs__read_object(words[i], &first) || !krs__is_of(first, tf->bfc_table))
            continue;
        *pool = (krs__pool){tf, (void *)words[i]};
        *refusal = KRS_REFUSAL_NONE;
        break;
    }
}

krs_status krs__dump_read(const krs__tensorflow *tf, krs__dump *dump,
                          krs__memory_map *map, krs_refusal *refusal) {
    uint8_t *text;
    const krs_status status = krs__dump_read_with_text(tf, dump, map, &text, refusal);
    free(text);
    return status;
}

krs_status krs__dump_read_with_text(const krs__tensorflow *tf, krs__dump *dump,
                                    krs__memory_map *map, uint8_t **read,
                                    krs_refusal *refusal) {
    uintptr_t first;
    *read = NULL;
    memcpy(&first, dump->bytes, sizeof first);
    *refusal = KRS_REFUSAL_MAP;
    if (!krs__is_of(first, tf->dump_table)) /* what it is we do not know: let it be */
        return KRS_OK;
    const size_t bytes = tf->dump_bytes(dump->bytes);
    uint8_t *text = bytes > INT_MAX ? NULL : malloc(bytes + 1);
    const bool written = text != NULL && tf->serialize(dump->bytes, text, (int)bytes);
    tf->destroy_dump(dump->bytes);
    krs_status status = text == NULL && bytes <= INT_MAX ? KRS_NOMEM : KRS_OK;
    if (written)
        status = krs__memory_map_parse(text, bytes, map);
    if (written && status == KRS_OK)
        *refusal = KRS_REFUSAL_NONE;
    if (*refusal == KRS_REFUSAL_NONE)
        *read = text;
    else
        free(text);
    return status == KRS_FORMAT ? KRS_OK : status;
}

krs_status krs__pool_read(const krs__pool *pool, krs__memory_map *map,
                          krs_refusal *refusal) {
    krs__dump dump = {.bytes = {0}};
    pool->tf->record_map(dump.bytes, pool->bfc);
    return krs__dump_read(pool->tf, &dump, map, refusal);
}

bool krs__block_take(const krs__pool *pool, uint64_t bytes, krs__block *block) {
    const int64_t length = (int64_t)bytes;
    void *tensor = pool->tf->allocate_tensor(BYTE_TYPE, &length, 1, (size_t)bytes);
    if (tensor == NULL)
        return false;
    const uintptr_t data = (uintptr_t)pool->tf->tensor_data(tensor);
    if (data == 0) {
        pool->tf->delete_tensor(tensor);
        return false;
    }
    *block = (krs__block){tensor, data, data + (uintptr_t)bytes};
    return true;
}

void krs__block_free(const krs__pool *pool, krs__block *block) {
    pool->tf->delete_tensor(block->tensor);
    *block = (krs__block){0};
}

krs_status krs__pool_test(const krs__pool *pool, krs__memory_map *map,
                          krs_refusal *refusal) {
    krs_status status = krs__pool_read(pool, map, refusal);
    if (status != KRS_OK || *refusal != KRS_REFUSAL_NONE)
        return status;
    krs__block block;
    *refusal = KRS_REFUSAL_UNTRIED;
    if (!krs__memory_map_has_free(map, KRS__POOL_SMALLEST))
        return KRS_OK;
    *refusal = KRS_REFUSAL_FAILED;
    if (!krs__block_take(pool, KRS__POOL_SMALLEST, &block))
        return KRS_OK;
    status = krs__pool_read(pool, map, refusal);
    const krs__chunk *ours = krs__memory_map_find(map, block.begin);
    if (status == KRS_OK && *refusal == KRS_REFUSAL_NONE &&
        (ours == NULL || !ours->in_use || ours->begin != block.begin ||
         ours->end < block.end))
        *refusal = KRS_REFUSAL_TEST;
    krs__block_free(pool, &block);
    return status == KRS_OK && *refusal == KRS_REFUSAL_NONE
               ? krs__pool_read(pool, map, refusal)
               : status;
}
