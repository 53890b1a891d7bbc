/* A chain of nodes as Python data: (root, steps).
 *
 * A root is a tuple that begins with its kind: ("module", name), ("frame", thread,
 * depth, file, function, line, variable, is argument, in a cell), ("thread", ident,
 * what) or
 * ("C", references). A step is (id or object, type, label, how, name): what an object
 * is called, and how it refers to the next one; several nodes that a user takes for
 * one, an instance and its dict of attributes, are one step. What the chain ends in is
 * no step. */
#include <stdarg.h>
#include <stdlib.h>

#include "edges.h"
#include "question.h"

/* A tuple that steals its items; NULL when one of them is. */
PyObject *krs_tuple_of(int count, ...) {
    PyObject *tuple = PyTuple_New(count);
    int failed = tuple == NULL;
    va_list items;
    va_start(items, count);
    for (int i = 0; i < count; i++) {
        PyObject *item = va_arg(items, PyObject *);
        failed |= item == NULL;
        if (tuple == NULL)
            Py_XDECREF(item);
        else
            PyTuple_SET_ITEM(tuple, i, item);
    }
    va_end(items);
    if (failed)
        Py_CLEAR(tuple);
    return tuple;
}

krs_node *krs_chain_down_to(const krs_node *parent, krs_node node, size_t room,
                            size_t *length) {
    size_t count = 1;
    for (krs_node n = node; parent[n] != n; n = parent[n])
        count++;
    krs_node *chain = malloc((count + room) * sizeof *chain);
    if (chain == NULL)
        return NULL;
    *length = count;
    for (krs_node n = node; count > 0; n = parent[n])
        chain[--count] = n;
    return chain;
}

/* As a traceback would say it: with the module, where the type has one. */
PyObject *krs_full_type_name(krs_state *state, PyTypeObject *type) {
    PyObject *module = NULL;
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE && type->tp_dict != NULL)
        module = PyDict_GetItemWithError(type->tp_dict, state->module_name);
    if (module == NULL || !PyUnicode_CheckExact(module) ||
        PyUnicode_CompareWithASCIIString(module, "builtins") == 0)
        return PyUnicode_FromString(type->tp_name);
    return PyUnicode_FromFormat("%U.%U", module,
                                ((PyHeapTypeObject *)type)->ht_qualname);
}

PyObject *krs_describe_object(krs_state *state, PyObject *object) {
    PyObject *label = krs_object_label(object);
    PyObject *type = krs_full_type_name(state, Py_TYPE(object));
    return krs_tuple_of(2, type, label);
}

static PyObject *frame_root(const krs_heap_graph *heap, const krs_node *chain,
                            size_t nth) {
    const krs_variable *variable = krs_heap_variable(heap, chain[0], chain[1], nth);
    if (variable == NULL)
        return NULL;
    PyObject *described = krs_describe_variable(variable);
    PyObject *kind = Py_BuildValue("(s)", "frame");
    PyObject *root = NULL;
    if (described != NULL && kind != NULL)
        root = PySequence_Concat(kind, described);
    Py_XDECREF(described);
    Py_XDECREF(kind);
    return root;
}

static PyObject *root_of(const krs_heap_graph *heap, const krs_node *chain,
                         size_t nth) {
    if (krs_heap_is_frame(heap, chain[0]))
        return frame_root(heap, chain, nth);
    const krs_heap_root *root = krs_heap_find_root(heap, chain[0]);
    if (root != NULL && root->kind == KRS_ROOT_MODULE)
        return Py_BuildValue("(sO)", "module", root->module);
    if (root != NULL)
        return Py_BuildValue("(sKs)", "thread", (unsigned long long)root->thread,
                             root->what);
    if (krs_heap_object(heap, chain[0]) == PyImport_GetModuleDict())
        return Py_BuildValue("(ss)", "module", "sys.modules");
    return Py_BuildValue("(sL)", "C", (long long)heap->unexplained[chain[0]]);
}

/* An object that only C code holds may be half made (cpython gh-101855, tuples) and is
 * not handed out. */
static PyObject *identity(const krs_reading *reading, PyObject *object, int is_root) {
    if (!reading->question->objects || (is_root && PyTuple_Check(object)))
        return PyLong_FromVoidPtr(object);
    return Py_NewRef(object);
}

static PyObject *step(const krs_reading *reading, PyObject *const *objects,
                      size_t count, size_t nth, int is_root, size_t *used) {
    krs_edge edge = {0};
    if (krs_edge_describe(objects, count, nth, &edge) < 0)
        return NULL;
    *used = edge.used;
    PyObject *name = edge.name == NULL ? Py_NewRef(Py_None) : edge.name;
    return krs_tuple_of(5, identity(reading, objects[0], is_root),
                        krs_full_type_name(reading->state, Py_TYPE(objects[0])),
                        krs_object_label(objects[0]),
                        PyUnicode_InternFromString(edge.how), name);
}

/* `at` and `nth` as in krs_path(), for `objects`, which begin at chain[first]. */
static PyObject *steps(const krs_reading *reading, PyObject *const *objects,
                       size_t count, size_t at, size_t nth, int has_root) {
    PyObject *list = PyList_New(0);
    size_t used = 1;
    for (size_t i = 0; list != NULL && i + 1 < count; i += used) {
        int is_root = has_root && i == 0;
        PyObject *one =
            step(reading, objects + i, count - i, i == at ? nth : 0, is_root, &used);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

PyObject *krs_path(const krs_reading *reading, const krs_node *chain, size_t length,
                   size_t at, size_t nth) {
    const krs_heap_graph *heap = &reading->heap;
    int is_frame = krs_heap_is_frame(heap, chain[0]);
    size_t first = is_frame ? 1 : 0;
    if (is_frame && length > 2 && PyCell_Check(krs_heap_object(heap, chain[1])))
        first = 2; /* the variable is shared with an inner function */
    PyObject **objects = malloc(length * sizeof(PyObject *));
    if (objects == NULL)
        return PyErr_NoMemory();
    for (size_t i = first; i < length; i++)
        objects[i] = krs_heap_object(heap, chain[i]);
    PyObject *root = root_of(heap, chain, is_frame && at == 0 ? nth : 0);
    PyObject *list = root == NULL
                         ? NULL
                         : steps(reading, objects + first, length - first,
                                 at < first ? SIZE_MAX : at - first, nth, !is_frame);
    free(objects);
    return krs_tuple_of(2, root, list);
}
