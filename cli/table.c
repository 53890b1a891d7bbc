#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable.h"

enum { PID_WIDE = 8, AMOUNT_WIDE = 11, OLD_SECONDS = 60 };

/* SGR (ECMA-48): what catches the eye. */
#define GREEN "\33[32m"
#define YELLOW "\33[33m"
#define PLAIN "\33[39m"

void krs_table_free(krs_table *table) {
    free(table->rows);
    *table = (krs_table){0};
}

static void add(krs_table *table, krs_row row) {
    if (table->count == table->room) {
        const size_t room = table->room == 0 ? 64 : 2 * table->room;
        krs_row *grown = realloc(table->rows, room * sizeof *grown);
        if (grown == NULL) {
            table->failed = 1;
            return;
        }
        table->rows = grown;
        table->room = room;
    }
    table->rows[table->count++] = row;
}

static int compare(const void *left, const void *right) {
    const krs_target *a = *(krs_target *const *)left, *b = *(krs_target *const *)right;
    const uint64_t models = krs_rows_bytes(&a->rows), others = krs_rows_bytes(&b->rows);
    if (models != others)
        return models > others ? -1 : 1;
    if (a->facts.rss != b->facts.rss)
        return a->facts.rss > b->facts.rss ? -1 : 1;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

static int is_old(const krs_target *target) {
    return target->rows.complete &&
           target->rows.process[KRS_PROCESS_AGE] / 1000000000 >= OLD_SECONDS;
}

static int has_note(const krs_target *target) {
    return target->trouble != KRS_TROUBLE_NONE || *target->rows.why != '\0' ||
           is_old(target);
}

void krs_table_build(krs_table *table, krs_targets *targets) {
    table->count = table->models = 0;
    table->bytes = 0;
    table->failed = 0;
    if (targets->count > 0)
        qsort(targets->items, targets->count, sizeof(krs_target *), compare);
    for (size_t i = 0; i < targets->count; i++) {
        const krs_target *target = targets->items[i];
        const uint64_t bytes = krs_rows_bytes(&target->rows);
        add(table, (krs_row){KRS_ROW_PROCESS, target, NULL});
        if (has_note(target))
            add(table, (krs_row){KRS_ROW_NOTE, target, NULL});
        for (size_t j = 0; j < target->rows.count; j++)
            add(table, (krs_row){KRS_ROW_MODEL, target, &target->rows.models[j]});
        table->models += target->rows.count;
        table->bytes = table->bytes + bytes < bytes ? UINT64_MAX : table->bytes + bytes;
    }
}

static void fit(krs_lines *lines, const char *text, size_t wide, size_t *left) {
    const size_t columns = wide < *left ? wide : *left;
    krs_lines_fit(lines, text, strlen(text), columns, 1);
    *left -= columns;
}

static void cut(krs_lines *lines, const char *text, size_t length, size_t *left) {
    *left -= krs_lines_cut(lines, text, length, *left);
}

void krs_table_title(const krs_table *table, const krs_targets *targets, size_t columns,
                     krs_lines *lines) {
    char title[128], amount[KRS_AMOUNT];
    snprintf(title, sizeof title, "keraser top: %zu process%s, %zu model%s, %s%s",
             targets->count, targets->count == 1 ? "" : "es", table->models,
             table->models == 1 ? "" : "s", krs_write_amount(table->bytes, amount),
             table->failed || targets->failed ? ", out of memory for more" : "");
    krs_lines_cut(lines, title, strlen(title), columns);
}

void krs_table_header(unsigned line, size_t columns, krs_lines *lines) {
    static const char *const words[KRS_TABLE_HEADERS][5] = {
        {"PID", "RSS", "MODELS", "GPU", "  COMMAND"},
        {"", "WEIGHTS", "OPTIMIZER", "METRICS", "    MODEL (CLASS)"},
    };
    size_t left = columns;
    for (int i = 0; i < 4; i++)
        fit(lines, words[line][i], i == 0 ? PID_WIDE : AMOUNT_WIDE, &left);
    cut(lines, words[line][4], strlen(words[line][4]), &left);
}

static void add_process(const krs_target *target, size_t left, krs_lines *lines) {
    char pid[16], amount[KRS_AMOUNT];
    const krs_rows *rows = &target->rows;
    snprintf(pid, sizeof pid, "%ld", (long)target->pid);
    fit(lines, pid, PID_WIDE, &left);
    fit(lines,
        target->facts.rss > 0 ? krs_write_amount(target->facts.rss, amount) : "-",
        AMOUNT_WIDE, &left);
    fit(lines, rows->complete ? krs_write_amount(krs_rows_bytes(rows), amount) : "-",
        AMOUNT_WIDE, &left);
    const int gpu = rows->complete && rows->process[KRS_PROCESS_GPUS] > 0;
    fit(lines, gpu ? krs_write_amount(rows->process[KRS_PROCESS_GPU], amount) : "-",
        AMOUNT_WIDE, &left);
    cut(lines, "  ", 2, &left);
    cut(lines, target->command, strlen(target->command), &left);
}

static void add_model(const krs_target *target, const krs_model_row *model, size_t left,
                      int colour, krs_lines *lines) {
    static const char running[] = "  running";
    char amount[KRS_AMOUNT];
    fit(lines, "", PID_WIDE, &left);
    fit(lines, krs_write_amount(model->weights, amount), AMOUNT_WIDE, &left);
    fit(lines, krs_write_amount(model->optimizer, amount), AMOUNT_WIDE, &left);
    fit(lines, krs_write_amount(model->metrics, amount), AMOUNT_WIDE, &left);
    cut(lines, "    ", 4, &left);
    /* The mark stays, however long the name is. */
    const size_t mark = model->running ? sizeof running - 1 : 0;
    const size_t kept = left > mark + AMOUNT_WIDE ? mark : 0;
    left -= kept;
    const char *text = target->rows.text;
    if (model->name_length > 0)
        cut(lines, text + model->name, model->name_length, &left);
    else {
        char id[24];
        snprintf(id, sizeof id, "0x%" PRIx64, model->id);
        cut(lines, id, strlen(id), &left);
    }
    cut(lines, " (", 2, &left);
    cut(lines, text + model->kind, model->kind_length, &left);
    cut(lines, ")", 1, &left);
    left += kept;
    if (model->running && left > 0) {
        krs_lines_put(lines, colour ? GREEN : "");
        cut(lines, running, sizeof running - 1, &left);
        krs_lines_put(lines, colour ? PLAIN : "");
    }
}

static void write_note(const krs_target *target, char *note, size_t room) {
    if (target->trouble != KRS_TROUBLE_NONE) {
        char cause[KRS_TROUBLE_TEXT];
        krs_trouble_cause(target->trouble, target->pid, target->detail, cause);
        snprintf(note, room, "%s", cause);
    } else if (*target->rows.why != '\0')
        snprintf(note, room, "%s", target->rows.why);
    else
        snprintf(note, room, "models as they were %" PRIu64 " s ago",
                 target->rows.process[KRS_PROCESS_AGE] / 1000000000);
}

void krs_table_row(const krs_row *row, size_t columns, int colour, krs_lines *lines) {
    char note[KRS_ROWS_WHY + 1];
    size_t left = columns;
    switch (row->kind) {
    case KRS_ROW_PROCESS:
        add_process(row->target, left, lines);
        return;
    case KRS_ROW_MODEL:
        add_model(row->target, row->model, left, colour, lines);
        return;
    case KRS_ROW_NOTE:
        break;
    }
    write_note(row->target, note, sizeof note);
    fit(lines, "", PID_WIDE + 3, &left);
    krs_lines_put(lines, colour ? YELLOW : "");
    cut(lines, note, strlen(note), &left);
    krs_lines_put(lines, colour ? PLAIN : "");
}
