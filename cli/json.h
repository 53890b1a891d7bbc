/* json.h - JSON (RFC 8259) to a file, without an allocation. Whether writing worked
 * says ferror() of the file. */
#ifndef KRS_CLI_JSON_H
#define KRS_CLI_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What all JSON of keraser's command line says under "schema_version": it rises when a
 * name goes or means something else, not when one comes. */
enum { KRS_SCHEMA_VERSION = 1 };

enum { KRS_JSON_DEPTH = 32 };

typedef struct {
    FILE *to;
    unsigned depth;
    int keyed; /* a key waits for its value */
    char closers[KRS_JSON_DEPTH];
    char filled[KRS_JSON_DEPTH]; /* 1: the next item needs a comma */
} krs_json;

krs_json krs_json_begin(FILE *to);

/* Open and close; at most KRS_JSON_DEPTH within each other, asserted. */
void krs_json_object(krs_json *json);
void krs_json_array(krs_json *json);
void krs_json_end(krs_json *json);

/* Of an object, before each value. */
void krs_json_key(krs_json *json, const char *key);

void krs_json_number(krs_json *json, uint64_t number);
void krs_json_bool(krs_json *json, int is_true);
void krs_json_null(krs_json *json);
/* What is not UTF-8 becomes U+FFFD, a character for each byte. Nothing that is written
 * could move a terminal's cursor: such characters are escaped. */
void krs_json_text(krs_json *json, const char *text, size_t length);
void krs_json_string(krs_json *json, const char *text);

#endif
