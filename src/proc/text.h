/* Reading what the kernel writes. The parsers read on at *at and move it behind what
 * they took; false where the text goes on otherwise, *at then being anywhere. */
#ifndef KRS_PROC_TEXT_H
#define KRS_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keraser.h"

/* Takes `prefix`; *at stays where the text does not go on with it. */
bool krs__text_skip(const char **at, const char *end, const char *prefix);

/* Takes a number of at most `most`, to the base 10 or 16 in lower case. */
bool krs__text_number(const char **at, const char *end, unsigned base, uint64_t most,
                      uint64_t *number);

/* Reads what is in the file `path`, by one call: the kernel composes such a text anew
 * for each, and one sees one moment. KRS_SYSTEM with errno; KRS_FORMAT for a text that
 * fills all `room` bytes, since more may follow. */
krs_status krs__text_read(const char *path, char *text, size_t room, size_t *length);

/* Reads a file of many lines, such as /proc/self/mountinfo, to its end; `*text` ends in
 * a NUL and is the caller's to free. */
krs_status krs__text_load(const char *path, char **text);

#endif
