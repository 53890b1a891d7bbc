/* Giving back regions in which nothing is in use.
 *
 * TensorFlow has a function for it, DeallocateFreeRegions, which it calls when memory
 * runs out. It must be called under the lock of the pool, which is not to be had: where
 * it stands differs from version to version, and its functions' names do. But the
 * public function that records the map of a pool takes the lock, and does the recording
 * by a call that goes through a word of the library's table of calls. For the time of
 * one such call that word leads here: this thread then is where it has to be, with the
 * lock, and all others pass straight on. In the same way the warning that memory is
 * scarce, which TensorFlow logs there, is kept out of the log: it is not.
 *
 * Before anything is changed the word must have been seen to hold the function that it
 * is taken for, the pool's map must agree with the pool's own book, and the function
 * that gives back must begin as it does in the known form: with a look at the flag that
 * says whether it may. Of CPU pools that flag is off: it is on while we have the lock.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/call_slot.h"
#include "tensorflow/pool.h"
#include "tensorflow/region_pools.h"

typedef void *record_function(void *dump, void *pool);
typedef void flush_function(void *message);

/* A word of the table of calls; NULL: not found. */
typedef void **slot;

/* One release, by the thread that makes it. */
typedef struct {
    const krs__tensorflow *tf;
    void *pool;
    size_t flag; /* offset in the pool */
    slot record, flush;
    krs__dump before;
    bool reached, warns;
} visit;

/* Functions that are called in place of TensorFlow's get no argument of ours, so what
 * they need must stand here: the true functions, the visit of this thread, and whether
 * the words are changed now. */
static struct {
    record_function *_Atomic record;
    flush_function *_Atomic flush;
    atomic_flag busy;
} shared = {.busy = ATOMIC_FLAG_INIT};
static _Thread_local visit *own;

/* ---- under the lock of the pool --------------------------------------------- */

static void release(visit *v) {
    unsigned char *flag = (unsigned char *)v->pool + v->flag;
    const unsigned char before = *flag;
    *flag = 1;
    v->warns = true;
    v->tf->release_regions(v->pool, 0);
    v->warns = false;
    *flag = before;
}

static void *record(void *dump, void *pool) {
    visit *v = own;
    if (v != NULL && !v->reached) {
        v->reached = true;
        v->tf->record_locked(v->before.bytes, pool);
        release(v);
    }
    return atomic_load(&shared.record)(dump, pool);
}

/* The first message of a release is that warning; what comes after are errors. */
static void flush(void *message) {
    if (own != NULL && own->warns)
        own->warns = false;
    else
        atomic_load (&shared.flush)(message);
}

/* Puts a function where calls lead; returns the one that was there. */
static void *lead(slot s, void *function) {
    return __atomic_exchange_n(s, function, __ATOMIC_SEQ_CST);
}

/* ISO C has no cast between objects and functions. */
static void *address_of_record(void) {
    record_function *const function = record;
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

static void *address_of_flush(void) {
    flush_function *const function = flush;
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

/* Before the word leads to our function, that one must know where it went before. */
static void *lead_flush_here(slot s) {
    void *const theirs = __atomic_load_n(s, __ATOMIC_SEQ_CST);
    flush_function *function;
    memcpy(&function, &theirs, sizeof function);
    atomic_store(&shared.flush, function);
    lead(s, address_of_flush());
    return theirs;
}

/* Records the map, with a visit under the lock. */
static void visit_pool(visit *v, krs__dump *after) {
    own = v;
    atomic_store(&shared.record, v->tf->record_locked);
    void *const log = v->flush == NULL ? NULL : lead_flush_here(v->flush);
    void *const recording = lead(v->record, address_of_record());
    v->tf->record_map(after->bytes, v->pool);
    lead(v->record, recording);
    if (v->flush != NULL)
        lead(v->flush, log);
    own = NULL;
}

/* ---- what must hold before -------------------------------------------------- */

/* The offset of the flag, out of `cmpb $0, offset(%rdi)` where the function begins. */
static bool find_flag(const krs__tensorflow *tf, size_t *offset) {
    enum { LOOKED_AT = 48, LENGTH = 7, FARTHEST = 8192 };
    const unsigned char *code;
    memcpy(&code, &tf->release_regions, sizeof code);
    for (size_t i = 0; i + LENGTH <= LOOKED_AT; i++) {
        int32_t found;
        memcpy(&found, code + i + 2, sizeof found);
        if (code[i] != 0x80 || code[i + 1] != 0xBF || code[i + 6] != 0)
            continue;
        *offset = (size_t)found;
        return found > 0 && found < FARTHEST;
    }
    return false;
}

static krs_refusal find_slots(visit *v) {
    void *inside, *function;
    memcpy(&inside, &v->tf->record_map, sizeof inside);
    memcpy(&function, &v->tf->record_locked, sizeof function);
    if (krs__call_slot_find(inside, KRS__LOG_FLUSH, &v->flush) != KRS_REFUSAL_NONE)
        v->flush = NULL; /* then it warns */
    const krs_refusal refusal =
        krs__call_slot_find(inside, KRS__RECORD_LOCKED, &v->record);
    if (refusal == KRS_REFUSAL_NONE && *v->record != function)
        return KRS_REFUSAL_CALLS;
    return refusal;
}

/* Reads the map once, by which the word in the table gets its function. */
static krs_status check(visit *v, krs__memory_map *map, krs_refusal *refusal) {
    const krs__pool pool = {v->tf, v->pool};
    const krs_status status = krs__pool_read(&pool, map, refusal);
    if (status != KRS_OK || *refusal != KRS_REFUSAL_NONE)
        return status;
    if (krs__memory_map_in_use(map) != map->told_in_use)
        *refusal = KRS_REFUSAL_MAP;
    else if (!find_flag(v->tf, &v->flag) ||
             ((const unsigned char *)v->pool)[v->flag] > 1)
        *refusal = KRS_REFUSAL_CODE;
    else
        *refusal = find_slots(v);
    return KRS_OK;
}

/* ---- one pool, and all ------------------------------------------------------ */

static krs_status read_both(visit *v, krs__dump *after, krs__memory_map *map,
                            krs_trim *told) {
    krs_refusal refusals[2];
    krs_status status = krs__dump_read(v->tf, &v->before, map, &refusals[0]);
    told->before = krs__memory_map_size(map);
    const krs_status second = krs__dump_read(v->tf, after, map, &refusals[1]);
    told->after = told->size = krs__memory_map_size(map);
    status = status == KRS_OK ? second : status;
    told->refusal = refusals[0] != KRS_REFUSAL_NONE ? refusals[0] : refusals[1];
    if (!v->reached)
        told->refusal = KRS_REFUSAL_CALLS;
    if (status == KRS_OK && told->refusal == KRS_REFUSAL_NONE)
        told->returned = told->before - told->after;
    return status;
}

static krs_status release_pool(const krs__tensorflow *tf, void *pool, bool look,
                               krs_pool_trim *trim) {
    visit v = {.tf = tf, .pool = pool};
    krs__dump after = {.bytes = {0}};
    krs__memory_map map = {0};
    *trim = (krs_pool_trim){.trim = {.refusal = KRS_REFUSAL_BUSY}};
    if (atomic_flag_test_and_set(&shared.busy))
        return KRS_OK;
    krs_status status = check(&v, &map, &trim->trim.refusal);
    memcpy(trim->name, map.name, sizeof trim->name);
    if (status == KRS_OK && trim->trim.refusal == KRS_REFUSAL_NONE && look)
        trim->trim.before = trim->trim.after = trim->trim.size =
            krs__memory_map_size(&map);
    else if (status == KRS_OK && trim->trim.refusal == KRS_REFUSAL_NONE) {
        visit_pool(&v, &after);
        status = read_both(&v, &after, &map, &trim->trim);
    }
    atomic_flag_clear(&shared.busy);
    krs__memory_map_free(&map);
    return status;
}

krs_status krs_tensorflow_release(unsigned which, krs_pool_trim *trims, size_t room,
                                  size_t *count) {
    if ((trims == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    krs__tensorflow tf;
    void *pools[KRS_POOLS];
    const char *symbol;
    const bool look = which & KRS_POOLS_LOOK;
    size_t done = 0;
    krs_status status = KRS_OK;
    krs__tensorflow_find(&tf);
    const krs_refusal refusal = krs__region_pools_refusal(&tf, &symbol);
    if (refusal == KRS_REFUSAL_NONE) {
        const size_t most = room < KRS_POOLS ? room : KRS_POOLS;
        const size_t found = krs__region_pools_find(&tf, which, pools, most);
        for (; done < found && status == KRS_OK; done++)
            status = release_pool(&tf, pools[done], look, &trims[done]);
    } else if (refusal != KRS_REFUSAL_ABSENT && (which & KRS_POOLS_OF_GPU) && room > 0)
        trims[done++] = (krs_pool_trim){.trim = {refusal, symbol, 0, 0, 0, 0, 0}};
    if (status == KRS_OK)
        *count = done;
    return status;
}
