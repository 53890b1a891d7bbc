/* CPython 3.11 and 3.12: interpreter frames, linked from the thread's C frame. */
#define KRS_FRAMES_READABLE 1

#define Py_BUILD_CORE
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE

typedef _PyInterpreterFrame krs_frame;
enum { krs_frame_caller_keeps_arguments = 0 };

static inline krs_frame *krs_frame_top(PyThreadState *thread) {
    return thread->cframe->current_frame;
}

static inline krs_frame *krs_frame_back(krs_frame *frame) {
    return frame->previous;
}

static inline PyCodeObject *krs_frame_code(krs_frame *frame) {
#if PY_VERSION_HEX >= 0x030C0000
    if (frame->owner == FRAME_OWNED_BY_CSTACK)
        return NULL; /* the entry trampoline of a C call */
#endif
    return frame->f_code;
}

static inline int krs_frame_line(krs_frame *frame, PyCodeObject *code) {
    char *start = (char *)code->co_code_adaptive;
    return PyCode_Addr2Line(code, (int)((char *)frame->prev_instr - start));
}

#include "frame_layout_slots.h"
