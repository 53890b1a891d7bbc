/* owned.h - keraser._core.Owned: the Python face of a walk. */
#ifndef KRS_PY_OWNED_H
#define KRS_PY_OWNED_H

#include "python.h"
#include "walk.h"

typedef struct {
    PyObject_HEAD krs_walk walk;
} krs_owned;

#endif
