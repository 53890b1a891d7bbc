#include "say.h"

#include <stdio.h>
#include <string.h>

#include "printable.h"

void krs_complain(const char *cause, const char *detail, const char *cure) {
    const char *gap = strstr(cause, "%s");
    fputs("keraser: ", stderr);
    krs_print_clean(stderr, cause, gap ? (size_t)(gap - cause) : strlen(cause), 0);
    if (gap != NULL) {
        krs_print_clean(stderr, detail, strlen(detail), 0);
        krs_print_clean(stderr, gap + 2, strlen(gap + 2), 0);
    }
    fputc('\n', stderr);
    if (*cure) {
        fputs("  ", stderr);
        krs_print_clean(stderr, cure, strlen(cure), 0);
        fputc('\n', stderr);
    }
}
