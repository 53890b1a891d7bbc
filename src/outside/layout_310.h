/* CPython 3.10. */
static const krs__layout layout_310 = {
    .minor = 10,
    .runtime_interpreters = 32,
    .interpreter_threads = 8,
    .thread_next = 8,
    .thread_interpreter = 16,
    .thread_ident = 176,
    .thread_frame = 24,

    .frames = KRS__FRAMES_ARE_OBJECTS,
    .frame_code = 32,
    .frame_back = 24,
    .frame_slots = 352,
    .frame_stack_top = 80, /* f_stackdepth */
    .frame_instruction = 96,
    .frame_state = 108,
    .generator_frame = 16,
    .generator_qualname = 48,

    .code_file = 104,
    .code_name = 112,
    .code_lines = 120,
    .code_first_line = 40,
    .code_argument_count = 16,
    .code_locals = 72,
    .code_cells = 88,
    .code_captured = 80,

    .attributes = KRS__ATTRIBUTES_DICT,
    .type_shared_keys = 872,
    .type_qualname = 864,
    .keys_entries_used = 32,
    .keys_indices = 40,

    .text_ascii = 48,
    .text_compact = 72,
    .text_pointer = 72,
    .int_size = 16,
    .int_digits = 24,
};
