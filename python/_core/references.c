#include "references.h"

#include <stdlib.h>
#include <string.h>

#include "attribute_layout.h"
#include "state.h"

static int references_add(PyObject *object, void *context) {
    krs_references *into = context;
    if (object == NULL || into->failed)
        return 0;
    __builtin_prefetch(object); /* its type and count are what is looked at next */
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

/* Referents after the `first` may show the dict already: then it is not hidden. */
static void add_hidden_dict(PyObject *dict, size_t first, krs_references *into) {
    for (size_t i = first; i < into->count; i++)
        if (into->items[i] == dict)
            return;
    references_add(dict, into);
}

/* What the constants of code are, without the tuple that has them. */
static void add_constants(const PyCodeObject *code, krs_references *into) {
    PyObject *constants = code->co_consts;
    if (constants == NULL || !PyTuple_CheckExact(constants))
        return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++)
        references_add(PyTuple_GET_ITEM(constants, i), into);
}

/* tp_base is left out: a static type does not count its reference to it, and has the
 * base in tp_bases. From CPython 3.12 on the interpreter keeps the dict of a built-in
 * type, and tp_subclasses of one is a number. */
static void add_static_type(const PyTypeObject *type, krs_references *into) {
    references_add(type->tp_dict, into);
    references_add(type->tp_mro, into);
    references_add(type->tp_bases, into);
#ifdef _Py_TPFLAGS_STATIC_BUILTIN
    if (type->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN)
        return;
#endif
    references_add((PyObject *)type->tp_subclasses, into);
}

/* The types that most leaves have are not arrays, and a flag says so. */
static int is_array(const PyTypeObject *type, const krs_reference_rules *rules) {
    const unsigned long plain = Py_TPFLAGS_LONG_SUBCLASS | Py_TPFLAGS_UNICODE_SUBCLASS |
                                Py_TPFLAGS_BYTES_SUBCLASS | Py_TPFLAGS_TUPLE_SUBCLASS |
                                Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_DICT_SUBCLASS |
                                Py_TPFLAGS_TYPE_SUBCLASS;
    if (rules == NULL || rules->array_type == NULL || (type->tp_flags & plain))
        return 0;
    while (type != NULL && type != rules->array_type)
        type = type->tp_base;
    return type != NULL;
}

static PyObject *pointer_at(PyObject *object, Py_ssize_t offset) {
    PyObject *pointer;
    memcpy(&pointer, (char *)object + offset, sizeof pointer);
    return pointer;
}

int krs_references_read(PyObject *object, krs_references *into) {
    into->count = 0;
    return krs_references_append(object, into);
}

int krs_references_append(PyObject *object, krs_references *into) {
    PyTypeObject *type = Py_TYPE(object);
    size_t first = into->count;
    into->failed = 0;
    if (traverse_is_safe(object)) {
        type->tp_traverse(object, references_add, into);
        PyObject *hidden = krs_attributes_hidden_dict(object);
        if (hidden != NULL)
            add_hidden_dict(hidden, first, into);
    } else if (PyCode_Check(object) && into->lean) {
        add_constants((const PyCodeObject *)object, into);
    } else if (PyCode_Check(object)) {
        krs_code_parts((PyCodeObject *)object, references_add, into);
    } else if (PyType_Check(object)) {
        add_static_type((const PyTypeObject *)object, into);
    }
    if (is_array(type, into->rules))
        references_add(pointer_at(object, into->rules->array_base), into);
    return into->failed ? -1 : 0;
}

void krs_references_free(krs_references *references) {
    free(references->items);
    references->items = NULL;
    references->count = references->room = 0;
}

/* Only a type without tp_traverse needs a rule; and nothing is read but its struct. */
static int may_be_arrays(PyObject *view, PyObject *base) {
    PyTypeObject *type = Py_TYPE(view);
    return type == Py_TYPE(base) && view != base && type->tp_traverse == NULL &&
           type->tp_itemsize == 0;
}

Py_ssize_t krs_references_base_offset(PyObject *view, PyObject *base) {
    const Py_ssize_t step = (Py_ssize_t)sizeof(PyObject *);
    Py_ssize_t found = 0;
    if (!may_be_arrays(view, base))
        return 0;
    for (Py_ssize_t offset = (Py_ssize_t)sizeof(PyObject);
         offset + step <= Py_TYPE(view)->tp_basicsize; offset += step) {
        if (pointer_at(view, offset) != base)
            continue;
        if (found != 0)
            return 0;
        found = offset;
    }
    return found != 0 && pointer_at(base, found) == NULL ? found : 0;
}

PyObject *krs_py_learn_arrays(PyObject *module, PyObject *arguments) {
    krs_reference_rules *rules = &krs_state_of(module)->rules;
    PyObject *view, *base;
    if (!PyArg_ParseTuple(arguments, "OO:learn_arrays", &view, &base))
        return NULL;
    Py_ssize_t offset = krs_references_base_offset(view, base);
    if (offset == 0)
        Py_RETURN_FALSE;
    rules->array_base = offset;
    Py_XSETREF(rules->array_type, (PyTypeObject *)Py_NewRef(Py_TYPE(view)));
    Py_RETURN_TRUE;
}
