/* Frames: running functions of each thread, and generators that wait. The target runs
 * while they are read, so a chain may end anywhere; each step is checked. */
#include "outside/references.h"
#include "outside/scan.h"

enum {
    MOST_THREADS = 1 << 14,
    MOST_FRAMES = 1 << 17, /* of all threads: a torn chain may lead in a circle */
    MOST_SLOTS = 1 << 16,
    OWNED_BY_FRAME_OBJECT = 2,
    OWNED_BY_C_STACK = 3, /* 3.12+: what C code calls begins with such a frame */
};

/* ---- code ------------------------------------------------------------------ */

static bool is_code(krs__target *target, uint64_t object) {
    const krs__type *type = krs__type_of(target, object);
    return type != NULL && type->kind == KRS__KIND_CODE;
}

static uint64_t tuple_size(krs__target *target, uint64_t tuple) {
    const krs__type *type = krs__type_of(target, tuple);
    uint64_t size;
    if (type == NULL || type->kind != KRS__KIND_TUPLE ||
        !krs__memory_word(&target->memory, tuple + KRS__OBJECT_SIZE, &size) ||
        size > MOST_SLOTS)
        return 0;
    return size;
}

static uint64_t tuple_item(krs__target *target, uint64_t tuple, uint64_t index) {
    return index < tuple_size(target, tuple)
               ? krs__memory_pointer(&target->memory,
                                     tuple + KRS__TUPLE_ITEMS + index * 8)
               : 0;
}

/* 3.10: locals, then cells, then captured ones. */
static uint64_t slot_name(krs__target *target, uint64_t code, uint64_t slot) {
    const krs__layout *layout = &target->layout;
    if (layout->frames == KRS__FRAMES_ARE_STRUCTS)
        return tuple_item(
            target,
            krs__memory_pointer(&target->memory, code + layout->code_slot_names), slot);
    const uint16_t groups[] = {layout->code_locals, layout->code_cells,
                               layout->code_captured};
    for (int i = 0; i < 3; i++) {
        const uint64_t names = krs__memory_pointer(&target->memory, code + groups[i]);
        const uint64_t size = tuple_size(target, names);
        if (slot < size)
            return tuple_item(target, names, slot);
        slot -= size;
    }
    return 0;
}

static uint64_t slot_count(krs__target *target, uint64_t code) {
    const krs__layout *layout = &target->layout;
    uint32_t count = 0;
    if (layout->frames == KRS__FRAMES_ARE_STRUCTS) {
        krs__memory_half(&target->memory, code + layout->code_slot_count, &count);
        return count <= MOST_SLOTS ? count : 0;
    }
    const uint16_t groups[] = {layout->code_locals, layout->code_cells,
                               layout->code_captured};
    uint64_t all = 0;
    for (int i = 0; i < 3; i++)
        all +=
            tuple_size(target, krs__memory_pointer(&target->memory, code + groups[i]));
    return all;
}

uint64_t krs__captured_name(krs__target *target, uint64_t code, uint64_t index) {
    const krs__layout *layout = &target->layout;
    uint32_t captured;
    if (!is_code(target, code))
        return 0;
    if (layout->frames == KRS__FRAMES_ARE_OBJECTS)
        return tuple_item(
            target, krs__memory_pointer(&target->memory, code + layout->code_captured),
            index);
    const uint64_t slots = slot_count(target, code);
    if (!krs__memory_half(&target->memory, code + layout->code_captured_count,
                          &captured) ||
        captured > slots || index >= captured)
        return 0;
    return slot_name(target, code, slots - captured + index);
}

uint64_t krs__parameter_count(krs__target *target, uint64_t code) {
    uint32_t count = 0;
    if (is_code(target, code))
        krs__memory_half(&target->memory, code + target->layout.code_argument_count,
                         &count);
    return count <= MOST_SLOTS ? count : 0;
}

uint64_t krs__parameter_name(krs__target *target, uint64_t code, uint64_t index) {
    return is_code(target, code) ? slot_name(target, code, index) : 0;
}

/* ---- lines ----------------------------------------------------------------- */

typedef struct {
    krs__memory *memory;
    uint64_t at, end;
} table;

static bool next_byte(table *t, uint8_t *byte) {
    return t->at < t->end && krs__memory_byte(t->memory, t->at++, byte);
}

/* A signed number of 6 bits a byte, the sign in the lowest. */
static bool next_number(table *t, int *number) {
    uint32_t value = 0;
    uint8_t byte;
    unsigned shift = 0;
    do {
        if (!next_byte(t, &byte) || shift > 24)
            return false;
        value |= (uint32_t)(byte & 63) << shift;
        shift += 6;
    } while (byte & 64);
    *number = value & 1 ? -(int)(value >> 1) : (int)(value >> 1);
    return true;
}

/* PEP 657: entries begin with a byte of the high bit set. */
static int line_311(table *t, int line, uint64_t instruction) {
    enum { SHORT_DELTAS = 10, NO_COLUMNS = 13, LONG = 14, NONE = 15 };
    uint8_t byte;
    for (uint64_t from = 0; next_byte(t, &byte);) {
        const unsigned form = byte >> 3 & 15;
        int delta = 0;
        if (!(byte & 0x80))
            continue; /* the rest of an entry */
        if (form == LONG || form == NO_COLUMNS) {
            if (!next_number(t, &delta))
                break;
        } else if (form >= SHORT_DELTAS && form < NO_COLUMNS) {
            delta = (int)form - SHORT_DELTAS;
        }
        line = (int)((unsigned)line + (unsigned)delta);
        from += (byte & 7) + 1;
        if (instruction < from)
            return form == NONE ? 0 : line;
    }
    return 0;
}

/* PEP 626: pairs of lengths in bytes and steps of lines; -128 is no line. */
static int line_310(table *t, int line, uint64_t instruction) {
    uint8_t bytes, step;
    for (uint64_t from = 0; next_byte(t, &bytes) && next_byte(t, &step);) {
        const bool none = step == 0x80;
        if (!none)
            line = (int)((unsigned)line + (unsigned)(int8_t)step);
        from += bytes;
        if (instruction * 2 < from)
            return none ? 0 : line;
    }
    return 0;
}

static uint64_t instruction_of(krs__target *target, uint64_t frame, uint64_t code) {
    const krs__layout *layout = &target->layout;
    uint64_t at = frame + layout->frame_instruction;
    if (layout->frames == KRS__FRAMES_ARE_OBJECTS) {
        uint32_t index = 0;
        krs__memory_half(&target->memory, at, &index);
        return index <= INT32_MAX ? index : 0;
    }
    return (krs__memory_pointer(&target->memory, at) - (code + layout->code_bytes)) / 2;
}

int krs__frame_line(krs__target *target, uint64_t frame) {
    enum { MOST_BYTES = 1 << 20 };
    const krs__layout *layout = &target->layout;
    const uint64_t code = krs__frame_code(target, frame);
    uint32_t first;
    uint64_t size;
    if (code == 0 ||
        !krs__memory_half(&target->memory, code + layout->code_first_line, &first))
        return 0;
    const uint64_t bytes =
        krs__memory_pointer(&target->memory, code + layout->code_lines);
    const krs__type *type = krs__type_of(target, bytes);
    if (type == NULL || !(type->flags & KRS__FLAG_BYTES) ||
        !krs__memory_word(&target->memory, bytes + KRS__OBJECT_SIZE, &size) ||
        size > MOST_BYTES)
        return (int)first;
    table t = {&target->memory, bytes + KRS__BYTES_ITEMS,
               bytes + KRS__BYTES_ITEMS + size};
    const uint64_t instruction = instruction_of(target, frame, code);
    const int line = layout->frames == KRS__FRAMES_ARE_OBJECTS
                         ? line_310(&t, (int)first, instruction)
                         : line_311(&t, (int)first, instruction);
    return line > 0 ? line : (int)first;
}

/* ---- variables ------------------------------------------------------------- */

/* What C code calls begins with such a frame, which has no code of its own. */
static bool is_entry(krs__target *target, uint64_t frame) {
    uint8_t owner;
    return target->layout.minor >= 12 &&
           krs__memory_byte(&target->memory, frame + target->layout.frame_owner,
                            &owner) &&
           owner == OWNED_BY_C_STACK;
}

uint64_t krs__frame_code(krs__target *target, uint64_t frame) {
    const uint64_t code =
        krs__memory_pointer(&target->memory, frame + target->layout.frame_code);
    return !is_entry(target, frame) && is_code(target, code) ? code : 0;
}

void krs__frame_variables(krs__target *target, uint64_t frame,
                          krs__reference_visitor *visit, void *context) {
    const uint64_t code = krs__frame_code(target, frame);
    const uint64_t count = code == 0 ? 0 : slot_count(target, code);
    if (code == 0)
        krs__unread(target);
    for (uint64_t i = 0; i < count; i++) {
        krs__reference variable = {.how = KRS__HOW_LOCAL, .index = i};
        if (!krs__memory_word(&target->memory,
                              frame + target->layout.frame_slots + i * 8,
                              &variable.target)) {
            krs__unread(target);
            return;
        }
        variable.name = slot_name(target, code, i);
        if (variable.target != 0 && !visit(context, &variable))
            return;
    }
}

/* Values that a frame which does not run works on. */
static void visit_stack(krs__target *target, uint64_t frame,
                        krs__reference_visitor *visit, void *context) {
    const krs__layout *layout = &target->layout;
    const uint64_t code = krs__frame_code(target, frame);
    uint32_t top;
    if (code == 0 ||
        !krs__memory_half(&target->memory, frame + layout->frame_stack_top, &top) ||
        top > MOST_SLOTS)
        return;
    const uint64_t slots = slot_count(target, code);
    const uint64_t end = layout->frames == KRS__FRAMES_ARE_OBJECTS ? slots + top : top;
    for (uint64_t i = slots; i < end; i++) {
        const krs__reference value = {
            .target = krs__memory_pointer(&target->memory,
                                          frame + layout->frame_slots + i * 8),
            .how = KRS__HOW_STACK};
        if (value.target != 0 && !visit(context, &value))
            return;
    }
}

/* A frame object that has outlived its call, or belongs to a generator (3.10). */
void krs__frame_references(krs__target *target, uint64_t object,
                           krs__reference_visitor *visit, void *context) {
    const krs__layout *layout = &target->layout;
    uint8_t owner = 0;
    uint64_t frame = object;
    if (layout->frames == KRS__FRAMES_ARE_STRUCTS) {
        frame =
            krs__memory_pointer(&target->memory, object + layout->frame_object_struct);
        if (!krs__memory_byte(&target->memory, frame + layout->frame_owner, &owner) ||
            owner != OWNED_BY_FRAME_OBJECT)
            return; /* it runs: its thread tells of it; or its generator does */
    }
    const krs__reference back = {
        .target = krs__memory_pointer(
            &target->memory,
            object +
                (layout->frames == KRS__FRAMES_ARE_STRUCTS ? 16 : layout->frame_back)),
        .how = KRS__HOW_FIELD,
        .field = "f_back"};
    krs__frame_variables(target, frame, visit, context);
    if (back.target != 0)
        visit(context, &back);
    uint8_t state = 0;
    if (layout->frames == KRS__FRAMES_ARE_OBJECTS &&
        krs__memory_byte(&target->memory, object + layout->frame_state, &state) &&
        (int8_t)state < 0)
        visit_stack(target, object, visit, context);
}

void krs__generator_references(krs__target *target, uint64_t generator,
                               krs__reference_visitor *visit, void *context) {
    const krs__layout *layout = &target->layout;
    uint8_t state;
    if (layout->frames == KRS__FRAMES_ARE_OBJECTS) {
        const krs__reference frame = {
            .target = krs__memory_pointer(&target->memory,
                                          generator + layout->generator_frame),
            .how = KRS__HOW_FIELD,
            .field = "gi_frame"};
        if (frame.target != 0)
            visit(context, &frame);
        return;
    }
    if (!krs__memory_byte(&target->memory, generator + layout->generator_state,
                          &state) ||
        (int8_t)state >= 0)
        return; /* runs, so its thread tells of it; or has ended */
    krs__frame_variables(target, generator + layout->generator_frame, visit, context);
    visit_stack(target, generator + layout->generator_frame, visit, context);
}

/* ---- threads --------------------------------------------------------------- */

static uint64_t top_of(krs__target *target, uint64_t thread) {
    const krs__layout *layout = &target->layout;
    if (layout->thread_cframe == 0)
        return krs__memory_pointer(&target->memory, thread + layout->thread_frame);
    const uint64_t cframe =
        krs__memory_pointer(&target->memory, thread + layout->thread_cframe);
    return krs__memory_pointer(&target->memory, cframe + layout->cframe_frame);
}

uint64_t krs__first_thread(krs__target *target) {
    const krs__layout *layout = &target->layout;
    uint64_t thread = krs__memory_pointer(
        &target->memory, target->interpreter + layout->interpreter_threads);
    for (int i = 0; i < MOST_THREADS && thread != 0; i++) {
        const uint64_t next =
            krs__memory_pointer(&target->memory, thread + layout->thread_next);
        if (next == 0)
            return krs__memory_pointer(&target->memory, thread + layout->thread_ident);
        thread = next;
    }
    return 0;
}

krs_status krs__frames_visit(krs__target *target, krs__frame_visitor *visit,
                             void *context, size_t *torn) {
    const krs__layout *layout = &target->layout;
    uint64_t thread = krs__memory_pointer(
        &target->memory, target->interpreter + layout->interpreter_threads);
    int depth = 0;
    for (int i = 0; i < MOST_THREADS && thread != 0; i++) {
        if (krs__memory_pointer(&target->memory, thread + layout->thread_interpreter) !=
            target->interpreter) {
            ++*torn;
            break;
        }
        const uint64_t ident =
            krs__memory_pointer(&target->memory, thread + layout->thread_ident);
        uint64_t frame = top_of(target, thread);
        for (; depth < MOST_FRAMES && frame != 0; depth++) {
            if (krs__frame_code(target, frame) == 0 && !is_entry(target, frame)) {
                ++*torn; /* its memory is used for something else by now */
                break;
            }
            const krs_status status = visit(context, frame, ident);
            if (status != KRS_OK)
                return status;
            frame = krs__memory_pointer(&target->memory, frame + layout->frame_back);
        }
        thread = krs__memory_pointer(&target->memory, thread + layout->thread_next);
    }
    return KRS_OK;
}
