/* Giving back what TensorFlow's CPU pool keeps and does not use.
 *
 * A pool of the best-fit kind gives a request the smallest free chunk that is large
 * enough, and of equal ones the lowest: to ask for exactly the size of a free chunk is
 * to get it. While it is ours its pages go to the system; then it is freed, and whoever
 * gets it next finds zeros. Since the pages are ours, no other thread can be harmed,
 * whatever it does meanwhile, and whichever chunk we were given in the end.
 *
 * What could be harmed is the size of the pool: a request that no free chunk satisfies
 * makes it grow, and never shrink. So
 *  - Chunks are taken by falling size and freed before the next: a request of ours that
 *    comes too late for its chunk is satisfied by a larger one. Only equal ones must be
 *    held together. For the largest, which has none above it, the map is read again at
 *    the last moment.
 *  - Other threads must find something while we hold a chunk. If there is none beside
 * it of half its size, it is taken in parts: at any time but the moment of a call a
 *    quarter of it is free.
 *  - A block of ours outside the map that was read says that the pool has grown: stop.
 *
 * Pages that are not resident are not advised, and chunks without any not taken. */
#define _DEFAULT_SOURCE /* mincore, madvise */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tensorflow/pool.h"

enum {
    LEAST_BYTES = 65536, /* resident: for less no chunk is taken */
    GRANULE = 256,       /* of the pool's sizes: kMinAllocationSize */
    PAGES = 4096,        /* looked at in one call */
    PASSES = 3,          /* where other threads take what we were after */
    QUARTERS = 4 * (KRS__POOL_SMALLEST + GRANULE), /* each can be asked for */
};

/* A free chunk when the map was read. */
typedef struct {
    uintptr_t begin;
    uint64_t bytes, resident;
} target;

typedef struct {
    const krs__pool *pool;
    krs__memory_map map;
    krs_trim told;
    krs_status status;
    target *targets; /* by falling size, then rising address */
    krs__block *held;
    size_t target_count, held_count;
} balloon;

static bool goes_on(const balloon *b) {
    return b->status == KRS_OK && b->told.refusal == KRS_REFUSAL_NONE && !b->told.grew;
}

/* ---- pages ------------------------------------------------------------------ */

/* The whole pages between two addresses; empty where there is none. */
static void whole_pages(uintptr_t *begin, uintptr_t *end) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    *begin = (*begin + page - 1) / page * page;
    *end = *end / page * page;
    if (*end < *begin)
        *end = *begin;
}

/* Resident bytes of the whole pages from `begin` to `end`. */
static uint64_t resident(balloon *b, uintptr_t begin, uintptr_t end) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char pages[PAGES];
    uint64_t count = 0;
    whole_pages(&begin, &end);
    while (begin < end) {
        const size_t most = PAGES * page, left = end - begin;
        const size_t length = left < most ? left : most;
        if (mincore((void *)begin, length, pages) != 0) {
            b->status = KRS_SYSTEM;
            return 0;
        }
        for (size_t i = 0; i < length / page; i++)
            count += pages[i] & 1;
        begin += length;
    }
    return count * page;
}

/* Gives the pages of a block of ours to the system. What was resident is looked at
 * before and after: a sandbox that does not tell must not be believed to have freed. */
static void give_pages(balloon *b, const krs__block *block) {
    uintptr_t begin = block->begin, end = block->end;
    const uint64_t before = resident(b, begin, end);
    whole_pages(&begin, &end);
    if (before == 0 || b->status != KRS_OK)
        return;
    if (madvise((void *)begin, end - begin, MADV_DONTNEED) != 0) {
        b->status = KRS_SYSTEM;
        return;
    }
    const uint64_t after = resident(b, begin, end);
    b->told.returned += before > after ? before - after : 0;
}

/* ---- the map ---------------------------------------------------------------- */

/* Reads the map; says so where the pool has grown since the last time. */
static void read_map(balloon *b) {
    const uint64_t size = b->told.size;
    const krs_status status = krs__pool_read(b->pool, &b->map, &b->told.refusal);
    b->status = b->status == KRS_OK ? status : b->status;
    b->told.size = krs__memory_map_size(&b->map);
    b->told.grew |= size != 0 && b->told.size > size;
}

static int by_falling_size(const void *left, const void *right) {
    const target *l = left, *r = right;
    if (l->bytes != r->bytes)
        return l->bytes > r->bytes ? -1 : 1;
    return l->begin < r->begin ? -1 : l->begin > r->begin;
}

/* Makes targets of the free chunks that can be asked for; resident bytes of all that
 * are free, smaller ones too, are returned. */
static uint64_t find_targets(balloon *b) {
    uint64_t idle = 0;
    b->target_count = 0;
    for (size_t i = 0; i < b->map.count && b->status == KRS_OK; i++) {
        const krs__chunk *c = &b->map.chunks[i];
        if (c->in_use)
            continue;
        const target t = {c->begin, c->end - c->begin, resident(b, c->begin, c->end)};
        idle += t.resident;
        if (t.bytes >= KRS__POOL_SMALLEST)
            b->targets[b->target_count++] = t;
    }
    qsort(b->targets, b->target_count, sizeof *b->targets, by_falling_size);
    return idle;
}

static bool anything_to_give(const balloon *b) {
    for (size_t i = 0; i < b->target_count; i++) {
        if (b->targets[i].resident >= LEAST_BYTES)
            return true;
    }
    return false;
}

/* ---- blocks ----------------------------------------------------------------- */

/* Takes a block of `bytes`, if there is still a free chunk for it. */
static bool take(balloon *b, uint64_t bytes, bool look_again) {
    krs__block *block = &b->held[b->held_count];
    if (look_again)
        read_map(b);
    if (!goes_on(b) || !krs__memory_map_has_free(&b->map, bytes) ||
        !krs__block_take(b->pool, bytes, block))
        return false;
    b->held_count++;
    b->told.grew |= krs__memory_map_find(&b->map, block->begin) == NULL ||
                    krs__memory_map_find(&b->map, block->end - 1) == NULL;
    return goes_on(b);
}

static void give_newest(balloon *b) {
    give_pages(b, &b->held[b->held_count - 1]);
}

static bool take_and_give(balloon *b, uint64_t bytes, bool look_again) {
    const bool taken = take(b, bytes, look_again);
    if (taken)
        give_newest(b);
    return taken;
}

/* Frees what is held but for the newest `kept`. */
static void free_held(balloon *b, size_t kept) {
    const size_t count = b->held_count - kept;
    for (size_t i = 0; i < count; i++)
        krs__block_free(b->pool, &b->held[i]);
    for (size_t i = 0; i < kept; i++)
        b->held[i] = b->held[count + i];
    b->held_count = kept;
}

static uint64_t half_of(uint64_t bytes) {
    return bytes / 2 / GRANULE * GRANULE;
}

/* Takes the first `bytes` of the free chunk at `begin`, if others have left it as it
 * was. */
static bool take_part(balloon *b, uintptr_t begin, uint64_t chunk, uint64_t bytes) {
    read_map(b);
    const krs__chunk *c = krs__memory_map_find(&b->map, begin);
    return c != NULL && !c->in_use && c->begin == begin && c->end - begin == chunk &&
           take(b, bytes, false) && b->held[b->held_count - 1].begin == begin;
}

/* A chunk beside which none has half its size: first its lower half, with the upper one
 * left to others; then half of that, which keeps the freed lower half from growing
 * together with the rest; then, by its exact size again, the rest. Where `next`, the
 * largest beside it, would be given for a quarter, others have that quarter in it. */
static void take_in_parts(balloon *b, const target *t, uint64_t next) {
    const uint64_t half = half_of(t->bytes), upper = t->bytes - half;
    const uint64_t quarter = next < half_of(upper) ? half_of(upper) : 0;
    if (!take_part(b, t->begin, t->bytes, half))
        return;
    give_newest(b);
    if (quarter > 0) {
        if (!take_part(b, t->begin + half, upper, quarter))
            return;
        free_held(b, 1);
        give_newest(b);
    }
    if (!take_part(b, t->begin + half + quarter, upper - quarter, upper - quarter))
        return;
    free_held(b, 1);
    give_newest(b);
}

/* Takes the `count` targets of equal size from `first` on, as far as something of them
 * is resident. `next`: the largest that is smaller. */
static void take_equal(balloon *b, const target *first, size_t count, uint64_t next) {
    size_t last = count;
    while (last > 0 && first[last - 1].resident < LEAST_BYTES)
        last--;
    const bool largest = first == b->targets;
    const bool alone = largest && last == count && next < half_of(first->bytes);
    const bool in_parts = alone && first->bytes >= QUARTERS;
    for (size_t i = 0; i < last && goes_on(b); i++) {
        if (in_parts && i == last - 1)
            take_in_parts(b, &first[i], next);
        else if (!take_and_give(b, first->bytes, largest))
            break;
    }
    free_held(b, 0);
}

static void take_all(balloon *b) {
    for (size_t i = 0, next; i < b->target_count && goes_on(b); i = next) {
        const target *first = &b->targets[i];
        next = i + 1;
        while (next < b->target_count && b->targets[next].bytes == first->bytes)
            next++;
        const bool is_last = next == b->target_count;
        take_equal(b, first, next - i, is_last ? 0 : b->targets[next].bytes);
    }
}

/* Room for all that a pass could find and hold; the parts of a chunk are held two at a
 * time, and what another thread makes of a chunk meanwhile is not looked at. */
static void make_room(balloon *b) {
    free(b->targets);
    free(b->held);
    b->targets = malloc((b->map.count + 1) * sizeof *b->targets);
    b->held = malloc((b->map.count + 2) * sizeof *b->held);
    if (b->targets == NULL || b->held == NULL)
        b->status = KRS_NOMEM;
}

/* Reads the map and what of it is resident; the latter is returned. */
static uint64_t look(balloon *b) {
    read_map(b);
    if (b->status == KRS_OK && b->told.refusal == KRS_REFUSAL_NONE)
        make_room(b);
    if (b->status != KRS_OK || b->told.refusal != KRS_REFUSAL_NONE)
        return 0;
    return find_targets(b) + krs__memory_map_in_use(&b->map);
}

static void trim(balloon *b) {
    b->told.before = b->told.after = look(b);
    for (int pass = 0; pass < PASSES && goes_on(b) && anything_to_give(b); pass++) {
        if (pass == 0)
            b->status = krs__pool_test(b->pool, &b->map, &b->told.refusal);
        if (goes_on(b))
            take_all(b);
        if (b->status == KRS_OK && b->told.refusal == KRS_REFUSAL_NONE)
            b->told.after = look(b);
    }
}

krs_status krs_tensorflow_trim(krs_trim *told) {
    if (told == NULL)
        return KRS_INVALID;
    krs__tensorflow tf;
    krs__pool pool;
    krs__tensorflow_find(&tf);
    balloon b = {.pool = &pool};
    b.told.refusal = krs__tensorflow_refusal(&tf);
    b.told.symbol = b.told.refusal == KRS_REFUSAL_SYMBOL ? tf.missing : NULL;
    if (b.told.refusal == KRS_REFUSAL_NONE)
        krs__pool_find(&tf, &pool, &b.told.refusal);
    if (b.told.refusal == KRS_REFUSAL_NONE)
        trim(&b);
    const int error = errno;
    free(b.held);
    free(b.targets);
    krs__memory_map_free(&b.map);
    errno = error;
    if (b.status == KRS_OK)
        *told = b.told;
    return b.status;
}
