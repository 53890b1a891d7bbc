#include <stdio.h>

#include "live.h"

/* Moves the selection by `rows`, over notes, as far as there are rows. */
static void move(krs_live *live, long rows) {
    const krs_table *table = &live->table;
    const int back = rows < 0;
    live->chosen |= rows != 0;
    for (long left = back ? -rows : rows; left > 0; left--) {
        size_t next = live->selected;
        do {
            if (back ? next == 0 : next + 1 >= table->count)
                return;
            next += back ? (size_t)-1 : 1;
        } while (table->rows[next].kind == KRS_ROW_NOTE);
        live->selected = next;
        live->pid = table->rows[next].target->pid;
        live->id = table->rows[next].model ? table->rows[next].model->id : 0;
    }
}

static void begin(krs_live *live, krs_verb verb) {
    if (!krs_live_choose(live, verb))
        snprintf(live->message, sizeof live->message, "select a model first");
    else if (verb == KRS_VERB_CLEAR)
        live->mode = KRS_LIVE_CONFIRM;
    else
        krs_live_ask(live);
}

static void show_help(krs_live *live) {
    krs_verdict_free(&live->answer);
    krs_live_show_page(live);
}

/* Rows that a key moves by; 0 for a key that does something else. */
static long rows_of(const krs_live *live, int key) {
    const long page = (long)krs_live_room(live), all = 1 << 30;
    switch (key) {
    case KRS_KEY_UP:
    case 'k':
        return -1;
    case KRS_KEY_DOWN:
    case 'j':
        return 1;
    case KRS_KEY_PAGE_UP:
        return -page;
    case KRS_KEY_PAGE_DOWN:
        return page;
    case KRS_KEY_HOME:
        return -all;
    case KRS_KEY_END:
        return all;
    }
    return 0;
}

static void in_list(krs_live *live, int key) {
    move(live, rows_of(live, key));
    switch (key) {
    case 'w':
        begin(live, KRS_VERB_WHY);
        break;
    case 'c':
        begin(live, KRS_VERB_CLEAR);
        break;
    case 't':
        begin(live, KRS_VERB_TRIM);
        break;
    case '?':
    case 'h':
        show_help(live);
        break;
    case 'q':
        live->quit = 1;
        break;
    }
}

static void in_page(krs_live *live, int key) {
    const long rows = rows_of(live, key);
    const size_t room = krs_live_room(live);
    const long last = live->page.count > room ? (long)(live->page.count - room) : 0;
    if (rows == 0) {
        live->mode = KRS_LIVE_LIST;
        return;
    }
    const long first = (long)live->page_first + rows;
    live->page_first = (size_t)(first < 0 ? 0 : first > last ? last : first);
}

void krs_live_key(krs_live *live, int key) {
    *live->message = '\0';
    live->dirty = 1;
    switch (live->mode) {
    case KRS_LIVE_LIST:
        in_list(live, key);
        break;
    case KRS_LIVE_CONFIRM:
        live->mode = KRS_LIVE_LIST;
        if (key == 'y')
            krs_live_ask(live);
        break;
    case KRS_LIVE_WAITING:
        if (key == 'q' || key == KRS_KEY_ESCAPE)
            krs_live_cancel(live);
        break;
    case KRS_LIVE_PAGE:
        in_page(live, key);
        break;
    }
}
