/* GPU memory as the driver has it: how much is in use, and what default memory pools
 * keep and give back. Looks only at devices on which this process has an active primary
 * context, the kind that TensorFlow, PyTorch, JAX and the CUDA runtime share, and makes
 * none: a context takes some 300 MB. */
#include "gpu/memory.h"

#include <stdbool.h>
#include <stdlib.h>

/* ---- opening ------------------------------------------------------------------ */

static krs_refusal refusal_of(const krs__driver *d) {
    if (d->library == NULL)
        return KRS_REFUSAL_ABSENT;
    return d->missing == NULL ? KRS_REFUSAL_NONE : KRS_REFUSAL_SYMBOL;
}

krs_status krs__gpu_new(const char *path, krs_gpu **gpu) {
    if (gpu == NULL)
        return KRS_INVALID;
    krs_gpu *g = malloc(sizeof *g);
    if (g == NULL)
        return KRS_NOMEM;
    krs__driver_open(path, &g->driver);
    g->refusal = refusal_of(&g->driver);
    g->capture_mode = KRS__CAPTURE_RELAXED;
    if (g->refusal == KRS_REFUSAL_NONE &&
        g->driver.capture_mode(&g->capture_mode) != KRS__DRIVER_OK)
        g->refusal = KRS_REFUSAL_DRIVER;
    *gpu = g;
    return KRS_OK;
}

krs_status krs_gpu_new(krs_gpu **gpu) {
    return krs__gpu_new(NULL, gpu);
}

void krs_gpu_free(krs_gpu *gpu) {
    if (gpu == NULL)
        return;
    if (gpu->refusal == KRS_REFUSAL_NONE)
        gpu->driver.capture_mode(&gpu->capture_mode);
    krs__driver_close(&gpu->driver);
    free(gpu);
}

krs_refusal krs_gpu_refusal(const krs_gpu *gpu, const char **symbol) {
    if (symbol != NULL)
        *symbol = gpu->driver.missing;
    return gpu->refusal;
}

/* ---- one device ----------------------------------------------------------------- */

/* The names of what is called, by the names it has here. */
static const struct {
#define X(name, symbol, arguments) const char *name;
    KRS__DRIVER_FUNCTIONS(X)
    KRS__DRIVER_POOL_FUNCTIONS(X)
#undef X
} called = {
#define X(name, symbol, arguments) .name = symbol,
    KRS__DRIVER_FUNCTIONS(X) KRS__DRIVER_POOL_FUNCTIONS(X)
#undef X
};

typedef struct {
    const krs__driver *driver;
    krs_gpu_state *state;
} visit;

/* Notes the first call that fails. */
static bool worked(const visit *v, int answer, const char *symbol) {
    if (answer != KRS__DRIVER_OK && v->state->refusal == KRS_REFUSAL_NONE) {
        v->state->refusal = krs__driver_refusal(answer);
        v->state->call = symbol;
    }
    return answer == KRS__DRIVER_OK;
}

#define CALL(v, name, arguments) worked(v, (v)->driver->name arguments, called.name)

/* What is done on a device, with its context current. */
typedef void task(const visit *v, krs__device device);

static bool find_pool(const visit *v, krs__device device, krs__memory_pool *pool) {
    return v->driver->default_pool != NULL &&
           v->driver->default_pool(pool, device) == KRS__DRIVER_OK;
}

static void read_pool(const visit *v, krs__device device) {
    krs__memory_pool pool;
    uint64_t held, used;
    v->state->pool_held = v->state->pool_used = 0;
    if (find_pool(v, device, &pool) &&
        CALL(v, pool_attribute, (pool, KRS__POOL_HELD, &held)) &&
        CALL(v, pool_attribute, (pool, KRS__POOL_USED, &used))) {
        v->state->pool_held = held;
        v->state->pool_used = used;
    }
}

static void read_state(const visit *v, krs__device device) {
    size_t left, total;
    if (CALL(v, info, (&left, &total))) {
        v->state->total = total;
        v->state->used = total - left;
    }
    read_pool(v, device);
}

static void settle(const visit *v, krs__device device) {
    int status;
    if (CALL(v, legacy_captures, (NULL, &status)) && CALL(v, synchronize, ()))
        read_state(v, device);
}

/* After a refusal nothing is touched. */
static void trim_pool(const visit *v, krs__device device) {
    krs__memory_pool pool;
    if (v->state->refusal != KRS_REFUSAL_NONE)
        return;
    if (v->state->pool_held > v->state->pool_used && find_pool(v, device, &pool) &&
        !CALL(v, pool_trim, (pool, 0)))
        return;
    read_state(v, device);
}

static void with_context(const visit *v, krs__device device, task *what) {
    krs__context context;
    if (!CALL(v, primary_retain, (&context, device)))
        return;
    if (CALL(v, push, (context))) {
        what(v, device);
        v->driver->pop(&context);
    }
    v->driver->primary_release(device);
}

bool krs__gpu_is_active(const krs__driver *d, int number, krs__device *device) {
    unsigned flags;
    int active = 0;
    return d->device(device, number) == KRS__DRIVER_OK &&
           d->primary_state(*device, &flags, &active) == KRS__DRIVER_OK && active != 0;
}

/* ---- all of them ------------------------------------------------------------ */

static size_t list_active(const krs__driver *d, krs_gpu_state *states, size_t room) {
    krs__device device;
    int devices;
    size_t count = 0;
    if (d->count(&devices) != KRS__DRIVER_OK)
        return 0; /* not initialized, or in a child of a process that was */
    for (int i = 0; i < devices && count < room; i++) {
        if (krs__gpu_is_active(d, i, &device))
            states[count++] = (krs_gpu_state){.device = i};
    }
    return count;
}

static void visit_all(const krs_gpu *gpu, task *what, krs_gpu_state *states,
                      size_t count) {
    krs__device device;
    for (size_t i = 0; i < count; i++) {
        const visit v = {&gpu->driver, &states[i]};
        if (krs__gpu_is_active(&gpu->driver, states[i].device, &device))
            with_context(&v, device, what);
    }
}

static krs_status list_and_visit(const krs_gpu *gpu, task *what, krs_gpu_state *states,
                                 size_t room, size_t *count) {
    if (gpu == NULL || (states == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    *count = 0;
    if (gpu->refusal == KRS_REFUSAL_NONE)
        *count = list_active(&gpu->driver, states, room);
    visit_all(gpu, what, states, *count);
    return KRS_OK;
}

krs_status krs_gpu_read(const krs_gpu *gpu, krs_gpu_state *states, size_t room,
                        size_t *count) {
    return list_and_visit(gpu, read_state, states, room, count);
}

krs_status krs_gpu_settle(const krs_gpu *gpu, krs_gpu_state *states, size_t room,
                          size_t *count) {
    return list_and_visit(gpu, settle, states, room, count);
}

krs_status krs_gpu_trim(const krs_gpu *gpu, krs_gpu_state *states, size_t count) {
    if (gpu == NULL || (states == NULL && count > 0))
        return KRS_INVALID;
    visit_all(gpu, trim_pool, states, count);
    return KRS_OK;
}
