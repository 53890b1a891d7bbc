#include <stdio.h>
#include <string.h>

#include "live.h"
#include "printable.h"

/* Terminals that are lower have no headers, or no title, or no footer. */
enum { WITH_HEADERS = 5, WITH_TITLE = 3, WITH_FOOTER = 2 };

#define BOLD "\33[1m"
#define REVERSE "\33[7m"
#define PLAIN "\33[m"

static const char help_text[] =
    "keraser top\n\n"
    "  up, down, j, k   select          page up, page down, home, end too\n"
    "  w                who holds the selected model\n"
    "  c                clear the selected model, after y\n"
    "  t                have its process give free memory back to the system\n"
    "  ?, h             this\n"
    "  q                quit\n\n"
    "RSS is the memory of a process, MODELS what its models own of it, GPU what is\n"
    "in use on the GPUs that it uses, by all processes. Under each process stand its\n"
    "models: weights, state of the optimizer, metrics.\n";

size_t krs_live_room(const krs_live *live) {
    const int list = live->mode != KRS_LIVE_PAGE;
    size_t around = live->lines >= WITH_FOOTER;
    around += list && live->lines >= WITH_TITLE;
    around += list && live->lines >= WITH_HEADERS ? KRS_TABLE_HEADERS : 0;
    return live->lines - around;
}

/* The row that was selected, or the next one in its place. */
static void select_again(krs_live *live) {
    const krs_table *table = &live->table;
    for (size_t i = 0; live->chosen && i < table->count; i++) {
        const krs_row *row = &table->rows[i];
        const uint64_t id = row->model != NULL ? row->model->id : 0;
        if (row->kind != KRS_ROW_NOTE && row->target->pid == live->pid &&
            id == live->id) {
            live->selected = i;
            return;
        }
    }
    if (live->selected >= table->count)
        live->selected = table->count > 0 ? table->count - 1 : 0;
    while (live->selected > 0 && table->rows[live->selected].kind == KRS_ROW_NOTE)
        live->selected--;
    if (table->count > 0) {
        const krs_row *row = &table->rows[live->selected];
        live->pid = row->target->pid;
        live->id = row->model != NULL ? row->model->id : 0;
    }
}

static void add_folded(krs_lines *page, const char *text, size_t length,
                       size_t columns) {
    do {
        size_t at = 0, taken = 0;
        while (at < length) {
            int wide;
            const size_t next = krs_character(text + at, length - at, &wide);
            const size_t more = wide < 0 ? 1 : (size_t)wide;
            if (taken + more > columns && at > 0)
                break;
            taken += more;
            at += next;
        }
        krs_lines_add(page, text, at);
        krs_lines_end(page);
        text += at;
        length -= at;
    } while (length > 0);
}

static void fold(krs_lines *page, const char *text, size_t length, size_t columns) {
    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        const size_t line = newline != NULL ? (size_t)(newline - text) : length;
        add_folded(page, text, line, columns);
        const size_t taken = newline != NULL ? line + 1 : line;
        text += taken;
        length -= taken;
    }
}

static void build_page(krs_live *live) {
    const krs_verdict *answer = &live->answer;
    krs_lines_clear(&live->page);
    fold(&live->page, answer->cause, strlen(answer->cause), live->columns);
    fold(&live->page, answer->cure, strlen(answer->cure), live->columns);
    if (answer->bytes != NULL)
        fold(&live->page, answer->bytes, answer->text, live->columns);
    else
        fold(&live->page, help_text, sizeof help_text - 1, live->columns);
    if (live->page_first >= live->page.count)
        live->page_first = 0;
}

void krs_live_show_page(krs_live *live) {
    live->mode = KRS_LIVE_PAGE;
    live->page_first = 0;
    build_page(live);
    live->dirty = 1;
}

void krs_live_rebuild(krs_live *live) {
    krs_table_build(&live->table, live->targets);
    select_again(live);
    if (live->mode == KRS_LIVE_PAGE)
        build_page(live);
    live->dirty = 1;
}

static void add_footer(const krs_live *live, krs_lines *lines) {
    char footer[KRS_LIVE_MESSAGE + 64];
    const char *what = live->action.what;
    switch (live->mode) {
    case KRS_LIVE_CONFIRM:
        snprintf(footer, sizeof footer, "clear %s? y, or any other key", what);
        break;
    case KRS_LIVE_WAITING:
        snprintf(footer, sizeof footer, "waiting for an answer about %s; q cancels",
                 what);
        break;
    case KRS_LIVE_PAGE:
        snprintf(footer, sizeof footer, "%zu to %zu of %zu lines; any key goes back",
                 live->page_first + 1,
                 live->page_first + krs_live_room(live) < live->page.count
                     ? live->page_first + krs_live_room(live)
                     : live->page.count,
                 live->page.count);
        break;
    case KRS_LIVE_LIST:
        snprintf(footer, sizeof footer, "%s",
                 *live->message ? live->message
                                : "up/down select  w why  c clear  t trim  ? help  "
                                  "q quit");
        break;
    }
    krs_lines_put(lines, BOLD);
    krs_lines_cut(lines, footer, strlen(footer), live->columns);
    krs_lines_put(lines, PLAIN);
    krs_lines_end(lines);
}

static void add_row(krs_live *live, size_t index, krs_lines *lines) {
    if (index < live->table.count) {
        const int selected = index == live->selected;
        krs_lines_put(lines, selected ? REVERSE : "");
        krs_table_row(&live->table.rows[index], live->columns, live->colour, lines);
        krs_lines_put(lines, selected ? PLAIN : "");
    }
    krs_lines_end(lines);
}

static void view_list(krs_live *live, krs_lines *lines) {
    const size_t room = krs_live_room(live);
    if (live->selected < live->first)
        live->first = live->selected;
    if (live->selected >= live->first + room)
        live->first = live->selected - room + 1;
    if (live->first + room > live->table.count)
        live->first = live->table.count > room ? live->table.count - room : 0;
    if (live->lines >= WITH_TITLE) {
        krs_lines_put(lines, BOLD);
        krs_table_title(&live->table, live->targets, live->columns, lines);
        krs_lines_put(lines, PLAIN);
        krs_lines_end(lines);
    }
    for (unsigned i = 0; live->lines >= WITH_HEADERS && i < KRS_TABLE_HEADERS; i++) {
        krs_table_header(i, live->columns, lines);
        krs_lines_end(lines);
    }
    for (size_t i = 0; i < room; i++)
        add_row(live, live->first + i, lines);
}

static void view_page(krs_live *live, krs_lines *lines) {
    for (size_t i = 0; i < krs_live_room(live); i++) {
        size_t length;
        if (live->page_first + i < live->page.count) {
            const char *line = krs_line(&live->page, live->page_first + i, &length);
            krs_lines_cut(lines, line, length, live->columns);
        }
        krs_lines_end(lines);
    }
}

void krs_live_view(krs_live *live, krs_lines *lines) {
    krs_lines_clear(lines);
    if (live->mode == KRS_LIVE_PAGE)
        view_page(live, lines);
    else
        view_list(live, lines);
    if (live->lines >= WITH_FOOTER)
        add_footer(live, lines);
}
