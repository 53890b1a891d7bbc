/* Mapping: the bytes of a file as private memory of this process.
 *
 * mmap.mmap keeps a descriptor of its own as long as it lives, before Python 3.13 in
 * any case; with a result in each mapping a process would soon have none left. This one
 * keeps none. Nothing can unmap it but its end, which waits for whoever has its buffer.
 */
#include <sys/mman.h>

#include "state.h"

typedef struct {
    PyObject_HEAD void *start; /* NULL: not mapped */
    size_t size;
} mapping;

static PyObject *mapping_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"descriptor", "size", NULL};
    int descriptor;
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "in:Mapping", names, &descriptor,
                                     &size))
        return NULL;
    if (size <= 0) {
        PyErr_SetString(PyExc_ValueError, "size is not positive");
        return NULL;
    }
    mapping *self = (mapping *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    void *start =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (start == MAP_FAILED) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    self->start = start;
    self->size = (size_t)size;
    return (PyObject *)self;
}

static void mapping_dealloc(PyObject *object) {
    mapping *self = (mapping *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->start != NULL)
        munmap(self->start, self->size);
    type->tp_free(object);
    Py_DECREF(type);
}

static int mapping_get(PyObject *object, Py_buffer *view, int flags) {
    mapping *self = (mapping *)object;
    return PyBuffer_FillInfo(view, object, self->start, (Py_ssize_t)self->size, 0,
                             flags);
}

PyDoc_STRVAR(
    mapping_doc,
    "Mapping(descriptor, size)\n--\n\n"
    "The first `size` bytes of a file as a buffer: to be written to, which\n"
    "nobody else sees. It goes when nobody has it or its buffer any more. The\n"
    "descriptor stays the caller's. Bytes past the end of the file kill the\n"
    "process that touches them (SIGBUS): see to it that there are none.");

static PyType_Slot mapping_slots[] = {
    {Py_tp_new, mapping_new},
    {Py_tp_dealloc, mapping_dealloc},
    {Py_tp_doc, (void *)mapping_doc},
    {Py_bf_getbuffer, mapping_get},
    {0, NULL},
};

PyType_Spec krs_mapping_spec = {
    .name = "keraser._core.Mapping",
    .basicsize = sizeof(mapping),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = mapping_slots,
};
