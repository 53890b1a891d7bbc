#include "outside/scan.h"

#include <string.h>

/* No more of one object is looked at: what is larger is an array of numbers. */
enum { MOST_BYTES = 1 << 16 };

/* Fields of a type that refer without holding: tp_subclasses, tp_cache. */
static bool is_passed_over(const krs__type *type, uint64_t offset) {
    if (type->weak_offset > 0 && offset == (uint64_t)type->weak_offset)
        return true;
    if (type->dict_offset > 0 && offset == (uint64_t)type->dict_offset)
        return true;
    return type->kind == KRS__KIND_TYPE && (offset == 352 || offset == 360);
}

/* What a type has by names of its own. */
static const char *field_of(const krs__type *type, uint64_t offset) {
    enum { CACHE = 72 }; /* a dict that is not tracked: what it has is not either */
    if (!strcmp(type->name, "functools._lru_cache_wrapper"))
        return offset == CACHE ? "cache" : NULL;
    if (type->kind != KRS__KIND_TYPE)
        return NULL;
    switch (offset) {
    case KRS__TYPE_BASE:
        return "__base__";
    case KRS__TYPE_DICT:
        return "__dict__";
    case KRS__TYPE_MRO:
        return "__mro__";
    default:
        return NULL;
    }
}

/* Sizes of a type are those of its metatype, whose items are slots of a heap type. */
static uint64_t end_of(krs__target *target, uint64_t object, const krs__type *type) {
    const uint64_t bytes = type->kind == KRS__KIND_TYPE
                               ? (uint64_t)type->basic_size
                               : krs__object_bytes(target, object, type);
    return bytes < MOST_BYTES ? bytes : MOST_BYTES;
}

void krs__scan(krs__target *target, uint64_t object, const krs__type *type,
               uint64_t begin, krs__reference_visitor *visit, void *context) {
    const uint64_t end = end_of(target, object, type);
    for (uint64_t offset = begin; offset + 8 <= end; offset += 8) {
        uint64_t word;
        if (is_passed_over(type, offset))
            continue;
        if (!krs__memory_word(&target->memory, object + offset, &word))
            return;
        const char *field = field_of(type, offset);
        const krs__reference reference = {.target = word,
                                          .how = field == NULL ? KRS__HOW_SCANNED
                                                 : offset == KRS__TYPE_DICT
                                                     ? KRS__HOW_DICT
                                                     : KRS__HOW_FIELD,
                                          .field = field};
        if (word != 0 && word % 8 == 0 && !visit(context, &reference))
            return;
    }
}
