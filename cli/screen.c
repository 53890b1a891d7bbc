#include "screen.h"

#include <stdio.h>
#include <string.h>

void krs_screen_free(krs_screen *screen) {
    krs_lines_free(&screen->shown);
    *screen = (krs_screen){0};
}

static int is_shown(const krs_screen *screen, const krs_lines *next, size_t line) {
    size_t length, before;
    if (!screen->known || line >= screen->shown.count)
        return 0;
    const char *text = krs_line(next, line, &length);
    const char *old = krs_line(&screen->shown, line, &before);
    return length == before && (length == 0 || memcmp(text, old, length) == 0);
}

static void move_to(krs_lines *bytes, size_t line) {
    char move[32];
    snprintf(move, sizeof move, "\33[%zu;1H", line + 1);
    krs_lines_put(bytes, move);
}

void krs_screen_draw(krs_screen *screen, krs_lines *next, krs_lines *bytes) {
    krs_lines_clear(bytes);
    if (!screen->known)
        krs_lines_put(bytes, "\33[m\33[2J");
    for (size_t i = 0; i < next->count; i++) {
        size_t length;
        if (is_shown(screen, next, i))
            continue;
        const char *text = krs_line(next, i, &length);
        move_to(bytes, i);
        /* Erased first: behind a full line the cursor stands on its last character. */
        krs_lines_put(bytes, "\33[2K");
        krs_lines_add(bytes, text, length);
    }
    if (screen->known && next->count < screen->shown.count) {
        move_to(bytes, next->count);
        krs_lines_put(bytes, "\33[J");
    }
    const krs_lines before = screen->shown;
    screen->shown = *next;
    *next = before;
    screen->known = !screen->shown.failed && !bytes->failed;
}
