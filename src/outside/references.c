/* References by what an object is. Every length that is read is bounded before it is
 * used, and nothing calls itself: a list that contains itself is two references. */
#include "outside/references.h"

#include "outside/scan.h"

enum { MOST_ITEMS = 1 << 27, MOST_IN_DEQUE = 1 << 20 };

/* One of several pointers in a row at the places that are given. */
static bool visit_field(krs__target *target, uint64_t at, krs__how how,
                        const char *field, krs__reference_visitor *visit,
                        void *context) {
    krs__reference reference = {.how = how, .field = field};
    if (!krs__memory_word(&target->memory, at, &reference.target))
        return krs__unread(target);
    return reference.target == 0 || visit(context, &reference);
}

static bool visit_items(krs__target *target, uint64_t items, uint64_t count,
                        krs__reference_visitor *visit, void *context) {
    krs__reference item = {.how = KRS__HOW_INDEX};
    if (count > MOST_ITEMS)
        return krs__unread(target);
    for (item.index = 0; item.index < count; item.index++) {
        if (!krs__memory_word(&target->memory, items + item.index * 8, &item.target))
            return krs__unread(target);
        if (item.target != 0 && !visit(context, &item))
            return false;
    }
    return true;
}

/* One that is being sorted is empty meanwhile, with room for -1. */
static bool visit_list(krs__target *target, uint64_t list,
                       krs__reference_visitor *visit, void *context) {
    uint64_t fields[3]; /* size, items, how many there is room for */
    if (!krs__memory_copy(&target->memory, list + KRS__OBJECT_SIZE, fields,
                          sizeof fields) ||
        fields[0] > fields[2] || fields[2] == UINT64_MAX)
        return krs__unread(target);
    return visit_items(target, fields[1], fields[0], visit, context);
}

static bool visit_tuple(krs__target *target, uint64_t tuple,
                        krs__reference_visitor *visit, void *context) {
    uint64_t size;
    if (!krs__memory_word(&target->memory, tuple + KRS__OBJECT_SIZE, &size))
        return krs__unread(target);
    return visit_items(target, tuple + KRS__TUPLE_ITEMS, size, visit, context);
}

/* A table of (member, hash), of a power of two. What stands for one that was taken out
 * has the hash -1, which no member has. */
static bool visit_set(krs__target *target, uint64_t set, krs__reference_visitor *visit,
                      void *context) {
    uint64_t mask, table, entry[2];
    krs__reference member = {.how = KRS__HOW_MEMBER};
    if (!krs__memory_word(&target->memory, set + KRS__SET_MASK, &mask) ||
        !krs__memory_word(&target->memory, set + KRS__SET_TABLE, &table) ||
        mask >= MOST_ITEMS || (mask & (mask + 1)) != 0)
        return krs__unread(target);
    for (uint64_t i = 0; i <= mask; i++) {
        if (!krs__memory_copy(&target->memory, table + i * 16, entry, sizeof entry))
            return krs__unread(target);
        member.target = entry[1] == UINT64_MAX ? 0 : entry[0];
        if (member.target != 0 && !visit(context, &member))
            return false;
    }
    return true;
}

/* Blocks of 64 items between two links; from the left index on. */
static bool visit_deque(krs__target *target, uint64_t deque,
                        krs__reference_visitor *visit, void *context) {
    enum { LEFT_BLOCK = 24, LEFT_INDEX = 40, BLOCK_ITEMS = 64, RIGHT_LINK = 520 };
    uint64_t size, block, at;
    krs__reference item = {.how = KRS__HOW_INDEX};
    if (!krs__memory_word(&target->memory, deque + KRS__OBJECT_SIZE, &size) ||
        !krs__memory_word(&target->memory, deque + LEFT_BLOCK, &block) ||
        !krs__memory_word(&target->memory, deque + LEFT_INDEX, &at) ||
        size > MOST_IN_DEQUE || at >= BLOCK_ITEMS)
        return krs__unread(target);
    for (item.index = 0; item.index < size; item.index++, at++) {
        if (at == BLOCK_ITEMS) {
            at = 0;
            block = krs__memory_pointer(&target->memory, block + RIGHT_LINK);
        }
        if (!krs__memory_word(&target->memory, block + 8 + at * 8, &item.target))
            return krs__unread(target);
        if (item.target != 0 && !visit(context, &item))
            return false;
    }
    return true;
}

typedef struct {
    uint16_t at;
    krs__how how;
    const char *field;
} field;

static const field function_fields[] = {
    {KRS__FUNCTION_CLOSURE, KRS__HOW_CLOSURE, NULL},
    {KRS__FUNCTION_DEFAULTS, KRS__HOW_DEFAULTS, NULL},
    {KRS__FUNCTION_KEYWORD_DEFAULTS, KRS__HOW_FIELD, "__kwdefaults__"},
    {KRS__FUNCTION_DICT, KRS__HOW_DICT, NULL},
    {KRS__FUNCTION_GLOBALS, KRS__HOW_FIELD, "__globals__"},
    {KRS__FUNCTION_CODE, KRS__HOW_FIELD, "__code__"},
    {0, 0, NULL}};
static const field method_fields[] = {
    {KRS__METHOD_SELF, KRS__HOW_FIELD, "__self__"},
    {KRS__METHOD_FUNCTION, KRS__HOW_FIELD, "__func__"},
    {0, 0, NULL}};
static const field builtin_fields[] = {
    {24, KRS__HOW_FIELD, "__self__"}, {32, KRS__HOW_FIELD, "__module__"}, {0, 0, NULL}};
static const field cell_fields[] = {{KRS__CELL_VALUE, KRS__HOW_CELL, NULL},
                                    {0, 0, NULL}};
static const field module_fields[] = {{KRS__MODULE_DICT, KRS__HOW_DICT, NULL},
                                      {0, 0, NULL}};
static const field weakref_fields[] = {
    {KRS__WEAKREF_CALLBACK, KRS__HOW_FIELD, "__callback__"}, {0, 0, NULL}};
static const field traceback_fields[] = {
    {KRS__TRACEBACK_NEXT, KRS__HOW_FIELD, "tb_next"},
    {KRS__TRACEBACK_FRAME, KRS__HOW_FIELD, "tb_frame"},
    {0, 0, NULL}};
static const field error_fields[] = {{24, KRS__HOW_FIELD, "args"}, {0, 0, NULL}};
static const field error_fields_310[] = {{32, KRS__HOW_FIELD, "__traceback__"},
                                         {40, KRS__HOW_FIELD, "__context__"},
                                         {48, KRS__HOW_FIELD, "__cause__"},
                                         {0, 0, NULL}};
/* 3.11 has notes before them. */
static const field error_fields_311[] = {{40, KRS__HOW_FIELD, "__traceback__"},
                                         {48, KRS__HOW_FIELD, "__context__"},
                                         {56, KRS__HOW_FIELD, "__cause__"},
                                         {0, 0, NULL}};

static bool visit_fields(krs__target *target, uint64_t object, const field *fields,
                         krs__reference_visitor *visit, void *context) {
    for (; fields->at != 0; fields++)
        if (!visit_field(target, object + fields->at, fields->how, fields->field, visit,
                         context))
            return false;
    return true;
}

static const field *fields_of(krs__kind kind) {
    switch (kind) {
    case KRS__KIND_FUNCTION:
        return function_fields;
    case KRS__KIND_METHOD:
        return method_fields;
    case KRS__KIND_BUILTIN:
        return builtin_fields;
    case KRS__KIND_CELL:
        return cell_fields;
    case KRS__KIND_MODULE:
        return module_fields;
    case KRS__KIND_WEAKREF:
        return weakref_fields;
    case KRS__KIND_TRACEBACK:
        return traceback_fields;
    case KRS__KIND_ERROR:
        return error_fields;
    default:
        return NULL;
    }
}

/* Bytes from which on the body of an instance of a subclass is its own. */
static uint64_t own_bytes(krs__target *target, uint64_t object, const krs__type *type) {
    switch (type->kind) {
    case KRS__KIND_DICT:
        return KRS__DICT_BYTES;
    case KRS__KIND_LIST:
        return KRS__LIST_BYTES;
    case KRS__KIND_TUPLE: /* items come before what a subclass adds */
        return krs__object_bytes(target, object, type);
    case KRS__KIND_FUNCTION:
    case KRS__KIND_METHOD:
    case KRS__KIND_BUILTIN:
    case KRS__KIND_CELL:
    case KRS__KIND_MODULE:
    case KRS__KIND_TRACEBACK:
    case KRS__KIND_GENERATOR:
    case KRS__KIND_FRAME:
        return UINT64_MAX; /* no more of it is looked at */
    case KRS__KIND_WEAKREF:
        return 64;
    case KRS__KIND_SET:
        return 200;
    case KRS__KIND_DEQUE:
        return 64;
    case KRS__KIND_ERROR:
        return target->layout.minor >= 11 ? 72 : 64;
    default:
        return 16;
    }
}

static bool visit_own(krs__target *target, uint64_t object, const krs__type *type,
                      krs__reference_visitor *visit, void *context) {
    const field *fields = fields_of(type->kind);
    if (fields != NULL && !visit_fields(target, object, fields, visit, context))
        return false;
    switch (type->kind) {
    case KRS__KIND_DICT:
        krs__dict_items(target, object, visit, context);
        return true;
    case KRS__KIND_LIST:
        return visit_list(target, object, visit, context);
    case KRS__KIND_TUPLE:
        return visit_tuple(target, object, visit, context);
    case KRS__KIND_SET:
        return visit_set(target, object, visit, context);
    case KRS__KIND_DEQUE:
        return visit_deque(target, object, visit, context);
    case KRS__KIND_ERROR:
        return visit_fields(target, object,
                            target->layout.minor >= 11 ? error_fields_311
                                                       : error_fields_310,
                            visit, context);
    case KRS__KIND_GENERATOR:
        krs__generator_references(target, object, visit, context);
        return true;
    case KRS__KIND_FRAME:
        krs__frame_references(target, object, visit, context);
        return true;
    default:
        return true;
    }
}

void krs__references(krs__target *target, uint64_t object, const krs__type *type,
                     krs__reference_visitor *visit, void *context) {
    if (type->kind == KRS__KIND_ATOM ||
        !visit_own(target, object, type, visit, context))
        return;
    if (fields_of(type->kind) == NULL || type->kind == KRS__KIND_ERROR ||
        type->kind == KRS__KIND_WEAKREF)
        krs__attribute_references(target, object, type, visit, context);
    const uint64_t own = own_bytes(target, object, type);
    if (own != UINT64_MAX)
        krs__scan(target, object, type, own, visit, context);
    if (type->flags & KRS__FLAG_HEAP_TYPE)
        visit_field(target, object + KRS__OBJECT_TYPE, KRS__HOW_TYPE, NULL, visit,
                    context);
}
