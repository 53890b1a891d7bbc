#include "lines.h"

#include <stdlib.h>
#include <string.h>

#include "printable.h"

void krs_lines_free(krs_lines *lines) {
    free(lines->bytes);
    free(lines->ends);
    *lines = (krs_lines){0};
}

void krs_lines_clear(krs_lines *lines) {
    lines->used = lines->count = 0;
    lines->failed = 0;
}

/* Room for `needed` items of `size` bytes; NULL where there is none. */
static void *grow(void *block, size_t *room, size_t needed, size_t size) {
    if (needed <= *room)
        return block;
    size_t more = *room < 64 ? 64 : *room;
    while (more < needed)
        more *= 2;
    void *grown = realloc(block, more * size);
    if (grown != NULL)
        *room = more;
    return grown;
}

void krs_lines_add(krs_lines *lines, const char *bytes, size_t length) {
    if (lines->failed || length == 0)
        return;
    char *grown = grow(lines->bytes, &lines->room, lines->used + length, 1);
    if (grown == NULL) {
        lines->failed = 1;
        return;
    }
    lines->bytes = grown;
    memcpy(grown + lines->used, bytes, length);
    lines->used += length;
}

void krs_lines_put(krs_lines *lines, const char *text) {
    krs_lines_add(lines, text, strlen(text));
}

void krs_lines_end(krs_lines *lines) {
    if (lines->failed)
        return;
    size_t *grown =
        grow(lines->ends, &lines->ends_room, lines->count + 1, sizeof *lines->ends);
    if (grown == NULL) {
        lines->failed = 1;
        return;
    }
    lines->ends = grown;
    grown[lines->count++] = lines->used;
}

/* Bytes of `text` that fit in `columns`; how many columns they take. */
static size_t fitting(const char *text, size_t length, size_t columns, size_t *taken) {
    size_t at = 0;
    *taken = 0;
    while (at < length) {
        int wide;
        const size_t next = krs_character(text + at, length - at, &wide);
        const size_t more = wide < 0 ? 1 : (size_t)wide;
        if (*taken + more > columns)
            break;
        *taken += more;
        at += next;
    }
    return at;
}

static void add_clean(krs_lines *lines, const char *text, size_t length) {
    while (length > 0) {
        int wide;
        const size_t taken = krs_character(text, length, &wide);
        krs_lines_add(lines, wide < 0 ? "?" : text, wide < 0 ? 1 : taken);
        text += taken;
        length -= taken;
    }
}

static void pad(krs_lines *lines, size_t columns) {
    for (; columns > 0; columns--)
        krs_lines_add(lines, " ", 1);
}

size_t krs_lines_cut(krs_lines *lines, const char *text, size_t length,
                     size_t columns) {
    size_t taken;
    size_t fits = fitting(text, length, columns, &taken);
    if (fits == length) {
        add_clean(lines, text, length);
        return taken;
    }
    if (columns == 0)
        return 0;
    fits = fitting(text, length, columns - 1, &taken);
    add_clean(lines, text, fits);
    krs_lines_put(lines, "\u2026");
    return taken + 1;
}

void krs_lines_fit(krs_lines *lines, const char *text, size_t length, size_t columns,
                   int right) {
    size_t taken;
    const int whole = fitting(text, length, columns, &taken) == length;
    if (right && whole)
        pad(lines, columns - taken);
    taken = krs_lines_cut(lines, text, length, columns);
    if (!right || !whole)
        pad(lines, columns - taken);
}

const char *krs_line(const krs_lines *lines, size_t index, size_t *length) {
    const size_t begin = index == 0 ? 0 : lines->ends[index - 1];
    *length = lines->ends[index] - begin;
    return lines->bytes + begin;
}
