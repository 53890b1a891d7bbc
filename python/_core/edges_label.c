/* label(): the name of a thing, read from its struct. */
#include <string.h>

#include "edges_search.h"
#include "state.h"

static PyObject *nothing(void) {
    return Py_NewRef(Py_None);
}

/* A str that may be of a subclass, or NULL, or none at all. */
static PyObject *as_label(PyObject *name) {
    return name != NULL && PyUnicode_Check(name) ? PyUnicode_FromObject(name)
                                                 : nothing();
}

static PyObject *text_label(const char *name) {
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyObject *type_label(const PyTypeObject *type) {
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE)
        return as_label(((const PyHeapTypeObject *)type)->ht_qualname);
    return text_label(krs_type_name(type));
}

/* "name() (file.py:12)" */
static PyObject *code_label(const PyCodeObject *code, int line) {
    PyObject *path = code->co_filename;
    if (path == NULL || code->co_name == NULL)
        return nothing();
    Py_ssize_t length = PyUnicode_GET_LENGTH(path);
    Py_ssize_t slash = PyUnicode_FindChar(path, '/', 0, length, -1);
    PyObject *file = PyUnicode_Substring(path, slash + 1, length);
    if (file == NULL)
        return NULL;
    PyObject *label = PyUnicode_FromFormat("%U() (%U:%d)", code->co_name, file, line);
    Py_DECREF(file);
    return label;
}

static PyObject *frame_label(PyFrameObject *frame, int line) {
    PyCodeObject *code = PyFrame_GetCode(frame); /* at least this one is held by it */
    PyObject *label = code_label(code, line);
    Py_DECREF(code);
    return label;
}

/* The line of a traceback is worked out when it is asked for, from CPython 3.12 on. */
static PyObject *traceback_label(const PyTracebackObject *traceback) {
    if (traceback->tb_frame == NULL)
        return nothing();
    int line = traceback->tb_lineno;
    PyCodeObject *code = PyFrame_GetCode(traceback->tb_frame);
    if (line < 0)
        line = PyCode_Addr2Line(code, traceback->tb_lasti);
    Py_DECREF(code);
    return frame_label(traceback->tb_frame, line);
}

/* The dict is searched by hand: a look-up could compare with keys of any kind. */
static PyObject *module_label(PyObject *module) {
    PyObject *dict = PyModule_GetDict(module), *key, *value;
    for (Py_ssize_t at = 0; dict != NULL && PyDict_Next(dict, &at, &key, &value);)
        if (PyUnicode_CheckExact(key) &&
            PyUnicode_CompareWithASCIIString(key, "__name__") == 0)
            return as_label(value);
    return nothing();
}

static PyObject *builtin_label(const PyCFunctionObject *function) {
    PyObject *self = function->m_self;
    const char *name = function->m_ml->ml_name;
    if (self == NULL || PyModule_Check(self))
        return text_label(name);
    PyObject *type =
        type_label(PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self));
    if (type == NULL)
        return NULL;
    PyObject *label = PyUnicode_FromFormat("%U.%s", type, name);
    Py_DECREF(type);
    return label;
}

PyObject *krs_object_label(PyObject *object) {
    while (PyMethod_Check(object) && PyMethod_GET_FUNCTION(object) != NULL)
        object = PyMethod_GET_FUNCTION(object);
    if (PyFunction_Check(object))
        return as_label(((PyFunctionObject *)object)->func_qualname);
    if (PyCFunction_Check(object))
        return builtin_label((const PyCFunctionObject *)object);
    if (PyType_Check(object))
        return type_label((const PyTypeObject *)object);
    if (PyModule_Check(object))
        return module_label(object);
    if (PyGen_CheckExact(object) || PyCoro_CheckExact(object) ||
        PyAsyncGen_CheckExact(object)) /* they begin with the same struct */
        return as_label(((PyGenObject *)object)->gi_qualname);
    if (PyFrame_Check(object))
        return frame_label((PyFrameObject *)object,
                           PyFrame_GetLineNumber((PyFrameObject *)object));
    if (PyTraceBack_Check(object))
        return traceback_label((const PyTracebackObject *)object);
    if (PyCode_Check(object))
        return code_label((const PyCodeObject *)object,
                          ((const PyCodeObject *)object)->co_firstlineno);
    return nothing();
}

PyObject *krs_py_label(PyObject *module, PyObject *object) {
    (void)module;
    return krs_object_label(object);
}
