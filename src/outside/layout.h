/* layout.h - where the interpreter's structs of each version of CPython have what is
 * read of them, as offsets in bytes. One file a minor version has the numbers; no
 * header of Python is included, since one program reads all versions.
 *
 * Numbers that may differ between patch releases (the interpreter's own state) are
 * where to begin to look: interpreter.c believes nothing there that does not check out.
 */
#ifndef KRS_OUTSIDE_LAYOUT_H
#define KRS_OUTSIDE_LAYOUT_H

#include <stdint.h>

typedef enum {
    KRS__FRAMES_ARE_OBJECTS, /* 3.10: a frame is an object, and its own state */
    KRS__FRAMES_ARE_STRUCTS, /* 3.11+: frame objects and generators have one inside */
} krs__frame_form;

typedef enum {
    KRS__ATTRIBUTES_DICT,   /* 3.10: in a dict at tp_dictoffset */
    KRS__ATTRIBUTES_TWO,    /* 3.11: values and dict, one pointer each before it */
    KRS__ATTRIBUTES_TAGGED, /* 3.12: one pointer, whose low bit tells which */
    KRS__ATTRIBUTES_INLINE, /* 3.13: values follow the body */
} krs__attribute_form;

typedef struct {
    uint8_t minor;
    uint16_t runtime_interpreters; /* _PyRuntime: interpreters.head, then .main */
    uint16_t interpreter_threads;
    uint16_t thread_next, thread_interpreter, thread_ident;
    uint16_t thread_frame; /* the frame, or where thread_cframe is not 0 the C frame */
    uint16_t thread_cframe;
    uint16_t cframe_frame;

    krs__frame_form frames;
    uint16_t frame_code, frame_back, frame_slots;
    uint16_t frame_owner, frame_stack_top, frame_instruction;
    uint16_t frame_object_struct; /* frame object: pointer to its struct */
    uint16_t frame_state;         /* frames that are objects: an int8_t */
    uint16_t generator_frame;     /* pointer to the frame, or the frame itself */
    uint16_t generator_state, generator_qualname;

    uint16_t code_file, code_name, code_lines, code_first_line, code_bytes;
    uint16_t code_argument_count;
    uint16_t code_slot_count, code_slot_names;       /* 3.11+ */
    uint16_t code_locals, code_cells, code_captured; /* 3.10: tuples of names */
    uint16_t code_captured_count;                    /* 3.11+: the last of the slots */

    krs__attribute_form attributes;
    uint16_t type_shared_keys; /* ht_cached_keys */
    uint16_t type_qualname;
    uint16_t keys_entries_used; /* dk_nentries */
    uint16_t keys_indices;

    uint16_t text_ascii, text_compact; /* where the characters of a str begin */
    uint16_t text_pointer;             /* where a str that is neither has their place */
    uint16_t int_size, int_digits;
} krs__layout;

/* The layout of CPython 3.`minor`; NULL where it is not known. */
const krs__layout *krs__layout_of(unsigned minor);

/* The same in all of them. */
enum {
    KRS__OBJECT_REFERENCES = 0,
    KRS__OBJECT_TYPE = 8,
    KRS__OBJECT_SIZE = 16, /* of objects of variable size */
    KRS__TYPE_NAME = 24,
    KRS__TYPE_BASIC_SIZE = 32,
    KRS__TYPE_ITEM_SIZE = 40,
    KRS__TYPE_FLAGS = 168,
    KRS__TYPE_WEAK_OFFSET = 208,
    KRS__TYPE_BASE = 256,
    KRS__TYPE_DICT = 264,
    KRS__TYPE_DICT_OFFSET = 288,
    KRS__TYPE_MRO = 344,
    KRS__DICT_USED = 16,
    KRS__DICT_KEYS = 32,
    KRS__DICT_VALUES = 40,
    KRS__DICT_BYTES = 48,
    KRS__LIST_ITEMS = 24,
    KRS__LIST_BYTES = 40,
    KRS__TUPLE_ITEMS = 24,
    KRS__SET_MASK = 32,
    KRS__SET_TABLE = 40,
    KRS__BYTES_ITEMS = 32,
    KRS__FUNCTION_GLOBALS = 16,
    KRS__FUNCTION_QUALNAME = 40,
    KRS__FUNCTION_CODE = 48,
    KRS__FUNCTION_DEFAULTS = 56,
    KRS__FUNCTION_KEYWORD_DEFAULTS = 64,
    KRS__FUNCTION_CLOSURE = 72,
    KRS__FUNCTION_DICT = 88,
    KRS__CELL_VALUE = 16,
    KRS__METHOD_FUNCTION = 16,
    KRS__METHOD_SELF = 24,
    KRS__MODULE_DICT = 16,
    KRS__WEAKREF_CALLBACK = 24,
    KRS__TRACEBACK_NEXT = 16,
    KRS__TRACEBACK_FRAME = 24,
    KRS__TEXT_LENGTH = 16,
    KRS__TEXT_STATE = 32,
    KRS__GC_HEAD_BYTES = 16,
};

/* Of tp_flags. */
enum {
    KRS__FLAG_INLINE_VALUES = 1 << 2,
    KRS__FLAG_MANAGED_WEAKREF = 1 << 3,
    KRS__FLAG_MANAGED_DICT = 1 << 4,
    KRS__FLAG_HEAP_TYPE = 1 << 9,
    KRS__FLAG_GC = 1 << 14,
    KRS__FLAG_INT = 1 << 24,
    KRS__FLAG_LIST = 1 << 25,
    KRS__FLAG_TUPLE = 1 << 26,
    KRS__FLAG_BYTES = 1 << 27,
    KRS__FLAG_TEXT = 1 << 28,
    KRS__FLAG_DICT = 1 << 29,
    KRS__FLAG_ERROR = 1 << 30,
};
#define KRS__FLAG_TYPE (UINT64_C(1) << 31)

#endif
