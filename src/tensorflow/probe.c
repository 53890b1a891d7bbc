/* What is known of the TensorFlow in this process: the table that doctor() prints. */
#include <string.h>

#include "tensorflow/pool.h"

krs_refusal krs__tensorflow_refusal(const krs__tensorflow *tf) {
    if (!tf->loaded)
        return KRS_REFUSAL_ABSENT;
#if !defined(__x86_64__) /* where else a method puts the object it returns */
    return KRS_REFUSAL_PLATFORM;
#else
    return tf->missing == NULL ? KRS_REFUSAL_NONE : KRS_REFUSAL_SYMBOL;
#endif
}

const char *krs_refusal_text(krs_refusal refusal) {
    switch (refusal) {
#define X(name, value, text)                                                           \
    case KRS_REFUSAL_##name:                                                           \
        return text;
        KRS_REFUSAL_MAP(X)
#undef X
    }
    return "unknown refusal"; /* a number from a newer library, or none at all */
}

typedef struct {
    krs_capability lines[KRS_CAPABILITIES];
    size_t count;
} table;

static void add(table *t, const char *what, krs_refusal refusal) {
    t->lines[t->count++] = (krs_capability){what, refusal};
}

static void add_symbols(table *t, const krs__tensorflow *tf) {
#define X(name, symbol, result, arguments)                                             \
    add(t, symbol, tf->name == NULL ? KRS_REFUSAL_SYMBOL : KRS_REFUSAL_NONE);
    KRS__TENSORFLOW_FUNCTIONS(X)
#undef X
#define X(name, symbol)                                                                \
    add(t, symbol, tf->name == NULL ? KRS_REFUSAL_SYMBOL : KRS_REFUSAL_NONE);
    KRS__TENSORFLOW_TABLES(X)
#undef X
}

/* Each check stands on the one before. */
static krs_status add_checks(table *t, const krs__tensorflow *tf) {
    krs__pool pool;
    krs__memory_map map = {0};
    krs_refusal refusal = krs__tensorflow_refusal(tf);
    add(t, "all symbols, on a platform that is known", refusal);
    if (refusal != KRS_REFUSAL_NONE)
        return KRS_OK;
    krs__pool_find(tf, &pool, &refusal);
    add(t, "allocator and pool, by their tables of functions", refusal);
    if (refusal != KRS_REFUSAL_NONE)
        return KRS_OK;
    krs_status status = krs__pool_read(&pool, &map, &refusal);
    add(t, "map of the pool", refusal);
    if (status == KRS_OK && refusal == KRS_REFUSAL_NONE) {
        status = krs__pool_test(&pool, &map, &refusal);
        add(t, "test allocation", refusal);
    }
    krs__memory_map_free(&map);
    return status;
}

krs_status krs_tensorflow_probe(krs_capability *lines, size_t room, size_t *count) {
    if ((lines == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    krs__tensorflow tf;
    table t = {.count = 0};
    krs__tensorflow_find(&tf);
    if (tf.loaded) {
        add_symbols(&t, &tf);
        const krs_status status = add_checks(&t, &tf);
        if (status != KRS_OK)
            return status;
    }
    *count = t.count < room ? t.count : room;
    if (*count > 0)
        memcpy(lines, t.lines, *count * sizeof *lines);
    return KRS_OK;
}

krs_status krs_tensorflow_hash(const char *type, uint64_t *hash) {
    if (type == NULL || hash == NULL)
        return KRS_INVALID;
    /* tsl::Hash64(bytes, length, seed), and the seed that TypeIndex uses. */
    uint64_t (*hash64)(const char *bytes, size_t length, uint64_t seed);
    *(void **)&hash64 = krs__tensorflow_symbol(KRS__TENSORFLOW_HASH);
    if (hash64 == NULL)
        return KRS_UNSUPPORTED;
    *hash = hash64(type, strlen(type), 0xDECAFCAFFE);
    return KRS_OK;
}
