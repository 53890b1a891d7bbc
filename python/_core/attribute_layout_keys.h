/* The names that the instances of a class share: the same from CPython 3.11 to 3.13. */

static inline int krs_layout_is_managed(PyTypeObject *type) {
    return (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0;
}

/* How many names there are so far, each with a slot in every instance. */
static inline Py_ssize_t krs_layout_name_count(PyTypeObject *type) {
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return 0;
    const PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    return keys != NULL && keys->dk_kind == DICT_KEYS_SPLIT ? keys->dk_nentries : 0;
}

static inline PyObject *krs_layout_value_name(PyTypeObject *type, Py_ssize_t slot) {
    PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    return DK_UNICODE_ENTRIES(keys)[slot].me_key;
}

static inline void krs_layout_common_code_parts(PyCodeObject *code, visitproc visit,
                                                void *context) {
    PyObject *const parts[] = {code->co_consts,
                               code->co_names,
                               code->co_exceptiontable,
                               code->co_localsplusnames,
                               code->co_localspluskinds,
                               code->co_filename,
                               code->co_name,
                               code->co_qualname,
                               code->co_linetable};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(parts); i++)
        visit(parts[i], context);
}
