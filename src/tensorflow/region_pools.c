/* TensorFlow keeps the pools of its GPUs, and of pinned memory, in vectors of the one
 * GPUProcessState; each element has pointers to a pool among others. Where the vectors
 * stand in it, and how large an element is, differs: so every word is looked at that
 * could be a vector, every word of that vector that could be a pointer, and a pool is
 * known by its table of virtual functions. Memory is read in a way that cannot crash;
 * pools are never destroyed. */
#include "tensorflow/region_pools.h"

#include "tensorflow/pool.h"

enum {
    STATE_WORDS = 48,  /* the state has 24 in 2.21 */
    VECTOR_WORDS = 512 /* read of a vector; a GPU takes 5 */
};

typedef struct {
    const krs__tensorflow *tf;
    void **pools;
    size_t room, count;
} found;

static bool is_pool(const krs__tensorflow *tf, uintptr_t address) {
    uintptr_t first;
    return krs__read_object(address, &first) &&
           (krs__is_of(first, tf->bfc_table) || krs__is_of(first, tf->gpu_bfc_table));
}

static void take(found *f, uintptr_t address) {
    if (f->count == f->room || !is_pool(f->tf, address))
        return;
    for (size_t i = 0; i < f->count; i++) {
        if ((uintptr_t)f->pools[i] == address)
            return;
    }
    f->pools[f->count++] = (void *)address;
}

/* `words` are the begin of the elements, their end, and the end of the room for them.
 */
static void look_in_vector(found *f, const uintptr_t *words) {
    uintptr_t elements[VECTOR_WORDS];
    const uintptr_t begin = words[0], end = words[1];
    if (begin == 0 || begin % sizeof(void *) != 0 || end <= begin || words[2] < end)
        return;
    const size_t length = (end - begin) / sizeof *elements;
    const size_t count = length < VECTOR_WORDS ? length : VECTOR_WORDS;
    if (!krs__read_words(begin, elements, count))
        return;
    for (size_t i = 0; i < count; i++)
        take(f, elements[i]);
}

static void look_in_state(found *f, uintptr_t state) {
    uintptr_t words[STATE_WORDS];
    if (!krs__read_words(state, words, STATE_WORDS))
        return;
    for (size_t i = 0; i + 2 < STATE_WORDS; i++)
        look_in_vector(f, &words[i]);
}

krs_refusal krs__region_pools_refusal(const krs__tensorflow *tf, const char **symbol) {
    const krs_refusal refusal = krs__tensorflow_refusal(tf);
    *symbol = tf->missing == NULL ? tf->missing_for_regions : tf->missing;
    return refusal == KRS_REFUSAL_NONE && *symbol != NULL ? KRS_REFUSAL_SYMBOL
                                                          : refusal;
}

size_t krs__region_pools_find(const krs__tensorflow *tf, unsigned which, void **pools,
                              size_t room) {
    enum { NO_NODE = -1 }; /* port::kNUMANoAffinity */
    found f = {tf, pools, room, 0};
    if (which & KRS_POOLS_OF_CPU)
        take(&f, (uintptr_t)tf->cpu_allocator(NO_NODE));
    if (which & KRS_POOLS_OF_GPU)
        look_in_state(&f, (uintptr_t)tf->gpu_state(NULL));
    return f.count;
}
