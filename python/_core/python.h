/* python.h - Python.h as every file of the adapter wants it. */
#ifndef KRS_PY_PYTHON_H
#define KRS_PY_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h> /* PyFrame_Check, up to 3.10 not in Python.h */
#include <stdint.h>

#include "keraser.h"

#if defined(Py_GIL_DISABLED)
#error "keraser walks the heap under the GIL: free-threaded Python is not supported"
#endif
#if PY_VERSION_HEX < 0x030A0000
#error "keraser needs CPython 3.10 or newer"
#endif

/* An object that the interpreter keeps for ever (3.12+): its count says nothing. */
static inline int krs_is_immortal(PyObject *object) {
#if PY_VERSION_HEX >= 0x030C0000
    return _Py_IsImmortal(object);
#else
    (void)object;
    return 0;
#endif
}

#endif
