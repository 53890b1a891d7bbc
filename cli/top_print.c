#include "top_print.h"

#include <stdio.h>

#include "json.h"
#include "say.h"
#include "table.h"
#include "tell.h"
#include "verbs.h"

static int tell_no_memory(void) {
    krs_complain("out of memory: not all is shown", "", "close something else");
    return KRS_EXIT_SYSTEM;
}

/* Complains of those that were asked for by name; the status of the first. */
static int tell_troubles(const krs_targets *targets) {
    int status = KRS_EXIT_OK;
    for (size_t i = 0; targets->only != NULL && i < targets->count; i++) {
        const krs_target *target = targets->items[i];
        if (target->trouble == KRS_TROUBLE_NONE)
            continue;
        char cause[KRS_TROUBLE_TEXT], cure[KRS_TROUBLE_TEXT];
        krs_trouble_cause(target->trouble, target->pid, target->detail, cause);
        krs_trouble_cure(target->trouble, target->pid, cure);
        krs_complain("%s", cause, cure);
        if (status == KRS_EXIT_OK)
            status = krs_trouble_status(target->trouble);
    }
    return status;
}

static int end(const krs_targets *targets, int failed) {
    fflush(stdout);
    const int status = tell_troubles(targets);
    return failed ? tell_no_memory() : status;
}

int krs_top_print(krs_targets *targets) {
    krs_table table = {0};
    krs_lines lines = {0};
    krs_table_build(&table, targets);
    for (unsigned i = 0; i < KRS_TABLE_HEADERS; i++) {
        krs_table_header(i, KRS_WIDE, &lines);
        krs_lines_end(&lines);
    }
    for (size_t i = 0; i < table.count; i++) {
        krs_table_row(&table.rows[i], KRS_WIDE, 0, &lines);
        krs_lines_end(&lines);
    }
    for (size_t i = 0; i < lines.count; i++) {
        size_t length;
        const char *line = krs_line(&lines, i, &length);
        fwrite(line, 1, length, stdout);
        putchar('\n');
    }
    if (targets->count == 0)
        puts("no process listens: keraser doctor says where one could");
    const int failed = table.failed || lines.failed || targets->failed;
    krs_lines_free(&lines);
    krs_table_free(&table);
    return end(targets, failed);
}

static void write_number(krs_json *out, const char *key, uint64_t number) {
    krs_json_key(out, key);
    krs_json_number(out, number);
}

static void write_model(krs_json *out, const krs_rows *rows,
                        const krs_model_row *model) {
    krs_json_object(out);
    write_number(out, "id", model->id);
    krs_json_key(out, "name");
    krs_json_text(out, rows->text + model->name, model->name_length);
    krs_json_key(out, "class");
    krs_json_text(out, rows->text + model->kind, model->kind_length);
    write_number(out, "weights", model->weights);
    write_number(out, "optimizer", model->optimizer);
    write_number(out, "metrics", model->metrics);
    krs_json_key(out, "running");
    krs_json_bool(out, model->running);
    krs_json_end(out);
}

/* What the process itself has answered; null where it has not. */
static void write_answer(krs_json *out, const krs_rows *rows) {
    static const struct {
        const char *key;
        int value;
    } figures[] = {
        {"peak", KRS_PROCESS_PEAK},         {"pool", KRS_PROCESS_POOL},
        {"gpu", KRS_PROCESS_GPU},           {"gpu_total", KRS_PROCESS_GPU_TOTAL},
        {"gpus", KRS_PROCESS_GPUS},         {"threads", KRS_PROCESS_THREADS},
        {"models_age_ns", KRS_PROCESS_AGE},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const uint64_t figure = rows->process[figures[i].value];
        krs_json_key(out, figures[i].key);
        if (!rows->complete ||
            (figures[i].value == KRS_PROCESS_POOL && figure == UINT64_MAX))
            krs_json_null(out);
        else
            krs_json_number(out, figure);
    }
    krs_json_key(out, "no_models_because");
    krs_json_string(out, rows->why);
    krs_json_key(out, "models");
    krs_json_array(out);
    for (size_t i = 0; i < rows->count; i++)
        write_model(out, rows, &rows->models[i]);
    krs_json_end(out);
}

static void write_target(krs_json *out, const krs_target *target) {
    krs_json_object(out);
    write_number(out, "pid", (uint64_t)target->pid);
    krs_json_key(out, "command");
    krs_json_string(out, target->command);
    write_number(out, "rss", target->facts.rss);
    krs_json_key(out, "answered");
    krs_json_bool(out, target->rows.complete);
    krs_json_key(out, "error");
    krs_tell_error(out, target->trouble, target->pid, target->detail);
    write_answer(out, &target->rows);
    krs_json_end(out);
}

int krs_top_print_json(krs_targets *targets) {
    krs_table table = {0}; /* for its order */
    krs_table_build(&table, targets);
    krs_table_free(&table);
    krs_json out = krs_json_begin(stdout);
    krs_json_object(&out);
    write_number(&out, "schema_version", KRS_SCHEMA_VERSION);
    krs_json_key(&out, "verb");
    krs_json_string(&out, "top");
    krs_json_key(&out, "processes");
    krs_json_array(&out);
    for (size_t i = 0; i < targets->count; i++)
        write_target(&out, targets->items[i]);
    krs_json_end(&out);
    krs_json_end(&out);
    return end(targets, targets->failed);
}
