#include "references.h"

#include <stdlib.h>

static int references_add(PyObject *object, void *context) {
    krs_references *into = context;
    if (object == NULL || into->failed)
        return 0;
    if (into->count == into->room) {
        size_t room = into->room ? into->room * 2 : 512;
        const void **items = realloc(into->items, room * sizeof *items);
        if (items == NULL) {
            into->failed = 1;
            return 0;
        }
        into->items = items;
        into->room = room;
    }
    into->items[into->count++] = object;
    return 0;
}

int krs_references_push(krs_references *into, const void *address) {
    into->failed = 0;
    references_add((PyObject *)address, into);
    return into->failed ? -1 : 0;
}

/* Calling tp_traverse on an untracked object is our habit, not the collector's, and
 * has crashed types that rely on that (cpython gh-124538, a capsule). So untracked
 * objects are entered only where the traverse function is known to be ready. */
static int traverse_is_safe(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_traverse == NULL || !PyObject_IS_GC(object))
        return 0; /* a static type has the flag but says no: it would abort */
    if (PyObject_GC_IsTracked(object))
        return 1;
    return PyDict_CheckExact(object) || PyTuple_CheckExact(object) ||
           PyList_CheckExact(object) || PyFunction_Check(object) ||
           PyMethod_Check(object) || PyCell_Check(object);
}

int krs_references_read(PyObject *object, krs_references *into) {
    into->count = 0;
    return krs_references_append(object, into);
}

int krs_references_append(PyObject *object, krs_references *into) {
    into->failed = 0;
    if (traverse_is_safe(object))
        Py_TYPE(object)->tp_traverse(object, references_add, into);
    return into->failed ? -1 : 0;
}

void krs_references_free(krs_references *references) {
    free(references->items);
    references->items = NULL;
    references->count = references->room = 0;
}
