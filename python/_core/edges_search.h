/* edges_search.h - what the files that describe edges share.
 *
 * Each kind of object has a finder. It goes through the references of nodes[0] in an
 * order of its own and offers those that lead to nodes[1]; the nth offer is the answer.
 * Finders return 0 to go on, 1 when the answer is given, -1 when memory ran out. */
#ifndef KRS_PY_EDGES_SEARCH_H
#define KRS_PY_EDGES_SEARCH_H

#include "edges.h"

enum { KRS_EDGE_PLACES = 8 };

typedef struct {
    PyObject *const *nodes;
    size_t count, nth;
    size_t offers; /* references to nodes[1] so far */
    krs_edge *edge;
    /* Struct fields that were offered. Some types list a field twice, as two members
     * or as one that a finder knows by itself. */
    const void *places[KRS_EDGE_PLACES];
    size_t place_count;
} krs_edge_search;

/* A field of the struct of nodes[0] that holds a reference. */
typedef struct {
    const char *name;
    const void *place;
} krs_edge_field;

/* 1 when `object`, which may be NULL, is what stands at `at` in the chain. */
int krs_edge_is(const krs_edge_search *search, size_t at, const void *object);

/* Counts an offer; 1 when it is the one that was asked for. */
int krs_edge_offer(krs_edge_search *search);

/* The answer. `name` is stolen and may be NULL where there is none. Returns 1. */
int krs_edge_give(krs_edge_search *search, const char *how, PyObject *name,
                  size_t used);

/* The same with a name still to be made; not valid UTF-8 is no error. */
int krs_edge_give_text(krs_edge_search *search, const char *how, const char *name,
                       size_t used);

/* Finder of one field; `name` may be NULL, and `place` too: then it finds nothing. */
int krs_edge_place(krs_edge_search *search, const char *how, const char *name,
                   const void *place);

/* Finder of some fields, as "attribute". */
int krs_edge_fields(krs_edge_search *search, const krs_edge_field *fields,
                    size_t count);

/* Finder for a dict of names that stands at nodes[1]: `how` with the name and two
 * references for a value in it, else `whole` and `name` for the dict itself. */
int krs_edge_names(krs_edge_search *search, PyObject *dict, const char *how,
                   const char *whole, const char *name);

int krs_edge_items(krs_edge_search *search);      /* edges_items.c */
int krs_edge_function(krs_edge_search *search);   /* edges_functions.c */
int krs_edge_fixed(krs_edge_search *search);      /* edges_functions.c */
int krs_edge_generator(krs_edge_search *search);  /* edges_frames.c */
int krs_edge_frame(krs_edge_search *search);      /* edges_frames.c */
int krs_edge_attributes(krs_edge_search *search); /* edges_attributes.c */

/* Names of variables of a code object: of its `which`th free variable, of its `which`th
 * argument. Borrowed; NULL where there is none, or `code` is no code object. */
PyObject *krs_captured_name(PyObject *code, Py_ssize_t which);  /* edges_frames.c */
PyObject *krs_parameter_name(PyObject *code, Py_ssize_t which); /* edges_frames.c */

/* Text of a key, at most 60 characters; runs no Python code whatever the key is. New
 * reference, NULL with an exception set when memory runs out. */
PyObject *krs_key_text(PyObject *key); /* edges_text.c */

/* The last part of a type's dotted name. */
const char *krs_type_name(const PyTypeObject *type); /* edges_text.c */

#endif
