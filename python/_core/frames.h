/* frames.h - the variables of the functions that are running, in every thread. */
#ifndef KRS_PY_FRAMES_H
#define KRS_PY_FRAMES_H

#include "python.h"

/* One variable of one running function. Everything is borrowed, for the call. */
typedef struct {
    const void *frame; /* an address that names the frame; not an object */
    PyCodeObject *code;
    uint64_t thread; /* as threading.get_ident() */
    int depth;       /* 0 = the innermost frame of its thread */
    Py_ssize_t slot; /* which variable of the code object */
    PyObject *value; /* what the variable holds: the object, or its cell */
} krs_variable;

typedef int (*krs_variable_visitor)(const krs_variable *variable, void *context);

/* Calls `visit` for each bound variable, thread after thread, innermost frame first;
 * stops when it returns non-zero and returns that. The visitor must not run Python. */
int krs_frames_visit(krs_variable_visitor visit, void *context);

/* The value stack of the function at `depth` on this thread, while it waits for a call
 * of a Python function: borrowed, slots may be NULL. Returns how many there are, 0
 * where the interpreter does not tell. */
Py_ssize_t krs_frames_stack(int depth, PyObject ***values);

/* Line being run in the frame of `variable`. */
int krs_frames_line(const krs_variable *variable);

/* 1 for an argument of its function. */
int krs_variable_is_argument(const krs_variable *variable);

/* 1 for a variable of a function whose file's name starts with `path`, a str. Makes no
 * object: a name that is not UTF-8 costs no exception, so no collection either. */
int krs_variable_is_under(const krs_variable *variable, PyObject *path);

/* The variable's name, borrowed. */
PyObject *krs_frames_name(const krs_variable *variable);

/* 1 for the frame object of a suspended generator that is the only way to what the
 * generator's variables hold (CPython 3.10). */
int krs_frames_is_suspended(PyObject *frame);

/* 1 when a call leaves a second, invisible reference to each argument on its
 * caller's value stack (CPython 3.10). */
int krs_frames_caller_keeps_arguments(void);

/* 1 when this file knows the frames of the Python it was built for. */
int krs_frames_readable(void);

#endif
