/* Values of the target that are read as text and numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "outside/target.h"

/* ---- str ------------------------------------------------------------------- */

typedef struct {
    uint64_t characters; /* where they are */
    uint64_t length;
    unsigned width; /* bytes of each */
} text_place;

static bool find_text(krs__target *target, uint64_t object, text_place *place) {
    const krs__type *type = krs__type_of(target, object);
    uint32_t state;
    if (type == NULL || !(type->flags & KRS__FLAG_TEXT) ||
        !krs__memory_word(&target->memory, object + KRS__TEXT_LENGTH, &place->length) ||
        !krs__memory_half(&target->memory, object + KRS__TEXT_STATE, &state))
        return false;
    place->width = state >> 2 & 7;
    const bool compact = state >> 5 & 1, ascii = state >> 6 & 1;
    if (place->width != 1 && place->width != 2 && place->width != 4)
        return false;
    if (compact)
        place->characters =
            object + (ascii ? target->layout.text_ascii : target->layout.text_compact);
    else
        place->characters =
            krs__memory_pointer(&target->memory, object + target->layout.text_pointer);
    return place->characters != 0;
}

static size_t put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xC0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xE0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3F));
        to[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3F));
    to[2] = (char)(0x80 | (c >> 6 & 0x3F));
    to[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

bool krs__text_of(krs__target *target, uint64_t object, char *text, size_t room) {
    text_place place;
    if (room == 0 || !find_text(target, object, &place))
        return false;
    size_t used = 0;
    for (uint64_t i = 0; i < place.length; i++) {
        uint32_t c = 0; /* little-endian, as attach.c has made sure */
        char bytes[4];
        if (!krs__memory_copy(&target->memory, place.characters + i * place.width, &c,
                              place.width))
            return false;
        if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
            c = 0xFFFD; /* no character: a lone surrogate, or garbage */
        const size_t size = put_utf8(bytes, c);
        if (used + size >= room)
            break;
        memcpy(text + used, bytes, size);
        used += size;
    }
    text[used] = '\0';
    return true;
}

bool krs__text_is(krs__target *target, uint64_t object, const char *text) {
    text_place place;
    char found[KRS__NAME_BYTES];
    const size_t length = strlen(text);
    return find_text(target, object, &place) && place.width == 1 &&
           place.length == length && length <= sizeof found &&
           krs__memory_copy(&target->memory, place.characters, found, length) &&
           !memcmp(found, text, length);
}

/* ---- int ------------------------------------------------------------------- */

bool krs__int_of(krs__target *target, uint64_t object, int64_t *value) {
    enum { DIGIT_BITS = 30, MOST_DIGITS = 3 };
    const krs__type *type = krs__type_of(target, object);
    uint64_t tag, number = 0;
    if (type == NULL || !(type->flags & KRS__FLAG_INT) ||
        !krs__memory_word(&target->memory, object + target->layout.int_size, &tag))
        return false;
    bool negative = (int64_t)tag < 0;
    uint64_t count = negative ? 0 - tag : tag;
    if (target->layout.minor >= 12) { /* a sign in two bits, one of another use */
        negative = (tag & 3) == 2;
        count = tag >> 3;
    }
    if (count > MOST_DIGITS)
        return false;
    for (uint64_t i = count; i > 0; i--) {
        uint32_t digit;
        if (!krs__memory_half(&target->memory,
                              object + target->layout.int_digits + (i - 1) * 4,
                              &digit) ||
            digit >> DIGIT_BITS != 0 || number >> (63 - DIGIT_BITS) != 0)
            return false;
        number = number << DIGIT_BITS | digit;
    }
    *value = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* ---- repr ------------------------------------------------------------------ */

typedef struct {
    char *at, *end; /* the last byte is for the NUL */
} writer;

static void put(writer *w, const char *text) {
    while (*text && w->at < w->end)
        *w->at++ = *text++;
    *w->at = '\0';
}

/* In quotes, what would end them or the line escaped. */
static void put_quoted(writer *w, const char *text) {
    const char quote[2] = {strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'', '\0'};
    put(w, quote);
    for (; *text; text++) {
        char escaped[8] = {*text, '\0'};
        if (*text == '\n')
            strcpy(escaped, "\\n");
        else if (*text == '\\' || *text == *quote)
            snprintf(escaped, sizeof escaped, "\\%c", *text);
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*text);
        put(w, escaped);
    }
    put(w, quote);
}

/* One that is no tuple. */
static void put_plain(krs__target *target, writer *w, uint64_t object) {
    char text[256];
    int64_t number;
    const krs__type *type = krs__type_of(target, object);
    if (type == NULL) {
        put(w, "?");
    } else if (!strcmp(type->name, "NoneType")) {
        put(w, "None");
    } else if (krs__int_of(target, object, &number)) {
        if (!strcmp(type->name, "bool"))
            snprintf(text, sizeof text, "%s", number ? "True" : "False");
        else
            snprintf(text, sizeof text, "%" PRId64, number);
        put(w, text);
    } else if (krs__text_of(target, object, text, sizeof text)) {
        put_quoted(w, text);
    } else {
        const char *dot = strrchr(type->name, '.');
        put(w, "<");
        put(w, dot ? dot + 1 : type->name);
        put(w, ">");
    }
}

void krs__repr_of(krs__target *target, uint64_t object, char *text, size_t room) {
    enum { MOST_ITEMS = 8 };
    writer w = {text, text + room - 1};
    uint64_t count;
    const krs__type *type = krs__type_of(target, object);
    *text = '\0';
    if (type == NULL || type->kind != KRS__KIND_TUPLE ||
        !krs__memory_word(&target->memory, object + KRS__OBJECT_SIZE, &count)) {
        put_plain(target, &w, object);
        return;
    }
    put(&w, "(");
    for (uint64_t i = 0; i < count && i < MOST_ITEMS; i++) {
        put(&w, i > 0 ? ", " : "");
        put_plain(
            target, &w,
            krs__memory_pointer(&target->memory, object + KRS__TUPLE_ITEMS + i * 8));
    }
    put(&w, count > MOST_ITEMS ? ", ...)" : count == 1 ? ",)" : ")");
}
