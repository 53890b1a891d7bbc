/* gpu_map(): pools, their regions and chunks, and the figures of the driver that they
 * have to add up with. Both are read in turn until the driver says the same before and
 * after, since other threads and processes go on. */
#include "gpu_map.h"

#include <unistd.h>

#include "state.h"
#include "trim.h"

typedef struct {
    krs_gpu_state state;
    char name[KRS_GPU_NAME];
    krs_gpu_user users[KRS_GPU_USERS];
    size_t user_count;
    bool told; /* who uses it */
} device_reading;

typedef struct {
    krs_gpu *gpu;
    device_reading devices[KRS_GPUS];
    size_t device_count;
    krs_pool_map maps[KRS_POOLS];
    int device_of[KRS_POOLS]; /* -1: of the host, or not known */
    size_t map_count;
    bool steady;
    krs_refusal refusal; /* of the driver */
    const char *symbol;  /* that it is about */
} reading;

/* ---- reading, without the GIL ----------------------------------------------- */

bool krs_gpu_own(const krs_gpu *gpu, int device, uint64_t *bytes) {
    krs_gpu_user users[KRS_GPU_USERS];
    size_t count;
    if (krs_gpu_users(gpu, device, users, KRS_GPU_USERS, &count) != KRS_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (users[i].pid != getpid())
            continue;
        *bytes = users[i].bytes;
        return true;
    }
    return false;
}

static void forget_maps(reading *r) {
    while (r->map_count > 0)
        krs_pool_map_free(&r->maps[--r->map_count]);
}

static bool is_same(const krs_gpu_state *left, size_t left_count,
                    const krs_gpu_state *right, size_t right_count) {
    bool same = left_count == right_count;
    for (size_t i = 0; same && i < left_count; i++)
        same = left[i].device == right[i].device && left[i].used == right[i].used &&
               left[i].pool_held == right[i].pool_held;
    return same;
}

static void note_devices(reading *r, const krs_gpu_state *states, size_t count) {
    r->device_count = count;
    for (size_t i = 0; i < count; i++) {
        device_reading *d = &r->devices[i];
        d->state = states[i];
        krs_gpu_name(r->gpu, states[i].device, d->name);
        d->told = krs_gpu_users(r->gpu, states[i].device, d->users, KRS_GPU_USERS,
                                &d->user_count) == KRS_OK;
    }
}

/* A region that is not in granules is asked for at the driver. */
static void note_device_of(reading *r, size_t i) {
    const krs_pool_map *map = &r->maps[i];
    r->device_of[i] = -1;
    if (!map->of_gpu || map->region_count == 0)
        return;
    const krs_region *region = &map->regions[0];
    r->device_of[i] =
        region->device >= 0 ? region->device : krs_gpu_of(r->gpu, region->address);
}

/* Of GPUs only where one is in use: to ask for them makes TensorFlow's book of them. */
static krs_status read_once(reading *r) {
    krs_gpu_state before[KRS_GPUS], after[KRS_GPUS];
    size_t before_count, after_count;
    krs_status status = krs_gpu_read(r->gpu, before, KRS_GPUS, &before_count);
    forget_maps(r);
    if (status == KRS_OK)
        status = krs_tensorflow_map(KRS_POOLS_OF_CPU |
                                        (before_count > 0 ? KRS_POOLS_OF_GPU : 0),
                                    r->maps, KRS_POOLS, &r->map_count);
    if (status == KRS_OK)
        status = krs_gpu_read(r->gpu, after, KRS_GPUS, &after_count);
    if (status != KRS_OK)
        return status;
    r->steady = is_same(before, before_count, after, after_count);
    note_devices(r, after, after_count);
    for (size_t i = 0; i < r->map_count; i++)
        note_device_of(r, i);
    return KRS_OK;
}

static krs_status read_all(reading *r, const char **what) {
    enum { TRIES = 4 };
    *what = "the GPU driver";
    krs_status status = krs_gpu_new(&r->gpu);
    if (status != KRS_OK)
        return status;
    *what = "TensorFlow's pools";
    r->refusal = krs_gpu_refusal(r->gpu, &r->symbol);
    for (int i = 0; i < TRIES && !r->steady && status == KRS_OK; i++)
        status = read_once(r);
    krs_gpu_free(r->gpu);
    return status;
}

/* ---- as objects ------------------------------------------------------------- */

static PyObject *describe_users(const device_reading *d) {
    if (!d->told)
        return Py_NewRef(Py_None);
    PyObject *all = PyList_New((Py_ssize_t)d->user_count);
    for (size_t i = 0; all != NULL && i < d->user_count; i++) {
        PyObject *one = Py_BuildValue("(iK)", (int)d->users[i].pid,
                                      (unsigned long long)d->users[i].bytes);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

static PyObject *describe_device(const device_reading *d) {
    const krs_gpu_state *s = &d->state;
    return Py_BuildValue("{siszsNsKsKsKsKsN}", "device", s->device, "name",
                         d->name[0] == '\0' ? NULL : d->name, "refused",
                         krs_refusal_words(s->refusal, s->call), "total",
                         (unsigned long long)s->total, "used",
                         (unsigned long long)s->used, "pool_held",
                         (unsigned long long)s->pool_held, "pool_used",
                         (unsigned long long)s->pool_used, "users", describe_users(d));
}

static PyObject *describe_op(const krs_pool_map *map, const krs_chunk *c) {
    return c->op_length == 0
               ? Py_NewRef(Py_None)
               : PyUnicode_DecodeUTF8(map->text + c->op, c->op_length, "replace");
}

static PyObject *describe_chunk(const krs_pool_map *map, const krs_chunk *c) {
    return Py_BuildValue(
        "(KKKOOiKNK)", (unsigned long long)c->size, (unsigned long long)c->requested,
        (unsigned long long)c->given_back, c->in_use ? Py_True : Py_False,
        c->is_piece ? Py_True : Py_False, (int)c->bin, (unsigned long long)c->freed_at,
        describe_op(map, c), (unsigned long long)c->address);
}

static PyObject *describe_region(const krs_pool_map *map, const krs_region *region) {
    PyObject *chunks = PyList_New((Py_ssize_t)region->count);
    for (size_t i = 0; chunks != NULL && i < region->count; i++) {
        PyObject *one = describe_chunk(map, &map->chunks[region->first + i]);
        if (one == NULL)
            Py_CLEAR(chunks);
        else
            PyList_SET_ITEM(chunks, (Py_ssize_t)i, one);
    }
    return chunks == NULL
               ? NULL
               : Py_BuildValue("(KKKN)", (unsigned long long)region->size,
                               (unsigned long long)region->mapped,
                               (unsigned long long)region->given_back, chunks);
}

static PyObject *describe_regions(const krs_pool_map *map) {
    PyObject *all = PyList_New((Py_ssize_t)map->region_count);
    for (size_t i = 0; all != NULL && i < map->region_count; i++) {
        PyObject *one = describe_region(map, &map->regions[i]);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

static PyObject *describe_pool(const reading *r, size_t i) {
    const krs_pool_map *map = &r->maps[i];
    PyObject *regions = describe_regions(map);
    return regions == NULL
               ? NULL
               : Py_BuildValue("{sssOsisNsKsN}", "pool", map->name, "of_gpu",
                               map->of_gpu ? Py_True : Py_False, "device",
                               r->device_of[i], "refused",
                               krs_refusal_words(map->refusal, map->symbol), "in_book",
                               (unsigned long long)map->in_book, "regions", regions);
}

static PyObject *describe(const reading *r) {
    PyObject *gpus = PyList_New(0), *pools = PyList_New(0);
    bool done = gpus != NULL && pools != NULL;
    for (size_t i = 0; done && i < r->device_count; i++) {
        PyObject *one = describe_device(&r->devices[i]);
        done = one != NULL && PyList_Append(gpus, one) == 0;
        Py_XDECREF(one);
    }
    for (size_t i = 0; done && i < r->map_count; i++) {
        PyObject *one = describe_pool(r, i);
        done = one != NULL && PyList_Append(pools, one) == 0;
        Py_XDECREF(one);
    }
    PyObject *all = NULL;
    if (done)
        all = Py_BuildValue("{sOsOsOsN}", "gpus", gpus, "pools", pools, "steady",
                            r->steady ? Py_True : Py_False, "refused",
                            r->refusal == KRS_REFUSAL_ABSENT
                                ? Py_NewRef(Py_None)
                                : krs_refusal_words(r->refusal, r->symbol));
    Py_XDECREF(gpus);
    Py_XDECREF(pools);
    return all;
}

PyObject *krs_py_gpu_map(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    const char *what = "";
    krs_status status;
    reading *r = PyMem_Calloc(1, sizeof *r);
    if (r == NULL)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = read_all(r, &what);
    Py_END_ALLOW_THREADS
    PyObject *all = status == KRS_OK ? describe(r) : krs_raise(status, what);
    forget_maps(r);
    PyMem_Free(r);
    return all;
}
