/* sizes.h - an object's own bytes. */
#ifndef KRS_PY_SIZES_H
#define KRS_PY_SIZES_H

#include "python.h"

/* Writes what sys.getsizeof() says for the built-in containers, strings, numbers and
 * generators, the basic size plus items for the rest; what an object keeps in C memory
 * of its own is not seen. The collector's header is counted. `sizeof_name` is the str
 * "__sizeof__". Runs no Python code; may allocate an int, and returns -1 where that
 * fails (no exception is set). */
int krs_size_of(PyObject *object, PyObject *sizeof_name, uint64_t *bytes);

#endif
