#include "frames.h"

#include "frame_layout.h"

#if KRS_FRAMES_READABLE

static int visit_frame(krs_frame *frame, krs_variable *variable,
                       krs_variable_visitor visit, void *context) {
    PyObject **slots = krs_frame_slots(frame);
    Py_ssize_t count = krs_frame_slot_count(variable->code);
    for (variable->slot = 0; variable->slot < count; variable->slot++) {
        variable->value = slots[variable->slot];
        if (variable->value == NULL)
            continue;
        int stop = visit(variable, context);
        if (stop)
            return stop;
    }
    return 0;
}

int krs_frames_visit(krs_variable_visitor visit, void *context) {
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter);
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        int depth = 0;
        for (krs_frame *frame = krs_frame_top(thread); frame != NULL;
             frame = krs_frame_back(frame)) {
            krs_variable variable = {.frame = frame,
                                     .code = krs_frame_code(frame),
                                     .thread = thread->thread_id,
                                     .depth = depth};
            if (variable.code == NULL)
                continue;
            int stop = visit_frame(frame, &variable, visit, context);
            if (stop)
                return stop;
            depth++;
        }
    }
    return 0;
}

Py_ssize_t krs_frames_stack(int depth, PyObject ***values) {
    krs_frame *frame = krs_frame_top(PyThreadState_Get());
    for (; frame != NULL; frame = krs_frame_back(frame)) {
        PyCodeObject *code = krs_frame_code(frame);
        if (code != NULL && depth-- == 0)
            return krs_frame_stack(frame, code, values);
    }
    return 0;
}

int krs_frames_line(const krs_variable *variable) {
    return krs_frame_line((krs_frame *)variable->frame, variable->code);
}

PyObject *krs_frames_name(const krs_variable *variable) {
    return krs_frame_slot_name(variable->code, variable->slot);
}

int krs_frames_is_suspended(PyObject *frame) {
    return krs_frame_is_suspended(frame);
}

int krs_frames_caller_keeps_arguments(void) {
    return krs_frame_caller_keeps_arguments;
}

int krs_frames_readable(void) {
    return 1;
}

#else

int krs_frames_visit(krs_variable_visitor visit, void *context) {
    (void)visit, (void)context;
    return 0;
}

Py_ssize_t krs_frames_stack(int depth, PyObject ***values) {
    (void)depth, (void)values;
    return 0;
}

int krs_frames_line(const krs_variable *variable) {
    (void)variable;
    return 0;
}

PyObject *krs_frames_name(const krs_variable *variable) {
    return variable->code->co_name;
}

int krs_frames_is_suspended(PyObject *frame) {
    (void)frame;
    return 0;
}

int krs_frames_caller_keeps_arguments(void) {
    return 0;
}

int krs_frames_readable(void) {
    return 0;
}

#endif

int krs_variable_is_argument(const krs_variable *variable) {
    const PyCodeObject *code = variable->code;
    int arguments = code->co_argcount + code->co_kwonlyargcount;
    arguments += (code->co_flags & CO_VARARGS) != 0;
    arguments += (code->co_flags & CO_VARKEYWORDS) != 0;
    return variable->slot < arguments;
}

int krs_variable_is_under(const krs_variable *variable, PyObject *path) {
    return PyUnicode_Tailmatch(variable->code->co_filename, path, 0, PY_SSIZE_T_MAX,
                               -1) == 1;
}
