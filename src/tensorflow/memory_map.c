/* A reader of the wire format of protocol buffers, of the little of it that a
 * MemoryDump needs (xla/tsl/protobuf/bfc_memory_map.proto): field 1 is the name of the
 * pool, 5 its book, of which field 2 is the bytes in use; field 3 is a chunk, with the
 * fields below. All else is passed over by its wire type, so that fields may be added.
 *
 * The pool writes its regions by rising address, and the chunks of each in order; that
 * is checked, since a map that is not so was not understood. */
#include "tensorflow/memory_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* wire types */
enum { DUMP_NAME = 1, DUMP_CHUNK = 3, DUMP_BOOK = 5, BOOK_IN_USE = 2 };
enum {
    CHUNK_ADDRESS = 1,
    CHUNK_SIZE = 2,
    CHUNK_REQUESTED = 3,
    CHUNK_BIN = 4,
    CHUNK_OP = 5,
    CHUNK_FREED_AT = 6,
    CHUNK_IN_USE = 8,
    CHUNK_FIELDS = 9
};

/* What a chunk is read for; the wire type of each is VARINT but of the name. */
static const bool is_read[CHUNK_FIELDS] = {
    [CHUNK_ADDRESS] = true, [CHUNK_SIZE] = true, [CHUNK_REQUESTED] = true,
    [CHUNK_BIN] = true,     [CHUNK_OP] = true,   [CHUNK_FREED_AT] = true,
    [CHUNK_IN_USE] = true};

typedef struct {
    const uint8_t *at, *end;
} reader;

/* One field: its number, its wire type and its value, of BYTES the content. */
typedef struct {
    uint64_t number, value;
    reader content;
    unsigned type;
} field;

static bool read_varint(reader *r, uint64_t *value) {
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        const uint64_t byte = *r->at++;
        if (shift == 63 && byte > 1)
            return false;
        sum |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = sum;
            return true;
        }
    }
    return false;
}

static bool read_content(reader *r, uint64_t length, reader *content) {
    if (length > (uint64_t)(r->end - r->at))
        return false;
    *content = (reader){r->at, r->at + length};
    r->at += length;
    return true;
}

static bool read_field(reader *r, field *f) {
    uint64_t tag;
    if (!read_varint(r, &tag) || tag >> 3 == 0)
        return false;
    *f = (field){.number = tag >> 3, .type = tag & 7};
    switch (f->type) {
    case VARINT:
        return read_varint(r, &f->value);
    case BYTES:
        return read_varint(r, &f->value) && read_content(r, f->value, &f->content);
    case FIXED64:
        return read_content(r, 8, &f->content);
    case FIXED32:
        return read_content(r, 4, &f->content);
    default: /* groups, which are older than this message */
        return false;
    }
}

/* What protobuf leaves out is 0: a chunk without a size is none. `text` is where names
 * are counted from. */
static bool read_chunk(reader r, const uint8_t *text, krs__chunk *chunk) {
    uint64_t values[CHUNK_FIELDS] = {0};
    reader op = {text, text};
    while (r.at < r.end) {
        field f;
        if (!read_field(&r, &f))
            return false;
        const bool is_op = f.number == CHUNK_OP;
        if (f.number >= CHUNK_FIELDS || !is_read[f.number])
            continue;
        if (f.type != (is_op ? BYTES : VARINT))
            return false;
        if (is_op)
            op = f.content;
        else
            values[f.number] = f.value;
    }
    const uint64_t address = values[CHUNK_ADDRESS], size = values[CHUNK_SIZE];
    if (address == 0 || size == 0 || address > UINTPTR_MAX ||
        size > UINTPTR_MAX - address)
        return false;
    *chunk = (krs__chunk){.begin = (uintptr_t)address,
                          .end = (uintptr_t)(address + size),
                          .requested = values[CHUNK_REQUESTED],
                          .freed_at = values[CHUNK_FREED_AT],
                          .op = (uint32_t)(op.at - text),
                          .op_length = (uint32_t)(op.end - op.at),
                          .bin = (int32_t)(uint32_t)values[CHUNK_BIN],
                          .in_use = values[CHUNK_IN_USE] != 0};
    return true;
}

static krs_status push(krs__memory_map *map, const krs__chunk *chunk) {
    if (map->count == map->capacity) {
        const size_t capacity =
            krs__array_capacity(map->capacity, map->count + 1, sizeof *map->chunks);
        krs__chunk *chunks =
            krs__array_resize(map->chunks, capacity, sizeof *map->chunks);
        if (chunks == NULL)
            return KRS_NOMEM;
        map->chunks = chunks;
        map->capacity = capacity;
    }
    map->chunks[map->count++] = *chunk;
    return KRS_OK;
}

static void read_name(reader r, krs__memory_map *map) {
    const size_t length = (size_t)(r.end - r.at), most = sizeof map->name - 1;
    memcpy(map->name, r.at, length < most ? length : most);
}

static bool read_book(reader r, krs__memory_map *map) {
    while (r.at < r.end) {
        field f;
        if (!read_field(&r, &f) || (f.number == BOOK_IN_USE && f.type != VARINT))
            return false;
        if (f.number == BOOK_IN_USE)
            map->told_in_use = f.value;
    }
    return true;
}

/* One field of the dump. */
static krs_status take_field(const field *f, const uint8_t *text,
                             krs__memory_map *map) {
    const uintptr_t end = map->count == 0 ? 0 : map->chunks[map->count - 1].end;
    krs__chunk chunk;
    if (f->number != DUMP_NAME && f->number != DUMP_CHUNK && f->number != DUMP_BOOK)
        return KRS_OK;
    if (f->type != BYTES)
        return KRS_FORMAT;
    if (f->number == DUMP_NAME)
        read_name(f->content, map);
    else if (f->number == DUMP_BOOK)
        return read_book(f->content, map) ? KRS_OK : KRS_FORMAT;
    else if (!read_chunk(f->content, text, &chunk) || chunk.begin < end)
        return KRS_FORMAT;
    else
        return push(map, &chunk);
    return KRS_OK;
}

krs_status krs__memory_map_parse(const uint8_t *bytes, size_t length,
                                 krs__memory_map *map) {
    reader r = {bytes, bytes + length};
    krs__memory_map read = {0};
    krs_status status = length > UINT32_MAX ? KRS_FORMAT : KRS_OK;
    while (status == KRS_OK && r.at < r.end) {
        field f;
        status = read_field(&r, &f) ? take_field(&f, bytes, &read) : KRS_FORMAT;
    }
    if (status == KRS_OK) {
        free(map->chunks);
        *map = read;
    } else {
        free(read.chunks);
    }
    return status;
}

void krs__memory_map_free(krs__memory_map *map) {
    free(map->chunks);
    *map = (krs__memory_map){0};
}

const krs__chunk *krs__memory_map_find(const krs__memory_map *map, uintptr_t address) {
    size_t low = 0, high = map->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (address < map->chunks[middle].begin)
            high = middle;
        else if (address >= map->chunks[middle].end)
            low = middle + 1;
        else
            return &map->chunks[middle];
    }
    return NULL;
}

bool krs__memory_map_has_free(const krs__memory_map *map, uint64_t bytes) {
    for (size_t i = 0; i < map->count; i++) {
        const krs__chunk *c = &map->chunks[i];
        if (!c->in_use && c->end - c->begin >= bytes)
            return true;
    }
    return false;
}

uint64_t krs__memory_map_size(const krs__memory_map *map) {
    uint64_t size = 0;
    for (size_t i = 0; i < map->count; i++)
        size += map->chunks[i].end - map->chunks[i].begin;
    return size;
}

uint64_t krs__memory_map_in_use(const krs__memory_map *map) {
    uint64_t size = 0;
    for (size_t i = 0; i < map->count; i++)
        size += map->chunks[i].in_use ? map->chunks[i].end - map->chunks[i].begin : 0;
    return size;
}
