/* Attributes: what an instance keeps with or without a dict, and the members that its
 * type and the bases of it describe. Modules, types and functions have a dict as well.
 */
#include "attribute_layout.h"
#include "edges_search.h"

#include <structmember.h>

static int find_value(krs_edge_search *search, PyObject *object) {
    Py_ssize_t count;
    PyObject *const *values = krs_attributes_values(object, &count);
    for (Py_ssize_t i = 0; values != NULL && i < count; i++) {
        if (!krs_edge_is(search, 1, values[i]) || !krs_edge_offer(search))
            continue;
        PyObject *name = krs_attributes_value_name(object, i);
        return krs_edge_give(search, "attribute", Py_XNewRef(name), 1);
    }
    return 0;
}

/* Members of one type, of which nodes[0] is an instance: __slots__ and what C types
 * list. The offset is checked, for a type may have been made by anybody. */
static int find_member(krs_edge_search *search, const PyMemberDef *member) {
    const char *object = (const char *)search->nodes[0];
    Py_ssize_t last = Py_TYPE(object)->tp_basicsize - (Py_ssize_t)sizeof(PyObject *);
    int status = 0;
    for (; member != NULL && member->name != NULL && status == 0; member++)
        if ((member->type == T_OBJECT || member->type == T_OBJECT_EX) &&
            member->offset >= (Py_ssize_t)sizeof(PyObject) && member->offset <= last)
            status = krs_edge_place(search, "attribute", member->name,
                                    object + member->offset);
    return status;
}

static int find_members(krs_edge_search *search, PyObject *object) {
    PyObject *bases = Py_TYPE(object)->tp_mro; /* NULL while the type is being made */
    int status = 0;
    for (Py_ssize_t i = 0; bases != NULL && i < PyTuple_GET_SIZE(bases) && status == 0;
         i++) {
        PyObject *base = PyTuple_GET_ITEM(bases, i);
        if (base != NULL && PyType_Check(base))
            status = find_member(search, ((PyTypeObject *)base)->tp_members);
    }
    return status;
}

int krs_edge_attributes(krs_edge_search *search) {
    PyObject *object = search->nodes[0];
    PyTypeObject *type = Py_TYPE(object);
    int status = find_value(search, object);
    if (status == 0)
        status = krs_edge_names(search, krs_attributes_dict(object), "attribute",
                                "attributes", NULL);
    if (status == 0)
        status = find_members(search, object);
    if (status == 0)
        status = krs_edge_place(search, "type", NULL, &object->ob_type);
    if (status == 0 && krs_attributes_unknown_of(object) &&
        !krs_edge_is(search, 1, type) && krs_edge_offer(search))
        status = krs_edge_give(search, "attribute", NULL, 1);
    return status;
}
