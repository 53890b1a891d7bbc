/* json.h - JSON written to a stream, piece by piece; commas are put where they belong.
 * Text is UTF-8, and what is not is written as U+FFFD, so that the result can always be
 * read. */
#ifndef KRS_CLI_JSON_H
#define KRS_CLI_JSON_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
    FILE *to;
    int depth;
    int follows; /* something stands before, on this level: a comma is due */
} krs_json;

krs_json krs_json_begin(FILE *to);

/* `key` is the member's name in an object, NULL in a list and at the top. */
void krs_json_object(krs_json *json, const char *key);
void krs_json_object_end(krs_json *json);
void krs_json_list(krs_json *json, const char *key);
void krs_json_list_end(krs_json *json);
void krs_json_text(krs_json *json, const char *key, const char *text);
void krs_json_number(krs_json *json, const char *key, uint64_t number);
void krs_json_bool(krs_json *json, const char *key, int truth);
void krs_json_null(krs_json *json, const char *key);

/* A text in its quotes. */
void krs_json_write_text(FILE *to, const char *text);

#endif
