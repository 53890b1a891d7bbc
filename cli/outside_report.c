#include "outside_report.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "keraser.h"
#include "say.h"
#include "verbs.h"

enum { HOLDERS = 8, EXIT_NO_MODEL = 1, EXIT_UNSUPPORTED = 69, EXIT_SYSTEM = 71 };

typedef struct {
    pid_t pid;
    const char *wanted; /* NULL: every model */
    krs_outside *outside;
    krs_outside_figures figures;
    const krs_outside_model *models;
    size_t count;
} report;

static const char *class_of(const krs_outside_model *model) {
    const char *dot = strrchr(model->type, '.');
    return dot != NULL ? dot + 1 : model->type;
}

/* Parts of other models are told only where they are asked for. */
static int is_wanted(const report *r, const krs_outside_model *model) {
    if (r->wanted == NULL)
        return model->part_of == UINT32_MAX;
    return !strcmp(model->name, r->wanted) || !strcmp(class_of(model), r->wanted);
}

static const char *bytes_text(uint64_t bytes, char text[32]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes;
    int unit = 0;
    for (; amount >= 1024 && unit < 4; unit++)
        amount /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
    return text;
}

static int python_minor(const report *r) {
    return (int)(r->figures.python >> 16 & 0xff);
}

static int python_patch(const report *r) {
    return (int)(r->figures.python >> 8 & 0xff);
}

static int is_stopped(const report *r) {
    return r->figures.state == 'T' || r->figures.state == 't';
}

/* ---- text --------------------------------------------------------------------------
 */

static void print_heading(const report *r) {
    printf("process %d: CPython 3.%d.%d, %" PRIu64 " objects, read from outside\n",
           (int)r->pid, python_minor(r), python_patch(r), r->figures.objects);
    if (is_stopped(r))
        printf("  it is stopped%s: this is how it stands\n",
               r->figures.state == 't' ? " by a debugger" : "");
    if (r->figures.torn > 0)
        printf("  it changed its heap meanwhile, in %" PRIu32
               " places: some of the youngest objects may be missing\n",
               r->figures.torn);
}

static void print_holders(const krs_outside_holder *holders, size_t count) {
    if (count == 0)
        printf("  nothing is seen to hold it: garbage that was not collected yet, or a "
               "value in use this moment\n");
    for (size_t i = 0; i < count; i++) {
        printf("  %s\n", holders[i].path);
        printf("      to let go: %s\n", holders[i].fix);
    }
}

static void print_model(const krs_outside_model *model) {
    char weights[32], slots[32];
    printf("\n%s \"%s\": %" PRIu32 " weights, %s", class_of(model), model->name,
           model->weights, bytes_text(model->weight_bytes, weights));
    if (model->slots > 0)
        printf("; optimizer: %" PRIu32 " variables, %s", model->slots,
               bytes_text(model->slot_bytes, slots));
    if (model->unsized > 0)
        printf("; bytes of %" PRIu32 " variables cannot be told", model->unsized);
    printf("\n");
}

static krs_status print_text(const report *r, size_t *told) {
    krs_outside_holder holders[HOLDERS];
    size_t count;
    print_heading(r);
    for (size_t i = 0; i < r->count; i++) {
        if (!is_wanted(r, &r->models[i]))
            continue;
        const krs_status status =
            krs_outside_holders(r->outside, i, holders, HOLDERS, &count);
        if (status != KRS_OK)
            return status;
        print_model(&r->models[i]);
        print_holders(holders, count);
        ++*told;
    }
    if (r->count == 0)
        printf("\nno Keras model\n");
    return KRS_OK;
}

/* ---- JSON ---------------------------------------------------------------------------
 */

static void write_process(krs_json *json, const report *r) {
    char version[32];
    snprintf(version, sizeof version, "3.%d.%d", python_minor(r), python_patch(r));
    krs_json_number(json, "schema", 1);
    krs_json_number(json, "pid", (uint64_t)r->pid);
    krs_json_text(json, "source", "outside");
    krs_json_text(json, "python", version);
    krs_json_bool(json, "stopped", is_stopped(r));
    krs_json_number(json, "objects", r->figures.objects);
    krs_json_number(json, "references", r->figures.references);
    krs_json_number(json, "frames", r->figures.frames);
    krs_json_number(json, "bytes_read", r->figures.copied);
    krs_json_number(json, "tries", r->figures.tries);
    krs_json_number(json, "torn", r->figures.torn);
}

static void write_model(krs_json *json, const report *r,
                        const krs_outside_model *model) {
    krs_json_text(json, "name", model->name);
    krs_json_text(json, "type", model->type);
    krs_json_number(json, "address", model->address);
    if (model->part_of == UINT32_MAX)
        krs_json_null(json, "part_of");
    else
        krs_json_text(json, "part_of", r->models[model->part_of].name);
    krs_json_number(json, "weights", model->weights);
    krs_json_number(json, "weight_bytes", model->weight_bytes);
    krs_json_number(json, "optimizer_variables", model->slots);
    krs_json_number(json, "optimizer_bytes", model->slot_bytes);
    krs_json_number(json, "unsized", model->unsized);
}

static void write_holders(krs_json *json, const krs_outside_holder *holders,
                          size_t count) {
    krs_json_list(json, "holders");
    for (size_t i = 0; i < count; i++) {
        krs_json_object(json, NULL);
        krs_json_text(json, "kind", holders[i].kind);
        krs_json_text(json, "path", holders[i].path);
        krs_json_text(json, "place", holders[i].place);
        krs_json_text(json, "fix", holders[i].fix);
        krs_json_number(json, "steps", holders[i].steps);
        krs_json_object_end(json);
    }
    krs_json_list_end(json);
}

static krs_status print_json(const report *r, size_t *told) {
    krs_outside_holder holders[HOLDERS];
    size_t count;
    krs_status status = KRS_OK;
    krs_json json = krs_json_begin(stdout);
    krs_json_object(&json, NULL);
    write_process(&json, r);
    krs_json_list(&json, "models");
    for (size_t i = 0; i < r->count && status == KRS_OK; i++) {
        if (!is_wanted(r, &r->models[i]))
            continue;
        status = krs_outside_holders(r->outside, i, holders, HOLDERS, &count);
        if (status != KRS_OK)
            break;
        krs_json_object(&json, NULL);
        write_model(&json, r, &r->models[i]);
        write_holders(&json, holders, count);
        krs_json_object_end(&json);
        ++*told;
    }
    krs_json_list_end(&json);
    krs_json_object_end(&json);
    return status;
}

/* ---- both ---------------------------------------------------------------------------
 */

static int complain(krs_status status, const krs_outside_error *error) {
    if (status == KRS_UNSUPPORTED)
        krs_complain("%s", error->cause, error->cure);
    else
        krs_complain("%s", krs_status_text(status), "");
    return status == KRS_UNSUPPORTED ? EXIT_UNSUPPORTED : EXIT_SYSTEM;
}

int krs_report_outside(pid_t pid, const char *model, int json) {
    report r = {.pid = pid, .wanted = model};
    krs_outside_error error;
    size_t told = 0;
    krs_status status = krs_outside_open(pid, NULL, &r.outside, &error);
    if (status != KRS_OK)
        return complain(status, &error);
    krs_outside_figures_get(r.outside, &r.figures);
    r.models = krs_outside_models(r.outside, &r.count);
    status = json ? print_json(&r, &told) : print_text(&r, &told);
    krs_outside_free(r.outside);
    if (status != KRS_OK)
        return complain(status, &error);
    if (model != NULL && told == 0) {
        krs_complain("process has no model called '%s'", model,
                     "keraser why PID lists those it has");
        return EXIT_NO_MODEL;
    }
    return KRS_EXIT_OK;
}
