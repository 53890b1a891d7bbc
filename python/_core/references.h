/* references.h - what an object refers to, read without running Python code.
 *
 * tp_traverse is asked of every object that the collector tracks, and of untracked
 * ones of a few built-in types. Code, types that are static and arrays hold others
 * without having a tp_traverse: they are known here. Any other object is a leaf. A
 * leaf's referents then have references that nobody explains, so a walk takes them for
 * held by somebody: it errs towards keeping. */
#ifndef KRS_PY_REFERENCES_H
#define KRS_PY_REFERENCES_H

#include "python.h"

/* What had to be learned about types of other libraries. */
typedef struct {
    PyTypeObject *array_type; /* the array of numpy, or NULL; subtypes are meant too */
    Py_ssize_t array_base;    /* offset of the object whose memory an array shows */
} krs_reference_rules;

/* A growing buffer of addresses, reused from object to object. */
typedef struct {
    const void **items;
    size_t count;
    size_t room;
    int failed; /* an allocation failed: the content is not whole */
    const krs_reference_rules *rules; /* borrowed; NULL takes arrays for leaves */
    int lean; /* of code, constants alone, and not the tuple that has them */
} krs_references;

/* Replaces the content of `into` by the referents of `object`, with repeats.
 * Returns -1 when memory runs out (no exception is set). */
int krs_references_read(PyObject *object, krs_references *into);

/* Appends the referents of `object` to what is there. */
int krs_references_append(PyObject *object, krs_references *into);

/* Appends one address. */
int krs_references_push(krs_references *into, const void *address);

void krs_references_free(krs_references *references);

/* Looks for the place at which `view` refers to `base`, both of one type without
 * tp_traverse: the only one with that address in `view`, and empty in `base`. Returns
 * its offset, or 0 where there is no such place. */
Py_ssize_t krs_references_base_offset(PyObject *view, PyObject *base);

#endif
