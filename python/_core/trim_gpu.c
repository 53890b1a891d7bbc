/* gpus(), region_pools(), and the part of trim() that is about GPUs: first all work
 * that is queued there is waited for, then TensorFlow gives back regions, then the
 * driver what its default memory pools keep. A GPU that cannot be waited for keeps all
 * of them as they are. */
#include <stdbool.h>
#include <stdio.h>

#include "gpu_map.h"
#include "state.h"
#include "trim.h"

typedef struct {
    krs_gpu *gpu;
    krs_gpu_state states[KRS_GPUS];
    uint64_t own[KRS_GPUS]; /* bytes of this process, where `told` */
    bool told[KRS_GPUS];
    size_t count;
    krs_refusal refusal; /* of the driver */
    const char *symbol;  /* that it is about */
} gpus;

/* One row for each GPU that refuses, and for a driver that is not known. */
static bool are_ready(const gpus *g, krs_trims *trims) {
    char name[KRS_POOL_NAME];
    krs_trim trim = {.symbol = NULL};
    bool ready = g->count > 0;
    trim.refusal = krs_gpu_refusal(g->gpu, &trim.symbol);
    if (trim.refusal != KRS_REFUSAL_NONE && trim.refusal != KRS_REFUSAL_ABSENT)
        krs_trims_add(trims, "", "GPU driver", &trim);
    for (size_t i = 0; i < g->count; i++) {
        trim.refusal = g->states[i].refusal;
        trim.symbol = g->states[i].call;
        if (trim.refusal == KRS_REFUSAL_NONE)
            continue;
        ready = false;
        snprintf(name, sizeof name, "GPU:%d", g->states[i].device);
        krs_trims_add(trims, "", name, &trim);
    }
    return ready;
}

static krs_status release_regions(unsigned which, krs_trims *trims) {
    krs_pool_trim found[KRS_POOLS];
    size_t count;
    const krs_status status = krs_tensorflow_release(which, found, KRS_POOLS, &count);
    for (size_t i = 0; status == KRS_OK && i < count; i++) {
        const bool named = found[i].name[0] != '\0';
        krs_trims_add(trims, "TensorFlow ", named ? found[i].name : "GPU pools",
                      &found[i].trim);
    }
    return status;
}

static krs_status take_pages(krs_trims *trims) {
    krs_pool_trim found[KRS_POOLS];
    size_t count;
    const krs_status status = krs_tensorflow_take_pages(found, KRS_POOLS, &count);
    for (size_t i = 0; status == KRS_OK && i < count; i++)
        krs_trims_add(trims, "pages of ", found[i].name, &found[i].trim);
    return status;
}

static void trim_pools(gpus *g, krs_trims *trims) {
    uint64_t held[KRS_GPUS];
    for (size_t i = 0; i < g->count; i++)
        held[i] = g->states[i].pool_held;
    krs_gpu_trim(g->gpu, g->states, g->count);
    for (size_t i = 0; i < g->count; i++) {
        const krs_gpu_state *s = &g->states[i];
        char name[KRS_POOL_NAME];
        const krs_trim trim = {.refusal = s->refusal,
                               .symbol = s->call,
                               .before = held[i],
                               .after = s->pool_held,
                               .returned = held[i] - s->pool_held,
                               .size = s->pool_held};
        snprintf(name, sizeof name, "CUDA pool of GPU:%d", s->device);
        if (held[i] > 0)
            krs_trims_add(trims, "", name, &trim);
    }
}

krs_status krs_trim_gpu_pools(krs_trims *trims, const char **what) {
    gpus g = {.gpu = NULL};
    *what = "the GPU driver";
    krs_status status = krs_gpu_new(&g.gpu);
    if (status != KRS_OK)
        return status;
    status = krs_gpu_settle(g.gpu, g.states, KRS_GPUS, &g.count);
    const bool ready = status == KRS_OK && are_ready(&g, trims);
    if (status == KRS_OK) {
        *what = "TensorFlow's pools";
        status =
            release_regions(KRS_POOLS_OF_CPU | (ready ? KRS_POOLS_OF_GPU : 0), trims);
    }
    if (status == KRS_OK && ready)
        status = take_pages(trims);
    if (status == KRS_OK && ready)
        trim_pools(&g, trims);
    krs_gpu_free(g.gpu);
    return status;
}

/* Whether it was too late for what the pools have by now. */
PyObject *krs_py_arm_gpu(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_gpu_granules granules;
    krs_arming arming;
    krs_gpu_granules_get(&granules);
    const krs_status status = krs_tensorflow_arm(&granules, &arming);
    if (status != KRS_OK)
        return krs_raise(status, "TensorFlow's pools");
    if (arming.refusal == KRS_REFUSAL_NONE)
        return Py_BuildValue("(OO)", Py_None, arming.late ? Py_True : Py_False);
    return Py_BuildValue("(NO)", krs_refusal_words(arming.refusal, arming.symbol),
                         Py_False);
}

PyObject *krs_py_gpu_armed(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(krs_tensorflow_is_armed());
}

static PyObject *describe(const gpus *g, size_t i) {
    const krs_gpu_state *s = &g->states[i];
    return Py_BuildValue(
        "{sisNsKsKsKsKsN}", "device", s->device, "refused",
        krs_refusal_words(s->refusal, s->call), "total", (unsigned long long)s->total,
        "used", (unsigned long long)s->used, "pool_held",
        (unsigned long long)s->pool_held, "pool_used", (unsigned long long)s->pool_used,
        "own",
        g->told[i] ? PyLong_FromUnsignedLongLong(g->own[i]) : Py_NewRef(Py_None));
}

/* Without the GIL. */
static krs_status read_gpus(gpus *g) {
    krs_status status = krs_gpu_new(&g->gpu);
    if (status == KRS_OK)
        status = krs_gpu_read(g->gpu, g->states, KRS_GPUS, &g->count);
    if (status == KRS_OK)
        g->refusal = krs_gpu_refusal(g->gpu, &g->symbol);
    for (size_t i = 0; status == KRS_OK && i < g->count; i++)
        g->told[i] = krs_gpu_own(g->gpu, g->states[i].device, &g->own[i]);
    krs_gpu_free(g->gpu);
    return status;
}

/* The same for a call that asks for nothing else; -1 with the exception set. */
static int ask_gpus(gpus *g) {
    krs_status status;
    Py_BEGIN_ALLOW_THREADS
    status = read_gpus(g);
    Py_END_ALLOW_THREADS
    if (status == KRS_OK)
        return 0;
    krs_raise(status, "the GPU driver");
    return -1;
}

PyObject *krs_py_gpu_refusal(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    gpus g = {.gpu = NULL};
    if (ask_gpus(&g) < 0)
        return NULL;
    if (g.refusal == KRS_REFUSAL_ABSENT) /* then there is nothing to be done */
        g.refusal = KRS_REFUSAL_NONE;
    return krs_refusal_words(g.refusal, g.symbol);
}

/* Of GPUs only where one is in use: to ask for them makes TensorFlow's book of them. */
PyObject *krs_py_region_pools(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    gpus g = {.gpu = NULL};
    krs_status status;
    krs_trims *trims = PyMem_Calloc(1, sizeof *trims);
    if (trims == NULL)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = read_gpus(&g);
    if (status == KRS_OK)
        status = release_regions(KRS_POOLS_LOOK | KRS_POOLS_OF_CPU |
                                     (g.count > 0 ? KRS_POOLS_OF_GPU : 0),
                                 trims);
    Py_END_ALLOW_THREADS
    PyObject *all = status == KRS_OK ? krs_trims_describe(trims)
                                     : krs_raise(status, "TensorFlow's pools");
    PyMem_Free(trims);
    return all;
}

PyObject *krs_py_gpus(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    gpus g = {.gpu = NULL};
    if (ask_gpus(&g) < 0)
        return NULL;
    PyObject *all = PyList_New((Py_ssize_t)g.count);
    for (size_t i = 0; all != NULL && i < g.count; i++) {
        PyObject *one = describe(&g, i);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}
