/* Frames, generators and coroutines: their variables, and what they work on. */
#include "edges_search.h"
#include "frame_layout.h"

#if KRS_FRAMES_READABLE

#if PY_VERSION_HEX < 0x030B0000
#include "edges_frame_310.h"
#else
#include "edges_frame_311.h"
#endif

static PyObject *name_of(PyObject *code, Py_ssize_t first, Py_ssize_t which,
                         Py_ssize_t count) {
    int is_there = which >= 0 && which < count && first >= 0;
    return is_there ? krs_frame_slot_name((PyCodeObject *)code, first + which) : NULL;
}

/* The free variables are the last of all. */
PyObject *krs_captured_name(PyObject *code, Py_ssize_t which) {
    if (code == NULL || !PyCode_Check(code))
        return NULL;
    Py_ssize_t count = PyCode_GetNumFree((PyCodeObject *)code);
    return name_of(code, krs_frame_slot_count((PyCodeObject *)code) - count, which,
                   count);
}

/* The arguments are the first. */
PyObject *krs_parameter_name(PyObject *code, Py_ssize_t which) {
    if (code == NULL || !PyCode_Check(code))
        return NULL;
    return name_of(code, 0, which, ((PyCodeObject *)code)->co_argcount);
}

/* The frame stands at `at` in the chain, or is part of what does. */
static int find_variable(krs_edge_search *search, krs_frame *frame, size_t at) {
    PyCodeObject *code = krs_frame_code(frame);
    if (code == NULL)
        return 0;
    PyObject *const *slots = krs_frame_slots(frame);
    Py_ssize_t count = krs_frame_slot_count(code), end = krs_frame_stack_end(frame);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = slots[i];
        if (!krs_edge_is(search, at + 1, value) || !krs_edge_offer(search))
            continue;
        int is_passed =
            PyCell_Check(value) && krs_edge_is(search, at + 2, PyCell_GET(value));
        return krs_edge_give(search, "local", Py_NewRef(krs_frame_slot_name(code, i)),
                             at + 1 + (size_t)is_passed);
    }
    for (Py_ssize_t i = count; i < end; i++)
        if (krs_edge_is(search, at + 1, slots[i]) && krs_edge_offer(search))
            return krs_edge_give(search, "stack", NULL, at + 1);
    return 0;
}

/* What a frame refers to, be it an object or inside a generator. */
static int find_in_frame(krs_edge_search *search, krs_frame *frame) {
    int status = find_variable(search, frame, 0);
    if (status == 0)
        status =
            krs_edge_names(search, frame->f_locals, "local", "attribute", "f_locals");
    return status;
}

int krs_edge_frame(krs_edge_search *search) {
    PyObject *object = search->nodes[0];
    if (!PyFrame_Check(object))
        return 0;
    krs_frame *frame = krs_frame_of_object(object);
    int status = frame == NULL ? 0 : find_in_frame(search, frame);
    if (status != 0)
        return status;
    const PyFrameObject *outer = (const PyFrameObject *)object;
    const krs_edge_field fields[] = {{"f_back", &outer->f_back},
                                     {"f_trace", &outer->f_trace}};
    status = krs_edge_fields(search, fields, 2);
    if (status != 0 || frame == NULL)
        return status;
    const krs_edge_field inside[] = {{"f_globals", &frame->f_globals},
                                     {"f_builtins", &frame->f_builtins},
                                     {"f_code", krs_frame_code_place(frame)}};
    return krs_edge_fields(search, inside, 3);
}

/* Names of the same fields of the three kinds, which begin with the same struct. */
typedef struct {
    const char *frame, *code;
} krs_generator_names;

static const krs_generator_names *generator_names(PyObject *object) {
    static const krs_generator_names generator = {"gi_frame", "gi_code"},
                                     coroutine = {"cr_frame", "cr_code"},
                                     async_generator = {"ag_frame", "ag_code"};
    if (PyGen_CheckExact(object))
        return &generator;
    if (PyCoro_CheckExact(object))
        return &coroutine;
    return PyAsyncGen_CheckExact(object) ? &async_generator : NULL;
}

/* A generator of CPython 3.10 holds its variables by its frame object; a newer one has
 * them in itself, and its frame object leads there too. */
static int find_through_frame(krs_edge_search *search, PyGenObject *generator,
                              const char *name) {
    PyObject *outer = search->nodes[1];
    const void *place = krs_generator_frame_place(generator);
    if (place == NULL || !PyFrame_Check(outer) || *(PyObject *const *)place != outer)
        return 0;
    size_t before = search->offers;
    krs_frame *frame = krs_frame_of_object(outer);
    int status = frame == NULL ? 0 : find_variable(search, frame, 1);
    if (status != 0 || search->offers > before)
        return status;
    return krs_edge_place(search, "attribute", name, place);
}

int krs_edge_generator(krs_edge_search *search) {
    PyObject *object = search->nodes[0];
    const krs_generator_names *names = generator_names(object);
    if (names == NULL)
        return 0;
    PyGenObject *generator = (PyGenObject *)object;
    krs_frame *inside = krs_frame_inside(generator);
    int status = find_through_frame(search, generator, names->frame);
    if (status == 0 && inside != NULL)
        status = find_in_frame(search, inside);
    if (status == 0)
        status = krs_edge_place(search, "attribute", names->code,
                                krs_generator_code_place(generator));
    return status;
}

#else

PyObject *krs_captured_name(PyObject *code, Py_ssize_t which) {
    (void)code, (void)which;
    return NULL;
}

PyObject *krs_parameter_name(PyObject *code, Py_ssize_t which) {
    (void)code, (void)which;
    return NULL;
}

int krs_edge_frame(krs_edge_search *search) {
    (void)search;
    return 0;
}

int krs_edge_generator(krs_edge_search *search) {
    (void)search;
    return 0;
}

#endif
