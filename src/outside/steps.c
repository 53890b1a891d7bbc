#include "outside/steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- labels ------------------------------------------------------------------ */

static bool text_at(krs__target *target, uint64_t at, char *text, size_t room) {
    return krs__text_of(target, krs__memory_pointer(&target->memory, at), text, room);
}

bool krs__frame_label(krs__target *target, uint64_t frame, char *text, size_t room) {
    char name[KRS__NAME_BYTES], path[512];
    const uint64_t code = krs__frame_code(target, frame);
    if (code == 0 ||
        !text_at(target, code + target->layout.code_name, name, sizeof name))
        return false;
    if (!text_at(target, code + target->layout.code_file, path, sizeof path))
        strcpy(path, "?");
    const char *slash = strrchr(path, '/');
    snprintf(text, room, "%s() (%s:%d)", name, slash != NULL ? slash + 1 : path,
             krs__frame_line(target, frame));
    return true;
}

bool krs__label_of(krs__target *target, uint64_t object, const krs__type *type,
                   char *text, size_t room) {
    const krs__layout *layout = &target->layout;
    switch (type->kind) {
    case KRS__KIND_METHOD: {
        const uint64_t function =
            krs__memory_pointer(&target->memory, object + KRS__METHOD_FUNCTION);
        const krs__type *kind = krs__type_of(target, function);
        return kind != NULL && kind->kind == KRS__KIND_FUNCTION &&
               text_at(target, function + KRS__FUNCTION_QUALNAME, text, room);
    }
    case KRS__KIND_FUNCTION:
        return text_at(target, object + KRS__FUNCTION_QUALNAME, text, room);
    case KRS__KIND_GENERATOR:
        return text_at(target, object + layout->generator_qualname, text, room);
    case KRS__KIND_FRAME:
        return krs__frame_label(
            target,
            layout->frames == KRS__FRAMES_ARE_OBJECTS
                ? object
                : krs__memory_pointer(&target->memory,
                                      object + layout->frame_object_struct),
            text, room);
    case KRS__KIND_TYPE:
        return (krs__type_at(target, object) != NULL &&
                krs__type_qualname(target, krs__type_at(target, object), text, room));
    default:
        return false;
    }
}

/* ---- slots ------------------------------------------------------------------- */

/* A class with __slots__ has a descriptor for each, which knows its offset. */
typedef struct {
    krs__target *target;
    uint64_t object, to;
    char *name;
    size_t room;
    bool found;
} slot_search;

static bool is_slot(void *context, const krs__reference *reference) {
    enum { MEMBER = 40, MEMBER_OFFSET = 16, MOST_OFFSET = 1 << 16 };
    slot_search *asked = context;
    uint64_t offset;
    krs__memory *memory = &asked->target->memory;
    const krs__type *type = krs__type_of(asked->target, reference->target);
    if (type == NULL || strcmp(type->name, "member_descriptor") != 0)
        return true;
    const uint64_t member = krs__memory_pointer(memory, reference->target + MEMBER);
    if (!krs__memory_word(memory, member + MEMBER_OFFSET, &offset) ||
        offset > MOST_OFFSET ||
        krs__memory_pointer(memory, asked->object + offset) != asked->to)
        return true;
    asked->found =
        krs__text_of(asked->target, reference->name, asked->name, asked->room);
    return false;
}

static void name_slot(krs__target *target, uint64_t object, const krs__type *type,
                      uint64_t to, char *name, size_t room) {
    enum { MOST_BASES = 16 };
    slot_search asked = {target, object, to, name, room, false};
    for (int i = 0; i < MOST_BASES && type != NULL && !asked.found; i++) {
        if (type->flags & KRS__FLAG_HEAP_TYPE && type->dict != 0)
            krs__dict_items(target, type->dict, is_slot, &asked);
        type = krs__type_at(target, type->base);
    }
}

/* ---- one step ------------------------------------------------------------------ */

typedef struct {
    const krs__chain *chain;
    size_t at; /* the node it starts from */
} cursor;

/* The reference that leaves node `i` of the chain. */
static bool reference_from(const krs__chain *chain, size_t i, krs__reference *found) {
    return i + 1 < chain->length &&
           krs__reading_reference(chain->reading, chain->nodes[i], chain->nodes[i + 1],
                                  i == chain->at ? chain->nth : 0, found);
}

static krs__kind kind_at(const krs__chain *chain, size_t i) {
    const krs__type *type = krs__reading_type(chain->reading, chain->nodes[i]);
    return type != NULL ? type->kind : KRS__KIND_FRAME;
}

/* Steps over a cell, which is never the end of a chain. */
static size_t over_cell(const krs__chain *chain, size_t i) {
    return i + 1 < chain->length && kind_at(chain, i) == KRS__KIND_CELL ? i + 1 : i;
}

static void take_name(const krs__chain *chain, uint64_t name, krs__step *step) {
    if (name == 0 ||
        !krs__text_of(chain->reading->target, name, step->name, sizeof step->name))
        step->name[0] = '\0';
}

/* obj -> its dict -> value */
static size_t take_dict(const krs__chain *chain, size_t i, krs__step *step) {
    krs__reference next;
    step->kind = KRS__STEP_ATTRIBUTE;
    if (!reference_from(chain, i + 1, &next) || next.how != KRS__HOW_KEY) {
        strcpy(step->name, "__dict__");
        return i + 1;
    }
    take_name(chain, next.name, step);
    return i + 2;
}

/* function -> tuple -> cell -> value, or function -> tuple -> value */
static size_t take_tuple(const krs__chain *chain, size_t i, bool is_closure,
                         krs__step *step) {
    krs__target *target = chain->reading->target;
    krs__reference next;
    step->kind = is_closure ? KRS__STEP_CAPTURED : KRS__STEP_DEFAULT;
    if (!reference_from(chain, i + 1, &next) || next.how != KRS__HOW_INDEX)
        return i + 1;
    const uint64_t code =
        krs__memory_pointer(&target->memory, step->object + KRS__FUNCTION_CODE);
    if (is_closure) {
        take_name(chain, krs__captured_name(target, code, next.index), step);
        return over_cell(chain, i + 2);
    }
    uint64_t count = 0;
    krs__memory_word(&target->memory,
                     krs__reading_address(chain->reading, chain->nodes[i + 1]) +
                         KRS__OBJECT_SIZE,
                     &count);
    const uint64_t parameters = krs__parameter_count(target, code);
    if (count <= parameters)
        take_name(chain,
                  krs__parameter_name(target, code, parameters - count + next.index),
                  step);
    return i + 2;
}

static size_t take_field(const krs__chain *chain, size_t i, const char *field,
                         krs__step *step) {
    krs__reference next;
    step->kind = KRS__STEP_ATTRIBUTE;
    snprintf(step->name, sizeof step->name, "%s", field);
    if (!strcmp(field, "__callback__"))
        step->kind = KRS__STEP_CALLBACK;
    if (!strcmp(field, "__kwdefaults__") && reference_from(chain, i + 1, &next) &&
        next.how == KRS__HOW_KEY) {
        step->kind = KRS__STEP_DEFAULT;
        take_name(chain, next.name, step);
        return i + 2;
    }
    if (!strcmp(field, "gi_frame") && reference_from(chain, i + 1, &next) &&
        next.how == KRS__HOW_LOCAL) {
        step->kind = KRS__STEP_LOCAL;
        take_name(chain, next.name, step);
        return over_cell(chain, i + 2);
    }
    return i + 1;
}

static void take_key(const krs__chain *chain, uint64_t key, krs__step *step) {
    char text[KRS__STEP_NAME * 2];
    enum { KEY_LENGTH = 60 }; /* a longer one is cut */
    step->kind = KRS__STEP_ITEM;
    step->key = key;
    krs__repr_of(chain->reading->target, key, text, sizeof text);
    if (strlen(text) > KEY_LENGTH) {
        size_t end = KEY_LENGTH - 3;
        while (end > 0 && ((uint8_t)text[end] & 0xC0) == 0x80)
            end--; /* not in the middle of a character */
        strcpy(text + end, "...");
    }
    strcpy(step->name, text);
}

static size_t take_step(const krs__chain *chain, size_t i, krs__step *step) {
    krs__reference found;
    *step = (krs__step){.kind = KRS__STEP_REFERENCE,
                        .object = krs__reading_address(chain->reading, chain->nodes[i]),
                        .type = krs__reading_type(chain->reading, chain->nodes[i])};
    if (!reference_from(chain, i, &found))
        return i + 1;
    switch (found.how) {
    case KRS__HOW_KEY:
        take_key(chain, found.name, step);
        return i + 1;
    case KRS__HOW_INDEX:
        step->kind = KRS__STEP_ITEM;
        snprintf(step->name, sizeof step->name, "%" PRIu64, found.index);
        return i + 1;
    case KRS__HOW_MEMBER:
        step->kind = KRS__STEP_MEMBER;
        return i + 1;
    case KRS__HOW_ATTRIBUTE:
        step->kind = KRS__STEP_ATTRIBUTE;
        take_name(chain, found.name, step);
        return i + 1;
    case KRS__HOW_DICT:
        return take_dict(chain, i, step);
    case KRS__HOW_FIELD:
        return take_field(chain, i, found.field, step);
    case KRS__HOW_CLOSURE:
    case KRS__HOW_DEFAULTS:
        return take_tuple(chain, i, found.how == KRS__HOW_CLOSURE, step);
    case KRS__HOW_LOCAL:
        step->kind = KRS__STEP_LOCAL;
        take_name(chain, found.name, step);
        return over_cell(chain, i + 1);
    case KRS__HOW_STACK:
        step->kind = KRS__STEP_LOCAL;
        return i + 1;
    case KRS__HOW_TYPE:
        step->kind = KRS__STEP_ATTRIBUTE;
        strcpy(step->name, "__class__");
        return i + 1;
    case KRS__HOW_SCANNED:
        step->kind = KRS__STEP_ATTRIBUTE;
        if (step->type != NULL)
            name_slot(chain->reading->target, step->object, step->type, found.target,
                      step->name, sizeof step->name);
        return i + 1;
    case KRS__HOW_CELL:
        return i + 1;
    }
    return i + 1;
}

size_t krs__steps_read(const krs__chain *chain, krs__step *steps, size_t room) {
    size_t count = 0;
    krs__step last;
    for (size_t i = 0; i + 1 < chain->length;) {
        i = take_step(chain, i, &last);
        if (count < room)
            steps[count++] = last;
        else /* the middle of a long list goes */
            memmove(&steps[room / 2], &steps[room / 2 + 1],
                    (room - room / 2 - 1) * sizeof *steps),
                steps[room - 1] = last;
    }
    return count;
}
