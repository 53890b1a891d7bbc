/* attribute_layout.h - where instances keep their attributes, read and never made.
 *
 * Asking an instance for its __dict__ makes one on CPython 3.11 and later, which moves
 * its attributes. The layouts stand in attribute_layout_<version>.h, one of which
 * attribute_layout.c includes. One defines
 *     KRS_ATTRIBUTES_READABLE         0 where the layout is not known here
 *     krs_layout_is_managed(type)     1 for a type whose instances have their
 * attributes where only the interpreter knows krs_layout_dict(object)         of an
 * instance of such a type: its dict, or NULL krs_layout_values(object, count)  its
 * values outside of a dict, or NULL krs_layout_value_name(type, slot)  borrowed str,
 * the name of the value there krs_layout_hides_dict(object)   1 when tp_traverse passes
 * over the dict krs_layout_item_count(object)   items of an object of variable size, -1
 * unknown krs_layout_code_parts(code, visit, context)  calls visitproc for what code
 * holds */
#ifndef KRS_PY_ATTRIBUTE_LAYOUT_H
#define KRS_PY_ATTRIBUTE_LAYOUT_H

#include "python.h"

/* Makes an instance and reads it. To be called once before the rest; returns -1 with an
 * exception set when the instance cannot be made. */
int krs_attributes_test(void);

/* 1 when the test found what it had set: the layout is the known one. */
int krs_attributes_known(void);

/* 1 for an instance whose attributes cannot be read here. */
int krs_attributes_unknown_of(PyObject *object);

/* The dict of attributes that `object` has at this moment, borrowed, or NULL. */
PyObject *krs_attributes_dict(PyObject *object);

/* The attributes that it keeps without a dict: some of the values may be NULL. */
PyObject *const *krs_attributes_values(PyObject *object, Py_ssize_t *count);

/* The name of such a value, a borrowed str, or NULL. */
PyObject *krs_attributes_value_name(PyObject *object, Py_ssize_t slot);

/* The dict of attributes where tp_traverse does not tell of it, or NULL. CPython 3.13
 * visits the values from the instance, and neither visits the dict that shows them nor,
 * from there, the values. */
PyObject *krs_attributes_hidden_dict(PyObject *object);

/* Calls `visit` for each object that code holds; code has no tp_traverse. */
void krs_code_parts(PyCodeObject *code, visitproc visit, void *context);

#endif
