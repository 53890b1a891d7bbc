/* The map of a pool has chunks alone, and regions often lie side by side. The pool
 * keeps its regions in a vector of objects that begin with their address, their size
 * and their end. Where the vector stands in the pool, and how large such an object is,
 * differs from version to version: so every word of the pool is looked at that could be
 * a vector, and one is taken for it only where its regions are filled by the chunks of
 * the map, from the first to the last, without a gap. Memory is read in a way that
 * cannot crash, since the vector may move meanwhile. */
#include "tensorflow/region_borders.h"

#include <stdlib.h>

#include "tensorflow/pool.h"

enum {
    BLOCK = 32,       /* words that are read of a pool in one go */
    BLOCKS = 16,      /* at most; a pool has some 210 words in 2.21 */
    HEAD = 3,         /* words: address, size, end */
    LEAST_STRIDE = 4, /* words of a region; 6 in 2.21 */
    MOST_STRIDE = 8,
    MOST_REGIONS = 4096
};

typedef struct {
    uintptr_t begin, size, end;
} head;

/* The chunks that fill a region, from the first that no other has. */
static bool fill(const krs__memory_map *map, const head *h, krs_region *region) {
    size_t i = region->first;
    uintptr_t at = h->begin;
    while (i < map->count && at < h->end && map->chunks[i].begin == at)
        at = map->chunks[i++].end;
    region->address = h->begin;
    region->size = h->size;
    region->count = i - region->first;
    return h->size != 0 && h->size == h->end - h->begin && at == h->end;
}

/* Whether `count` objects of `stride` words are the regions of the map. */
static bool are_regions(const krs__memory_map *map, const uintptr_t *words,
                        size_t stride, size_t count, krs_region *regions) {
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        const uintptr_t *w = words + i * stride;
        regions[i] = (krs_region){.first = first, .device = -1};
        if (!fill(map, &(head){w[0], w[1], w[2]}, &regions[i]))
            return false;
        first += regions[i].count;
    }
    return first == map->count;
}

/* Whether at `begin` there may be a region: that of the first chunk. */
static bool is_first(const krs__memory_map *map, uintptr_t begin) {
    uintptr_t w[HEAD];
    return begin != 0 && begin % sizeof *w == 0 && krs__read_words(begin, w, HEAD) &&
           w[0] == map->chunks[0].begin && w[1] != 0 && w[2] == w[0] + w[1];
}

/* `vector` is the begin of the objects, their end, and the end of the room for them. */
static krs_status look_in_vector(const krs__memory_map *map, const uintptr_t *vector,
                                 krs_region **regions, size_t *count) {
    const size_t words = (vector[1] - vector[0]) / sizeof *vector;
    if (vector[1] <= vector[0] || vector[2] < vector[1] ||
        words > MOST_STRIDE * MOST_REGIONS || !is_first(map, vector[0]))
        return KRS_OK;
    uintptr_t *objects = malloc(words * sizeof *objects);
    krs_region *found = malloc((words / LEAST_STRIDE + 1) * sizeof *found);
    krs_status status = objects == NULL || found == NULL ? KRS_NOMEM : KRS_OK;
    if (status == KRS_OK && krs__read_words(vector[0], objects, words)) {
        for (size_t s = LEAST_STRIDE; s <= MOST_STRIDE && *regions == NULL; s++) {
            if (words % s != 0 || !are_regions(map, objects, s, words / s, found))
                continue;
            *regions = found;
            *count = words / s;
        }
    }
    free(objects);
    if (*regions == NULL)
        free(found);
    return status;
}

/* As many words of the pool as can be read. */
static size_t read_pool(const void *bfc, uintptr_t *words) {
    size_t read = 0;
    while (read < BLOCKS * BLOCK &&
           krs__read_words((uintptr_t)bfc + read * sizeof *words, words + read, BLOCK))
        read += BLOCK;
    return read;
}

krs_status krs__region_borders_find(const void *bfc, const krs__memory_map *map,
                                    krs_region **regions, size_t *count) {
    uintptr_t words[BLOCKS * BLOCK];
    krs_region *found = NULL;
    size_t many = 0;
    krs_status status = KRS_OK;
    if (map->count == 0) { /* a pool that has nothing yet */
        found = malloc(sizeof *found);
        status = found == NULL ? KRS_NOMEM : KRS_OK;
    }
    const size_t length = map->count == 0 ? 0 : read_pool(bfc, words);
    for (size_t i = 0; i + HEAD <= length && found == NULL && status == KRS_OK; i++)
        status = look_in_vector(map, &words[i], &found, &many);
    if (status != KRS_OK)
        return status;
    *regions = found;
    *count = many;
    return KRS_OK;
}
