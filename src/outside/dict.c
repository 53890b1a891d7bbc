/* Items of dicts, whose tables are of three forms: any keys, str keys, and str keys
 * that many dicts share, each with an array of its own values. */
#include "outside/references.h"

enum {
    GENERAL = 0,
    SPLIT = 2, /* dk_kind; str keys are 1 */
    MOST_ENTRIES = 1 << 27,
};

typedef struct {
    uint64_t entries, used; /* where the first is, how many were ever filled */
    uint64_t values;        /* of a dict that shares its keys, else 0 */
    bool has_hash;
} table;

/* 3.10: the number of slots is a word of its own, and every entry has a hash. */
static bool open_old(krs__target *target, uint64_t keys, uint64_t size, table *t) {
    const unsigned width = size <= 0xff         ? 1
                           : size <= 0xffff     ? 2
                           : size <= 0xffffffff ? 4
                                                : 8;
    t->entries = keys + target->layout.keys_indices + size * width;
    t->has_hash = true;
    return size != 0 && (size & (size - 1)) == 0 && size <= MOST_ENTRIES &&
           t->used <= size;
}

static bool open_new(krs__target *target, uint64_t keys, const uint8_t sizes[3],
                     table *t) {
    t->entries = keys + target->layout.keys_indices + (UINT64_C(1) << (sizes[1] & 63));
    t->has_hash = sizes[2] == GENERAL;
    return sizes[0] <= 32 && sizes[1] <= 40 && sizes[2] <= SPLIT &&
           t->used <= UINT64_C(1) << sizes[0];
}

static bool open_keys(krs__target *target, uint64_t keys, table *t) {
    enum { SIZES = 8 };
    uint64_t word;
    uint8_t sizes[8];
    if (!krs__memory_word(&target->memory, keys + target->layout.keys_entries_used,
                          &t->used) ||
        t->used > MOST_ENTRIES ||
        !krs__memory_copy(&target->memory, keys + SIZES, sizes, sizeof sizes))
        return false;
    if (target->layout.minor >= 11)
        return open_new(target, keys, sizes, t);
    return krs__memory_word(&target->memory, keys + SIZES, &word) &&
           open_old(target, keys, word, t);
}

static bool open_dict(krs__target *target, uint64_t dict, table *t) {
    uint64_t fields[2]; /* ma_keys, ma_values */
    *t = (table){0};
    if (!krs__memory_copy(&target->memory, dict + KRS__DICT_KEYS, fields,
                          sizeof fields) ||
        !open_keys(target, fields[0], t))
        return false;
    t->values = fields[1];
    if (t->values != 0 && target->layout.attributes == KRS__ATTRIBUTES_INLINE)
        t->values += 8; /* sizes stand before them */
    return true;
}

static bool read_entry(krs__target *target, const table *t, uint64_t i,
                       uint64_t entry[2]) {
    const uint64_t at = t->has_hash ? t->entries + i * 24 + 8 : t->entries + i * 16;
    return krs__memory_copy(&target->memory, at, entry, 16) &&
           (t->values == 0 ||
            krs__memory_word(&target->memory, t->values + i * 8, &entry[1]));
}

void krs__dict_items(krs__target *target, uint64_t dict, krs__reference_visitor *visit,
                     void *context) {
    table t;
    uint64_t entry[2];
    if (!open_dict(target, dict, &t)) {
        krs__unread(target);
        return;
    }
    for (uint64_t i = 0; i < t.used; i++) {
        if (!read_entry(target, &t, i, entry)) {
            krs__unread(target);
            return;
        }
        if (entry[0] == 0 || entry[1] == 0)
            continue;
        const krs__reference value = {
            .target = entry[1], .how = KRS__HOW_KEY, .name = entry[0]};
        if (!visit(context, &value))
            return;
        /* Keys of such a table are str, which refer to nothing. */
        const krs__reference key = {.target = entry[0], .how = KRS__HOW_MEMBER};
        if (t.has_hash && target->layout.minor >= 11 && !visit(context, &key))
            return;
    }
}

typedef struct {
    krs__target *target;
    const char *name;
    uint64_t found;
} look_up;

static bool is_named(void *context, const krs__reference *reference) {
    look_up *asked = context;
    if (reference->name == 0 ||
        !krs__text_is(asked->target, reference->name, asked->name))
        return true;
    asked->found = reference->target;
    return false;
}

uint64_t krs__dict_value(krs__target *target, uint64_t dict, const char *key) {
    look_up asked = {target, key, 0};
    const krs__type *type = krs__type_of(target, dict);
    if (type != NULL && type->kind == KRS__KIND_DICT)
        krs__dict_items(target, dict, is_named, &asked);
    return asked.found;
}

uint64_t krs__attribute(krs__target *target, uint64_t object, const char *name) {
    look_up asked = {target, name, 0};
    const krs__type *type = krs__type_of(target, object);
    if (type != NULL)
        krs__attributes(target, object, type, is_named, &asked);
    return asked.found;
}
