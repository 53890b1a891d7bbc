/* CPython newer than the layouts here. */
#define KRS_ATTRIBUTES_READABLE 0

#include "attribute_layout_plain.h"

static inline int krs_layout_is_managed(PyTypeObject *type) {
    return (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0;
}

static inline Py_ssize_t krs_layout_item_count(PyObject *object) {
    (void)object;
    return -1;
}

static inline void krs_layout_code_parts(PyCodeObject *code, visitproc visit,
                                         void *context) {
    (void)code, (void)visit, (void)context;
}
