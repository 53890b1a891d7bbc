#include "proc/text.h"

#include <string.h>

bool krs__text_skip(const char **at, const char *end, const char *prefix) {
    const size_t length = strlen(prefix);
    if ((size_t)(end - *at) < length || memcmp(*at, prefix, length) != 0)
        return false;
    *at += length;
    return true;
}

/* The digit that `c` is to the base, or the base where it is none. */
static unsigned digit_of(char c, unsigned base) {
    unsigned digit = base;
    if (c >= '0' && c <= '9')
        digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
        digit = (unsigned)(c - 'a') + 10;
    return digit < base ? digit : base;
}

bool krs__text_number(const char **at, const char *end, unsigned base, uint64_t most,
                      uint64_t *number) {
    const char *const start = *at;
    uint64_t value = 0;
    for (; *at < end; (*at)++) {
        const unsigned digit = digit_of(**at, base);
        if (digit == base)
            break;
        if (digit > most || value > (most - digit) / base)
            return false;
        value = value * base + digit;
    }
    *number = value;
    return *at > start;
}
