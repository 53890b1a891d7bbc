/* pages.h - pages of a pool, taken from it and given back: pieces. */
#ifndef KRS_TENSORFLOW_PAGES_H
#define KRS_TENSORFLOW_PAGES_H

#include <pthread.h>

#include "tensorflow/symbols.h"

/* An allocation of ours in a pool, whose whole granules have been taken. */
typedef struct {
    void *pool;
    uint64_t begin, end, taken;
} krs__piece;

typedef struct {
    void *pool, *mutex; /* the pool's own lock, an absl::Mutex */
} krs__armed_pool;

typedef void krs__mutex_function(void *mutex);

enum { KRS__ARMED_POOLS = 64 };

/* What the functions in TensorFlow's place need to know; they have no argument of ours
 * by which to get it. Filled once by krs_tensorflow_arm(). */
typedef struct {
    bool armed;
    krs__tensorflow tf;
    krs_gpu_granules granules;
    krs__mutex_function *lock, *unlock;
    /* Held by whoever takes pages or brings them back, for as long as it takes: whoever
     * needs memory meanwhile waits, instead of running out of it. */
    pthread_mutex_t at_work;
    /* Held for moments; guards what follows. */
    pthread_mutex_t book;
    krs__armed_pool pools[KRS__ARMED_POOLS];
    krs__piece *pieces; /* by pool and address */
    size_t pool_count, piece_count, capacity;
    void *taking_from; /* the pool that pages are being taken from, or NULL */
} krs__armed;

krs__armed *krs__armed_state(void);

/* Set in the thread that takes: it must not make the pool grow or release regions. */
extern _Thread_local bool krs__is_taking;

/* The lock of a pool of which something is or is being taken, else NULL. */
void *krs__pieces_lock_of(void *pool);

/* Adds a piece; false where there is no memory for the entry. */
bool krs__pieces_add(const krs__piece *piece);

/* Writes down how much of it was taken. */
void krs__pieces_note(const krs__piece *piece);

/* Bytes of granules that are taken from a pool. */
uint64_t krs__pieces_taken(void *pool);

/* All pieces of a pool, by rising address; to be freed. KRS_NOMEM, and nothing written.
 */
krs_status krs__pieces_copy(void *pool, krs__piece **pieces, size_t *count);

/* Brings back neighbouring pieces that together have `bytes`, as few as will do; all of
 * the pool where there are none. False where the driver has no memory for them. With
 * at_work held, and without the lock of the pool. */
bool krs__pieces_bring(void *pool, uint64_t bytes);

/* The lock of `pool`, learned as it is taken by TensorFlow; NULL where it was not. */
void *krs__armed_find_lock(void *pool);

#endif
