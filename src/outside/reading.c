#include "outside/reading.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "outside/interpreter.h"

/* Room for one item more in an array of the reading. */
static bool grow(void **items, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return true;
    const size_t wanted = krs__array_capacity(*room, count + 1, size);
    void *grown = krs__array_resize(*items, wanted, size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

void krs__reading_clear(krs__reading *reading) {
    krs_graph_free(reading->graph);
    free(reading->objects);
    free(reading->running);
    free(reading->modules);
    free((void *)reading->targets);
    *reading = (krs__reading){.target = reading->target};
}

/* ---- what there is ---------------------------------------------------------- */

static krs_status add_frame(void *context, uint64_t frame, uint64_t thread) {
    krs__reading *reading = context;
    void *items = reading->running;
    if (krs__frame_code(reading->target, frame) == 0)
        return krs__memory_status(&reading->target->memory);
    if (!grow(&items, reading->running_count, &reading->running_room,
              sizeof *reading->running))
        return KRS_NOMEM;
    reading->running = items;
    reading->running[reading->running_count++] = (krs__running){frame, thread};
    return KRS_OK;
}

static krs_status add_object(void *context, uint64_t object) {
    krs__reading *reading = context;
    void *items = reading->objects;
    if (krs__type_of(reading->target, object) == NULL) {
        reading->torn++; /* freed since */
        return krs__memory_status(&reading->target->memory);
    }
    if (!grow(&items, reading->object_count, &reading->object_room,
              sizeof *reading->objects))
        return KRS_NOMEM;
    reading->objects = items;
    reading->objects[reading->object_count++] = object;
    return KRS_OK;
}

static uint64_t dict_of_module(krs__target *target, uint64_t module) {
    const krs__type *type = krs__type_of(target, module);
    return type != NULL && type->kind == KRS__KIND_MODULE
               ? krs__memory_pointer(&target->memory, module + KRS__MODULE_DICT)
               : 0;
}

/* The dict of the module sys, if `table` is the dict of all modules: then sys has it.
 */
static uint64_t sys_of(krs__target *target, uint64_t table) {
    const krs__type *type = krs__type_of(target, table);
    if (type == NULL || type->kind != KRS__KIND_DICT)
        return 0;
    const uint64_t sys = dict_of_module(target, krs__dict_value(target, table, "sys"));
    return sys != 0 && krs__dict_value(target, sys, "modules") == table ? sys : 0;
}

/* The interpreter has the table in its struct, wherever that may be in this release; so
 * it is found when the collector's lists are torn, too. */
static uint64_t find_sys(krs__reading *reading) {
    enum { LOOKED_AT = 16384 };
    krs__target *target = reading->target;
    for (uint64_t offset = 0; offset < LOOKED_AT; offset += 8) {
        const uint64_t table =
            krs__memory_pointer(&target->memory, target->interpreter + offset);
        const uint64_t sys = table % 8 == 0 ? sys_of(target, table) : 0;
        if (sys != 0) {
            reading->module_table = table;
            return sys;
        }
    }
    return 0;
}

/* A full collection takes all lists away while it works: then they are whole, and
 * empty. What is always tracked has to be there. */
static bool is_tracked(const krs__reading *reading, uint64_t object) {
    for (size_t i = 0; i < reading->object_count; i++)
        if (reading->objects[i] == object)
            return true;
    return false;
}

/* The first thread is the last of the list, and always runs something. */
static bool first_thread_runs(krs__reading *reading) {
    const uint64_t ident = krs__first_thread(reading->target);
    for (size_t i = 0; i < reading->running_count; i++)
        if (reading->running[i].thread == ident)
            return true;
    return ident == 0;
}

/* Frames come and go in microseconds, so they are read before anything else, and again
 * where a chain is torn: it is only a few pieces. */
static krs_status find_frames(krs__reading *reading) {
    enum { TRIES = 10 };
    krs_status status = KRS_OK;
    for (int i = 0; i < TRIES && status == KRS_OK; i++) {
        if (i > 0)
            krs__memory_forget(&reading->target->memory);
        reading->running_count = reading->torn = 0;
        status = krs__frames_visit(reading->target, add_frame, reading, &reading->torn);
        if (status == KRS_OK && !first_thread_runs(reading))
            reading->torn++;
        if (reading->torn == 0)
            break;
    }
    return status;
}

krs_status krs__reading_find(krs__reading *reading, uint64_t *sys) {
    krs_status status = find_frames(reading);
    if (status == KRS_OK)
        status =
            krs__collector_visit(reading->target, add_object, reading, &reading->torn);
    if (status != KRS_OK)
        return status;
    *sys = find_sys(reading);
    if (*sys != 0 && !is_tracked(reading, *sys))
        reading->torn++;
    return krs__memory_status(&reading->target->memory);
}

/* ---- the graph -------------------------------------------------------------- */

static const void *key_of(uint64_t address) {
    return (const void *)(uintptr_t)address; /* a key: nobody follows it */
}

uint64_t krs__reading_address(const krs__reading *reading, krs_node node) {
    return (uint64_t)(uintptr_t)krs_graph_address(reading->graph, node);
}

krs__type *krs__reading_type(const krs__reading *reading, krs_node node) {
    return node < reading->running_count
               ? NULL
               : krs__type_of(reading->target, krs__reading_address(reading, node));
}

const krs__module *krs__reading_module(const krs__reading *reading, krs_node node) {
    for (size_t i = 0; i < reading->module_count; i++)
        if (reading->modules[i].node == node)
            return &reading->modules[i];
    return NULL;
}

typedef struct {
    krs__reading *reading;
    bool main; /* add __main__, or all others */
} module_adder;

static bool add_module(void *context, const krs__reference *reference) {
    module_adder *adder = context;
    krs__reading *reading = adder->reading;
    const uint32_t before = krs_graph_node_count(reading->graph);
    const uint64_t dict = dict_of_module(reading->target, reference->target);
    krs_node node;
    if (dict == 0 ||
        krs__text_is(reading->target, reference->name, "__main__") != adder->main)
        return true;
    reading->status = krs_graph_node(reading->graph, key_of(dict), &node);
    if (reading->status != KRS_OK)
        return false;
    if (krs_graph_node_count(reading->graph) == before)
        return true; /* a module of two names keeps its first */
    void *items = reading->modules;
    if (!grow(&items, reading->module_count, &reading->module_room,
              sizeof *reading->modules)) {
        reading->status = KRS_NOMEM;
        return false;
    }
    reading->modules = items;
    reading->modules[reading->module_count++] = (krs__module){node, reference->name};
    return true;
}

/* The user's own module first: of equally short paths the first root's is taken. */
static krs_status add_modules(krs__reading *reading) {
    for (int main = 1; main >= 0 && reading->status == KRS_OK; main--) {
        module_adder adder = {reading, main};
        krs__dict_items(reading->target, reading->module_table, add_module, &adder);
    }
    return reading->status;
}

static krs_status add_nodes(krs__reading *reading) {
    krs_node node;
    krs_status status = krs_graph_new(&reading->graph);
    size_t kept = 0;
    for (size_t i = 0; i < reading->running_count && status == KRS_OK; i++) {
        status =
            krs_graph_node(reading->graph, key_of(reading->running[i].frame), &node);
        if (status == KRS_OK && node == kept) /* a torn chain may come back to one */
            reading->running[kept++] = reading->running[i];
    }
    reading->running_count = kept;
    if (status == KRS_OK)
        status = add_modules(reading);
    for (size_t i = 0; i < reading->object_count && status == KRS_OK; i++)
        status = krs_graph_node(reading->graph, key_of(reading->objects[i]), &node);
    return status;
}

/* What a field that is known refers to is an object, tracked or not, or was freed after
 * the field was read; leaves that hold nothing are left out. Of what was scanned, only
 * what is known to be an object. */
static bool belongs(krs__reading *reading, const krs__reference *reference) {
    const void *key = key_of(reference->target);
    if (krs_graph_find(reading->graph, key) != KRS_NODE_NONE)
        return true;
    if (reference->how == KRS__HOW_SCANNED || reference->how == KRS__HOW_TYPE)
        return false;
    const krs__type *type = krs__type_of(reading->target, reference->target);
    if (type == NULL && reference->how != KRS__HOW_STACK)
        reading->torn++;
    return type != NULL && type->kind != KRS__KIND_ATOM &&
           type->kind != KRS__KIND_CODE && type->kind != KRS__KIND_TYPE;
}

static bool add_target(void *context, const krs__reference *reference) {
    krs__reading *reading = context;
    void *items = (void *)reading->targets;
    if (!belongs(reading, reference))
        return true;
    if (!grow(&items, reading->target_count, &reading->target_room,
              sizeof *reading->targets)) {
        reading->status = KRS_NOMEM;
        return false;
    }
    reading->targets = items;
    reading->targets[reading->target_count++] = key_of(reference->target);
    return true;
}

static void visit(const krs__reading *reading, krs_node node,
                  krs__reference_visitor *visitor, void *context) {
    const uint64_t address = krs__reading_address(reading, node);
    const krs__type *type = krs__reading_type(reading, node);
    if (node < reading->running_count)
        krs__frame_variables(reading->target, address, visitor, context);
    else if (type != NULL)
        krs__references(reading->target, address, type, visitor, context);
}

krs_status krs__reading_build(krs__reading *reading) {
    reading->target->unread = 0;
    krs_status status = add_nodes(reading);
    for (krs_node node = 0;
         status == KRS_OK && node < krs_graph_node_count(reading->graph); node++) {
        reading->target_count = 0;
        visit(reading, node, add_target, reading);
        status = reading->status;
        if (status == KRS_OK && reading->target_count > 0)
            status = krs_graph_expand(reading->graph, node, reading->targets,
                                      reading->target_count);
        if (status == KRS_OK)
            status = krs__memory_status(&reading->target->memory);
    }
    reading->torn += reading->target->unread;
    return status;
}

/* ---- one reference ---------------------------------------------------------- */

typedef struct {
    uint64_t to;
    size_t nth, count;
    bool named; /* those of a name alone, or the others */
    krs__reference *found;
} search;

static bool is_wanted(void *context, const krs__reference *reference) {
    search *asked = context;
    const bool named = reference->how != KRS__HOW_SCANNED &&
                       reference->how != KRS__HOW_TYPE &&
                       reference->how != KRS__HOW_STACK;
    if (reference->target != asked->to || named != asked->named)
        return true;
    if (asked->found != NULL && asked->count == asked->nth)
        *asked->found = *reference;
    asked->count++;
    return true;
}

size_t krs__reading_count(const krs__reading *reading, krs_node source, krs_node to) {
    search asked = {.to = krs__reading_address(reading, to), .named = true};
    visit(reading, source, is_wanted, &asked);
    return asked.count > 0 ? asked.count : 1;
}

bool krs__reading_reference(const krs__reading *reading, krs_node source, krs_node to,
                            size_t nth, krs__reference *found) {
    for (int named = 1; named >= 0; named--) {
        search asked = {.to = krs__reading_address(reading, to),
                        .nth = nth,
                        .named = named,
                        .found = found};
        visit(reading, source, is_wanted, &asked);
        if (asked.count > nth)
            return true;
    }
    return false;
}
