/* trim(), capabilities() and tensorflow_hash(): native pools, of this process alone. */
#include "trim.h"

#include <stdbool.h>

#include "state.h"

static const struct {
    const char *name;
    krs_status (*trim)(krs_trim *trim);
} pools[] = {
    {"TensorFlow CPU pool", krs_tensorflow_trim}, /* it frees into the C heap */
    {NULL, NULL},                                 /* as do those of trim_gpu.c */
    {"jemalloc", krs_jemalloc_trim},
    {"tcmalloc", krs_tcmalloc_trim},
    {"glibc", krs_glibc_trim},
};

enum { POOLS = sizeof pools / sizeof *pools };

/* One of `pools`; `*what` is what was tried last. */
static krs_status trim_next(size_t at, krs_trims *trims, const char **what) {
    if (pools[at].trim == NULL)
        return krs_trim_gpu_pools(trims, what);
    krs_trim trim;
    *what = pools[at].name;
    const krs_status status = pools[at].trim(&trim);
    if (status == KRS_OK)
        krs_trims_add(trims, "", pools[at].name, &trim);
    return status;
}

void krs_trims_add(krs_trims *trims, const char *prefix, const char *name,
                   const krs_trim *trim) {
    if (trims->count == KRS_TRIMS)
        return;
    krs_pool_trim *row = &trims->rows[trims->count++];
    PyOS_snprintf(row->name, sizeof row->name, "%s%s", prefix, name);
    row->trim = *trim;
}

PyObject *krs_refusal_words(krs_refusal refusal, const char *symbol) {
    const char *text = krs_refusal_text(refusal);
    if (refusal == KRS_REFUSAL_NONE)
        return Py_NewRef(Py_None);
    return symbol == NULL ? PyUnicode_FromString(text)
                          : PyUnicode_FromFormat("%s: %s", text, symbol);
}

static PyObject *describe(const krs_pool_trim *row) {
    const krs_trim *trim = &row->trim;
    return Py_BuildValue(
        "{sssNsKsKsKsKsO}", "pool", row->name, "refused",
        krs_refusal_words(trim->refusal, trim->symbol), "before",
        (unsigned long long)trim->before, "after", (unsigned long long)trim->after,
        "returned", (unsigned long long)trim->returned, "size",
        (unsigned long long)trim->size, "grew", trim->grew ? Py_True : Py_False);
}

PyObject *krs_trims_describe(const krs_trims *trims) {
    PyObject *all = PyList_New((Py_ssize_t)trims->count);
    for (size_t i = 0; all != NULL && i < trims->count; i++) {
        PyObject *one = describe(&trims->rows[i]);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

/* Without the GIL: nothing in here knows Python, and threads that compute go on. */
PyObject *krs_py_trim(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_status status = KRS_OK;
    const char *what = "";
    krs_trims *trims = PyMem_Calloc(1, sizeof *trims);
    if (trims == NULL)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    for (size_t at = 0; at < POOLS && status == KRS_OK; at++)
        status = trim_next(at, trims, &what);
    Py_END_ALLOW_THREADS
    PyObject *all =
        status == KRS_OK ? krs_trims_describe(trims) : krs_raise(status, what);
    PyMem_Free(trims);
    return all;
}

/* What could not be tried yet has not failed. */
static PyObject *describe_line(const krs_capability *line) {
    const krs_refusal refusal = line->refusal;
    const bool works = refusal == KRS_REFUSAL_NONE || refusal == KRS_REFUSAL_UNTRIED;
    return Py_BuildValue("(sOs)", line->what, works ? Py_True : Py_False,
                         krs_refusal_text(refusal));
}

PyObject *krs_py_capabilities(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_capability lines[KRS_CAPABILITIES];
    size_t count = 0;
    krs_status status = krs_tensorflow_probe(lines, KRS_CAPABILITIES, &count);
    if (status != KRS_OK)
        return krs_raise(status, "the memory map of TensorFlow's pool");
    PyObject *all = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; all != NULL && i < count; i++) {
        PyObject *one = describe_line(&lines[i]);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

PyObject *krs_py_tensorflow_hash(PyObject *module, PyObject *name) {
    (void)module;
    uint64_t hash;
    if (!PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "tensorflow_hash() takes the name of a type");
        return NULL;
    }
    const char *type = PyUnicode_AsUTF8(name);
    if (type == NULL)
        return NULL;
    const krs_status status = krs_tensorflow_hash(type, &hash);
    if (status != KRS_OK)
        return krs_raise(status, "tsl::Hash64");
    return PyLong_FromUnsignedLongLong(hash);
}
