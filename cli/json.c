#include "json.h"

#include <inttypes.h>

/* Bytes of the character at `text`, 0 where there is none: not UTF-8, cut short, longer
 * than need be, a surrogate or beyond the last. */
static int character_bytes(const unsigned char *text) {
    const int size = text[0] < 0x80                      ? 1
                     : text[0] >= 0xC2 && text[0] < 0xE0 ? 2
                     : text[0] >= 0xE0 && text[0] < 0xF0 ? 3
                     : text[0] >= 0xF0 && text[0] < 0xF5 ? 4
                                                         : 0;
    for (int i = 1; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] >= 0xA0) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] >= 0x90))
        return 0;
    return size;
}

void krs_json_write_text(FILE *to, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    putc('"', to);
    while (*at) {
        const int size = character_bytes(at);
        if (size == 0)
            fputs("\\ufffd", to);
        else if (*at == '"' || *at == '\\')
            fprintf(to, "\\%c", *at);
        else if (*at < ' ' || *at == 0x7f)
            fprintf(to, "\\u%04x", *at);
        else
            fwrite(at, 1, (size_t)size, to);
        at += size ? size : 1;
    }
    putc('"', to);
}

krs_json krs_json_begin(FILE *to) {
    return (krs_json){.to = to};
}

/* A comma and a new line where they are due, and the name. */
static void lead(krs_json *json, const char *key) {
    if (json->depth > 0)
        fprintf(json->to, "%s\n%*s", json->follows ? "," : "", json->depth * 2, "");
    if (key != NULL) {
        krs_json_write_text(json->to, key);
        fputs(": ", json->to);
    }
    json->follows = 1;
}

static void open_level(krs_json *json, const char *key, char bracket) {
    lead(json, key);
    putc(bracket, json->to);
    json->depth++;
    json->follows = 0;
}

static void close_level(krs_json *json, char bracket) {
    json->depth--;
    if (json->follows)
        fprintf(json->to, "\n%*s", json->depth * 2, "");
    putc(bracket, json->to);
    json->follows = 1;
    if (json->depth == 0)
        putc('\n', json->to);
}

void krs_json_object(krs_json *json, const char *key) {
    open_level(json, key, '{');
}

void krs_json_object_end(krs_json *json) {
    close_level(json, '}');
}

void krs_json_list(krs_json *json, const char *key) {
    open_level(json, key, '[');
}

void krs_json_list_end(krs_json *json) {
    close_level(json, ']');
}

void krs_json_text(krs_json *json, const char *key, const char *text) {
    lead(json, key);
    krs_json_write_text(json->to, text);
}

void krs_json_number(krs_json *json, const char *key, uint64_t number) {
    lead(json, key);
    fprintf(json->to, "%" PRIu64, number);
}

void krs_json_bool(krs_json *json, const char *key, int truth) {
    lead(json, key);
    fputs(truth ? "true" : "false", json->to);
}

void krs_json_null(krs_json *json, const char *key) {
    lead(json, key);
    fputs("null", json->to);
}
