/* keys.h - what comes from a keyboard: keys out of bytes. */
#ifndef KRS_CLI_KEYS_H
#define KRS_CLI_KEYS_H

#include <stddef.h>

typedef enum {
    KRS_KEY_NONE = -1, /* none yet */
    KRS_KEY_OTHER = 256,
    KRS_KEY_UP,
    KRS_KEY_DOWN,
    KRS_KEY_PAGE_UP,
    KRS_KEY_PAGE_DOWN,
    KRS_KEY_HOME,
    KRS_KEY_END,
    KRS_KEY_ESCAPE,
} krs_key; /* or a character of ASCII */

/* Zeroed, it is empty. */
typedef struct {
    char bytes[256];
    size_t length;
} krs_keys;

/* Takes up to as many bytes as there is room for; how many. */
size_t krs_keys_add(krs_keys *keys, const char *bytes, size_t length);

/* The next key. What may be the begin of a longer one waits for its rest, unless
 * `whole` says that none will come: then ESC is a key of its own. */
int krs_keys_next(krs_keys *keys, int whole);

#endif
