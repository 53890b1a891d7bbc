#include "outside/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { FIRST_SLOTS = 1024 };

void krs__memory_init(krs__memory *memory, krs__reader *read, void *context,
                      size_t byte_limit) {
    *memory = (krs__memory){.read = read, .context = context, .byte_limit = byte_limit};
}

void krs__memory_forget(krs__memory *memory) {
    for (size_t i = 0; i < memory->slot_count; i++)
        free(memory->pieces[i].bytes);
    free(memory->pieces);
    memory->pieces = NULL;
    memory->slot_count = memory->piece_count = 0;
    memory->over_limit = false;
}

void krs__memory_free(krs__memory *memory) {
    krs__memory_forget(memory);
    free(memory->ranges);
    memory->ranges = NULL;
    memory->range_count = memory->range_room = 0;
}

krs_status krs__memory_add(krs__memory *memory, uint64_t begin, uint64_t end) {
    const size_t count = memory->range_count;
    krs__range *last = count > 0 ? &memory->ranges[count - 1] : NULL;
    if (begin >= end || (begin | end) % KRS__PAGE_BYTES != 0 ||
        (last != NULL && begin < last->begin))
        return KRS_INVALID;
    if (last != NULL && begin <= last->end) {
        last->end = end > last->end ? end : last->end;
        return KRS_OK;
    }
    if (count == memory->range_room) {
        const size_t room =
            krs__array_capacity(count, count + 1, sizeof *memory->ranges);
        krs__range *grown =
            krs__array_resize(memory->ranges, room, sizeof *memory->ranges);
        if (grown == NULL)
            return KRS_NOMEM;
        memory->ranges = grown;
        memory->range_room = room;
    }
    memory->ranges[memory->range_count++] = (krs__range){begin, end};
    return KRS_OK;
}

krs_status krs__memory_status(const krs__memory *memory) {
    if (memory->out_of_memory)
        return KRS_NOMEM;
    if (memory->failure != 0)
        return KRS_SYSTEM;
    return memory->over_limit ? KRS_LIMIT : KRS_OK;
}

/* ---- pieces ---------------------------------------------------------------- */

static size_t slot_of(const krs__memory *memory, uint64_t number) {
    size_t slot = (size_t)(number * 0x9E3779B97F4A7C15u >> 20);
    for (;; slot++) {
        slot &= memory->slot_count - 1;
        if (memory->pieces[slot].number == number || memory->pieces[slot].number == 0)
            return slot;
    }
}

/* Room for one piece more, with at least half of the slots empty. */
static bool make_room(krs__memory *memory) {
    if (memory->piece_count < memory->slot_count / 2)
        return true;
    krs__memory grown = *memory;
    grown.slot_count = memory->slot_count ? memory->slot_count * 2 : FIRST_SLOTS;
    grown.pieces = calloc(grown.slot_count, sizeof *grown.pieces);
    if (grown.pieces == NULL)
        return false;
    for (size_t i = 0; i < memory->slot_count; i++)
        if (memory->pieces[i].number != 0)
            grown.pieces[slot_of(&grown, memory->pieces[i].number)] = memory->pieces[i];
    free(memory->pieces);
    *memory = grown;
    return true;
}

/* The first range that ends behind `address`. */
static size_t range_behind(const krs__memory *memory, uint64_t address) {
    size_t low = 0, high = memory->range_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (memory->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void note_failure(krs__memory *memory, int error) {
    if (error == ESRCH || error == EPERM || error == ENOSYS)
        memory->failure = error;
}

/* Reads [begin, end) of the piece that starts at `first`; what cannot be read is passed
 * over page by page. */
static void fill(krs__memory *memory, krs__piece *piece, uint64_t first, uint64_t begin,
                 uint64_t end) {
    while (begin < end && memory->failure == 0) {
        const ptrdiff_t got = memory->read(memory->context, begin,
                                           piece->bytes + (begin - first), end - begin);
        if (got < 0)
            note_failure(memory, errno);
        const uint64_t read =
            got <= 0 ? 0 : ((uint64_t)got > end - begin ? end - begin : (uint64_t)got);
        memory->copied += read;
        const uint64_t whole = read / KRS__PAGE_BYTES;
        for (uint64_t page = 0; page < whole; page++)
            piece->pages |= UINT32_C(1) << ((begin - first) / KRS__PAGE_BYTES + page);
        begin += (whole + (begin + read < end)) * KRS__PAGE_BYTES;
    }
}

static bool load(krs__memory *memory, krs__piece *piece, size_t range) {
    const uint64_t first = (piece->number - 1) << KRS__PIECE_BITS;
    const uint64_t last = first + KRS__PIECE_BYTES;
    if ((memory->piece_count + 1) * (size_t)KRS__PIECE_BYTES > memory->byte_limit) {
        memory->over_limit = true;
        return false;
    }
    piece->bytes = malloc(KRS__PIECE_BYTES);
    if (piece->bytes == NULL) {
        memory->out_of_memory = true;
        return false;
    }
    for (; range < memory->range_count && memory->ranges[range].begin < last; range++) {
        const krs__range r = memory->ranges[range];
        fill(memory, piece, first, r.begin < first ? first : r.begin,
             r.end > last ? last : r.end);
    }
    return true;
}

static const krs__piece *piece_of(krs__memory *memory, uint64_t address) {
    const uint64_t number = (address >> KRS__PIECE_BITS) + 1;
    if (memory->slot_count > 0) {
        const krs__piece *known = &memory->pieces[slot_of(memory, number)];
        if (known->number != 0)
            return known;
    }
    const size_t range = range_behind(memory, address);
    if (krs__memory_status(memory) != KRS_OK || range == memory->range_count ||
        memory->ranges[range].begin > address)
        return NULL;
    krs__piece piece = {.number = number};
    if (!make_room(memory)) {
        memory->out_of_memory = true;
        return NULL;
    }
    const size_t begin = range_behind(memory, (number - 1) << KRS__PIECE_BITS);
    if (!load(memory, &piece, begin))
        return NULL;
    krs__piece *slot = &memory->pieces[slot_of(memory, number)];
    *slot = piece;
    memory->piece_count++;
    return slot;
}

/* Bytes at `address` in our copy, all of them in one page; NULL where there are none.
 */
static const uint8_t *bytes_at(krs__memory *memory, uint64_t address) {
    const krs__piece *piece = piece_of(memory, address);
    if (piece == NULL)
        return NULL;
    const uint64_t offset = address & (KRS__PIECE_BYTES - 1);
    const uint32_t page = piece->pages >> (offset / KRS__PAGE_BYTES);
    return page & 1 ? piece->bytes + offset : NULL;
}

/* ---- what is asked ---------------------------------------------------------- */

bool krs__memory_copy(krs__memory *memory, uint64_t address, void *to, size_t size) {
    uint8_t *out = to;
    if (size > UINT64_MAX - address)
        return false;
    while (size > 0) {
        const size_t in_page = KRS__PAGE_BYTES - (address & (KRS__PAGE_BYTES - 1));
        const size_t part = size < in_page ? size : in_page;
        const uint8_t *bytes = bytes_at(memory, address);
        if (bytes == NULL)
            return false;
        memcpy(out, bytes, part);
        out += part;
        address += part;
        size -= part;
    }
    return true;
}

bool krs__memory_word(krs__memory *memory, uint64_t address, uint64_t *word) {
    return krs__memory_copy(memory, address, word, sizeof *word);
}

bool krs__memory_half(krs__memory *memory, uint64_t address, uint32_t *half) {
    return krs__memory_copy(memory, address, half, sizeof *half);
}

bool krs__memory_byte(krs__memory *memory, uint64_t address, uint8_t *byte) {
    return krs__memory_copy(memory, address, byte, sizeof *byte);
}

uint64_t krs__memory_pointer(krs__memory *memory, uint64_t address) {
    uint64_t word;
    return krs__memory_word(memory, address, &word) ? word : 0;
}

bool krs__memory_text(krs__memory *memory, uint64_t address, char *text, size_t room) {
    for (size_t i = 0; i + 1 < room; i++) {
        if (!krs__memory_copy(memory, address + i, &text[i], 1))
            return false;
        if (text[i] == '\0')
            return true;
    }
    text[room - 1] = '\0';
    return true;
}
