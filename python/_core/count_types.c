/* count_types(): how many objects of each type the collector tracks. */
#include <stdlib.h>

#include "enumerate.h"
#include "state.h"

typedef struct {
    PyTypeObject *type; /* a reference of ours: nothing may be freed meanwhile */
    size_t count;
} krs_type_count;

/* A hash table with open addressing; `size` is a power of two. */
typedef struct {
    krs_type_count *slots;
    size_t size, used;
    int failed;
} krs_type_table;

static krs_type_count *find_slot(const krs_type_table *table, PyTypeObject *type) {
    size_t at = ((uintptr_t)type >> 4) & (table->size - 1);
    while (table->slots[at].type != NULL && table->slots[at].type != type)
        at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

static int grow(krs_type_table *table) {
    krs_type_table larger = {.size = table->size ? table->size * 2 : 1024,
                             .used = table->used};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (larger.slots == NULL)
        return -1;
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i].type != NULL)
            *find_slot(&larger, table->slots[i].type) = table->slots[i];
    free(table->slots);
    *table = larger;
    return 0;
}

static int count_one(PyObject *object, void *context) {
    krs_type_table *table = context;
    if (table->used * 2 >= table->size && grow(table) < 0) {
        table->failed = 1;
        return 1;
    }
    krs_type_count *slot = find_slot(table, Py_TYPE(object));
    if (slot->type == NULL) {
        slot->type = (PyTypeObject *)Py_NewRef(Py_TYPE(object));
        table->used++;
    }
    slot->count++;
    return 0;
}

static PyObject *answer(const krs_type_table *table) {
    PyObject *counts = PyDict_New();
    for (size_t i = 0; counts != NULL && i < table->size; i++) {
        const krs_type_count *slot = &table->slots[i];
        PyObject *count = slot->type ? PyLong_FromSize_t(slot->count) : NULL;
        if (slot->type != NULL &&
            (count == NULL ||
             PyDict_SetItem(counts, (PyObject *)slot->type, count) < 0))
            Py_CLEAR(counts);
        Py_XDECREF(count);
    }
    return counts;
}

PyObject *krs_py_count_types(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_type_table table = {0};
    int stopped = krs_enumerate(krs_enumerate_choose(), count_one, &table);
    PyObject *counts = NULL;
    if (table.failed)
        krs_raise(KRS_NOMEM, "counting objects by type");
    else if (!stopped)
        counts = answer(&table);
    for (size_t i = 0; i < table.size; i++)
        Py_XDECREF(table.slots[i].type);
    free(table.slots);
    return counts;
}
