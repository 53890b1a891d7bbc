#define _POSIX_C_SOURCE 200809L
#include "proc/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"

enum { LOAD_BYTES = 4096 }; /* what the kernel gives at a time of a file of lines */

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

static ssize_t read_again(int file, char *text, size_t room) {
    ssize_t got;
    do
        got = read(file, text, room);
    while (got < 0 && errno == EINTR);
    return got;
}

static void close_quietly(int file) {
    const int error = errno;
    close(file);
    errno = error;
}

krs_status krs__text_read(const char *path, char *text, size_t room, size_t *length) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return KRS_SYSTEM;
    const ssize_t got = read_again(file, text, room);
    close_quietly(file);
    if (got < 0)
        return KRS_SYSTEM;
    if ((size_t)got == room)
        return KRS_FORMAT;
    *length = (size_t)got;
    return KRS_OK;
}

/* Reads on into `*text`, which grows, up to the end of the file. */
static krs_status load(int file, char **text) {
    size_t capacity = 0, length = 0;
    for (;;) {
        capacity = krs__array_capacity(capacity, length + LOAD_BYTES + 1, 1);
        char *grown = krs__array_resize(*text, capacity, 1);
        if (grown == NULL)
            return KRS_NOMEM;
        *text = grown;
        const ssize_t got = read_again(file, grown + length, LOAD_BYTES);
        if (got < 0)
            return KRS_SYSTEM;
        length += (size_t)got;
        grown[length] = '\0';
        if (got == 0)
            return KRS_OK;
    }
}

krs_status krs__text_load(const char *path, char **text) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return KRS_SYSTEM;
    char *loaded = NULL;
    const krs_status status = load(file, &loaded);
    close_quietly(file);
    if (status == KRS_OK)
        *text = loaded;
    else
        free(loaded);
    return status;
}
