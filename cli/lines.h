/* lines.h - lines of text as they grow, and cells of columns in them. */
#ifndef KRS_CLI_LINES_H
#define KRS_CLI_LINES_H

#include <stddef.h>

/* Zeroed, it is empty. Where memory ran out `failed` is 1, and what was to be added
 * from then on is not there. */
typedef struct {
    char *bytes;
    size_t used, room;
    size_t *ends; /* of each line, in bytes */
    size_t count, ends_room;
    int failed;
} krs_lines;

void krs_lines_free(krs_lines *lines);

/* Empties it; what it has allocated stays. */
void krs_lines_clear(krs_lines *lines);

/* Adds to the last line, which krs_lines_end() ends. */
void krs_lines_add(krs_lines *lines, const char *bytes, size_t length);
void krs_lines_put(krs_lines *lines, const char *text);
void krs_lines_end(krs_lines *lines);

/* As much of `text` as there is room for in `columns` columns, cleaned (printable.h);
 * what is cut ends in an ellipsis. Padded on the right, or, with `right`, on the left.
 */
void krs_lines_fit(krs_lines *lines, const char *text, size_t length, size_t columns,
                   int right);
/* The same without padding; columns that were taken. */
size_t krs_lines_cut(krs_lines *lines, const char *text, size_t length, size_t columns);

/* The `index`-th line that was ended, not NUL-terminated; valid until more is added. */
const char *krs_line(const krs_lines *lines, size_t index, size_t *length);

#endif
