#include "proc/fields.h"

#include <string.h>

#include "proc/text.h"

/* Reads what follows the name of a field, up to the end of its line. */
static bool read_value(const char *at, const char *end, const krs__field *field,
                       uint64_t *value) {
    while (at < end && (*at == '\t' || *at == ' '))
        at++;
    uint64_t number;
    if (!krs__text_number(&at, end, 10, field->most, &number) ||
        !krs__text_skip(&at, end, field->unit) || at != end)
        return false;
    *value = number * field->scale;
    return true;
}

/* Takes up one line, `end` being its newline; false if it is a field gone wrong. */
static bool read_line(const char *at, const char *end, const krs__field *fields,
                      size_t count, uint64_t *values, uint64_t *found) {
    for (size_t f = 0; f < count; f++) {
        if (!krs__text_skip(&at, end, fields[f].name))
            continue;
        if ((*found >> f & 1) != 0)
            return false;
        *found |= UINT64_C(1) << f;
        return read_value(at, end, &fields[f], &values[f]);
    }
    return true;
}

bool krs__fields_read(const char *text, size_t length, const krs__field *fields,
                      size_t count, uint64_t *values, uint64_t *found) {
    memset(values, 0, count * sizeof *values);
    *found = 0;
    const char *newline;
    for (; (newline = memchr(text, '\n', length)) != NULL; text = newline + 1) {
        if (!read_line(text, newline, fields, count, values, found))
            return false;
        length -= (size_t)(newline + 1 - text);
    }
    return true;
}

bool krs__fields_complete(const krs__field *fields, size_t count, uint64_t found) {
    for (size_t f = 0; f < count; f++) {
        if (fields[f].required && (found >> f & 1) == 0)
            return false;
    }
    return true;
}
