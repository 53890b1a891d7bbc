/* Any bytes are refused as the map of a pool or understood; what is understood is in
 * order, and what is refused leaves the map that was there. */
#include "tensorflow/memory_map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

static void must_be_in_order(const krs__memory_map *map, size_t length) {
    uint64_t size = 0, in_use = 0;
    must(map->count <= length / 6); /* no chunk is written in less */
    for (size_t i = 0; i < map->count; i++) {
        const krs__chunk *c = &map->chunks[i];
        must(c->begin < c->end && (i == 0 || c[-1].end <= c->begin));
        must(c->op <= length && c->op_length <= length - c->op);
        must(krs__memory_map_find(map, c->begin) == c);
        must(krs__memory_map_find(map, c->end - 1) == c);
        must(krs__memory_map_find(map, c->end) != c);
        size += c->end - c->begin;
        in_use += c->in_use ? c->end - c->begin : 0;
    }
    must(krs__memory_map_size(map) == size && krs__memory_map_in_use(map) == in_use);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    /* A block of its own size, so that a read past the end is one past the block. */
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    must(exact != NULL);
    if (length > 0)
        memcpy(exact, bytes, length);
    krs__memory_map map = {0};
    const krs_status status = krs__memory_map_parse(exact, length, &map);
    must(status == KRS_OK || (status == KRS_FORMAT && map.chunks == NULL));
    must_be_in_order(&map, length);
    krs__memory_map_free(&map);
    free(exact);
    return 0;
}
