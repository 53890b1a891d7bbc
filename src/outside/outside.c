/* One process, read once: the reading is tried again while the target changes its heap
 * under it, and checked before anything is said about it. */
#define _GNU_SOURCE /* nanosleep */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "outside/interpreter.h"
#include "outside/made.h"
#include "outside/process.h"
#include "outside/reading.h"
#include "outside/refusal.h"

enum { DEFAULT_TRIES = 4 };
#define DEFAULT_BYTES (UINT64_C(4) << 30)

struct krs_outside {
    krs__process process;
    krs__target target;
    krs__reading reading;
    krs__mapper *map;
    krs_referrers *referrers;
    krs_outside_model *models;
    krs_node *model_nodes;
    size_t model_count;
    uint32_t tries;
};

void krs_outside_free(krs_outside *outside) {
    if (outside == NULL)
        return;
    krs_referrers_free(outside->referrers);
    krs__reading_clear(&outside->reading);
    krs__types_free(&outside->target.types);
    krs__memory_free(&outside->target.memory);
    free(outside->models);
    free(outside->model_nodes);
    free(outside);
}

static krs_status refuse(const krs_outside *outside, krs_outside_refusal refusal,
                         const char *more, krs_outside_error *error) {
    char detail[96];
    snprintf(detail, sizeof detail, "%d%s", (int)outside->process.pid, more);
    return krs__refuse(error, refusal, detail);
}

/* ---- checks ------------------------------------------------------------------ */

/* Does what was found say of itself what it was taken for? */
static krs_status check_sys(krs_outside *outside, uint64_t sys,
                            krs_outside_error *error) {
    krs__target *target = &outside->target;
    int64_t version;
    char flags[16], more[64];
    if (sys == 0)
        return refuse(outside, KRS_OUTSIDE_NO_INTERPRETER, "", error);
    if (!krs__int_of(target, krs__dict_value(target, sys, "hexversion"), &version) ||
        version >> 24 != 3)
        return refuse(outside, KRS_OUTSIDE_LAYOUT, "", error);
    if ((version >> 16 & 0xff) != target->layout.minor ||
        (target->version != 0 && version != target->version)) {
        snprintf(more, sizeof more, " says it is CPython 3.%d",
                 (int)(version >> 16 & 255));
        return refuse(outside, KRS_OUTSIDE_VERSION, more, error);
    }
    target->version = (uint32_t)version;
    if (krs__text_of(target, krs__dict_value(target, sys, "abiflags"), flags,
                     sizeof flags) &&
        flags[0] != '\0')
        return refuse(outside,
                      strchr(flags, 't') != NULL ? KRS_OUTSIDE_FREE_THREADED
                                                 : KRS_OUTSIDE_DEBUG,
                      "", error);
    return KRS_OK;
}

/* ---- reading ----------------------------------------------------------------- */

static void forget(krs_outside *outside) {
    krs__reading_clear(&outside->reading);
    krs__types_free(&outside->target.types);
    krs__memory_forget(&outside->target.memory);
}

/* Waits while the collector works, for a quarter of a second at most. */
static void wait_for_collector(krs_outside *outside) {
    const struct timespec moment = {.tv_nsec = 2000000};
    for (int i = 0; i < 125 && krs__collector_is_busy(&outside->target); i++)
        nanosleep(&moment, NULL);
}

/* What the process has mapped by now: a dict that has grown is somewhere else. */
static krs_status map_again(krs_outside *outside) {
    krs__memory *memory = &outside->target.memory;
    krs__memory_free(memory);
    return outside->map(memory->context, memory);
}

/* One try. It starts from nothing that an earlier one has copied. */
static krs_status find_once(krs_outside *outside, uint64_t *sys,
                            krs_outside_error *error) {
    forget(outside);
    const krs_status mapped = outside->tries > 0 ? map_again(outside) : KRS_OK;
    if (mapped != KRS_OK)
        return mapped;
    krs_outside_refusal refusal = krs__interpreter_find(&outside->target);
    if (refusal == KRS_OUTSIDE_READ) {
        wait_for_collector(outside);
        krs__memory_forget(&outside->target.memory);
        refusal = krs__interpreter_find(&outside->target);
    }
    const krs_status status = krs__memory_status(&outside->target.memory);
    if (status != KRS_OK)
        return status;
    if (refusal != KRS_OUTSIDE_READ)
        return refuse(outside, refusal, "", error);
    return krs__reading_find(&outside->reading, sys);
}

static krs_status find(krs_outside *outside, unsigned tries, krs_outside_error *error) {
    krs_status status = KRS_OK;
    uint64_t sys = 0;
    const struct timespec moment = {.tv_nsec = 5000000};
    for (unsigned i = 0; i < tries; i++) {
        if (i > 0)
            nanosleep(&moment, NULL); /* another phase of what it does */
        status = find_once(outside, &sys, error);
        outside->tries++;
        if (status != KRS_OK || (outside->reading.torn == 0 && sys != 0))
            break;
    }
    if (status == KRS_OK)
        status = check_sys(outside, sys, error);
    /* What could not be read for want of memory looks as if it were not there. */
    const krs_status memory = krs__memory_status(&outside->target.memory);
    return status == KRS_UNSUPPORTED && memory != KRS_OK ? memory : status;
}

static krs_status build(krs_outside *outside) {
    krs__reading *reading = &outside->reading;
    krs_status status = krs__reading_build(reading);
    if (status == KRS_OK)
        status = krs_referrers_new(reading->graph, &outside->referrers);
    if (status == KRS_OK)
        status = krs__models_find(reading, &outside->models, &outside->model_nodes,
                                  &outside->model_count);
    if (status == KRS_OK && outside->model_count > 0)
        status = krs__models_nest(reading, outside->referrers, outside->models,
                                  outside->model_nodes, outside->model_count);
    return status;
}

/* What the memory has met, as a refusal. */
static krs_status explain(const krs_outside *outside, krs_status status,
                          krs_outside_error *error) {
    const krs__memory *memory = &outside->target.memory;
    if (memory->failure != 0)
        return krs__process_explain(&outside->process, memory->failure, error);
    if (memory->over_limit || status == KRS_LIMIT)
        return refuse(outside, KRS_OUTSIDE_TOO_LARGE, "", error);
    return status;
}

static krs_status read_all(krs_outside *outside, const krs_outside_limits *limits,
                           krs_outside_error *error) {
    const unsigned tries =
        limits != NULL && limits->tries ? limits->tries : DEFAULT_TRIES;
    krs_status status = krs__process_open(&outside->process, &outside->target, error);
    if (status == KRS_OK)
        status = find(outside, tries, error);
    if (status == KRS_OK)
        status = build(outside);
    const bool is_same = krs__process_look(&outside->process);
    /* An interpreter that is being taken down looks like one that is not known. */
    const bool ends = is_same && status == KRS_UNSUPPORTED &&
                      (error->refusal == KRS_OUTSIDE_LAYOUT ||
                       error->refusal == KRS_OUTSIDE_NO_INTERPRETER) &&
                      krs__process_ends(&outside->process);
    if (status != KRS_OK && status != KRS_NOMEM && (!is_same || ends))
        return refuse(outside, KRS_OUTSIDE_ENDED, "", error);
    if (is_same && status != KRS_NOMEM && !krs__process_runs_same(&outside->process))
        return refuse(outside, KRS_OUTSIDE_CHANGED, "", error);
    return status == KRS_OK || status == KRS_UNSUPPORTED
               ? status
               : explain(outside, status, error);
}

static krs_outside *new_outside(const krs_outside_limits *limits, krs__mapper *map,
                                krs__reader *read, void *context) {
    krs_outside *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    const uint64_t bytes =
        limits != NULL && limits->bytes ? limits->bytes : DEFAULT_BYTES;
    made->map = map;
    made->reading.target = &made->target;
    krs__memory_init(&made->target.memory, read,
                     context != NULL ? context : &made->process,
                     bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes);
    return made;
}

krs_status krs__outside_open_memory(const krs__made_memory *memory,
                                    krs_outside **outside, krs_outside_error *error) {
    const krs__layout *layout = krs__layout_of(memory->minor);
    krs_outside *made = new_outside(NULL, memory->map, memory->read, memory->context);
    *error = (krs_outside_error){KRS_OUTSIDE_READ, "", ""};
    if (made == NULL)
        return KRS_NOMEM;
    made->target.layout = *layout;
    made->target.runtime = memory->runtime;
    krs_status status = made->map(memory->context, &made->target.memory);
    if (status == KRS_OK)
        status = find(made, memory->tries, error);
    if (status == KRS_OK)
        status = build(made);
    if (status == KRS_OK)
        *outside = made;
    else
        krs_outside_free(made);
    return status;
}

krs_status krs_outside_open(pid_t pid, const krs_outside_limits *limits,
                            krs_outside **outside, krs_outside_error *error) {
    if (outside == NULL || error == NULL)
        return KRS_INVALID;
    *error = (krs_outside_error){KRS_OUTSIDE_READ, "", ""};
    krs_outside *made =
        new_outside(limits, krs__process_map, krs__process_memory, NULL);
    if (made == NULL)
        return KRS_NOMEM;
    krs_status status = krs__process_find(pid, &made->process, error);
    if (status == KRS_OK)
        status = read_all(made, limits, error);
    if (status != KRS_OK) {
        krs_outside_free(made);
        return status;
    }
    *outside = made;
    return KRS_OK;
}

/* ---- what was read ------------------------------------------------------------- */

void krs_outside_figures_get(const krs_outside *outside, krs_outside_figures *figures) {
    *figures = (krs_outside_figures){
        .python = outside->target.version,
        .state = outside->process.state,
        .tries = outside->tries,
        .torn = (uint32_t)outside->reading.torn,
        .objects = outside->reading.object_count,
        .references = krs_graph_edge_count(outside->reading.graph),
        .copied = outside->target.memory.copied,
        .frames = outside->reading.running_count,
    };
}

const krs_outside_model *krs_outside_models(const krs_outside *outside, size_t *count) {
    *count = outside->model_count;
    return outside->models;
}

krs_status krs_outside_holders(krs_outside *outside, size_t model,
                               krs_outside_holder *holders, size_t room,
                               size_t *count) {
    if (outside == NULL || count == NULL || (holders == NULL && room > 0) ||
        model >= outside->model_count)
        return KRS_INVALID;
    return krs__holders_find(&outside->reading, outside->referrers,
                             outside->model_nodes[model], holders, room, count);
}
