/* Attributes of instances: in a dict, or as values whose names the class has, before or
 * behind the body. */
#include "outside/references.h"

/* Where the values are that an instance keeps without a dict, and how many; or its
 * dict. Either may be absent. */
typedef struct {
    uint64_t values, count;
    uint64_t dict;
} storage;

enum { DICT_BEFORE = 24, VALUES_BEFORE = 32, WEAKREF_BEFORE = 32 };

/* tp_dictoffset, from the end of the object where it is negative. */
static uint64_t dict_at_offset(krs__target *target, uint64_t object,
                               const krs__type *type) {
    uint64_t at = object + (uint64_t)type->dict_offset;
    if (type->dict_offset == 0 || type->kind == KRS__KIND_ATOM)
        return 0;
    if (type->dict_offset < 0) {
        const uint64_t bytes = krs__object_bytes(target, object, type);
        at = object + ((bytes + 7) & ~UINT64_C(7)) + (uint64_t)type->dict_offset;
    }
    return krs__memory_pointer(&target->memory, at);
}

static void find_inline(krs__target *target, uint64_t object, const krs__type *type,
                        storage *found) {
    uint8_t sizes[4]; /* capacity, size, embedded, valid */
    const uint64_t at = object + (uint64_t)type->basic_size;
    found->dict = krs__memory_pointer(&target->memory, object - DICT_BEFORE);
    if (!(type->flags & KRS__FLAG_INLINE_VALUES) ||
        !krs__memory_copy(&target->memory, at, sizes, sizeof sizes) || sizes[3] != 1)
        return;
    found->values = at + 8;
    found->count = type->shared_count < sizes[0] ? type->shared_count : sizes[0];
}

static void find_managed(krs__target *target, uint64_t object, const krs__type *type,
                         storage *found) {
    const uint64_t word = krs__memory_pointer(&target->memory, object - DICT_BEFORE);
    switch (target->layout.attributes) {
    case KRS__ATTRIBUTES_TWO:
        found->dict = word;
        found->values = krs__memory_pointer(&target->memory, object - VALUES_BEFORE);
        found->count = type->shared_count;
        break;
    case KRS__ATTRIBUTES_TAGGED:
        if (word & 1) {
            found->values = word + 1;
            found->count = type->shared_count;
        } else {
            found->dict = word;
        }
        break;
    case KRS__ATTRIBUTES_INLINE:
        find_inline(target, object, type, found);
        break;
    case KRS__ATTRIBUTES_DICT:
        break;
    }
}

static storage find_storage(krs__target *target, uint64_t object,
                            const krs__type *type) {
    storage found = {0};
    const bool managed = type->flags & KRS__FLAG_MANAGED_DICT &&
                         target->layout.attributes != KRS__ATTRIBUTES_DICT;
    if (managed)
        find_managed(target, object, type, &found);
    else
        found.dict = dict_at_offset(target, object, type);
    return found;
}

/* Values by their names: the first word of each entry of the shared table. */
static bool visit_values(krs__target *target, const krs__type *type,
                         const storage *found, krs__reference_visitor *visit,
                         void *context) {
    uint8_t index_bits;
    if (found->values == 0 || type->shared_keys == 0 ||
        !krs__memory_byte(&target->memory, type->shared_keys + 9, &index_bits) ||
        index_bits > 32)
        return true;
    const uint64_t names =
        type->shared_keys + target->layout.keys_indices + (UINT64_C(1) << index_bits);
    for (uint64_t i = 0; i < found->count; i++) {
        krs__reference value = {.how = KRS__HOW_ATTRIBUTE};
        if (!krs__memory_word(&target->memory, found->values + i * 8, &value.target) ||
            !krs__memory_word(&target->memory, names + i * 16, &value.name))
            return krs__unread(target);
        if (value.target != 0 && !visit(context, &value))
            return false;
    }
    return true;
}

void krs__attributes(krs__target *target, uint64_t object, const krs__type *type,
                     krs__reference_visitor *visit, void *context) {
    const storage found = find_storage(target, object, type);
    if (!visit_values(target, type, &found, visit, context) || found.dict == 0)
        return;
    const krs__type *kind = krs__type_of(target, found.dict);
    if (kind != NULL && kind->kind == KRS__KIND_DICT)
        krs__dict_items(target, found.dict, visit, context);
}

/* As attributes, but the dict is one reference: it has its own. */
void krs__attribute_references(krs__target *target, uint64_t object,
                               const krs__type *type, krs__reference_visitor *visit,
                               void *context) {
    const storage found = find_storage(target, object, type);
    const krs__reference dict = {.target = found.dict, .how = KRS__HOW_DICT};
    if (visit_values(target, type, &found, visit, context) && found.dict != 0)
        visit(context, &dict);
}
