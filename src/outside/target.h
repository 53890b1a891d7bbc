/* target.h - another process as the files of this folder see it: its memory, the
 * interpreter found in it, and the types that have been met. */
#ifndef KRS_OUTSIDE_TARGET_H
#define KRS_OUTSIDE_TARGET_H

#include <sys/types.h>

#include "outside/layout.h"
#include "outside/memory.h"

/* What an object is to the decoders, by its type or the nearest base that is known. */
typedef enum {
    KRS__KIND_OTHER,
    KRS__KIND_ATOM, /* refers to nothing that matters: str, int, float, bytes, ... */
    KRS__KIND_TYPE,
    KRS__KIND_DICT,
    KRS__KIND_LIST,
    KRS__KIND_TUPLE,
    KRS__KIND_SET,
    KRS__KIND_FUNCTION,
    KRS__KIND_BUILTIN,
    KRS__KIND_METHOD,
    KRS__KIND_CELL,
    KRS__KIND_MODULE,
    KRS__KIND_GENERATOR, /* coroutines and asynchronous generators begin the same */
    KRS__KIND_FRAME,
    KRS__KIND_CODE,
    KRS__KIND_TRACEBACK,
    KRS__KIND_WEAKREF,
    KRS__KIND_DEQUE,
    KRS__KIND_ERROR,
} krs__kind;

/* What the framework says an object is. */
typedef enum {
    KRS__ROLE_UNASKED,
    KRS__ROLE_NONE,
    KRS__ROLE_MODEL,
    KRS__ROLE_LAYER,
    KRS__ROLE_VARIABLE,
    KRS__ROLE_OPTIMIZER,
} krs__role;

enum { KRS__NAME_BYTES = 96 };

typedef struct {
    uint64_t address;
    krs__kind kind;
    krs__role role;
    uint64_t flags, base, mro, dict;
    int64_t basic_size, item_size, dict_offset, weak_offset;
    uint64_t shared_keys; /* names of the values that instances keep without a dict */
    uint32_t shared_count;
    char name[KRS__NAME_BYTES]; /* tp_name */
} krs__type;

typedef struct {
    krs__type **slots; /* open addressing by address; one that is none has no name */
    size_t slot_count, count;
} krs__types;

typedef struct {
    krs__memory memory;
    krs__layout layout;
    krs__types types;
    uint64_t runtime, interpreter, collector; /* its first list head */
    uint32_t version;                         /* as sys.hexversion, 0 while not known */
    size_t unread; /* parts of objects that were not as the object says: torn */
} krs__target;

/* Notes that a part of an object is not where or what the object says; true, for those
 * who go on. */
static inline bool krs__unread(krs__target *target) {
    target->unread++;
    return true;
}

/* ---- types.c: NULL for what is no object, was freed, or whose type is none; then,
 * too, where memory of ours has run out, which krs__memory_status() tells. */
krs__type *krs__type_at(krs__target *target, uint64_t type);
krs__type *krs__type_of(krs__target *target, uint64_t object);
void krs__types_free(krs__types *types);

/* The class by the name that its module gave it, with the module. */
bool krs__type_module(krs__target *target, const krs__type *type, char *text,
                      size_t room);
bool krs__type_qualname(krs__target *target, const krs__type *type, char *text,
                        size_t room);
/* "module.Class", as a traceback says it; "Class" of a built-in. */
void krs__type_full_name(krs__target *target, const krs__type *type, char *text,
                         size_t room);

/* Bytes of an object's body, as its type and size have it; 0 where that cannot be. */
uint64_t krs__object_bytes(krs__target *target, uint64_t object, const krs__type *type);

/* ---- text.c: values; false for objects of other types and what is torn */

/* A str in UTF-8, cut at a character where it does not fit, and ending in a NUL. */
bool krs__text_of(krs__target *target, uint64_t object, char *text, size_t room);
/* Whether it is this str; of ASCII, and no longer than KRS__NAME_BYTES. */
bool krs__text_is(krs__target *target, uint64_t object, const char *text);
bool krs__int_of(krs__target *target, uint64_t object, int64_t *value);
/* As repr() has it, for str, int, bool, None and tuples of a few of these; what stands
 * for others is their type, "<Layer>". Always ends in a NUL. */
void krs__repr_of(krs__target *target, uint64_t object, char *text, size_t room);

#endif
