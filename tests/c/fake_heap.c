#include "fake_heap.h"

#include <string.h>

enum { TYPE_BYTES = 960, GC = 16 };

uint64_t fake_heap_word(const fake_heap *heap, uint64_t address) {
    uint64_t word;
    memcpy(&word, heap->bytes + (address - FAKE_BASE), sizeof word);
    return word;
}

void fake_heap_set(fake_heap *heap, uint64_t address, uint64_t word) {
    memcpy(heap->bytes + (address - FAKE_BASE), &word, sizeof word);
}

static uint64_t take(fake_heap *heap, size_t size) {
    const uint64_t at = FAKE_BASE + heap->used;
    heap->used += (size + 15) & ~(size_t)15;
    return at;
}

static void set_byte(fake_heap *heap, uint64_t address, uint8_t byte) {
    heap->bytes[address - FAKE_BASE] = byte;
}

static uint64_t object(fake_heap *heap, uint64_t type, size_t size) {
    const uint64_t at = take(heap, size);
    fake_heap_set(heap, at, 1);
    fake_heap_set(heap, at + KRS__OBJECT_TYPE, type);
    return at;
}

/* One that the collector tracks: at the end of its list. */
static uint64_t tracked(fake_heap *heap, uint64_t type, size_t size) {
    const uint64_t head = take(heap, GC), at = object(heap, type, size);
    const uint64_t last = fake_heap_word(heap, heap->list_head + 8);
    fake_heap_set(heap, last, head);
    fake_heap_set(heap, head + 8, last);
    fake_heap_set(heap, head, heap->list_head);
    fake_heap_set(heap, heap->list_head + 8, head);
    return at;
}

static uint64_t c_text(fake_heap *heap, const char *text) {
    const uint64_t at = take(heap, strlen(text) + 1);
    memcpy(heap->bytes + (at - FAKE_BASE), text, strlen(text) + 1);
    return at;
}

static uint64_t text(fake_heap *heap, const char *value) {
    enum { COMPACT_ASCII = 1 << 2 | 1 << 5 | 1 << 6 };
    const size_t length = strlen(value), begin = heap->layout.text_ascii;
    const uint64_t at = object(heap, heap->text_type, begin + length + 1);
    fake_heap_set(heap, at + KRS__TEXT_LENGTH, length);
    fake_heap_set(heap, at + KRS__TEXT_STATE, COMPACT_ASCII);
    memcpy(heap->bytes + (at - FAKE_BASE) + begin, value, length + 1);
    return at;
}

static uint64_t number(fake_heap *heap, uint64_t value) {
    const uint64_t at = object(heap, heap->int_type, 40);
    const uint64_t digits = value >> 30 ? 2 : 1;
    fake_heap_set(heap, at + heap->layout.int_size,
                  heap->layout.minor >= 12 ? digits << 3 : digits);
    fake_heap_set(heap, at + heap->layout.int_digits,
                  (value & 0x3fffffff) | value >> 30 << 32);
    return at;
}

/* A dict with room for eight, str keys. */
static uint64_t dict(fake_heap *heap) {
    const size_t indices = heap->layout.keys_indices;
    const uint64_t at = tracked(heap, heap->dict_type, 48);
    const uint64_t keys = take(heap, indices + 8 + 8 * 24);
    fake_heap_set(heap, at + KRS__DICT_KEYS, keys);
    if (heap->layout.minor >= 11) {
        set_byte(heap, keys + 8, 3);  /* log2 of its size */
        set_byte(heap, keys + 9, 3);  /* and of the bytes of its indices */
        set_byte(heap, keys + 10, 1); /* str keys */
    } else {
        fake_heap_set(heap, keys + 8, 8);
    }
    return at;
}

static void put(fake_heap *heap, uint64_t dict, const char *key, uint64_t value) {
    const uint64_t keys = fake_heap_word(heap, dict + KRS__DICT_KEYS);
    const uint64_t used = keys + heap->layout.keys_entries_used;
    const uint64_t count = fake_heap_word(heap, used);
    const uint64_t entries = keys + heap->layout.keys_indices + 8;
    const uint64_t at =
        heap->layout.minor >= 11 ? entries + count * 16 : entries + count * 24 + 8;
    fake_heap_set(heap, at, text(heap, key));
    fake_heap_set(heap, at + 8, value);
    fake_heap_set(heap, used, count + 1);
}

static uint64_t tuple(fake_heap *heap, const uint64_t *items, size_t count) {
    const uint64_t at = tracked(heap, heap->tuple_type, 24 + count * 8);
    fake_heap_set(heap, at + KRS__OBJECT_SIZE, count);
    for (size_t i = 0; i < count; i++)
        fake_heap_set(heap, at + KRS__TUPLE_ITEMS + i * 8, items[i]);
    return at;
}

static uint64_t list(fake_heap *heap, uint64_t item) {
    const uint64_t at = tracked(heap, heap->list_type, 40), items = take(heap, 32);
    fake_heap_set(heap, at + KRS__OBJECT_SIZE, 1);
    fake_heap_set(heap, at + KRS__LIST_ITEMS, items);
    fake_heap_set(heap, at + 32, 4);
    fake_heap_set(heap, items, item);
    return at;
}

static uint64_t type(fake_heap *heap, const char *name, size_t size, size_t item,
                     uint64_t flags) {
    const uint64_t at = object(heap, heap->type_type, TYPE_BYTES);
    fake_heap_set(heap, at + KRS__TYPE_NAME, c_text(heap, name));
    fake_heap_set(heap, at + KRS__TYPE_BASIC_SIZE, size);
    fake_heap_set(heap, at + KRS__TYPE_ITEM_SIZE, item);
    fake_heap_set(heap, at + KRS__TYPE_FLAGS, flags | KRS__FLAG_GC);
    return at;
}

/* A class of Python code; its instances have a dict behind two words. */
static uint64_t class(fake_heap *heap, const char *module, const char *name) {
    const uint64_t at = type(heap, name, 24, 0, KRS__FLAG_HEAP_TYPE);
    const uint64_t own = dict(heap);
    put(heap, own, "__module__", text(heap, module));
    fake_heap_set(heap, at + KRS__TYPE_DICT, own);
    fake_heap_set(heap, at + KRS__TYPE_DICT_OFFSET, 16);
    fake_heap_set(heap, at + KRS__TYPE_MRO, tuple(heap, &at, 1));
    fake_heap_set(heap, at + heap->layout.type_qualname, text(heap, name));
    return at;
}

static uint64_t instance(fake_heap *heap, uint64_t of) {
    const uint64_t at = tracked(heap, of, 24);
    fake_heap_set(heap, at + 16, dict(heap));
    return at;
}

static uint64_t dict_of(const fake_heap *heap, uint64_t object) {
    return fake_heap_word(heap, object + 16);
}

static uint64_t module(fake_heap *heap, const char *name) {
    const uint64_t at = instance(heap, heap->module_type);
    put(heap, dict_of(heap, at), "__name__", text(heap, name));
    return at;
}

/* ---- the whole -------------------------------------------------------------- */

static void make_runtime(fake_heap *heap) {
    enum { COLLECTOR = 512, HEADS = 4 };
    static const uint16_t heads[HEADS] = {0, 24, 48, 80};
    const uint64_t runtime = take(heap, 768);
    if (heap->layout.minor >= 13) {
        memcpy(heap->bytes, "xdebugpy", 8);
        fake_heap_set(heap, runtime + 40, heap->layout.runtime_interpreters);
        heap->layout.interpreter_threads = 72;
        fake_heap_set(heap, runtime + 72, heap->layout.interpreter_threads);
    }
    heap->interpreter = take(heap, 1024);
    fake_heap_set(heap, runtime + heap->layout.runtime_interpreters + 8,
                  heap->interpreter);
    const uint64_t collector = heap->interpreter + COLLECTOR;
    for (int i = 0; i < HEADS; i++) {
        fake_heap_set(heap, collector + heads[i], collector + heads[i]);
        fake_heap_set(heap, collector + heads[i] + 8, collector + heads[i]);
    }
    fake_heap_set(heap, collector + 72, collector);
    heap->list_head = collector + heads[2];
}

static void make_types(fake_heap *heap) {
    heap->type_type = type(heap, "type", 880, 40, KRS__FLAG_TYPE);
    fake_heap_set(heap, heap->type_type + KRS__OBJECT_TYPE, heap->type_type);
    heap->dict_type = type(heap, "dict", 48, 0, KRS__FLAG_DICT);
    heap->list_type = type(heap, "list", 40, 0, KRS__FLAG_LIST);
    heap->tuple_type = type(heap, "tuple", 24, 8, KRS__FLAG_TUPLE);
    heap->text_type = type(heap, "str", 56, 0, KRS__FLAG_TEXT);
    heap->int_type = type(heap, "int", 24, 4, KRS__FLAG_INT);
    heap->module_type = type(heap, "module", 56, 0, 0);
    const uint64_t atoms[] = {heap->text_type, heap->int_type};
    for (int i = 0; i < 2; i++) /* the collector knows nothing of these */
        fake_heap_set(heap, atoms[i] + KRS__TYPE_FLAGS,
                      fake_heap_word(heap, atoms[i] + KRS__TYPE_FLAGS) &
                          ~(uint64_t)KRS__FLAG_GC);
    heap->model_type = class(heap, "keras.src.models.model", "Model");
    heap->layer_type = class(heap, "keras.src.layers.layer", "Layer");
    heap->variable_type = class(heap, "keras.src.backend.common.variables", "Variable");
}

static void make_model(fake_heap *heap) {
    const uint64_t layer = instance(heap, heap->layer_type);
    const uint64_t variable = instance(heap, heap->variable_type);
    const uint64_t sizes[] = {number(heap, 300), number(heap, 70)};
    heap->shape = tuple(heap, sizes, 2);
    put(heap, dict_of(heap, variable), "_shape", heap->shape);
    put(heap, dict_of(heap, variable), "_dtype", text(heap, "float32"));
    put(heap, dict_of(heap, layer), "kernel", variable);
    heap->model = instance(heap, heap->model_type);
    heap->model_dict = dict_of(heap, heap->model);
    put(heap, heap->model_dict, "name", text(heap, "seq"));
    put(heap, heap->model_dict, "_layers", list(heap, layer));
}

void fake_heap_make(fake_heap *heap, unsigned minor) {
    *heap = (fake_heap){.layout = *krs__layout_of(minor)};
    make_runtime(heap);
    make_types(heap);
    make_model(heap);
    const uint64_t sys = module(heap, "sys"), main = module(heap, "__main__");
    const uint64_t modules = dict(heap);
    heap->sys_dict = dict_of(heap, sys);
    heap->main_dict = dict_of(heap, main);
    fake_heap_set(heap, heap->interpreter + 256, modules);
    heap->version = number(heap, 0x03000000 | minor << 16 | 5 << 8 | 0xf0);
    put(heap, heap->sys_dict, "modules", modules);
    put(heap, heap->sys_dict, "hexversion", heap->version);
    put(heap, heap->sys_dict, "abiflags", text(heap, ""));
    put(heap, modules, "sys", sys);
    put(heap, modules, "__main__", main);
    heap->models_list = list(heap, heap->model);
    put(heap, heap->main_dict, "models", heap->models_list);
}

/* ---- as memory -------------------------------------------------------------- */

ptrdiff_t fake_heap_read(void *context, uint64_t address, void *to, size_t size) {
    const fake_bytes *memory = context;
    uint8_t *out = to;
    for (size_t i = 0; i < size; i++) {
        const uint64_t at = address + i - FAKE_BASE;
        out[i] = at < memory->size ? memory->bytes[at] : 0;
    }
    return (ptrdiff_t)size;
}

static krs_status map(void *context, krs__memory *memory) {
    const fake_bytes *bytes = context;
    const uint64_t pages = (bytes->size + KRS__PAGE_BYTES - 1) / KRS__PAGE_BYTES;
    return krs__memory_add(memory, FAKE_BASE,
                           FAKE_BASE + (pages + !pages) * KRS__PAGE_BYTES);
}

krs__made_memory fake_memory(fake_bytes *bytes, unsigned minor) {
    return (krs__made_memory){.map = map,
                              .read = fake_heap_read,
                              .context = bytes,
                              .runtime = FAKE_BASE,
                              .minor = minor,
                              .tries = 1};
}
