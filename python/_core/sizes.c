#include "sizes.h"

enum { GC_HEAD_BYTES = 16 };

/* Only built-in types are asked: a foreign __sizeof__ might run Python code. */
static int size_varies(const PyTypeObject *type) {
    return type == &PyDict_Type || type == &PyList_Type || type == &PySet_Type ||
           type == &PyFrozenSet_Type || type == &PyUnicode_Type ||
           type == &PyByteArray_Type || type == &PyODict_Type;
}

/* The C function behind type.__sizeof__ where a built-in type defines it, else NULL. */
static PyCFunction sizeof_in_c(PyTypeObject *type, PyObject *sizeof_name) {
    PyObject *found = _PyType_Lookup(type, sizeof_name);
    if (found == NULL || !Py_IS_TYPE(found, &PyMethodDescr_Type))
        return NULL;
    if (!size_varies(PyDescr_TYPE(found)))
        return NULL;
    return ((PyMethodDescrObject *)found)->d_method->ml_meth;
}

static uint64_t basic_size(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Py_ssize_t size = type->tp_basicsize;
    if (type->tp_itemsize) {
        Py_ssize_t items = Py_SIZE(object);
        size += type->tp_itemsize * (items < 0 ? -items : items);
    }
    return (uint64_t)size;
}

uint64_t krs_size_of(PyObject *object, PyObject *sizeof_name) {
    uint64_t head = PyObject_IS_GC(object) ? GC_HEAD_BYTES : 0;
    PyCFunction own = sizeof_in_c(Py_TYPE(object), sizeof_name);
    if (own == NULL)
        return head + basic_size(object);
    PyObject *answer = own(object, NULL);
    Py_ssize_t size = answer == NULL ? -1 : PyLong_AsSsize_t(answer);
    Py_XDECREF(answer);
    if (size < 0) {
        PyErr_Clear();
        return head + basic_size(object);
    }
    return head + (uint64_t)size;
}
