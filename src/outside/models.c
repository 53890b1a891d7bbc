/* Keras models, and the variables that they own: walked from each model through layers,
 * models and plain containers, and no further, so that what a model merely knows of (a
 * callback, a dataset, a module) counts for nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/array.h"
#include "outside/reading.h"

/* ---- variables -------------------------------------------------------------- */

static unsigned bytes_of_dtype(const char *name) {
    static const struct {
        const char *name;
        unsigned bytes;
    } known[] = {{"float32", 4},       {"float64", 8},    {"float16", 2},
                 {"bfloat16", 2},      {"bool", 1},       {"int8", 1},
                 {"uint8", 1},         {"int16", 2},      {"uint16", 2},
                 {"int32", 4},         {"uint32", 4},     {"int64", 8},
                 {"uint64", 8},        {"complex64", 8},  {"complex128", 16},
                 {"float8_e4m3fn", 1}, {"float8_e5m2", 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name))
            return known[i].bytes;
    return 0;
}

/* Shape times dtype; false where either is not told in Python objects. */
static bool read_bytes(krs__target *target, uint64_t variable, uint64_t *bytes) {
    enum { MOST_DIMENSIONS = 32 };
    char dtype[32];
    uint64_t rank;
    const uint64_t shape = krs__attribute(target, variable, "_shape");
    const krs__type *type = krs__type_of(target, shape);
    if (type == NULL || type->kind != KRS__KIND_TUPLE ||
        !krs__memory_word(&target->memory, shape + KRS__OBJECT_SIZE, &rank) ||
        rank > MOST_DIMENSIONS ||
        !krs__text_of(target, krs__attribute(target, variable, "_dtype"), dtype,
                      sizeof dtype))
        return false;
    uint64_t product = bytes_of_dtype(dtype);
    for (uint64_t i = 0; i < rank; i++) {
        int64_t size;
        if (!krs__int_of(
                target,
                krs__memory_pointer(&target->memory, shape + KRS__TUPLE_ITEMS + i * 8),
                &size) ||
            size < 0 || (size > 0 && product > UINT64_MAX / (uint64_t)size))
            return false;
        product *= (uint64_t)size;
    }
    *bytes = product;
    return bytes_of_dtype(dtype) != 0;
}

/* ---- the walk --------------------------------------------------------------- */

typedef struct {
    const krs__reading *reading;
    uint8_t *seen;   /* by node */
    krs_node *queue; /* what was seen, in this order */
    size_t queued, next;
} walk;

static void push(walk *w, krs_node node) {
    if (w->seen[node])
        return;
    w->seen[node] = 1;
    w->queue[w->queued++] = node;
}

static void push_targets(walk *w, krs_node node) {
    size_t count;
    const krs_node *targets = krs_graph_targets(w->reading->graph, node, &count);
    for (size_t i = 0; i < count; i++)
        push(w, targets[i]);
}

static void count_variable(const walk *w, krs_node node, bool is_slot,
                           krs_outside_model *model) {
    uint64_t bytes = 0;
    if (!read_bytes(w->reading->target, krs__reading_address(w->reading, node), &bytes))
        model->unsized++;
    *(is_slot ? &model->slots : &model->weights) += 1;
    uint64_t *sum = is_slot ? &model->slot_bytes : &model->weight_bytes;
    *sum = krs__plus(*sum, bytes);
}

static bool is_container(const krs__type *type) {
    return type->kind == KRS__KIND_DICT || type->kind == KRS__KIND_LIST ||
           type->kind == KRS__KIND_TUPLE || type->kind == KRS__KIND_SET;
}

/* Goes on from what is queued; optimizers are entered only when their turn has come. */
static void walk_on(walk *w, bool in_optimizer, krs_outside_model *model) {
    for (; w->next < w->queued; w->next++) {
        const krs_node node = w->queue[w->next];
        krs__type *type = krs__reading_type(w->reading, node);
        if (type == NULL || krs__reading_module(w->reading, node) != NULL)
            continue;
        const krs__role role = krs__role_of(w->reading->target, type);
        if (role == KRS__ROLE_VARIABLE)
            count_variable(w, node, in_optimizer, model);
        else if (role == KRS__ROLE_MODEL || role == KRS__ROLE_LAYER ||
                 (role == KRS__ROLE_NONE && is_container(type)))
            push_targets(w, node);
    }
}

static void walk_model(walk *w, krs_node node, krs_outside_model *model) {
    for (size_t i = 0; i < w->queued; i++)
        w->seen[w->queue[i]] = 0;
    w->queued = w->next = 0;
    push(w, node);
    walk_on(w, false, model);
    const size_t own = w->queued;
    for (size_t i = 0; i < own; i++) {
        krs__type *type = krs__reading_type(w->reading, w->queue[i]);
        if (type != NULL &&
            krs__role_of(w->reading->target, type) == KRS__ROLE_OPTIMIZER)
            push_targets(w, w->queue[i]);
    }
    walk_on(w, true, model);
}

/* ---- all of them ------------------------------------------------------------ */

static void describe(krs__target *target, uint64_t object, const krs__type *type,
                     krs_outside_model *model) {
    *model = (krs_outside_model){.address = object, .part_of = UINT32_MAX};
    krs__type_full_name(target, type, model->type, sizeof model->type);
    if (!krs__text_of(target, krs__attribute(target, object, "name"), model->name,
                      sizeof model->name) &&
        !krs__text_of(target, krs__attribute(target, object, "_name"), model->name,
                      sizeof model->name))
        model->name[0] = '\0';
}

static krs_status list_models(const krs__reading *reading, krs_outside_model **models,
                              krs_node **nodes, size_t *count) {
    size_t room = 0, used = 0;
    for (krs_node n = 0; n < krs_graph_node_count(reading->graph); n++) {
        krs__type *type = krs__reading_type(reading, n);
        if (type == NULL || krs__role_of(reading->target, type) != KRS__ROLE_MODEL)
            continue;
        if (used == room) {
            room = krs__array_capacity(room, used + 1, sizeof **models);
            void *grown = krs__array_resize(*models, room, sizeof **models);
            *models = grown != NULL ? grown : *models;
            void *grown_nodes = krs__array_resize(*nodes, room, sizeof **nodes);
            *nodes = grown_nodes != NULL ? grown_nodes : *nodes;
            if (grown == NULL || grown_nodes == NULL)
                return KRS_NOMEM;
        }
        describe(reading->target, krs__reading_address(reading, n), type,
                 &(*models)[used]);
        (*nodes)[used++] = n;
    }
    *count = used;
    return KRS_OK;
}

/* The first other model in whose walk each one was met. */
static void note_parts(const walk *w, size_t whole, krs_outside_model *models,
                       const krs_node *nodes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (i != whole && w->seen[nodes[i]] && models[i].part_of == UINT32_MAX)
            models[i].part_of = (uint32_t)whole;
}

krs_status krs__models_find(const krs__reading *reading, krs_outside_model **models,
                            krs_node **nodes, size_t *count) {
    const uint32_t node_count = krs_graph_node_count(reading->graph);
    krs_outside_model *found = NULL;
    krs_node *found_nodes = NULL;
    size_t found_count = 0;
    walk w = {.reading = reading,
              .seen = calloc((size_t)node_count + 1, sizeof *w.seen),
              .queue = malloc(((size_t)node_count + 1) * sizeof *w.queue)};
    krs_status status = w.seen != NULL && w.queue != NULL ? KRS_OK : KRS_NOMEM;
    if (status == KRS_OK)
        status = list_models(reading, &found, &found_nodes, &found_count);
    for (size_t i = 0; status == KRS_OK && i < found_count; i++) {
        walk_model(&w, found_nodes[i], &found[i]);
        note_parts(&w, i, found, found_nodes, found_count);
        status = krs__memory_status(&reading->target->memory);
    }
    free(w.seen);
    free(w.queue);
    if (status != KRS_OK) {
        free(found);
        free(found_nodes);
        return status;
    }
    *models = found;
    *nodes = found_nodes;
    *count = found_count;
    return KRS_OK;
}

/* ---- parts ------------------------------------------------------------------ */

static bool is_held(const krs_referrers *referrers, const krs_node *parent,
                    krs_node node) {
    size_t count;
    const krs_node *holders = krs_referrers_of(referrers, node, &count);
    for (size_t i = 0; i < count; i++)
        if (parent[holders[i]] != KRS_NODE_NONE)
            return true;
    return false;
}

/* What is reached without entering any model is nobody's part. */
krs_status krs__models_nest(const krs__reading *reading, const krs_referrers *referrers,
                            krs_outside_model *models, const krs_node *nodes,
                            size_t count) {
    const uint32_t node_count = krs_graph_node_count(reading->graph);
    uint8_t *barred = calloc((size_t)node_count + 1, 1), *waves = NULL;
    krs_node *parent = malloc(((size_t)node_count + 1) * sizeof *parent), *roots = NULL;
    size_t root_count = 0;
    krs_status status = barred != NULL && parent != NULL ? KRS_OK : KRS_NOMEM;
    for (size_t i = 0; status == KRS_OK && i < count; i++)
        barred[nodes[i]] = 1;
    if (status == KRS_OK)
        status = krs__reading_roots(reading, barred, &roots, &waves, &root_count);
    for (size_t named = 0; status == KRS_OK && named < root_count; named++)
        if (waves[named] != 0)
            root_count = named; /* C code holds parts of what it holds */
    if (status == KRS_OK)
        status =
            krs_graph_paths(reading->graph, roots, NULL, root_count, barred, parent);
    for (size_t i = 0; status == KRS_OK && i < count; i++)
        if (is_held(referrers, parent, nodes[i]))
            models[i].part_of = UINT32_MAX;
    free(barred);
    free(waves);
    free(parent);
    free(roots);
    return status;
}
