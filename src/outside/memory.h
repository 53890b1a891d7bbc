/* memory.h - the memory of another process, copied piece by piece as it is asked for.
 *
 * A piece is copied once, when something in it is first asked for, and answers from the
 * copy from then on: what is never asked for (weights, thread stacks, libraries) is
 * never read. Of an address in hand nothing is known: it may be garbage. So every read
 * says whether it got all its bytes, and none of them ends the program.
 *
 * Who reads is a function, so that tests and the fuzzer can put made memory here. */
#ifndef KRS_OUTSIDE_MEMORY_H
#define KRS_OUTSIDE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keraser.h"

/* Copies `size` bytes at `address` of the target, or as many of the first of them as
 * there are; returns how many, or -1 with errno. */
typedef ptrdiff_t krs__reader(void *context, uint64_t address, void *to, size_t size);

/* Where the target has memory that may be read: [begin, end), in rising order. */
typedef struct {
    uint64_t begin, end;
} krs__range;

enum {
    KRS__PIECE_BITS = 17, /* 128 KiB: a call costs as much as copying 20 KiB */
    KRS__PIECE_BYTES = 1 << KRS__PIECE_BITS,
    KRS__PAGE_BYTES = 4096,
    KRS__PIECE_PAGES = KRS__PIECE_BYTES / KRS__PAGE_BYTES,
};

typedef struct krs__memory krs__memory;

/* Adds every range that the target has mapped by now to `memory`, which has none. */
typedef krs_status krs__mapper(void *context, krs__memory *memory);

typedef struct {
    uint64_t number; /* address >> KRS__PIECE_BITS, plus 1; 0: an empty slot */
    uint32_t pages;  /* a bit for each page that could be read */
    uint8_t *bytes;
} krs__piece;

struct krs__memory {
    krs__reader *read;
    void *context;
    krs__range *ranges; /* its own; room for all that were added */
    size_t range_count, range_room;
    krs__piece *pieces; /* open addressing, linear probing */
    size_t slot_count, piece_count;
    size_t byte_limit; /* of copies held at once */
    uint64_t copied;   /* bytes, over all the time */
    int failure;       /* errno of the first read that failed for the process as a
                          whole: ESRCH, EPERM; else 0 */
    bool out_of_memory, over_limit;
};

/* Nothing is allocated before the first range or read. */
void krs__memory_init(krs__memory *memory, krs__reader *read, void *context,
                      size_t byte_limit);
void krs__memory_free(krs__memory *memory);

/* A further range; those that follow one another in rising order are what is readable.
 * Whole pages; one that touches or overlaps the last is joined to it, one that begins
 * before it is KRS_INVALID. */
krs_status krs__memory_add(krs__memory *memory, uint64_t begin, uint64_t end);

/* Forgets every copy, so that what is asked for next is as it is then. */
void krs__memory_forget(krs__memory *memory);

/* KRS_OK while no read has met what makes going on useless: memory of ours that has run
 * out, the limit, the end of the process or of the right to read it. */
krs_status krs__memory_status(const krs__memory *memory);

/* All `size` bytes, or false. */
bool krs__memory_copy(krs__memory *memory, uint64_t address, void *to, size_t size);

bool krs__memory_word(krs__memory *memory, uint64_t address, uint64_t *word);
bool krs__memory_half(krs__memory *memory, uint64_t address, uint32_t *half);
bool krs__memory_byte(krs__memory *memory, uint64_t address, uint8_t *byte);

/* A word, 0 where it cannot be read: for pointers, where both mean nothing. */
uint64_t krs__memory_pointer(krs__memory *memory, uint64_t address);

/* Reads a text that ends in a NUL, cut to what `room` bytes hold; false where it cannot
 * be read as far as that. */
bool krs__memory_text(krs__memory *memory, uint64_t address, char *text, size_t room);

#endif
