/* The slots of an interpreter frame: the same from CPython 3.11 to 3.13. */

static inline PyObject **krs_frame_slots(krs_frame *frame) {
    return frame->localsplus;
}

static inline Py_ssize_t krs_frame_slot_count(PyCodeObject *code) {
    return code->co_nlocalsplus;
}

static inline Py_ssize_t krs_frame_stack(krs_frame *frame, PyCodeObject *code,
                                         PyObject ***values) {
    *values = frame->localsplus + code->co_nlocalsplus;
    int told = frame->stacktop - code->co_nlocalsplus; /* stacktop is -1 at work */
    return told > 0 ? told : 0;
}

/* A generator keeps its variables in itself, and a frame object only refers to them. */
static inline int krs_frame_is_suspended(PyObject *object) {
    (void)object;
    return 0;
}

static inline PyObject *krs_frame_slot_name(PyCodeObject *code, Py_ssize_t slot) {
    return PyTuple_GET_ITEM(code->co_localsplusnames, slot);
}
