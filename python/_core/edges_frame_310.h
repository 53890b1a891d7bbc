/* CPython 3.10: a generator refers to a frame object, which is the frame. */

static inline krs_frame *krs_frame_of_object(PyObject *object) {
    return (krs_frame *)object;
}

/* The frame that is part of a generator, if any is. */
static inline krs_frame *krs_frame_inside(PyGenObject *generator) {
    (void)generator;
    return NULL;
}

/* Where a generator keeps its frame object and its code, or NULL. */
static inline const void *krs_generator_frame_place(PyGenObject *generator) {
    return &generator->gi_frame;
}

static inline const void *krs_generator_code_place(PyGenObject *generator) {
    return &generator->gi_code;
}

static inline const void *krs_frame_code_place(const krs_frame *frame) {
    return &frame->f_code;
}

/* The values that a frame works on follow its variables, up to this slot. While it
 * runs nobody knows how many they are. */
static inline Py_ssize_t krs_frame_stack_end(krs_frame *frame) {
    return frame->f_valuestack - frame->f_localsplus + frame->f_stackdepth;
}
