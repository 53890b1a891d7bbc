/* screen.h - what is on a terminal, and the bytes that make it show something else. */
#ifndef KRS_CLI_SCREEN_H
#define KRS_CLI_SCREEN_H

#include "lines.h"

/* Zeroed, nothing is known of the terminal, and all of it is written. */
typedef struct {
    krs_lines shown;
    int known; /* `shown` is what the terminal shows */
} krs_screen;

/* Makes it show `next`, which `screen` takes and gives its own lines for: `bytes`
 * become what has to be written, only the lines that differ (ECMA-48: CUP, EL, ED).
 * Where memory ran out, `next->failed` or `bytes->failed`, all is written the next
 * time. */
void krs_screen_draw(krs_screen *screen, krs_lines *next, krs_lines *bytes);

void krs_screen_free(krs_screen *screen);

#endif
