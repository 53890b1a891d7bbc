#include "printable.h"

#include <string.h>
#include <wchar.h>

/* Decodes one character of UTF-8 as RFC 3629 has it (no surrogates, nothing written
 * longer than need be); its length, 0 where there is none. */
static size_t decode(const unsigned char *text, size_t length, uint32_t *code) {
    static const struct {
        unsigned char mask, is;
        uint32_t least;
    } forms[] = {
        {0x80, 0, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
    for (size_t more = 0; more < sizeof forms / sizeof *forms && more < length; more++)
        if ((text[0] & forms[more].mask) == forms[more].is) {
            *code = text[0] & (unsigned char)~forms[more].mask;
            for (size_t i = 1; i <= more; i++) {
                if ((text[i] & 0xC0) != 0x80)
                    return 0;
                *code = *code << 6 | (text[i] & 0x3F);
            }
            const int surrogate = *code >= 0xD800 && *code <= 0xDFFF;
            return *code < forms[more].least || *code > 0x10FFFF || surrogate
                       ? 0
                       : more + 1;
        }
    return 0;
}

/* C0, DEL and C1 controls; marks and controls of direction, which make text read other
 * than it is; separators of lines and paragraphs; what has no form at all. */
static int is_barred(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C ||
           (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
           (code >= 0xFFF9 && code <= 0xFFFB) || (code & 0xFFFE) == 0xFFFE ||
           code >= 0xE0000;
}

size_t krs_character(const char *text, size_t length, int *columns) {
    uint32_t code;
    const size_t taken = decode((const unsigned char *)text, length, &code);
    *columns = -1;
    if (taken == 0)
        return 1;
    if (!is_barred(code)) {
        /* Of no width in a locale that does not know it. */
        const int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);
        *columns = width < 0 ? 1 : width;
    }
    return taken;
}

void krs_print_clean(FILE *to, const char *text, size_t length, int lines) {
    while (length > 0) {
        int columns;
        const size_t taken = krs_character(text, length, &columns);
        if (columns >= 0 || (lines && (*text == '\n' || *text == '\t')))
            fwrite(text, 1, taken, to);
        else
            fputc('?', to);
        text += taken;
        length -= taken;
    }
}

const char *krs_write_amount(uint64_t bytes, char amount[KRS_AMOUNT]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double left = (double)bytes;
    /* 1023.96 would be written as 1024.0 of its unit. */
    for (; left >= (unit > 0 ? 1023.95 : 1024); unit++)
        left /= 1024;
    snprintf(amount, KRS_AMOUNT, "%.*f %s", unit > 0, left, units[unit]);
    return amount;
}
