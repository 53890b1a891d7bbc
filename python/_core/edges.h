/* edges.h - how one object refers to another, in the words of whoever wrote the code.
 *
 * Nothing here runs Python code, and nothing is made in the objects that are looked at:
 * no __dict__, no f_locals, no frame object. The answers are new str and int objects,
 * so the caller keeps the collector disabled while it has addresses in hand. */
#ifndef KRS_PY_EDGES_H
#define KRS_PY_EDGES_H

#include "python.h"

/* `how` is one of
 *     "key"         value of a dict; name = the key, a str or an int
 *     "key_text"    the same under any other key; name = a text of it
 *     "as_key"      key of a dict
 *     "index"       item of a list or tuple; name = int
 *     "member"      item of a set
 *     "attribute"   of an instance, module, type, function...; name = str, or NULL
 * where the layout of instances is not known here "attributes"  the dict of them itself
 *     "captured"    by a function; name = the variable, unless the chain ends before it
 *     "default"     of a parameter; name = the parameter, as above
 *     "globals"     of a function
 *     "local"       variable of a frame, generator or coroutine; name = str
 *     "stack"       a value that a suspended frame is working on
 *     "contents"    of a cell
 *     "callback"    of a weak reference
 *     "type"        of an instance
 *     "reference"   anything else */
typedef struct {
    const char *how; /* static text */
    PyObject *name;  /* new reference: str or int; NULL where there is none */
    size_t used;     /* how many references of the chain this covers: 1, 2 or 3 */
} krs_edge;

/* nodes[0] refers to nodes[1], that to nodes[2], and so on: `count` objects, at least
 * two. Describes the `nth` reference, from 0, of nodes[0] to nodes[1]; where one step
 * covers several references, the `nth` way to the end of that step. What is past the
 * last known one is a "reference". Returns -1 with an exception set when memory runs
 * out, else 0. */
int krs_edge_describe(PyObject *const *nodes, size_t count, size_t nth, krs_edge *edge);

/* What to call an object beside its type: the qualified name of a function, method,
 * type, generator or coroutine, the name of a module, "name() (file.py:12)" of a frame,
 * a traceback or code. New reference to a str, or to None where there is nothing to
 * say; NULL with an exception set when memory runs out. */
PyObject *krs_object_label(PyObject *object);

#endif
