#include "say.h"

#include <stdio.h>
#include <string.h>

void krs_complain(const char *cause, const char *detail, const char *cure) {
    const char *gap = strstr(cause, "%s");
    int before = gap ? (int)(gap - cause) : (int)strlen(cause);
    fprintf(stderr, "keraser: %.*s%s%s\n", before, cause, gap ? detail : "",
            gap ? gap + 2 : "");
    if (*cure)
        fprintf(stderr, "  %s\n", cure);
}
