/* Containers: what they hold by key, by index, or as a member. */
#include "edges_search.h"

static int give_key(krs_edge_search *search, PyObject *key) {
    if (PyUnicode_CheckExact(key) || PyLong_CheckExact(key))
        return krs_edge_give(search, "key", Py_NewRef(key), 1);
    PyObject *text = krs_key_text(key);
    return text == NULL ? -1 : krs_edge_give(search, "key_text", text, 1);
}

static int find_in_dict(krs_edge_search *search, PyObject *dict) {
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
        if (krs_edge_is(search, 1, value) && krs_edge_offer(search))
            return give_key(search, key);
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
        if (krs_edge_is(search, 1, key) && krs_edge_offer(search))
            return krs_edge_give(search, "as_key", NULL, 1);
    return 0;
}

static int find_in_array(krs_edge_search *search, PyObject *const *items,
                         Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++)
        if (krs_edge_is(search, 1, items[i]) && krs_edge_offer(search)) {
            PyObject *index = PyLong_FromSsize_t(i);
            return index == NULL ? -1 : krs_edge_give(search, "index", index, 1);
        }
    return 0;
}

static int find_in_set(krs_edge_search *search, const PySetObject *set) {
    for (Py_ssize_t i = 0; set->table != NULL && i <= set->mask; i++)
        if (krs_edge_is(search, 1, set->table[i].key) && krs_edge_offer(search))
            return krs_edge_give(search, "member", NULL, 1);
    return 0;
}

int krs_edge_items(krs_edge_search *search) {
    PyObject *object = search->nodes[0];
    if (PyDict_Check(object))
        return find_in_dict(search, object);
    if (PyList_Check(object))
        return find_in_array(search, ((PyListObject *)object)->ob_item,
                             PyList_GET_SIZE(object));
    if (PyTuple_Check(object))
        return find_in_array(search, ((PyTupleObject *)object)->ob_item,
                             PyTuple_GET_SIZE(object));
    if (PyAnySet_Check(object))
        return find_in_set(search, (const PySetObject *)object);
    return 0;
}
