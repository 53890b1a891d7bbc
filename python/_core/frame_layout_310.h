/* CPython 3.10: frames are objects, linked from the thread state. */
#define KRS_FRAMES_READABLE 1

typedef PyFrameObject krs_frame;
enum { krs_frame_caller_keeps_arguments = 1 };

static inline krs_frame *krs_frame_top(PyThreadState *thread) {
    return thread->frame;
}

static inline krs_frame *krs_frame_back(krs_frame *frame) {
    return frame->f_back;
}

static inline PyCodeObject *krs_frame_code(krs_frame *frame) {
    return frame->f_code;
}

static inline PyObject **krs_frame_slots(krs_frame *frame) {
    return frame->f_localsplus;
}

static inline Py_ssize_t krs_frame_slot_count(PyCodeObject *code) {
    return code->co_nlocals + PyTuple_GET_SIZE(code->co_cellvars) +
           PyTuple_GET_SIZE(code->co_freevars);
}

static inline PyObject *krs_frame_slot_name(PyCodeObject *code, Py_ssize_t slot) {
    PyObject *groups[] = {code->co_varnames, code->co_cellvars, code->co_freevars};
    for (int i = 0; i < 3; i++) {
        if (slot < PyTuple_GET_SIZE(groups[i]))
            return PyTuple_GET_ITEM(groups[i], slot);
        slot -= PyTuple_GET_SIZE(groups[i]);
    }
    return code->co_name; /* not reached: slot < krs_frame_slot_count() */
}

/* Of a frame at work, only the local variable of the interpreter's loop knows it. */
static inline Py_ssize_t krs_frame_stack(krs_frame *frame, PyCodeObject *code,
                                         PyObject ***values) {
    (void)frame, (void)code, (void)values;
    return 0;
}

static inline int krs_frame_is_suspended(PyObject *object) {
    const PyFrameObject *frame = (const PyFrameObject *)object;
    return frame->f_gen != NULL && frame->f_state < FRAME_EXECUTING;
}

static inline int krs_frame_line(krs_frame *frame, PyCodeObject *code) {
    return frame->f_lineno ? frame->f_lineno
                           : PyCode_Addr2Line(code, frame->f_lasti * 2);
}
