#include "outside_report.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "keraser.h"
#include "printable.h"
#include "say.h"
#include "verbs.h"

/* A path that is longer, in a heap that changed while it was read, is more likely made
 * of what was and what came in its place than one that a program has. */
enum { HOLDERS = 8, STEPS_BELIEVED = 12 };

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

static int python_minor(const report *r) {
    return (int)(r->figures.python >> 16 & 0xff);
}

static int python_patch(const report *r) {
    return (int)(r->figures.python >> 8 & 0xff);
}

static int is_stopped(const report *r) {
    return r->figures.state == 'T' || r->figures.state == 't';
}

/* ---- text ------------------------------------------------------------------- */

/* Names are the other program's. */
static void print_text_of(const char *text) {
    krs_print_clean(stdout, text, strlen(text), 0);
}

static void print_line(const char *before, const char *text) {
    printf("%s", before);
    print_text_of(text);
    printf("\n");
}

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

static int is_doubtful(const report *r, const krs_outside_holder *holder) {
    return r->figures.torn > 0 && holder->steps > STEPS_BELIEVED;
}

static void print_holders(const report *r, const krs_outside_holder *holders,
                          size_t count) {
    if (count == 0)
        printf("  nothing is seen to hold it: garbage that was not collected yet, or a "
               "value in use this moment\n");
    for (size_t i = 0; i < count; i++) {
        if (is_doubtful(r, &holders[i])) {
            printf("  something, by a path of %" PRIu32
                   " steps that is not to be believed: ask again\n",
                   holders[i].steps);
            continue;
        }
        print_line("  ", holders[i].path);
        print_line("      to let go: ", holders[i].fix);
    }
}

static void print_model(const krs_outside_model *model) {
    char weights[KRS_AMOUNT], slots[KRS_AMOUNT];
    printf("\n");
    print_text_of(class_of(model));
    printf(" \"");
    print_text_of(model->name);
    printf("\": %" PRIu32 " weights, %s", model->weights,
           krs_write_amount(model->weight_bytes, weights));
    if (model->slots > 0)
        printf("; optimizer: %" PRIu32 " variables, %s", model->slots,
               krs_write_amount(model->slot_bytes, slots));
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
        print_holders(r, holders, count);
        ++*told;
    }
    if (r->count == 0)
        printf("\nno Keras model\n");
    return KRS_OK;
}

/* ---- JSON ------------------------------------------------------------------- */

static void put_number(krs_json *json, const char *key, uint64_t number) {
    krs_json_key(json, key);
    krs_json_number(json, number);
}

static void put_text(krs_json *json, const char *key, const char *text) {
    krs_json_key(json, key);
    krs_json_string(json, text);
}

static void write_process(krs_json *json, const report *r) {
    char version[32];
    snprintf(version, sizeof version, "3.%d.%d", python_minor(r), python_patch(r));
    put_number(json, "schema_version", KRS_SCHEMA_VERSION);
    put_number(json, "pid", (uint64_t)r->pid);
    put_text(json, "verb", "why");
    put_text(json, "source", "outside");
    put_text(json, "python", version);
    krs_json_key(json, "stopped");
    krs_json_bool(json, is_stopped(r));
    put_number(json, "objects", r->figures.objects);
    put_number(json, "references", r->figures.references);
    put_number(json, "frames", r->figures.frames);
    put_number(json, "bytes_read", r->figures.copied);
    put_number(json, "tries", r->figures.tries);
    put_number(json, "torn", r->figures.torn);
}

static void write_model(krs_json *json, const report *r,
                        const krs_outside_model *model) {
    put_text(json, "name", model->name);
    put_text(json, "type", model->type);
    put_number(json, "address", model->address);
    krs_json_key(json, "part_of");
    if (model->part_of == UINT32_MAX)
        krs_json_null(json);
    else
        krs_json_string(json, r->models[model->part_of].name);
    put_number(json, "weights", model->weights);
    put_number(json, "weight_bytes", model->weight_bytes);
    put_number(json, "optimizer_variables", model->slots);
    put_number(json, "optimizer_bytes", model->slot_bytes);
    put_number(json, "unsized", model->unsized);
}

static void write_holders(krs_json *json, const report *r,
                          const krs_outside_holder *holders, size_t count) {
    krs_json_key(json, "holders");
    krs_json_array(json);
    for (size_t i = 0; i < count; i++) {
        krs_json_object(json);
        krs_json_key(json, "doubtful");
        krs_json_bool(json, is_doubtful(r, &holders[i]));
        put_text(json, "kind", holders[i].kind);
        put_text(json, "path", holders[i].path);
        put_text(json, "place", holders[i].place);
        put_text(json, "fix", holders[i].fix);
        put_number(json, "steps", holders[i].steps);
        krs_json_end(json);
    }
    krs_json_end(json);
}

static krs_status print_json(const report *r, size_t *told) {
    krs_outside_holder holders[HOLDERS];
    size_t count;
    krs_status status = KRS_OK;
    krs_json json = krs_json_begin(stdout);
    krs_json_object(&json);
    write_process(&json, r);
    krs_json_key(&json, "models");
    krs_json_array(&json);
    for (size_t i = 0; i < r->count && status == KRS_OK; i++) {
        if (!is_wanted(r, &r->models[i]))
            continue;
        status = krs_outside_holders(r->outside, i, holders, HOLDERS, &count);
        if (status != KRS_OK)
            break;
        krs_json_object(&json);
        write_model(&json, r, &r->models[i]);
        write_holders(&json, r, holders, count);
        krs_json_end(&json);
        ++*told;
    }
    krs_json_end(&json);
    krs_json_end(&json);
    return status;
}

/* ---- both ------------------------------------------------------------------- */

/* On stderr, and as JSON in the form of krs_tell_trouble(). */
static int complain(const report *r, int json, int exit_status, const char *kind,
                    const char *cause, const char *cure) {
    if (json) {
        krs_json out = krs_json_begin(stdout);
        krs_json_object(&out);
        put_number(&out, "schema_version", KRS_SCHEMA_VERSION);
        put_number(&out, "pid", (uint64_t)r->pid);
        put_text(&out, "verb", "why");
        krs_json_key(&out, "error");
        krs_json_object(&out);
        put_text(&out, "kind", kind);
        put_text(&out, "cause", cause);
        put_text(&out, "cure", cure);
        krs_json_end(&out);
        krs_json_end(&out);
        fflush(stdout);
    }
    krs_complain("%s", cause, cure);
    return exit_status;
}

static int complain_of(const report *r, int json, krs_status status,
                       const krs_outside_error *error) {
    if (status == KRS_UNSUPPORTED)
        return complain(r, json, KRS_EXIT_UNAVAILABLE, "unreadable", error->cause,
                        error->cure);
    return complain(r, json, KRS_EXIT_SYSTEM, "system", krs_status_text(status), "");
}

int krs_report_outside(pid_t pid, const char *model, int json) {
    report r = {.pid = pid, .wanted = model};
    krs_outside_error error;
    size_t told = 0;
    krs_status status = krs_outside_open(pid, NULL, &r.outside, &error);
    if (status != KRS_OK)
        return complain_of(&r, json, status, &error);
    krs_outside_figures_get(r.outside, &r.figures);
    r.models = krs_outside_models(r.outside, &r.count);
    status = json ? print_json(&r, &told) : print_text(&r, &told);
    krs_outside_free(r.outside);
    if (status != KRS_OK)
        return complain_of(&r, json, status, &error);
    if (model != NULL && told == 0) {
        krs_complain("that process has no model called '%s'", model,
                     "keraser why PID lists those it has");
        return KRS_EXIT_ABSENT;
    }
    return KRS_EXIT_OK;
}
