#include "sizes.h"

enum { GC_HEAD_BYTES = 16 };

/* Only built-in types are asked: a foreign __sizeof__ might run Python code. */
static int size_varies(const PyTypeObject *type) {
    return type == &PyDict_Type || type == &PyList_Type || type == &PySet_Type ||
           type == &PyFrozenSet_Type || type == &PyUnicode_Type ||
           type == &PyByteArray_Type || type == &PyODict_Type || type == &PyLong_Type ||
           type == &PyGen_Type || type == &PyFrame_Type || type == &PyCoro_Type ||
           type == &PyAsyncGen_Type;
}

/* Whose __sizeof__ an object of `type` has: a type that defines it in C, or NULL. */
static PyMethodDescrObject *find_sizeof(PyTypeObject *type, PyObject *sizeof_name) {
    PyObject *found = _PyType_Lookup(type, sizeof_name);
    if (found == NULL || !Py_IS_TYPE(found, &PyMethodDescr_Type))
        return NULL;
    return (PyMethodDescrObject *)found;
}

/* Types that count their items elsewhere than in ob_size have a __sizeof__ of their
 * own: Py_SIZE() of a generator (3.11+) is a pointer, that of an int (3.12+) a tag. */
static uint64_t basic_size(PyObject *object, const PyMethodDescrObject *size_of) {
    PyTypeObject *type = Py_TYPE(object);
    Py_ssize_t size = type->tp_basicsize;
    if (type->tp_itemsize && size_of != NULL &&
        PyDescr_TYPE(size_of) == &PyBaseObject_Type)
        size += type->tp_itemsize * Py_SIZE(object);
    return (uint64_t)size;
}

int krs_size_of(PyObject *object, PyObject *sizeof_name, uint64_t *bytes) {
    uint64_t head = PyObject_IS_GC(object) ? GC_HEAD_BYTES : 0;
    PyMethodDescrObject *size_of = find_sizeof(Py_TYPE(object), sizeof_name);
    if (size_of == NULL || !size_varies(PyDescr_TYPE(size_of))) {
        *bytes = head + basic_size(object, size_of);
        return 0;
    }
    PyObject *answer = size_of->d_method->ml_meth(object, NULL);
    Py_ssize_t size = answer == NULL ? -1 : PyLong_AsSsize_t(answer);
    Py_XDECREF(answer);
    if (size < 0) {
        PyErr_Clear();
        return -1;
    }
    *bytes = head + (uint64_t)size;
    return 0;
}
