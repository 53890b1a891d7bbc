#include "attribute_layout.h"

#include <string.h>

#if PY_VERSION_HEX < 0x030B0000
#include "attribute_layout_310.h"
#elif PY_VERSION_HEX < 0x030C0000
#include "attribute_layout_311.h"
#elif PY_VERSION_HEX < 0x030D0000
#include "attribute_layout_312.h"
#elif PY_VERSION_HEX < 0x030E0000
#include "attribute_layout_313.h"
#else
#include "attribute_layout_unknown.h"
#endif

/* What the test found. It depends on the Python that runs and on nothing else, and is
 * asked for once per object of the heap, so it is no part of a module's state. */
static struct { int is_known; } attributes;

/* The dict to which tp_dictoffset leads; from the end where the size varies. */
static PyObject *dict_at_offset(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Py_ssize_t offset = type->tp_dictoffset;
    if (offset < 0) {
        Py_ssize_t count = krs_layout_item_count(object);
        if (count < 0)
            return NULL;
        offset += (Py_ssize_t)_PyObject_VAR_SIZE(type, count);
    }
    if (offset <= 0)
        return NULL;
    PyObject *dict;
    memcpy(&dict, (char *)object + offset, sizeof dict);
    return dict;
}

static PyObject *read_dict(PyObject *object) {
    PyObject *dict = krs_layout_is_managed(Py_TYPE(object)) ? krs_layout_dict(object)
                                                            : dict_at_offset(object);
    return dict != NULL && PyDict_Check(dict) ? dict : NULL;
}

static PyObject *const *read_values(PyObject *object, Py_ssize_t *count) {
    *count = 0;
    return krs_layout_is_managed(Py_TYPE(object)) ? krs_layout_values(object, count)
                                                  : NULL;
}

/* 1 when `instance` has exactly this value, by this name, and no dict; or, on a Python
 * that knows no other way, a dict. */
static int reads_without_dict(PyObject *instance, PyObject *name, PyObject *value) {
    Py_ssize_t count, found = 0;
    PyObject *const *values = read_values(instance, &count);
    PyObject *dict = read_dict(instance);
    if (values == NULL)
        return dict != NULL && !krs_layout_is_managed(Py_TYPE(instance)) &&
               PyDict_GetItemWithError(dict, name) == value;
    for (Py_ssize_t i = 0; i < count; i++)
        if (values[i] == value)
            found += PyUnicode_Compare(krs_layout_value_name(Py_TYPE(instance), i),
                                       name) == 0;
    return found == 1 && count == 1 && dict == NULL;
}

static int test(PyObject *instance, PyObject *name, PyObject *value) {
    if (PyObject_SetAttr(instance, name, value) < 0)
        return -1;
    if (!reads_without_dict(instance, name, value))
        return 0;
    PyObject *dict = PyObject_GenericGetDict(instance, NULL);
    int is_read = dict == NULL ? -1 : read_dict(instance) == dict;
    Py_XDECREF(dict);
    return is_read;
}

int krs_attributes_test(void) {
    if (!KRS_ATTRIBUTES_READABLE)
        return 0;
    int result = -1;
    PyObject *name = PyUnicode_InternFromString("attribute"), *value = PyList_New(0);
    PyObject *type = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "Probe");
    PyObject *instance = type == NULL ? NULL : PyObject_CallNoArgs(type);
    if (name != NULL && value != NULL && instance != NULL)
        result = test(instance, name, value);
    Py_XDECREF(instance);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(name);
    if (result >= 0)
        attributes.is_known = result;
    return result < 0 ? -1 : 0;
}

int krs_attributes_known(void) {
    return attributes.is_known;
}

int krs_attributes_unknown_of(PyObject *object) {
    return !attributes.is_known && krs_layout_is_managed(Py_TYPE(object));
}

PyObject *krs_attributes_dict(PyObject *object) {
    return krs_attributes_unknown_of(object) ? NULL : read_dict(object);
}

PyObject *const *krs_attributes_values(PyObject *object, Py_ssize_t *count) {
    *count = 0;
    return attributes.is_known ? read_values(object, count) : NULL;
}

PyObject *krs_attributes_value_name(PyObject *object, Py_ssize_t slot) {
    return krs_layout_value_name(Py_TYPE(object), slot);
}

PyObject *krs_attributes_hidden_dict(PyObject *object) {
    return attributes.is_known && krs_layout_hides_dict(object) ? read_dict(object)
                                                                : NULL;
}

void krs_code_parts(PyCodeObject *code, visitproc visit, void *context) {
    krs_layout_code_parts(code, visit, context);
}
