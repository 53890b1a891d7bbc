/* sizes.h - an object's own bytes. */
#ifndef KRS_PY_SIZES_H
#define KRS_PY_SIZES_H

#include "python.h"

/* What sys.getsizeof() says for the built-in containers and strings, the basic size
 * plus items for the rest; what an object keeps in C memory of its own is not seen.
 * The collector's header is counted. `sizeof_name` is the str "__sizeof__". Runs no
 * Python code; may allocate an int. */
uint64_t krs_size_of(PyObject *object, PyObject *sizeof_name);

#endif
