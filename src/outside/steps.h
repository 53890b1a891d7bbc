/* steps.h - a chain of objects as the steps that a user would see: an instance and its
 * dict, a function with its tuple of cells, and the like, are one step. */
#ifndef KRS_OUTSIDE_STEPS_H
#define KRS_OUTSIDE_STEPS_H

#include "outside/reading.h"

typedef enum {
    KRS__STEP_ITEM,
    KRS__STEP_MEMBER,
    KRS__STEP_ATTRIBUTE,
    KRS__STEP_CAPTURED,
    KRS__STEP_DEFAULT,
    KRS__STEP_LOCAL,
    KRS__STEP_CALLBACK,
    KRS__STEP_REFERENCE,
} krs__step_kind;

enum { KRS__STEP_NAME = 64 };

typedef struct {
    krs__step_kind kind;
    uint64_t object;
    krs__type *type;           /* NULL for a running frame */
    char name[KRS__STEP_NAME]; /* a key as repr() has it; "" where there is none */
    uint64_t key;              /* of an item of a dict */
} krs__step;

/* The steps of a chain, but the last node; at most `room`, those in the middle left
 * out. Returns how many. */
size_t krs__steps_read(const krs__chain *chain, krs__step *steps, size_t room);

/* What an object is called beside its type: a function's name, "f() (file.py:3)" of a
 * frame; false where it has no such name. */
bool krs__label_of(krs__target *target, uint64_t object, const krs__type *type,
                   char *text, size_t room);

/* "f() (file.py:3)" of a frame that is a struct, or an object of CPython 3.10. */
bool krs__frame_label(krs__target *target, uint64_t frame, char *text, size_t room);

#endif
