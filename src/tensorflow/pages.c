/* Taking pages. A free chunk becomes an allocation of ours, in pieces, since a piece
 * comes back as a whole: for a tensor of 16 MiB not all that a GPU has should come
 * back. Pieces end where granules end, so that none is lost between two. By rising
 * size, whatever is smaller having been taken: then the pool, which gives the smallest
 * chunk that is large enough, gives one piece after another of the same. What it gives
 * in fact is looked at; in the wrong place it is as good. */
#include <stdlib.h>

#include "tensorflow/pages.h"
#include "tensorflow/pool.h"
#include "tensorflow/region_pools.h"

enum { PIECE = 64 << 20, ALIGNMENT = 256, GRANULES_OF_PIECE = 4 };

/* tsl::AllocationAttributes: neither wait for memory nor complain. */
typedef struct {
    bool retry_on_failure, will_be_logged;
    void *freed_by;
} attributes;

typedef struct {
    krs__armed *armed;
    void *pool;
    krs__piece *pieces; /* without the pages yet */
    size_t count, room;
} taking;

static int by_size(const void *left, const void *right) {
    const krs__chunk *l = left, *r = right;
    const uint64_t ls = l->end - l->begin, rs = r->end - r->begin;
    if (ls != rs)
        return ls < rs ? -1 : 1;
    return l->begin < r->begin ? -1 : l->begin > r->begin;
}

/* False where the pool has nothing of that size, or there is no room to write it down.
 */
static bool take_piece(taking *t, uint64_t bytes) {
    const attributes quiet = {false, true, NULL};
    if (t->count == t->room) {
        const size_t room = t->room == 0 ? 64 : 2 * t->room;
        krs__piece *pieces = realloc(t->pieces, room * sizeof *pieces);
        if (pieces == NULL)
            return false;
        t->pieces = pieces;
        t->room = room;
    }
    void *memory = t->armed->tf.allocate_raw(t->pool, ALIGNMENT, bytes, &quiet);
    if (memory == NULL)
        return false;
    const uint64_t begin = (uintptr_t)memory;
    const uint64_t size = t->armed->tf.allocated_size(t->pool, memory);
    t->pieces[t->count++] = (krs__piece){t->pool, begin, begin + size, 0};
    return true;
}

/* The size of the next piece of what is left from `begin` to `end`. */
static uint64_t piece_size(uint64_t begin, uint64_t end, uint64_t granule) {
    const uint64_t least = GRANULES_OF_PIECE * granule;
    const uint64_t wanted = PIECE > least ? PIECE : least;
    const uint64_t to = (begin + wanted) / granule * granule;
    return end - begin < wanted + granule ? end - begin : to - begin;
}

static void take_chunk(taking *t, const krs__chunk *c) {
    const uint64_t granule = t->armed->granules.granule(c->begin);
    if (granule == 0 || (c->begin + granule - 1) / granule * granule + granule > c->end)
        return;
    for (uint64_t at = c->begin; at < c->end;) {
        const uint64_t size = piece_size(at, c->end, granule);
        if (!take_piece(t, size) || t->pieces[t->count - 1].begin != at)
            return;
        at = t->pieces[t->count - 1].end;
    }
}

/* All free chunks of the pool that have a whole granule. */
static void take_free(taking *t, krs__memory_map *map) {
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (!map->chunks[i].in_use)
            map->chunks[count++] = map->chunks[i];
    }
    qsort(map->chunks, count, sizeof *map->chunks, by_size);
    krs__is_taking = true;
    for (size_t i = 0; i < count; i++)
        take_chunk(t, &map->chunks[i]);
    krs__is_taking = false;
}

/* Takes the pages of a piece, or gives the piece back. */
static uint64_t take_pages_of(const taking *t, krs__piece *p) {
    const krs_gpu_granules *granules = &t->armed->granules;
    if (krs__pieces_add(p)) {
        /* In the book before its pages go: what is in it can always be brought back. */
        p->taken = granules->take(p->begin, p->end);
        krs__pieces_note(p);
        return p->taken;
    }
    t->armed->tf.deallocate_raw(t->pool, (void *)(uintptr_t)p->begin);
    return 0;
}

static void give_back(const taking *t) {
    for (size_t i = 0; i < t->count; i++)
        t->armed->tf.deallocate_raw(t->pool, (void *)(uintptr_t)t->pieces[i].begin);
}

/* With at_work held. */
static krs_status take_from(taking *t, krs_pool_trim *trim) {
    const krs__pool pool = {&t->armed->tf, t->pool};
    krs__memory_map map = {0};
    krs_trim *told = &trim->trim;
    const krs_status status = krs__pool_read(&pool, &map, &told->refusal);
    if (status != KRS_OK || told->refusal != KRS_REFUSAL_NONE)
        return status;
    const uint64_t size = krs__memory_map_size(&map);
    told->before = told->after = size - krs__pieces_taken(t->pool);
    told->size = size;
    for (size_t i = 0; i < sizeof trim->name; i++)
        trim->name[i] = map.name[i];
    take_free(t, &map);
    krs__memory_map_free(&map);
    if (t->count > 0 && t->armed->granules.settle(t->pieces[0].begin) != 0) {
        told->refusal = KRS_REFUSAL_DRIVER;
        give_back(t);
        return KRS_OK;
    }
    for (size_t i = 0; i < t->count; i++)
        told->returned += take_pages_of(t, &t->pieces[i]);
    told->after -= told->returned;
    return KRS_OK;
}

/* Registers the pool, so that whoever finds nothing free in it waits. */
static bool begin(krs__armed *a, void *pool) {
    size_t at = 0;
    while (at < a->pool_count && a->pools[at].pool != pool)
        at++;
    if (at == KRS__ARMED_POOLS)
        return false;
    void *mutex = at < a->pool_count ? a->pools[at].mutex : krs__armed_find_lock(pool);
    if (mutex == NULL)
        return false;
    pthread_mutex_lock(&a->book);
    a->pools[at] = (krs__armed_pool){pool, mutex};
    a->pool_count += at == a->pool_count;
    a->taking_from = pool;
    pthread_mutex_unlock(&a->book);
    return true;
}

static void end(krs__armed *a) {
    pthread_mutex_lock(&a->book);
    a->taking_from = NULL;
    pthread_mutex_unlock(&a->book);
}

static krs_status take_pool(krs__armed *a, void *pool, krs_pool_trim *trim) {
    taking t = {.armed = a, .pool = pool};
    *trim = (krs_pool_trim){.trim = {.refusal = KRS_REFUSAL_CALLS}};
    pthread_mutex_lock(&a->at_work);
    krs_status status = KRS_OK;
    if (begin(a, pool)) {
        status = take_from(&t, trim);
        end(a);
    }
    pthread_mutex_unlock(&a->at_work);
    free(t.pieces);
    return status;
}

krs_status krs_tensorflow_take_pages(krs_pool_trim *trims, size_t room, size_t *count) {
    if ((trims == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    krs__armed *a = krs__armed_state();
    void *pools[KRS_POOLS];
    krs_status status = KRS_OK;
    size_t done = 0, found = 0;
    if (a->armed)
        found = krs__region_pools_find(&a->tf, KRS_POOLS_OF_GPU, pools, KRS_POOLS);
    for (size_t i = 0; i < found && done < room && status == KRS_OK; i++) {
        uintptr_t first = 0;
        krs__read_words((uintptr_t)pools[i], &first, 1);
        if (krs__is_of(first, a->tf.gpu_bfc_table)) /* and not of pinned memory */
            status = take_pool(a, pools[i], &trims[done++]);
    }
    if (status == KRS_OK)
        *count = done;
    return status;
}
