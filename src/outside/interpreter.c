/* The main interpreter, and the lists of its collector.
 *
 * What its struct has where changes even between patch releases, so the lists are not
 * looked up by an offset: behind the heads of three generations, 24 bytes each, stands
 * a pointer to the first, which nothing else has there, and then the head of what is
 * frozen. The same in CPython 3.9 to 3.13. */
#include "outside/interpreter.h"

enum {
    HEAD_STRIDE = 24,
    BACK_POINTER = 72,
    FROZEN_HEAD = 80,
    COLLECTING = 176, /* behind the statistics of three generations */
    LOOKED_AT = 16384,
    HEADS = 4,
};
#define LINK_FLAGS UINT64_C(3)
#define MOST_OBJECTS (UINT64_C(1) << 28)

static uint64_t link_at(krs__target *target, uint64_t at) {
    return krs__memory_pointer(&target->memory, at) & ~LINK_FLAGS;
}

static uint64_t next_of(krs__target *target, uint64_t head) {
    return link_at(target, head);
}

static uint64_t previous_of(krs__target *target, uint64_t head) {
    return link_at(target, head + 8);
}

static uint64_t head_of(const krs__target *target, int which) {
    return target->collector +
           (which < 3 ? (uint64_t)which * HEAD_STRIDE : (uint64_t)FROZEN_HEAD);
}

/* Two links each, to addresses where a head can be. */
static bool are_heads(krs__target *target) {
    for (int i = 0; i < HEADS; i++) {
        const uint64_t head = head_of(target, i);
        const uint64_t next = next_of(target, head),
                       previous = previous_of(target, head);
        if (next == 0 || previous == 0 || next % 8 != 0 || previous % 8 != 0)
            return false;
    }
    return true;
}

static bool find_collector(krs__target *target) {
    for (uint64_t offset = 0; offset < LOOKED_AT; offset += 8) {
        target->collector = target->interpreter + offset;
        if (krs__memory_pointer(&target->memory, target->collector + BACK_POINTER) ==
                target->collector &&
            are_heads(target))
            return true;
    }
    return false;
}

/* From 3.13 on the runtime begins with a table of where things are. */
static krs_outside_refusal read_offsets(krs__target *target) {
    enum { FREE_THREADED = 16, INTERPRETERS = 40, THREADS = 72, MOST = 1 << 16 };
    uint64_t cookie, free_threaded, interpreters, threads;
    krs__memory *memory = &target->memory;
    if (target->layout.minor < 13)
        return KRS_OUTSIDE_READ;
    if (!krs__memory_word(memory, target->runtime, &cookie) ||
        cookie != UINT64_C(0x7970677562656478) || /* "xdebugpy" */
        !krs__memory_word(memory, target->runtime + FREE_THREADED, &free_threaded) ||
        !krs__memory_word(memory, target->runtime + INTERPRETERS, &interpreters) ||
        !krs__memory_word(memory, target->runtime + THREADS, &threads) ||
        interpreters > MOST || threads > MOST)
        return KRS_OUTSIDE_LAYOUT;
    target->layout.runtime_interpreters = (uint16_t)interpreters;
    target->layout.interpreter_threads = (uint16_t)threads;
    return free_threaded ? KRS_OUTSIDE_FREE_THREADED : KRS_OUTSIDE_READ;
}

krs_outside_refusal krs__interpreter_find(krs__target *target) {
    const krs_outside_refusal refusal = read_offsets(target);
    if (refusal != KRS_OUTSIDE_READ)
        return refusal;
    target->interpreter = krs__memory_pointer(
        &target->memory, target->runtime + target->layout.runtime_interpreters + 8);
    if (target->interpreter == 0)
        return KRS_OUTSIDE_NO_INTERPRETER;
    return find_collector(target) ? KRS_OUTSIDE_READ : KRS_OUTSIDE_LAYOUT;
}

bool krs__collector_is_busy(krs__target *target) {
    int32_t collecting = 0;
    const ptrdiff_t got =
        target->memory.read(target->memory.context, target->collector + COLLECTING,
                            &collecting, sizeof collecting);
    return got == sizeof collecting && collecting != 0;
}

/* Walks from `head` by the links at `forth` while those at `back` agree; returns the
 * head where the list is whole, else the last that is. */
static uint64_t walk(krs__target *target, uint64_t head, int forth, int back,
                     uint64_t end, krs__object_visitor *visit, void *context,
                     krs_status *status) {
    uint64_t at = head;
    for (uint64_t i = 0; i < MOST_OBJECTS; i++) {
        const uint64_t next = link_at(target, at + (uint64_t)forth);
        if (next == 0 || next % 8 != 0 || link_at(target, next + (uint64_t)back) != at)
            return at;
        if (next == head || next == end)
            return next;
        *status = visit(context, next + KRS__GC_HEAD_BYTES);
        if (*status != KRS_OK)
            return head;
        at = next;
    }
    return at;
}

krs_status krs__collector_visit(krs__target *target, krs__object_visitor *visit,
                                void *context, size_t *torn) {
    static const int order[HEADS] = {2, 3, 1, 0};
    krs_status status = KRS_OK;
    for (int i = 0; i < HEADS && status == KRS_OK; i++) {
        const uint64_t head = head_of(target, order[i]);
        const uint64_t last = walk(target, head, 0, 8, head, visit, context, &status);
        if (last == head || status != KRS_OK)
            continue;
        ++*torn; /* what lies behind the tear is reached from the other end */
        walk(target, head, 8, 0, last, visit, context, &status);
    }
    return status == KRS_OK ? krs__memory_status(&target->memory) : status;
}
