/* The maps of pools: what TensorFlow writes down of its chunks, put into their regions,
 * with what was given back of them. Pieces (pages.h) are chunks in use to TensorFlow;
 * to the program their memory is free, or gone. */
#include <stdlib.h>
#include <string.h>

#include "tensorflow/pages.h"
#include "tensorflow/pool.h"
#include "tensorflow/region_borders.h"
#include "tensorflow/region_pools.h"

/* What is read of one pool, until all of it is known to be of one moment. */
typedef struct {
    const krs__tensorflow *tf;
    void *pool;
    krs__memory_map map;
    uint8_t *text;
    krs__piece *pieces;
    size_t piece_count;
} reading;

static void forget(reading *r) {
    krs__memory_map_free(&r->map);
    free(r->text);
    free(r->pieces);
    *r = (reading){.tf = r->tf, .pool = r->pool};
}

/* ---- reading ---------------------------------------------------------------- */

static krs_status read_map(reading *r, krs_refusal *refusal) {
    krs__dump dump = {.bytes = {0}};
    r->tf->record_map(dump.bytes, r->pool);
    const krs_status status =
        krs__dump_read_with_text(r->tf, &dump, &r->map, &r->text, refusal);
    if (status == KRS_OK && *refusal == KRS_REFUSAL_NONE &&
        krs__memory_map_in_use(&r->map) != r->map.told_in_use)
        *refusal = KRS_REFUSAL_MAP;
    return status;
}

/* Others may make the pool grow between the two: then once more. */
static krs_status read_with_borders(reading *r, krs_pool_map *map) {
    enum { TRIES = 4 };
    krs_status status = KRS_OK;
    for (int i = 0; i < TRIES && map->regions == NULL && status == KRS_OK; i++) {
        forget(r);
        status = read_map(r, &map->refusal);
        if (status != KRS_OK || map->refusal != KRS_REFUSAL_NONE)
            return status;
        status = krs__region_borders_find(r->pool, &r->map, &map->regions,
                                          &map->region_count);
    }
    if (status == KRS_OK && map->regions == NULL)
        map->refusal = KRS_REFUSAL_BORDERS;
    return status;
}

/* ---- writing down ----------------------------------------------------------- */

static krs_chunk chunk_of(const krs__chunk *c) {
    return (krs_chunk){.address = c->begin,
                       .size = c->end - c->begin,
                       .requested = c->in_use ? c->requested : 0,
                       .freed_at = c->in_use ? 0 : c->freed_at,
                       .op = c->op,
                       .op_length = c->op_length,
                       .bin = c->bin,
                       .in_use = c->in_use};
}

static void become_piece(krs_chunk *chunk, const krs__piece *p) {
    chunk->given_back = p->taken;
    chunk->requested = 0;
    chunk->in_use = 0;
    chunk->is_piece = 1;
}

/* Chunks and pieces are both by rising address. */
static krs_status write_chunks(const reading *r, krs_pool_map *map) {
    size_t next = 0;
    map->chunks = malloc((r->map.count + 1) * sizeof *map->chunks);
    if (map->chunks == NULL)
        return KRS_NOMEM;
    map->chunk_count = r->map.count;
    for (size_t i = 0; i < r->map.count; i++) {
        const krs__chunk *c = &r->map.chunks[i];
        map->chunks[i] = chunk_of(c);
        while (next < r->piece_count && r->pieces[next].begin < c->begin)
            next++;
        if (next < r->piece_count && r->pieces[next].begin == c->begin &&
            r->pieces[next].end == c->end && c->in_use)
            become_piece(&map->chunks[i], &r->pieces[next]);
    }
    return KRS_OK;
}

static void write_region(const krs__armed *a, const krs_pool_map *map,
                         krs_region *region) {
    for (size_t i = 0; i < region->count; i++)
        region->given_back += map->chunks[region->first + i].given_back;
    if (!a->armed ||
        !a->granules.describe(region->address, &region->mapped, &region->device))
        region->mapped = region->size;
}

static krs_status write_down(krs__armed *a, reading *r, krs_pool_map *map) {
    krs_status status = KRS_OK;
    if (a->armed)
        status = krs__pieces_copy(r->pool, &r->pieces, &r->piece_count);
    if (status == KRS_OK)
        status = write_chunks(r, map);
    for (size_t i = 0; i < map->region_count && status == KRS_OK; i++)
        write_region(a, map, &map->regions[i]);
    map->in_book = r->map.told_in_use;
    map->text = (char *)r->text;
    r->text = NULL;
    return status;
}

/* ---- one pool, and all ------------------------------------------------------ */

static krs_status map_pool(krs__armed *a, const krs__tensorflow *tf, void *pool,
                           krs_pool_map *map) {
    reading r = {.tf = tf, .pool = pool};
    uintptr_t first = 0;
    *map = (krs_pool_map){.refusal = KRS_REFUSAL_NONE};
    krs__read_words((uintptr_t)pool, &first, 1);
    map->of_gpu = krs__is_of(first, tf->gpu_bfc_table);
    krs_status status = read_with_borders(&r, map);
    if (status == KRS_OK && map->refusal == KRS_REFUSAL_NONE)
        status = write_down(a, &r, map);
    memcpy(map->name, r.map.name, sizeof map->name);
    forget(&r);
    if (status != KRS_OK)
        krs_pool_map_free(map);
    return status;
}

void krs_pool_map_free(krs_pool_map *map) {
    if (map == NULL)
        return;
    free(map->regions);
    free(map->chunks);
    free(map->text);
    *map = (krs_pool_map){.refusal = KRS_REFUSAL_NONE};
}

/* With at_work held, so that no piece comes or goes meanwhile. */
static krs_status map_all(krs__armed *a, const krs__tensorflow *tf, unsigned which,
                          krs_pool_map *maps, size_t room, size_t *count) {
    void *pools[KRS_POOLS];
    const size_t most = room < KRS_POOLS ? room : KRS_POOLS;
    const size_t found = krs__region_pools_find(tf, which, pools, most);
    krs_status status = KRS_OK;
    size_t done = 0;
    while (done < found && status == KRS_OK) {
        status = map_pool(a, tf, pools[done], &maps[done]);
        done += status == KRS_OK;
    }
    while (status != KRS_OK && done > 0)
        krs_pool_map_free(&maps[--done]);
    *count = done;
    return status;
}

krs_status krs_tensorflow_map(unsigned which, krs_pool_map *maps, size_t room,
                              size_t *count) {
    if ((maps == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    krs__tensorflow tf;
    krs__armed *a = krs__armed_state();
    const char *symbol;
    size_t done = 0;
    krs_status status = KRS_OK;
    krs__tensorflow_find(&tf);
    const krs_refusal refusal = krs__region_pools_refusal(&tf, &symbol);
    if (refusal == KRS_REFUSAL_NONE) {
        pthread_mutex_lock(&a->at_work);
        status = map_all(a, &tf, which, maps, room, &done);
        pthread_mutex_unlock(&a->at_work);
    } else if (refusal != KRS_REFUSAL_ABSENT && (which & KRS_POOLS_OF_GPU) && room > 0)
        maps[done++] = (krs_pool_map){.refusal = refusal, .symbol = symbol};
    if (status == KRS_OK)
        *count = done;
    return status;
}
