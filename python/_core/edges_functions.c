/* Functions and methods, and the other built-in objects with a struct that is public.
 */
#include "edges_search.h"

/* function -> __closure__ -> cell -> value is one step, as far as the chain goes. */
static int find_captured(krs_edge_search *search, const PyFunctionObject *function) {
    PyObject *cells = function->func_closure;
    if (!krs_edge_is(search, 1, cells) || !PyTuple_Check(cells))
        return 0;
    size_t before = search->offers;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(cells); i++) {
        PyObject *cell = PyTuple_GET_ITEM(cells, i);
        if (!krs_edge_is(search, 2, cell) || !krs_edge_offer(search))
            continue;
        size_t used =
            PyCell_Check(cell) && krs_edge_is(search, 3, PyCell_GET(cell)) ? 3 : 2;
        PyObject *name = krs_captured_name(function->func_code, i);
        return krs_edge_give(search, "captured", Py_XNewRef(name), used);
    }
    if (search->offers > before)
        return 0;
    return krs_edge_place(search, "captured", NULL, &function->func_closure);
}

/* The defaults are those of the last parameters. */
static int find_default(krs_edge_search *search, const PyFunctionObject *function) {
    PyObject *values = function->func_defaults, *code = function->func_code;
    if (!krs_edge_is(search, 1, values) || !PyTuple_Check(values))
        return 0;
    size_t before = search->offers;
    Py_ssize_t count = PyTuple_GET_SIZE(values);
    Py_ssize_t first = code != NULL && PyCode_Check(code)
                           ? ((PyCodeObject *)code)->co_argcount - count
                           : -count;
    for (Py_ssize_t i = 0; i < count; i++)
        if (krs_edge_is(search, 2, PyTuple_GET_ITEM(values, i)) &&
            krs_edge_offer(search)) {
            PyObject *name = krs_parameter_name(code, first + i);
            return krs_edge_give(search, "default", Py_XNewRef(name), 2);
        }
    if (search->offers > before)
        return 0;
    return krs_edge_place(search, "default", NULL, &function->func_defaults);
}

int krs_edge_function(krs_edge_search *search) {
    PyObject *object = search->nodes[0];
    if (!PyFunction_Check(object))
        return 0;
    const PyFunctionObject *function = (const PyFunctionObject *)object;
    int status = find_captured(search, function);
    if (status == 0)
        status = find_default(search, function);
    if (status == 0)
        status = krs_edge_names(search, function->func_kwdefaults, "default", "default",
                                NULL);
    if (status == 0)
        status = krs_edge_place(search, "globals", NULL, &function->func_globals);
    const krs_edge_field fields[] = {{"__code__", &function->func_code},
                                     {"__name__", &function->func_name},
                                     {"__qualname__", &function->func_qualname},
                                     {"__annotations__", &function->func_annotations}};
    return status != 0 ? status : krs_edge_fields(search, fields, 4);
}

static int find_in_builtin(krs_edge_search *search, const PyCFunctionObject *function) {
    const krs_edge_field fields[] = {{"__self__", &function->m_self},
                                     {"__module__", &function->m_module}};
    return krs_edge_fields(search, fields, 2);
}

static int find_in_exception(krs_edge_search *search,
                             const PyBaseExceptionObject *exception) {
    const krs_edge_field fields[] = {{"__traceback__", &exception->traceback},
                                     {"__context__", &exception->context},
                                     {"__cause__", &exception->cause},
                                     {"args", &exception->args}};
    return krs_edge_fields(search, fields, 4);
}

static int find_in_traceback(krs_edge_search *search,
                             const PyTracebackObject *traceback) {
    const krs_edge_field fields[] = {{"tb_next", &traceback->tb_next},
                                     {"tb_frame", &traceback->tb_frame}};
    return krs_edge_fields(search, fields, 2);
}

/* A type's own dict is where any instance keeps its attributes: see edges_attributes.c.
 */
static int find_in_type(krs_edge_search *search, const PyTypeObject *type) {
    const krs_edge_field fields[] = {{"__mro__", &type->tp_mro},
                                     {"__bases__", &type->tp_bases},
                                     {"__base__", &type->tp_base},
                                     {"__subclasses__", &type->tp_subclasses}};
    return krs_edge_fields(search, fields, 4);
}

int krs_edge_fixed(krs_edge_search *search) {
    PyObject *object = search->nodes[0];
    if (PyCell_Check(object))
        return krs_edge_place(search, "contents", NULL,
                              &((PyCellObject *)object)->ob_ref);
    if (PyWeakref_Check(object))
        return krs_edge_place(search, "callback", NULL,
                              &((PyWeakReference *)object)->wr_callback);
    if (PyMethod_Check(object)) {
        const PyMethodObject *method = (const PyMethodObject *)object;
        const krs_edge_field fields[] = {{"__self__", &method->im_self},
                                         {"__func__", &method->im_func}};
        return krs_edge_fields(search, fields, 2);
    }
    if (PyCFunction_Check(object))
        return find_in_builtin(search, (const PyCFunctionObject *)object);
    if (PyExceptionInstance_Check(object))
        return find_in_exception(search, (const PyBaseExceptionObject *)object);
    if (PyTraceBack_Check(object))
        return find_in_traceback(search, (const PyTracebackObject *)object);
    return PyType_Check(object) ? find_in_type(search, (const PyTypeObject *)object)
                                : 0;
}
