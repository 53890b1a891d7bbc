/* The book of pieces. A piece leaves it only when it is the pool's again, so that
 * whoever finds nothing free can see that something is on its way. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "tensorflow/pages.h"

static bool is_before(const krs__piece *left, const krs__piece *right) {
    return left->pool != right->pool ? (uintptr_t)left->pool < (uintptr_t)right->pool
                                     : left->begin < right->begin;
}

static bool make_room(krs__armed *a) {
    if (a->piece_count < a->capacity)
        return true;
    const size_t capacity =
        krs__array_capacity(a->capacity, a->piece_count + 1, sizeof *a->pieces);
    krs__piece *pieces = krs__array_resize(a->pieces, capacity, sizeof *a->pieces);
    if (pieces == NULL)
        return false;
    a->pieces = pieces;
    a->capacity = capacity;
    return true;
}

bool krs__pieces_add(const krs__piece *piece) {
    krs__armed *a = krs__armed_state();
    pthread_mutex_lock(&a->book);
    const bool fits = make_room(a);
    if (fits) {
        size_t at = a->piece_count++;
        for (; at > 0 && is_before(piece, &a->pieces[at - 1]); at--)
            a->pieces[at] = a->pieces[at - 1];
        a->pieces[at] = *piece;
    }
    pthread_mutex_unlock(&a->book);
    return fits;
}

void krs__pieces_note(const krs__piece *piece) {
    krs__armed *a = krs__armed_state();
    pthread_mutex_lock(&a->book);
    for (size_t i = 0; i < a->piece_count; i++) {
        if (a->pieces[i].begin == piece->begin)
            a->pieces[i].taken = piece->taken;
    }
    pthread_mutex_unlock(&a->book);
}

static void remove_piece(const krs__piece *piece) {
    krs__armed *a = krs__armed_state();
    pthread_mutex_lock(&a->book);
    for (size_t i = 0; i < a->piece_count; i++) {
        if (a->pieces[i].begin != piece->begin)
            continue;
        memmove(&a->pieces[i], &a->pieces[i + 1],
                (a->piece_count - i - 1) * sizeof *a->pieces);
        a->piece_count--;
        break;
    }
    pthread_mutex_unlock(&a->book);
}

static bool has_pieces(const krs__armed *a, void *pool) {
    for (size_t i = 0; i < a->piece_count; i++) {
        if (a->pieces[i].pool == pool)
            return true;
    }
    return false;
}

void *krs__pieces_lock_of(void *pool) {
    krs__armed *a = krs__armed_state();
    void *mutex = NULL;
    pthread_mutex_lock(&a->book);
    if (a->taking_from == pool || has_pieces(a, pool)) {
        for (size_t i = 0; i < a->pool_count; i++) {
            if (a->pools[i].pool == pool)
                mutex = a->pools[i].mutex;
        }
    }
    pthread_mutex_unlock(&a->book);
    return mutex;
}

uint64_t krs__pieces_taken(void *pool) {
    krs__armed *a = krs__armed_state();
    uint64_t taken = 0;
    pthread_mutex_lock(&a->book);
    for (size_t i = 0; i < a->piece_count; i++)
        taken += a->pieces[i].pool == pool ? a->pieces[i].taken : 0;
    pthread_mutex_unlock(&a->book);
    return taken;
}

krs_status krs__pieces_copy(void *pool, krs__piece **pieces, size_t *count) {
    krs__armed *a = krs__armed_state();
    size_t found = 0;
    pthread_mutex_lock(&a->book);
    krs__piece *copy = malloc((a->piece_count + 1) * sizeof *copy);
    for (size_t i = 0; copy != NULL && i < a->piece_count; i++) {
        if (a->pieces[i].pool == pool)
            copy[found++] = a->pieces[i];
    }
    pthread_mutex_unlock(&a->book);
    if (copy == NULL)
        return KRS_NOMEM;
    *pieces = copy;
    *count = found;
    return KRS_OK;
}

/* ---- bringing back -------------------------------------------------------------- */

/* The fewest bytes of neighbours in a row that have `bytes`: `*first` of `*count`. All
 * of the pool where no row has. */
static void choose(const krs__armed *a, void *pool, uint64_t bytes, size_t *first,
                   size_t *count) {
    uint64_t best = UINT64_MAX;
    size_t begin = 0, all_first = a->piece_count, all_count = 0;
    for (size_t i = 0; i < a->piece_count; i++) {
        const krs__piece *p = &a->pieces[i];
        if (p->pool != pool)
            continue;
        if (all_count++ == 0)
            all_first = begin = i;
        else if (a->pieces[i - 1].end != p->begin)
            begin = i;
        while (begin < i && p->end - a->pieces[begin + 1].begin >= bytes)
            begin++;
        const uint64_t row = p->end - a->pieces[begin].begin;
        if (row >= bytes && row < best) {
            best = row;
            *first = begin;
            *count = i + 1 - begin;
        }
    }
    if (best == UINT64_MAX) {
        *first = all_first;
        *count = all_count;
    }
}

/* Copies what was chosen, since the book changes while it is brought back. */
static krs__piece *copy_chosen(krs__armed *a, void *pool, uint64_t bytes,
                               size_t *count) {
    size_t first = 0;
    *count = 0;
    pthread_mutex_lock(&a->book);
    choose(a, pool, bytes, &first, count);
    krs__piece *chosen = malloc((*count + 1) * sizeof *chosen);
    if (chosen != NULL && *count > 0)
        memcpy(chosen, &a->pieces[first], *count * sizeof *chosen);
    pthread_mutex_unlock(&a->book);
    return chosen;
}

bool krs__pieces_bring(void *pool, uint64_t bytes) {
    krs__armed *a = krs__armed_state();
    size_t count, done = 0;
    krs__piece *chosen = copy_chosen(a, pool, bytes, &count);
    if (chosen == NULL)
        return false;
    for (; done < count; done++) {
        const krs__piece *p = &chosen[done];
        if (!a->granules.bring(p->begin, p->end))
            break;
        a->tf.deallocate_raw(pool, (void *)(uintptr_t)p->begin);
        remove_piece(p);
    }
    free(chosen);
    return done == count;
}
