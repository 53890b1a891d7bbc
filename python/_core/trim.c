/* trim(), capabilities() and tensorflow_hash(): native pools, of this process alone. */
#include <stdbool.h>

#include "state.h"

static const struct {
    const char *name;
    krs_status (*trim)(krs_trim *trim);
} pools[] = {
    {"TensorFlow CPU pool", krs_tensorflow_trim}, /* it frees into the C heap */
    {"jemalloc", krs_jemalloc_trim},
    {"tcmalloc", krs_tcmalloc_trim},
    {"glibc", krs_glibc_trim},
};

enum { POOLS = sizeof pools / sizeof *pools };

static PyObject *refusal_text(krs_refusal refusal, const char *symbol) {
    const char *text = krs_refusal_text(refusal);
    if (refusal == KRS_REFUSAL_NONE)
        return Py_NewRef(Py_None);
    return symbol == NULL ? PyUnicode_FromString(text)
                          : PyUnicode_FromFormat("%s: %s", text, symbol);
}

static PyObject *describe(const char *name, const krs_trim *trim) {
    return Py_BuildValue(
        "{sssNsKsKsKsKsO}", "pool", name, "refused",
        refusal_text(trim->refusal, trim->symbol), "before",
        (unsigned long long)trim->before, "after", (unsigned long long)trim->after,
        "returned", (unsigned long long)trim->returned, "size",
        (unsigned long long)trim->size, "grew", trim->grew ? Py_True : Py_False);
}

/* Without the GIL: nothing in here knows Python, and threads that compute go on. */
PyObject *krs_py_trim(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_trim trims[POOLS];
    krs_status status = KRS_OK;
    size_t at = 0;
    Py_BEGIN_ALLOW_THREADS
    for (; at < POOLS && status == KRS_OK; at++)
        status = pools[at].trim(&trims[at]);
    Py_END_ALLOW_THREADS
    if (status != KRS_OK)
        return krs_raise(status, pools[at - 1].name);
    PyObject *all = PyList_New(POOLS);
    for (size_t i = 0; all != NULL && i < POOLS; i++) {
        PyObject *one = describe(pools[i].name, &trims[i]);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
    }
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
