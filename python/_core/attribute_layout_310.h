/* CPython 3.10: the attributes of an instance are in a dict, at tp_dictoffset. */
#define KRS_ATTRIBUTES_READABLE 1

#include "attribute_layout_plain.h"

static inline int krs_layout_is_managed(PyTypeObject *type) {
    (void)type;
    return 0;
}

/* The sign of an int is that of its size. */
static inline Py_ssize_t krs_layout_item_count(PyObject *object) {
    return Py_ABS(Py_SIZE(object));
}

static inline void krs_layout_code_parts(PyCodeObject *code, visitproc visit,
                                         void *context) {
    PyObject *const parts[] = {
        code->co_code,     code->co_consts,   code->co_names,
        code->co_varnames, code->co_freevars, code->co_cellvars,
        code->co_filename, code->co_name,     code->co_linetable};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(parts); i++)
        visit(parts[i], context);
}
