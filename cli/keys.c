#include "keys.h"

#include <string.h>

size_t krs_keys_add(krs_keys *keys, const char *bytes, size_t length) {
    const size_t room = sizeof keys->bytes - keys->length;
    const size_t taken = length < room ? length : room;
    memcpy(keys->bytes + keys->length, bytes, taken);
    keys->length += taken;
    return taken;
}

static int take(krs_keys *keys, size_t length, int key) {
    keys->length -= length;
    memmove(keys->bytes, keys->bytes + length, keys->length);
    return key;
}

/* Of `ESC [ digits final` and `ESC O final`. */
static int named(char final, int number) {
    switch (final) {
    case 'A':
        return KRS_KEY_UP;
    case 'B':
        return KRS_KEY_DOWN;
    case 'H':
        return KRS_KEY_HOME;
    case 'F':
        return KRS_KEY_END;
    case '~':
        return number == 5                  ? KRS_KEY_PAGE_UP
               : number == 6                ? KRS_KEY_PAGE_DOWN
               : number == 1 || number == 7 ? KRS_KEY_HOME
               : number == 4 || number == 8 ? KRS_KEY_END
                                            : KRS_KEY_OTHER;
    }
    return KRS_KEY_OTHER;
}

/* Behind ESC: parameters are 0x30 to 0x3F, what stands between 0x20 to 0x2F, and a
 * final from 0x40 on (ECMA-48). */
static int sequence(krs_keys *keys, int whole) {
    const char *bytes = keys->bytes;
    int number = 0;
    size_t at = 2;
    if (bytes[1] == '[')
        for (; at < keys->length && bytes[at] >= 0x20 && bytes[at] < 0x40; at++)
            if (bytes[at] >= '0' && bytes[at] <= '9' && number < 100)
                number = 10 * number + bytes[at] - '0';
    if (at < keys->length)
        return take(keys, at + 1, named(bytes[at], number));
    if (whole || keys->length == sizeof keys->bytes)
        return take(keys, keys->length, KRS_KEY_OTHER);
    return KRS_KEY_NONE;
}

int krs_keys_next(krs_keys *keys, int whole) {
    if (keys->length == 0)
        return KRS_KEY_NONE;
    const unsigned char first = (unsigned char)keys->bytes[0];
    if (first != 0x1B)
        return take(keys, 1, first < 0x80 ? (int)first : KRS_KEY_OTHER);
    if (keys->length == 1)
        return whole ? take(keys, 1, KRS_KEY_ESCAPE) : KRS_KEY_NONE;
    if (keys->bytes[1] == '[' || keys->bytes[1] == 'O')
        return sequence(keys, whole);
    return take(keys, 1, KRS_KEY_ESCAPE);
}
