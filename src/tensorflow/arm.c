/* Arming: TensorFlow's pools get memory in granules, and ask here before they grow.
 *
 * TensorFlow calls the driver through functions of its own, each with a word of memory
 * that says where the true one is; nought until it is first looked up. And its pool
 * calls its own functions through the library's table of calls. So everything is a
 * store into a word of data. */
#include <string.h>

#include "tensorflow/call_slot.h"
#include "tensorflow/pages.h"
#include "tensorflow/pool.h"

_Thread_local bool krs__is_taking;

static krs__armed state = {.at_work = PTHREAD_MUTEX_INITIALIZER,
                           .book = PTHREAD_MUTEX_INITIALIZER};

krs__armed *krs__armed_state(void) {
    return &state;
}

/* ---- in TensorFlow's place, under the lock of the pool ---------------------- */

/* The lock is let go meanwhile, as the pool does itself when it waits for memory: it
 * keeps nothing across this call but what it looks up again. */
static bool extend(void *pool, size_t alignment, size_t bytes) {
    if (krs__is_taking)
        return false;
    void *mutex;
    while (state.tf.largest_free(pool) < bytes &&
           (mutex = krs__pieces_lock_of(pool)) != NULL) {
        state.unlock(mutex);
        pthread_mutex_lock(&state.at_work);
        const bool brought = krs__pieces_bring(pool, bytes);
        pthread_mutex_unlock(&state.at_work);
        state.lock(mutex);
        if (!brought)
            break;
    }
    return state.tf.largest_free(pool) >= bytes ||
           state.tf.extend(pool, alignment, bytes);
}

static bool release_regions(void *pool, size_t wanted) {
    return !krs__is_taking && state.tf.release_regions(pool, wanted);
}

/* ---- finding a pool's lock -------------------------------------------------- */

static _Thread_local void **lock_seen;

static void lock(void *mutex) {
    if (lock_seen != NULL && *lock_seen == NULL)
        *lock_seen = mutex;
    state.lock(mutex);
}

static void *address_of(krs__mutex_function *function) {
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

/* The first lock that is taken to read the pool's map, if it lies within the pool. */
void *krs__armed_find_lock(void *pool) {
    enum { FARTHEST = 8192 };
    const krs__pool read = {&state.tf, pool};
    krs__memory_map map = {0};
    krs_refusal refusal;
    void **slot, *inside, *mutex = NULL;
    memcpy(&inside, &state.tf.record_map, sizeof inside);
    if (krs__call_slot_find(inside, KRS__LOCK, &slot) != KRS_REFUSAL_NONE)
        return NULL;
    lock_seen = &mutex;
    void *const theirs = __atomic_exchange_n(slot, address_of(lock), __ATOMIC_SEQ_CST);
    const krs_status status = krs__pool_read(&read, &map, &refusal);
    __atomic_store_n(slot, theirs, __ATOMIC_SEQ_CST);
    lock_seen = NULL;
    krs__memory_map_free(&map);
    const uintptr_t offset = (uintptr_t)mutex - (uintptr_t)pool;
    return status == KRS_OK && refusal == KRS_REFUSAL_NONE && mutex != NULL &&
                   offset > 0 && offset < FARTHEST
               ? mutex
               : NULL;
}

/* ---- arming ----------------------------------------------------------------- */

/* The word by which TensorFlow's own `symbol` reaches the driver's function, out of
 * `cmpq $0, offset(%rip)` where it begins. */
static void **find_driver_word(const char *symbol) {
    const unsigned char *code = krs__tensorflow_symbol(symbol);
    int32_t offset;
    if (code == NULL || code[0] != 0x48 || code[1] != 0x83 || code[2] != 0x3D ||
        code[7] != 0)
        return NULL;
    memcpy(&offset, code + 3, sizeof offset);
    return (void **)(uintptr_t)(code + 8 + offset);
}

typedef struct {
    void **allocate, **deallocate, **extend, **release, **lock, **unlock;
} words;

static krs_refusal find_words(const krs__tensorflow *tf, words *w) {
    void *inside;
    memcpy(&inside, &tf->record_map, sizeof inside);
    const struct {
        const char *symbol;
        void ***word;
    } calls[] = {{KRS__EXTEND, &w->extend},
                 {KRS__RELEASE_REGIONS, &w->release},
                 {KRS__LOCK, &w->lock},
                 {KRS__UNLOCK, &w->unlock}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const krs_refusal refusal =
            krs__call_slot_find(inside, calls[i].symbol, calls[i].word);
        if (refusal != KRS_REFUSAL_NONE)
            return refusal;
    }
    w->allocate = find_driver_word("cuMemAlloc_v2");
    w->deallocate = find_driver_word("cuMemFree_v2");
    return w->allocate == NULL || w->deallocate == NULL ? KRS_REFUSAL_CODE
                                                        : KRS_REFUSAL_NONE;
}

static void store(void **word, const void *function) {
    void *address;
    memcpy(&address, function, sizeof address);
    __atomic_store_n(word, address, __ATOMIC_SEQ_CST);
}

/* Functions that free come before those that allocate, and what brings back before what
 * could have been taken. */
static void lead_here(const words *w) {
    bool (*const our_extend)(void *, size_t, size_t) = extend;
    bool (*const our_release)(void *, size_t) = release_regions;
    memcpy(&state.lock, w->lock, sizeof state.lock);
    memcpy(&state.unlock, w->unlock, sizeof state.unlock);
    store(w->extend, &our_extend);
    store(w->release, &our_release);
    store(w->deallocate, &state.granules.deallocate);
    store(w->allocate, &state.granules.allocate);
}

static krs_refusal refusal_of(const krs__tensorflow *tf, const char **symbol) {
    const krs_refusal refusal = krs__tensorflow_refusal(tf);
    *symbol = tf->missing != NULL               ? tf->missing
              : tf->missing_for_regions != NULL ? tf->missing_for_regions
                                                : tf->missing_for_pages;
    if (refusal == KRS_REFUSAL_NONE && *symbol != NULL)
        return KRS_REFUSAL_SYMBOL;
    return refusal;
}

krs_status krs_tensorflow_arm(const krs_gpu_granules *granules, krs_arming *arming) {
    if (granules == NULL || arming == NULL)
        return KRS_INVALID;
    krs__tensorflow tf;
    words w;
    krs_arming done = {.symbol = NULL};
    pthread_mutex_lock(&state.at_work);
    krs__tensorflow_find(&tf);
    done.refusal = state.armed ? KRS_REFUSAL_NONE : refusal_of(&tf, &done.symbol);
    if (done.refusal == KRS_REFUSAL_NONE && !state.armed)
        done.refusal = find_words(&tf, &w);
    if (done.refusal == KRS_REFUSAL_NONE && !state.armed) {
        done.late = *w.allocate != NULL;
        state.tf = tf;
        state.granules = *granules;
        lead_here(&w);
        state.armed = true;
    }
    pthread_mutex_unlock(&state.at_work);
    if (done.refusal != KRS_REFUSAL_SYMBOL)
        done.symbol = NULL;
    *arming = done;
    return KRS_OK;
}

int krs_tensorflow_is_armed(void) {
    pthread_mutex_lock(&state.at_work);
    const bool armed = state.armed;
    pthread_mutex_unlock(&state.at_work);
    return armed;
}
