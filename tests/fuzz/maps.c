/* Any bytes are refused as a line of /proc/self/maps or understood; what is understood
 * came from them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "keraser.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

/* What the C library makes of the same line, which ends in a NUL here. */
static void must_agree(const char *line, const krs_mapping *mapping) {
    char *at;
    must(strtoumax(line, &at, 16) == mapping->begin && *at == '-');
    must(strtoumax(at + 1, &at, 16) == mapping->end && *at == ' ');
    must(mapping->begin < mapping->end);
    must(mapping->writable == (at[2] == 'w') && mapping->is_private == (at[4] == 'p'));
    must(strlen(line) == (size_t)(mapping->path - line) + mapping->path_length);
    must(mapping->path[-1] == ' ' && mapping->path[0] != ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    /* A block of its own size, so that a read past the end is one past the block. */
    char *exact = malloc(length == 0 ? 1 : length), *line = calloc(1, length + 1);
    must(exact != NULL && line != NULL);
    if (length > 0)
        memcpy(line, memcpy(exact, bytes, length), length);
    krs_mapping mapping = {.begin = 1};
    const krs_status status = krs_mapping_parse(exact, length, &mapping);
    if (status == KRS_OK) {
        mapping.path = line + (mapping.path - exact);
        must_agree(line, &mapping);
    } else {
        must(status == KRS_FORMAT && mapping.begin == 1 && mapping.path == NULL);
    }
    free(line);
    free(exact);
    return 0;
}
