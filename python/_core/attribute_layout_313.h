/* CPython 3.13: the values follow the body of an instance, and a dict, once there is
 * one, shares them until it has to have its own. */
#define KRS_ATTRIBUTES_READABLE 1

#define Py_BUILD_CORE
#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>
#undef Py_BUILD_CORE

#include "attribute_layout_keys.h"

static inline PyObject *krs_layout_dict(PyObject *object) {
    return (PyObject *)_PyObject_GetManagedDict(object);
}

static inline PyObject *const *krs_layout_values(PyObject *object, Py_ssize_t *count) {
    PyTypeObject *type = Py_TYPE(object);
    if (!(type->tp_flags & Py_TPFLAGS_INLINE_VALUES))
        return NULL;
    PyDictValues *values = _PyObject_InlineValues(object);
    *count = Py_MIN(krs_layout_name_count(type), values->capacity);
    return values->valid ? values->values : NULL;
}

static inline int krs_layout_hides_dict(PyObject *object) {
    return (Py_TYPE(object)->tp_flags & Py_TPFLAGS_INLINE_VALUES) &&
           _PyObject_InlineValues(object)->valid;
}

#include "attribute_layout_code.h"
