#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "printable.h"

krs_json krs_json_begin(FILE *to) {
    return (krs_json){.to = to};
}

/* What stands between this value and what is before it. */
static void separate(krs_json *json) {
    if (!json->keyed && json->depth > 0) {
        if (json->filled[json->depth - 1])
            fputs(", ", json->to);
        json->filled[json->depth - 1] = 1;
    }
    json->keyed = 0;
}

static void open_with(krs_json *json, const char *opener, char closer) {
    separate(json);
    assert(json->depth < KRS_JSON_DEPTH);
    fputs(opener, json->to);
    json->closers[json->depth] = closer;
    json->filled[json->depth++] = 0;
}

void krs_json_object(krs_json *json) {
    open_with(json, "{", '}');
}

void krs_json_array(krs_json *json) {
    open_with(json, "[", ']');
}

void krs_json_end(krs_json *json) {
    assert(json->depth > 0 && !json->keyed);
    fputc(json->closers[--json->depth], json->to);
    if (json->depth == 0)
        fputc('\n', json->to);
}

static void write_text(FILE *to, const char *text, size_t length);

void krs_json_key(krs_json *json, const char *key) {
    assert(json->depth > 0 && !json->keyed);
    separate(json);
    write_text(json->to, key, strlen(key));
    fputs(": ", json->to);
    json->keyed = 1;
}

void krs_json_number(krs_json *json, uint64_t number) {
    separate(json);
    fprintf(json->to, "%" PRIu64, number);
}

void krs_json_bool(krs_json *json, int is_true) {
    separate(json);
    fputs(is_true ? "true" : "false", json->to);
}

void krs_json_null(krs_json *json) {
    separate(json);
    fputs("null", json->to);
}

/* A character that may not reach a terminal, of `taken` bytes of UTF-8. */
static void write_escaped(FILE *to, const unsigned char *text, size_t taken) {
    if (taken == 1 && text[0] >= 0x80) { /* not UTF-8 */
        fputs("\\ufffd", to);
        return;
    }
    uint32_t code = taken == 1 ? text[0] : text[0] & (0x7FU >> taken);
    for (size_t i = 1; i < taken; i++)
        code = code << 6 | (text[i] & 0x3F);
    if (code < 0x10000) {
        fprintf(to, "\\u%04" PRIx32, code);
        return;
    }
    code -= 0x10000;
    fprintf(to, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xD800 + (code >> 10),
            0xDC00 + (code & 0x3FF));
}

static void write_text(FILE *to, const char *text, size_t length) {
    fputc('"', to);
    while (length > 0) {
        int columns;
        const size_t taken = krs_character(text, length, &columns);
        if (columns < 0)
            write_escaped(to, (const unsigned char *)text, taken);
        else {
            if (*text == '"' || *text == '\\')
                fputc('\\', to);
            fwrite(text, 1, taken, to);
        }
        text += taken;
        length -= taken;
    }
    fputc('"', to);
}

void krs_json_text(krs_json *json, const char *text, size_t length) {
    separate(json);
    write_text(json->to, text, length);
}

void krs_json_string(krs_json *json, const char *text) {
    krs_json_text(json, text, strlen(text));
}
