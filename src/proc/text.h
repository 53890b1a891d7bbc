/* Reading what the kernel writes: each reads on at *at and moves it behind what it
 * took; false where the text goes on otherwise, *at then being anywhere. */
#ifndef KRS_PROC_TEXT_H
#define KRS_PROC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Takes `prefix`; *at stays where the text does not go on with it. */
bool krs__text_skip(const char **at, const char *end, const char *prefix);

/* Takes a number of at most `most`, to the base 10 or 16 in lower case. */
bool krs__text_number(const char **at, const char *end, unsigned base, uint64_t most,
                      uint64_t *number);

#endif
