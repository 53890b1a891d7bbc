/* edge(): which finder is asked, and the steps that all of them share. */
#include "edges.h"

#include <string.h>

#include "edges_search.h"
#include "state.h"

int krs_edge_is(const krs_edge_search *search, size_t at, const void *object) {
    return object != NULL && at < search->count && search->nodes[at] == object;
}

int krs_edge_offer(krs_edge_search *search) {
    return search->offers++ == search->nth;
}

int krs_edge_give(krs_edge_search *search, const char *how, PyObject *name,
                  size_t used) {
    *search->edge = (krs_edge){how, name, used};
    return 1;
}

int krs_edge_give_text(krs_edge_search *search, const char *how, const char *name,
                       size_t used) {
    if (name == NULL)
        return krs_edge_give(search, how, NULL, used);
    PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
    return text == NULL ? -1 : krs_edge_give(search, how, text, used);
}

/* 1 when this field is offered for the first time. */
static int place_is_new(krs_edge_search *search, const void *place) {
    for (size_t i = 0; i < search->place_count; i++)
        if (search->places[i] == place)
            return 0;
    if (search->place_count < KRS_EDGE_PLACES)
        search->places[search->place_count++] = place;
    return 1;
}

int krs_edge_place(krs_edge_search *search, const char *how, const char *name,
                   const void *place) {
    const void *value;
    if (place == NULL)
        return 0;
    memcpy(&value, place, sizeof value); /* fields have pointer types of many kinds */
    if (!krs_edge_is(search, 1, value) || !place_is_new(search, place) ||
        !krs_edge_offer(search))
        return 0;
    return krs_edge_give_text(search, how, name, 1);
}

int krs_edge_fields(krs_edge_search *search, const krs_edge_field *fields,
                    size_t count) {
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++)
        status = krs_edge_place(search, "attribute", fields[i].name, fields[i].place);
    return status;
}

int krs_edge_names(krs_edge_search *search, PyObject *dict, const char *how,
                   const char *whole, const char *name) {
    if (!krs_edge_is(search, 1, dict) || !PyDict_Check(dict))
        return 0;
    PyObject *key, *value;
    size_t before = search->offers;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
        if (krs_edge_is(search, 2, value) && PyUnicode_CheckExact(key) &&
            krs_edge_offer(search))
            return krs_edge_give(search, how, Py_NewRef(key), 2);
    if (search->offers > before || !krs_edge_offer(search))
        return 0;
    return krs_edge_give_text(search, whole, name, 1);
}

int krs_edge_describe(PyObject *const *nodes, size_t count, size_t nth,
                      krs_edge *edge) {
    /* The class of an instance comes last: some fields may hold it too. */
    static int (*const finders[])(krs_edge_search *) = {
        krs_edge_items, krs_edge_function, krs_edge_generator,
        krs_edge_frame, krs_edge_fixed,    krs_edge_attributes};
    krs_edge_search search = {.nodes = nodes, .count = count, .nth = nth, .edge = edge};
    int status = 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(finders) && status == 0; i++)
        status = finders[i](&search);
    if (status == 0)
        krs_edge_give(&search, "reference", NULL, 1);
    return status < 0 ? -1 : 0;
}

PyObject *krs_py_edge(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *chain;
    Py_ssize_t nth = 0;
    krs_edge edge;
    if (!PyArg_ParseTuple(arguments, "O!|n:edge", &PyList_Type, &chain, &nth))
        return NULL;
    if (PyList_GET_SIZE(chain) < 2 || nth < 0) {
        PyErr_SetString(PyExc_ValueError,
                        "edge() takes two objects or more, and counts from 0");
        return NULL;
    }
    if (krs_edge_describe(PySequence_Fast_ITEMS(chain), (size_t)PyList_GET_SIZE(chain),
                          (size_t)nth, &edge) < 0)
        return NULL;
    PyObject *name = edge.name == NULL ? Py_NewRef(Py_None) : edge.name;
    return Py_BuildValue("sNn", edge.how, name, (Py_ssize_t)edge.used);
}
