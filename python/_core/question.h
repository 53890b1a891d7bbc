/* question.h - what may be asked of one reading of the heap, and the answers. */
#ifndef KRS_PY_QUESTION_H
#define KRS_PY_QUESTION_H

#include "heap.h"
#include "owned.h"
#include "state.h"

typedef struct {
    PyObject *targets;      /* list: who holds these? */
    PyObject *owned;        /* keraser._core.Owned, or NULL: no way leads through it */
    PyObject *ours;         /* list: our own containers, which hold nothing */
    PyObject *natives;      /* list: objects with memory that Python does not count */
    PyObject *native_bytes; /* list: how many bytes, for each of them */
    Py_ssize_t limit;       /* ways for each target, at most */
    Py_ssize_t types;       /* types, at most */
    Py_ssize_t top;         /* owners, at most */
    int objects;            /* steps of a way are objects, and not their ids */
    int lean;
    int fork;
} krs_question;

/* What a question is answered from. */
typedef struct {
    krs_state *state;
    const krs_question *question;
    krs_heap_graph heap;
    uint8_t *barred;  /* the targets, what `owned` owns, our own containers */
    uint8_t *asked;   /* of these, the first two: what would go */
    krs_node *parent; /* towards a root, past everything that is barred */
    krs_referrers *referrers;
} krs_reading;

/* Each answers one part of the question with a new object, or NULL with an exception
 * set. None runs Python code; the collector is off. */
PyObject *krs_answer_held(krs_reading *reading);  /* held.c */
PyObject *krs_answer_keeps(krs_reading *reading); /* keeps.c */
PyObject *krs_answer_types(krs_reading *reading); /* types.c */
PyObject *krs_answer_top(krs_reading *reading);   /* top.c */

/* keeps.c: `inner[n]` becomes KRS_NODE_NONE for what the targets do not lead to, or
 * something else does too. -1 with an exception set when memory runs out. */
int krs_find_inner(const krs_reading *reading, krs_node *inner);

/* path.c: (root, steps) of a chain of nodes, from a root to what it holds. `at` is
 * where in the chain the `nth` reference is meant, elsewhere the first. */
PyObject *krs_path(const krs_reading *reading, const krs_node *chain, size_t length,
                   size_t at, size_t nth);

/* The chain from a root down to `node` along `reading->parent`; free() it. NULL when
 * memory runs out. `room` more nodes fit behind it. */
krs_node *krs_chain_down_to(const krs_node *parent, krs_node node, size_t room,
                            size_t *length);

/* The name of a type, with its module where it has one. */
PyObject *krs_full_type_name(krs_state *state, PyTypeObject *type);

/* A tuple (type name, label) for an object. */
PyObject *krs_describe_object(krs_state *state, PyObject *object);

/* A tuple that steals its `count` items; NULL, the others dropped, when one is NULL. */
PyObject *krs_tuple_of(int count, ...);

/* forked.c: `answer` in a child of this process, so that the program goes on meanwhile;
 * (answer, seconds for which it stood still). */
PyObject *krs_answer_in_child(PyObject *(*answer)(krs_state *, const krs_question *),
                              krs_state *state, const krs_question *question);

#endif
