/* Instances that keep nothing outside of a dict which tp_dictoffset leads to, as far as
 * is known here. */

static inline PyObject *krs_layout_dict(PyObject *object) {
    (void)object;
    return NULL;
}

static inline PyObject *const *krs_layout_values(PyObject *object, Py_ssize_t *count) {
    (void)object, (void)count;
    return NULL;
}

static inline PyObject *krs_layout_value_name(PyTypeObject *type, Py_ssize_t slot) {
    (void)type, (void)slot;
    return NULL;
}

static inline int krs_layout_hides_dict(PyObject *object) {
    (void)object;
    return 0;
}
