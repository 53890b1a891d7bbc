/* CPython 3.11 to 3.13: a frame is a struct inside a generator, a frame object, or the
 * stack of a thread, and a frame object points to it. */

static inline krs_frame *krs_frame_of_object(PyObject *object) {
    return ((PyFrameObject *)object)->f_frame;
}

/* The frame that is part of a generator, if any is. */
static inline krs_frame *krs_frame_inside(PyGenObject *generator) {
    if (generator->gi_frame_state >= FRAME_COMPLETED)
        return NULL; /* what was there has been let go, and not been wiped */
    return (krs_frame *)generator->gi_iframe;
}

/* Where the frame has its code. */
static inline const void *krs_frame_code_place(const krs_frame *frame) {
#if PY_VERSION_HEX >= 0x030D0000
    return &frame->f_executable;
#else
    return &frame->f_code;
#endif
}

/* Where a generator keeps its frame object and its code, or NULL. */
static inline const void *krs_generator_frame_place(PyGenObject *generator) {
    krs_frame *frame = krs_frame_inside(generator);
    return frame == NULL ? NULL : &frame->frame_obj;
}

static inline const void *krs_generator_code_place(PyGenObject *generator) {
    krs_frame *frame = krs_frame_inside(generator);
    return frame == NULL ? NULL : krs_frame_code_place(frame);
}

/* The values that a frame works on follow its variables, up to this slot. While it
 * runs the number is not kept here, but -1. */
static inline Py_ssize_t krs_frame_stack_end(krs_frame *frame) {
    return frame->stacktop;
}
