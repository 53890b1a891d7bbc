/* CPython 3.11: two pointers before an instance, to its values or to its dict. */
#define KRS_ATTRIBUTES_READABLE 1

/* Aliases that Python.h makes for everybody and that the headers below declare. */
#undef _PyGC_FINALIZED
#undef _PyObject_LookupSpecial
#define Py_BUILD_CORE
#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>
#undef Py_BUILD_CORE

#include "attribute_layout_keys.h"

static inline PyObject *krs_layout_dict(PyObject *object) {
    return *_PyObject_ManagedDictPointer(object);
}

static inline PyObject *const *krs_layout_values(PyObject *object, Py_ssize_t *count) {
    PyDictValues *values = *_PyObject_ValuesPointer(object);
    *count = krs_layout_name_count(Py_TYPE(object));
    return values == NULL ? NULL : values->values;
}

static inline int krs_layout_hides_dict(PyObject *object) {
    (void)object;
    return 0;
}

/* The sign of an int is that of its size. */
static inline Py_ssize_t krs_layout_item_count(PyObject *object) {
    return Py_ABS(Py_SIZE(object));
}

static inline void krs_layout_code_parts(PyCodeObject *code, visitproc visit,
                                         void *context) {
    krs_layout_common_code_parts(code, visit, context);
    visit(code->_co_code, context);
}
