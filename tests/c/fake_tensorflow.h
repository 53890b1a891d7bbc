/* fake_tensorflow.h - a TensorFlow of a few hundred lines: its allocator, its pool and
 * the symbols by which the core finds them.
 *
 * The pool is TensorFlow's in what counts: best fit by size and then address, chunks
 * that are split when twice as large as the request, neighbours that merge when free,
 * regions that are added, twice as large each time, when nothing fits. Its memory is
 * mapped for it, so that pages are given back and looked at as they would be. */
#ifndef KRS_TESTS_FAKE_TENSORFLOW_H
#define KRS_TESTS_FAKE_TENSORFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_KIB = 1024, FAKE_MIB = 1024 * 1024, FAKE_PAGE = 4096 };

typedef struct {
    bool absent;          /* TensorFlow is not loaded */
    const char *lacks;    /* this symbol is not there */
    bool other_allocator; /* the allocator has another table */
    bool null_allocator;  /* there is none */
    bool wild_words; /* beside the vptr the allocator has nothing that can be read */
    bool other_dump; /* what the map is written into is something else */
    bool refuses_to_write; /* serializing says no */
    const uint8_t *text;   /* the map, in place of the true one */
    size_t text_length;
    bool outside;            /* tensors come from elsewhere than the pool */
    bool lies;               /* the map has no chunk in use */
    long fails;              /* the nth allocation of a tensor from now gives NULL */
    void (*meanwhile)(void); /* another thread, at every call into TensorFlow */
} fake_faults;

extern fake_faults fake;

/* An empty pool; and its end. Nothing may be in use at the end. */
void fake_start(void);
void fake_stop(void);

/* As another thread would: a tensor of `bytes`, all of them written. */
void *fake_tensor(size_t bytes);
void fake_delete(void *tensor);
const uint8_t *fake_data(const void *tensor);

/* Bytes of the pool; regions; tensors alive; maps that were made and not
 * destroyed; tensors that the core asked for since fake_start(). */
size_t fake_pool_bytes(void);
unsigned fake_regions(void);
bool fake_is_allocating(
    void); /* to `meanwhile`: is it our request that it overtakes? */
unsigned fake_tensors(void);
unsigned fake_dumps(void);
unsigned fake_allocations(void);

/* Largest free chunk, and resident bytes of whole pages in free chunks. */
size_t fake_largest_free(void);
size_t fake_idle(void);

#endif
