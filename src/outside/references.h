/* references.h - what an object of the target refers to, and by what name. */
#ifndef KRS_OUTSIDE_REFERENCES_H
#define KRS_OUTSIDE_REFERENCES_H

#include "outside/target.h"

typedef enum {
    KRS__HOW_KEY,       /* value of a dict; `name` is the key, an object */
    KRS__HOW_INDEX,     /* item of a list or tuple; `index` */
    KRS__HOW_MEMBER,    /* of a set, of a deque, key of a dict */
    KRS__HOW_ATTRIBUTE, /* `name` is a str */
    KRS__HOW_DICT,      /* the dict of an instance's attributes */
    KRS__HOW_FIELD,     /* `field` is what C code calls it */
    KRS__HOW_CLOSURE,   /* the tuple of a function's cells */
    KRS__HOW_DEFAULTS,  /* the tuple of a function's defaults */
    KRS__HOW_CELL,      /* what a cell holds */
    KRS__HOW_LOCAL,     /* variable of a frame; `name` is a str */
    KRS__HOW_STACK,     /* value that a frame works on */
    KRS__HOW_TYPE,      /* the class of an instance */
    KRS__HOW_SCANNED,   /* found in the body of an object of unknown fields */
} krs__how;

typedef struct {
    uint64_t target;
    krs__how how;
    uint64_t name;
    uint64_t index;
    const char *field;
} krs__reference;

/* Returns false to stop. What it is given may be no object. */
typedef bool krs__reference_visitor(void *context, const krs__reference *reference);

/* Calls `visit` for each reference of `object`, fields that are known first. */
void krs__references(krs__target *target, uint64_t object, const krs__type *type,
                     krs__reference_visitor *visit, void *context);

/* The same for the attributes of an instance alone, whichever way it keeps them; those
 * in a dict are of this dict. */
void krs__attributes(krs__target *target, uint64_t object, const krs__type *type,
                     krs__reference_visitor *visit, void *context);

/* The value of an attribute that the instance itself has; 0 where it has none. */
uint64_t krs__attribute(krs__target *target, uint64_t object, const char *name);

/* The same for the items of a dict, and the value of a key that is a str. */
void krs__dict_items(krs__target *target, uint64_t dict, krs__reference_visitor *visit,
                     void *context);
uint64_t krs__dict_value(krs__target *target, uint64_t dict, const char *key);

/* ---- frames.c: the variables of frames ---- */

/* Variables of a frame that is a struct (3.11+) or an object (3.10). */
void krs__frame_variables(krs__target *target, uint64_t frame,
                          krs__reference_visitor *visit, void *context);

/* Its code object; 0 for an entry from C code. */
uint64_t krs__frame_code(krs__target *target, uint64_t frame);

/* The line that runs; that of the function's beginning where it cannot be told. */
int krs__frame_line(krs__target *target, uint64_t frame);

/* References of frame objects, and of generators that wait. */
void krs__frame_references(krs__target *target, uint64_t object,
                           krs__reference_visitor *visit, void *context);
void krs__generator_references(krs__target *target, uint64_t generator,
                               krs__reference_visitor *visit, void *context);

/* Calls `visit` for each frame of each thread of the interpreter, innermost first;
 * stops where a chain is torn, which adds 1 to `*torn`. */
typedef krs_status krs__frame_visitor(void *context, uint64_t frame, uint64_t thread);
krs_status krs__frames_visit(krs__target *target, krs__frame_visitor *visit,
                             void *context, size_t *torn);

/* The number of the thread that was there first, 0 where there is none. */
uint64_t krs__first_thread(krs__target *target);

/* Name of the `index`th captured variable of code, and of its `index`th parameter. */
uint64_t krs__captured_name(krs__target *target, uint64_t code, uint64_t index);
uint64_t krs__parameter_name(krs__target *target, uint64_t code, uint64_t index);
uint64_t krs__parameter_count(krs__target *target, uint64_t code);

#endif
