/* Sizes and code objects: the same in CPython 3.12 and 3.13. */

/* What stands where other objects have their size is no number of items in an int. */
static inline Py_ssize_t krs_layout_item_count(PyObject *object) {
    return PyLong_Check(object) ? -1 : Py_ABS(Py_SIZE(object));
}

static inline void krs_layout_code_parts(PyCodeObject *code, visitproc visit,
                                         void *context) {
    krs_layout_common_code_parts(code, visit, context);
    const _PyCoCached *cached = code->_co_cached;
    if (cached == NULL)
        return;
    visit(cached->_co_code, context);
    visit(cached->_co_varnames, context);
    visit(cached->_co_cellvars, context);
    visit(cached->_co_freevars, context);
}
