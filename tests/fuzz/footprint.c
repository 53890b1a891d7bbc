/* Any text is refused or understood as a smaps_rollup; what is understood came from
 * it. */
#include "proc/footprint.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

/* What the C library makes of the line that begins with `name`, in bytes. */
static uint64_t value_of(const char *text, const char *name) {
    const char *line = text;
    while (strncmp(line, name, strlen(name)) != 0)
        must((line = strchr(line, '\n')) != NULL && *++line != '\0');
    return strtoull(line + strlen(name), NULL, 10) * 1024;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    /* A block of its own size, so that a read past the end is one past the block. */
    char *exact = calloc(1, length == 0 ? 1 : length), *text = calloc(1, length + 1);
    must(exact != NULL && text != NULL);
    if (length > 0)
        memcpy(text, memcpy(exact, bytes, length), length);
    krs__footprint f = {1, 2, 3, 4};
    const krs_status status = krs__footprint_parse(exact, length, &f);
    if (status == KRS_OK && memchr(exact, '\0', length) == NULL) {
        must(f.rss == value_of(text, "Rss:") && f.pss == value_of(text, "Pss:"));
        const uint64_t made =
            value_of(text, "Private_Dirty:") + value_of(text, "Private_Hugetlb:");
        must(f.own == made + value_of(text, "Private_Clean:"));
        must(f.made == made + value_of(text, "SwapPss:"));
    } else if (status != KRS_OK) {
        must(status == KRS_FORMAT && f.rss == 1 && f.pss == 2 && f.own == 3 &&
             f.made == 4);
    }
    free(text);
    free(exact);
    return 0;
}
