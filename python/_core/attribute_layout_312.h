/* CPython 3.12: one pointer before an instance, to its values, which a low bit marks,
 * or to its dict. */
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
    PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);
    return _PyDictOrValues_IsValues(either) ? NULL : _PyDictOrValues_GetDict(either);
}

static inline PyObject *const *krs_layout_values(PyObject *object, Py_ssize_t *count) {
    PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);
    *count = krs_layout_name_count(Py_TYPE(object));
    return _PyDictOrValues_IsValues(either) ? _PyDictOrValues_GetValues(either)->values
                                            : NULL;
}

static inline int krs_layout_hides_dict(PyObject *object) {
    (void)object;
    return 0;
}

#include "attribute_layout_code.h"
