/* Types of the target. An address is believed to be a type when its own type is one
 * that says so, its sizes are possible and its name is text: what garbage rarely is,
 * and where it is, it only makes a wrong name, since whoever asks checks what it reads.
 */
#include <stdlib.h>
#include <string.h>

#include "outside/target.h"

enum { FIRST_SLOTS = 4096, MOST_BASIC = 1 << 20, MOST_ITEM = 4096, MOST_BASES = 32 };

/* Built-in types that are told by name: those of Python code are heap types, or have no
 * dot in it. */
static const struct {
    const char *name;
    krs__kind kind;
} known[] = {
    {"function", KRS__KIND_FUNCTION},
    {"builtin_function_or_method", KRS__KIND_BUILTIN},
    {"method", KRS__KIND_METHOD},
    {"cell", KRS__KIND_CELL},
    {"module", KRS__KIND_MODULE},
    {"generator", KRS__KIND_GENERATOR},
    {"coroutine", KRS__KIND_GENERATOR},
    {"async_generator", KRS__KIND_GENERATOR},
    {"frame", KRS__KIND_FRAME},
    {"code", KRS__KIND_CODE},
    {"traceback", KRS__KIND_TRACEBACK},
    {"set", KRS__KIND_SET},
    {"frozenset", KRS__KIND_SET},
    {"weakref", KRS__KIND_WEAKREF}, /* 3.10 */
    {"weakref.ReferenceType", KRS__KIND_WEAKREF},
    {"weakproxy", KRS__KIND_WEAKREF},
    {"weakcallableproxy", KRS__KIND_WEAKREF},
    {"weakref.ProxyType", KRS__KIND_WEAKREF},
    {"weakref.CallableProxyType", KRS__KIND_WEAKREF},
    {"collections.deque", KRS__KIND_DEQUE},
    {"float", KRS__KIND_ATOM},
    {"complex", KRS__KIND_ATOM},
    {"NoneType", KRS__KIND_ATOM},
    {"ellipsis", KRS__KIND_ATOM},
    {"NotImplementedType", KRS__KIND_ATOM},
};

static krs__kind kind_by_flags(uint64_t flags) {
    if (flags & KRS__FLAG_TYPE)
        return KRS__KIND_TYPE;
    if (flags & KRS__FLAG_DICT)
        return KRS__KIND_DICT;
    if (flags & KRS__FLAG_LIST)
        return KRS__KIND_LIST;
    if (flags & KRS__FLAG_TUPLE)
        return KRS__KIND_TUPLE;
    if (flags & (uint64_t)KRS__FLAG_ERROR)
        return KRS__KIND_ERROR;
    const uint64_t atoms = KRS__FLAG_INT | KRS__FLAG_TEXT | KRS__FLAG_BYTES;
    /* An instance of a subclass may have attributes. */
    return flags & atoms && !(flags & KRS__FLAG_GC) ? KRS__KIND_ATOM : KRS__KIND_OTHER;
}

static krs__kind kind_by_name(const krs__type *type) {
    const bool plain = !(type->flags & KRS__FLAG_HEAP_TYPE);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((plain || strchr(known[i].name, '.')) && !strcmp(type->name, known[i].name))
            return known[i].kind;
    return KRS__KIND_OTHER;
}

static bool is_text(const char *name) {
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return *name != '\0';
}

/* How many names instances share, and where they are. */
static void read_shared(krs__target *target, krs__type *type) {
    enum { SPLIT = 2, KIND = 10 };
    uint8_t kind;
    uint64_t used;
    if (!(type->flags & KRS__FLAG_HEAP_TYPE) ||
        target->layout.attributes == KRS__ATTRIBUTES_DICT)
        return;
    const uint64_t keys = krs__memory_pointer(
        &target->memory, type->address + target->layout.type_shared_keys);
    if (keys == 0 || !krs__memory_byte(&target->memory, keys + KIND, &kind) ||
        kind != SPLIT ||
        !krs__memory_word(&target->memory, keys + target->layout.keys_entries_used,
                          &used) ||
        used > UINT16_MAX)
        return;
    type->shared_keys = keys;
    type->shared_count = (uint32_t)used;
}

static bool read_sizes(krs__memory *memory, krs__type *type) {
    const uint64_t at = type->address;
    uint64_t words[2], weak, dict;
    if (!krs__memory_copy(memory, at + KRS__TYPE_BASIC_SIZE, words, sizeof words) ||
        !krs__memory_word(memory, at + KRS__TYPE_FLAGS, &type->flags) ||
        !krs__memory_word(memory, at + KRS__TYPE_WEAK_OFFSET, &weak) ||
        !krs__memory_word(memory, at + KRS__TYPE_DICT_OFFSET, &dict))
        return false;
    type->basic_size = (int64_t)words[0];
    type->item_size = (int64_t)words[1];
    type->weak_offset = (int64_t)weak;
    type->dict_offset = (int64_t)dict;
    return words[0] >= 16 && words[0] <= MOST_BASIC && words[1] <= MOST_ITEM &&
           type->weak_offset >= -64 && type->weak_offset <= MOST_BASIC &&
           type->dict_offset >= -4096 && type->dict_offset <= MOST_BASIC;
}

static bool read_type(krs__target *target, krs__type *type) {
    krs__memory *memory = &target->memory;
    uint64_t flags;
    const uint64_t at = type->address;
    const uint64_t meta = krs__memory_pointer(memory, at + KRS__OBJECT_TYPE);
    if (meta == 0 || !krs__memory_word(memory, meta + KRS__TYPE_FLAGS, &flags) ||
        !(flags & KRS__FLAG_TYPE) || !read_sizes(memory, type))
        return false;
    const uint64_t name = krs__memory_pointer(memory, at + KRS__TYPE_NAME);
    if (!krs__memory_text(memory, name, type->name, sizeof type->name) ||
        !is_text(type->name))
        return false;
    type->base = krs__memory_pointer(memory, at + KRS__TYPE_BASE);
    type->mro = krs__memory_pointer(memory, at + KRS__TYPE_MRO);
    type->dict = krs__memory_pointer(memory, at + KRS__TYPE_DICT);
    type->kind = kind_by_flags(type->flags);
    read_shared(target, type);
    return true;
}

static size_t slot_of(const krs__types *types, uint64_t address) {
    size_t slot = (size_t)((address >> 4) * 0x9E3779B97F4A7C15u >> 24);
    for (;; slot++) {
        slot &= types->slot_count - 1;
        if (types->slots[slot] == NULL || types->slots[slot]->address == address)
            return slot;
    }
}

static bool make_room(krs__types *types) {
    if (types->count < types->slot_count / 2)
        return true;
    krs__types grown = *types;
    grown.slot_count = types->slot_count ? types->slot_count * 2 : FIRST_SLOTS;
    grown.slots = calloc(grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < types->slot_count; i++)
        if (types->slots[i] != NULL)
            grown.slots[slot_of(&grown, types->slots[i]->address)] = types->slots[i];
    free(types->slots);
    *types = grown;
    return true;
}

void krs__types_free(krs__types *types) {
    for (size_t i = 0; i < types->slot_count; i++)
        free(types->slots[i]);
    free(types->slots);
    *types = (krs__types){0};
}

/* The type at `address` by itself, without its bases. */
static krs__type *lookup(krs__target *target, uint64_t address) {
    krs__types *types = &target->types;
    if (address == 0 || address % 8 != 0)
        return NULL;
    if (types->slot_count > 0) {
        krs__type *found = types->slots[slot_of(types, address)];
        if (found != NULL)
            return found->name[0] ? found : NULL;
    }
    krs__type *type = calloc(1, sizeof *type);
    if (type == NULL || !make_room(types)) {
        free(type);
        target->memory.out_of_memory = true;
        return NULL;
    }
    type->address = address;
    const bool is_type = read_type(target, type);
    if (is_type) {
        const krs__kind kind = kind_by_name(type);
        type->kind = kind != KRS__KIND_OTHER ? kind : type->kind;
    } else {
        type->name[0] = '\0';
    }
    types->slots[slot_of(types, address)] = type;
    types->count++;
    return is_type ? type : NULL;
}

krs__type *krs__type_at(krs__target *target, uint64_t address) {
    const size_t known_before = target->types.count;
    krs__type *type = lookup(target, address);
    if (type == NULL || type->kind != KRS__KIND_OTHER ||
        target->types.count == known_before)
        return type;
    /* New, and none that is known: what its nearest known base is. */
    krs__type *base = type;
    for (int i = 0; i < MOST_BASES && base != NULL && base->kind == KRS__KIND_OTHER;
         i++)
        base = lookup(target, base->base);
    if (base != NULL && base->kind != KRS__KIND_ATOM)
        type->kind = base->kind;
    return type;
}

/* Of a freed object the count is 0, or the block has become a link of a list of free
 * blocks, an address. What never dies counts 2^32 - 1, and a few more where extensions
 * of the time before that count on. */
static bool is_alive(uint64_t references) {
    return references != 0 && references >> 40 == 0;
}

krs__type *krs__type_of(krs__target *target, uint64_t object) {
    uint64_t head[2]; /* count of references, type */
    if (object == 0 || object % 8 != 0 ||
        !krs__memory_copy(&target->memory, object, head, sizeof head) ||
        !is_alive(head[0]))
        return NULL;
    return krs__type_at(target, head[KRS__OBJECT_TYPE / sizeof *head]);
}

/* Items in an object of variable size. A negative int counts its digits below zero;
 * from 3.12 on an int has its sign in the last bits. */
static bool read_item_count(krs__target *target, uint64_t object, const krs__type *type,
                            uint64_t *count) {
    enum { SIGN_BITS = 3 };
    if (!krs__memory_word(&target->memory, object + KRS__OBJECT_SIZE, count))
        return false;
    if (type->flags & KRS__FLAG_INT && target->layout.minor >= 12)
        *count >>= SIGN_BITS;
    else if ((int64_t)*count < 0)
        *count = UINT64_C(0) - *count;
    return true;
}

uint64_t krs__object_bytes(krs__target *target, uint64_t object,
                           const krs__type *type) {
    enum { MOST_BYTES = 1 << 28 };
    uint64_t count = 0;
    if (type->item_size > 0 && type->kind != KRS__KIND_ATOM &&
        (!read_item_count(target, object, type, &count) ||
         count > MOST_BYTES / (uint64_t)type->item_size))
        return (uint64_t)type->basic_size;
    return (uint64_t)type->basic_size + count * (uint64_t)type->item_size;
}
