/* A path in words, as keraser.why() in Python has them (python/keraser/names.py): a
 * place where a user can lay hands on something, and hops from there, `results[0] →
 * History.model`. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "outside/steps.h"

enum { MOST_STEPS = 64, HOP_BYTES = 200, HOP_LIMIT = 5 };
#define ARROW " → "

typedef struct {
    krs__target *target;
    krs__step steps[MOST_STEPS];
    size_t count, at; /* the first step that no word covers yet */
    char code[160];   /* of the place, as an expression; "" where there is none */
    char function[KRS__NAME_BYTES * 2]; /* of a local, whose it is */
    char container[KRS__NAME_BYTES];    /* the last one whose item the place is */
    char hops[MOST_STEPS][HOP_BYTES];
    size_t hop_count;
    const char *via;    /* kind of the first hop, "" where there is none */
    const char *let_go; /* what the last object does to let go, "" for most */
    krs_outside_holder *holder;
} path;

/* Cut at the beginning of a character, and ending in a NUL. */
static void trim_to_character(char *text) {
    size_t length = strlen(text), begin = length;
    while (begin > 0 && ((uint8_t)text[begin - 1] & 0xC0) == 0x80)
        begin--;
    if (begin == 0 || (uint8_t)text[begin - 1] < 0xC0)
        return;
    const uint8_t lead = (uint8_t)text[begin - 1];
    const size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (length - (begin - 1) < needed)
        text[begin - 1] = '\0';
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t room,
                                                         const char *format, ...) {
    const size_t used = strlen(text);
    va_list values;
    va_start(values, format);
    if (used + 1 < room)
        vsnprintf(text + used, room - used, format, values);
    va_end(values);
    trim_to_character(text);
}

static const char *short_name(const krs__type *type) {
    if (type == NULL)
        return "frame";
    const char *dot = strrchr(type->name, '.');
    return dot != NULL ? dot + 1 : type->name;
}

static bool is_item(const path *p, size_t i) {
    char full[KRS__NAME_BYTES * 2];
    if (i >= p->count || p->steps[i].kind != KRS__STEP_ITEM || p->steps[i].type == NULL)
        return false;
    krs__type_full_name(p->target, p->steps[i].type, full, sizeof full);
    const char *name = !strncmp(full, "collections.", 12) ? full + 12 : full;
    return strchr(name, '.') == NULL;
}

static bool is_type(const path *p, size_t i, const char *name) {
    return i < p->count && p->steps[i].type != NULL &&
           !strcmp(p->steps[i].type->name, name);
}

/* A class of a module that begins so. */
static bool is_from(const path *p, size_t i, const char *prefix) {
    char module[KRS__NAME_BYTES];
    return i < p->count && p->steps[i].type != NULL &&
           krs__type_module(p->target, p->steps[i].type, module, sizeof module) &&
           !strncmp(module, prefix, strlen(prefix));
}

/* ---- where a path begins ------------------------------------------------------ */

/* Text, cut where there is no more room. */
static void copy(char *to, size_t room, const char *text) {
    to[0] = '\0';
    append(to, room, "%s", text);
}

static void set_place(path *p, const char *kind, const char *text, const char *code) {
    copy(p->holder->kind, sizeof p->holder->kind, kind);
    copy(p->holder->place, sizeof p->holder->place, text);
    copy(p->code, sizeof p->code, code);
}

static bool is_result(const char *name) {
    const char *at = name + strspn(name, "_");
    return at > name &&
           (*at == '\0' || (at == name + 1 && at[strspn(at, "0123456789")] == '\0'));
}

static bool is_last_error(const char *name) {
    return !strcmp(name, "last_exc") || !strcmp(name, "last_value") ||
           !strcmp(name, "last_traceback") || !strcmp(name, "last_type");
}

/* Of Python itself or of an installed package. */
static bool is_library(krs__target *target, uint64_t module_dict) {
    char file[1024];
    if (!krs__text_of(target, krs__dict_value(target, module_dict, "__file__"), file,
                      sizeof file))
        return true;
    return strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") ||
           strstr(file, "/lib/python3.") || !strncmp(file, "<frozen", 7);
}

static void start_in_main(path *p, const char *name) {
    char text[KRS__NAME_BYTES + 32];
    if (!strcmp(name, "_oh") || !strcmp(name, "Out")) {
        set_place(p, "notebook", "Out", "Out");
    } else if (is_result(name)) {
        snprintf(text, sizeof text, "notebook result %s", name);
        set_place(p, "notebook", text, name);
    } else {
        snprintf(text, sizeof text, "variable \"%s\"", name);
        set_place(p, "variable", text, name);
    }
}

static void start_in_module(path *p, const krs__module *module, uint64_t dict) {
    char module_name[KRS__NAME_BYTES] = "?", name[KRS__NAME_BYTES], text[224];
    krs__text_of(p->target, module->name, module_name, sizeof module_name);
    if (p->count == 0 || p->steps[0].key == 0 ||
        !krs__text_of(p->target, p->steps[0].key, name, sizeof name)) {
        set_place(p, "module", module_name, "");
        return;
    }
    p->at = 1;
    if (!strcmp(module_name, "__main__")) {
        start_in_main(p, name);
        return;
    }
    snprintf(text, sizeof text, "%s.%s", module_name, name);
    if (!strcmp(module_name, "sys") && is_last_error(name))
        set_place(p, "error", "last error", text);
    else
        set_place(p, is_library(p->target, dict) ? "module" : "variable", text, text);
}

/* threading's own table: thread objects by their numbers. */
typedef struct {
    krs__target *target;
    uint64_t ident;
    char *text;
    size_t room;
} thread_search;

static bool is_thread(void *context, const krs__reference *reference) {
    thread_search *asked = context;
    char name[KRS__NAME_BYTES];
    int64_t ident;
    if (reference->how != KRS__HOW_KEY ||
        !krs__int_of(asked->target, reference->name, &ident) ||
        (uint64_t)ident != asked->ident)
        return true;
    if (krs__text_of(asked->target,
                     krs__attribute(asked->target, reference->target, "_name"), name,
                     sizeof name))
        snprintf(asked->text, asked->room, " thread \"%s\"", name);
    return false;
}

/* ` thread "w-1"`, its number where threading does not know it; "" for the first. */
static void name_thread(const krs__reading *reading, uint64_t ident, char *text,
                        size_t room) {
    thread_search asked = {reading->target, ident, text, room};
    text[0] = '\0';
    if (ident == reading->running[reading->running_count - 1].thread)
        return;
    snprintf(text, room, " thread %" PRIu64, ident);
    for (size_t i = 0; i < reading->module_count; i++)
        if (krs__text_is(reading->target, reading->modules[i].name, "threading"))
            krs__dict_items(
                reading->target,
                krs__dict_value(reading->target,
                                krs__reading_address(reading, reading->modules[i].node),
                                "_active"),
                is_thread, &asked);
}

/* "frame f() thread "w-1", local 'x' (file.py:3)" */
static void start_in_frame(path *p, const krs__reading *reading,
                           const krs__running *running) {
    char label[KRS__NAME_BYTES * 2] = "?", text[512], thread[KRS__NAME_BYTES + 16];
    krs__frame_label(p->target, running->frame, label, sizeof label);
    char *where = strchr(label, ' ');
    const char *name = p->count > 0 ? p->steps[0].name : "";
    if (where != NULL)
        *where++ = '\0';
    name_thread(reading, running->thread, thread, sizeof thread);
    snprintf(text, sizeof text, "frame %s%s, local '%s' %s", label, thread, name,
             where != NULL ? where : "");
    set_place(p, "local", text, name);
    copy(p->function, sizeof p->function, label);
    p->at = 1;
}

/* What IPython and TensorFlow keep, wherever the path to it began: the last such step.
 */
static bool start_at_landmark(path *p) {
    static const struct {
        const char *module, *attribute, *kind, *text;
    } known[] = {
        {"IPython.", "user_ns_hidden", "notebook", "user_ns_hidden"},
        {"ipykernel.", "user_ns_hidden", "notebook", "user_ns_hidden"},
        {"IPython.", "displayhook", "notebook", "display hook"},
        {"ipykernel.", "displayhook", "notebook", "display hook"},
        {"IPython.", "InteractiveTB", "error", "InteractiveTB"},
        {"ipykernel.", "InteractiveTB", "error", "InteractiveTB"},
        {"IPython.", "last_execution_result", "notebook", "last_execution_result"},
        {"ipykernel.", "last_execution_result", "notebook", "last_execution_result"},
        {"tensorflow.python.framework.registry", "_registry", "registry",
         "TensorFlow's gradient registry"},
    };
    for (size_t i = p->count; i-- > 0;)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (!strcmp(p->steps[i].name, known[k].attribute) &&
                is_from(p, i, known[k].module)) {
                set_place(p, known[k].kind, known[k].text, known[k].text);
                p->at = i + 1;
                return true;
            }
    return false;
}

static void start(path *p, const krs__chain *chain) {
    const krs__reading *reading = chain->reading;
    const krs_node root = chain->nodes[0];
    const krs__module *module = krs__reading_module(reading, root);
    if (start_at_landmark(p))
        return;
    if (root < reading->running_count)
        start_in_frame(p, reading, &reading->running[root]);
    else if (module != NULL)
        start_in_module(p, module, krs__reading_address(reading, root));
    else
        set_place(p, "c", "held by C code", "");
}

/* Items of plain containers belong to the place: `models[2]`. */
static void add_items(path *p) {
    krs_outside_holder *holder = p->holder;
    if (!strcmp(holder->kind, "c"))
        return;
    for (; is_item(p, p->at); p->at++) {
        append(holder->place, sizeof holder->place, "[%s]", p->steps[p->at].name);
        if (*p->code)
            append(p->code, sizeof p->code, "[%s]", p->steps[p->at].name);
        copy(p->container, sizeof p->container, p->steps[p->at].type->name);
    }
    if (p->at < p->count && p->steps[p->at].kind == KRS__STEP_MEMBER && *p->code &&
        p->steps[p->at].type != NULL) {
        append(holder->place, sizeof holder->place, ", a member");
        copy(p->container, sizeof p->container, p->steps[p->at].type->name);
        p->at++;
    }
}

/* ---- hops ------------------------------------------------------------------------ */

/* A function by its own name, not by where it was defined. */
static const char *called(path *p, const krs__step *step, char *text, size_t room) {
    static const char locals[] = "<locals>.";
    if (step->type == NULL ||
        !krs__label_of(p->target, step->object, step->type, text, room))
        snprintf(text, room, "%s", short_name(step->type));
    const char *own = text;
    for (const char *next; (next = strstr(own, locals)) != NULL;)
        own = next + sizeof locals - 1;
    return own;
}

/* Through tracebacks and frames to the variable that an error holds on to. */
static size_t hop_error(path *p, size_t i, char *text) {
    char label[KRS__NAME_BYTES * 2], error[KRS__NAME_BYTES + 8] = "traceback";
    for (; i < p->count && !is_type(p, i, "traceback") &&
           (!strcmp(p->steps[i].name, "__traceback__") ||
            !strcmp(p->steps[i].name, "__context__") ||
            !strcmp(p->steps[i].name, "__cause__"));
         i++)
        snprintf(error, sizeof error, "error %s", short_name(p->steps[i].type));
    while (is_type(p, i, "traceback"))
        i++;
    while (i < p->count && !strcmp(p->steps[i].name, "f_back"))
        i++;
    append(text, HOP_BYTES, "%s", error);
    if (!is_type(p, i, "frame"))
        return i;
    append(text, HOP_BYTES, ", local '%s' in %s", p->steps[i].name,
           called(p, &p->steps[i], label, sizeof label));
    return i + 1;
}

/* The wrapper, its dict, and for a bounded cache a link of its list. */
static size_t hop_cache(path *p, size_t i, char *text) {
    append(text, HOP_BYTES, "lru_cache");
    i++;
    if (i < p->count && p->steps[i].kind == KRS__STEP_ITEM)
        append(text, HOP_BYTES, " result for %s", p->steps[i++].name);
    while (is_type(p, i, "functools._lru_list_elem"))
        i++;
    return i;
}

static bool is_error_step(const path *p, size_t i) {
    const char *name = p->steps[i].name;
    return is_type(p, i, "traceback") || !strcmp(name, "__traceback__") ||
           !strcmp(name, "__context__") || !strcmp(name, "__cause__");
}

/* Keras' callbacks have their model by a property. */
static bool is_callback(const path *p, size_t i) {
    return !strcmp(p->steps[i].name, "_model") &&
           (is_from(p, i, "keras.src.callbacks") || is_from(p, i, "keras.callbacks") ||
            is_from(p, i, "tf_keras.src.callbacks"));
}

static void hop_attribute(path *p, size_t i, char *text) {
    char own[KRS__NAME_BYTES * 2];
    const krs__step *step = &p->steps[i];
    if (is_callback(p, i)) {
        append(text, HOP_BYTES, "%s.model", short_name(step->type));
        p->let_go = i + 1 == p->count ? "set_model(None)" : "";
    } else if (is_from(p, i, "tensorflow.core.function.capture")) {
        append(text, HOP_BYTES, "captures of a graph");
    } else if (step->type != NULL && step->type->kind == KRS__KIND_METHOD) {
        append(text, HOP_BYTES, "method %s", called(p, step, own, sizeof own));
    } else {
        append(text, HOP_BYTES, *step->name ? "%s.%s" : "%s%s", short_name(step->type),
               step->name);
    }
}

/* One hop from step `i`; returns the step behind it. */
static size_t hop(path *p, size_t i, char *text, const char **kind) {
    const krs__step *step = &p->steps[i];
    char name[KRS__NAME_BYTES * 2];
    *kind = "";
    if (is_error_step(p, i)) {
        *kind = "error";
        return hop_error(p, i, text);
    }
    if (step->type != NULL && strstr(step->type->name, "lru_cache_wrapper")) {
        *kind = "cache";
        return hop_cache(p, i, text);
    }
    switch (step->kind) {
    case KRS__STEP_CAPTURED:
        append(text, HOP_BYTES, "closure '%s' of %s", step->name,
               called(p, step, name, sizeof name));
        break;
    case KRS__STEP_DEFAULT:
        append(text, HOP_BYTES, "default argument '%s' of %s", step->name,
               called(p, step, name, sizeof name));
        break;
    case KRS__STEP_LOCAL:
        *kind = "generator";
        append(text, HOP_BYTES,
               is_type(p, i, "frame") || step->type == NULL ? "frame of %s" : "%s ",
               is_type(p, i, "frame") || step->type == NULL
                   ? called(p, step, name, sizeof name)
                   : short_name(step->type));
        if (step->type != NULL && !is_type(p, i, "frame"))
            append(text, HOP_BYTES, "%s", called(p, step, name, sizeof name));
        if (*step->name)
            append(text, HOP_BYTES, ", local '%s'", step->name);
        break;
    case KRS__STEP_ATTRIBUTE:
        hop_attribute(p, i, text);
        break;
    case KRS__STEP_ITEM:
        append(text, HOP_BYTES, "%s[%s]", short_name(step->type), step->name);
        break;
    case KRS__STEP_MEMBER:
        append(text, HOP_BYTES, "member of a %s", short_name(step->type));
        break;
    case KRS__STEP_CALLBACK:
        append(text, HOP_BYTES, "callback of a weak reference");
        break;
    case KRS__STEP_REFERENCE:
        append(text, HOP_BYTES, "%s", called(p, step, name, sizeof name));
        break;
    }
    for (i++; is_item(p, i); i++)
        append(text, HOP_BYTES, "[%s]", p->steps[i].name);
    return i;
}

static void add_hops(path *p) {
    while (p->at < p->count && p->hop_count < MOST_STEPS) {
        char *text = p->hops[p->hop_count];
        const char *kind;
        text[0] = '\0';
        p->at = hop(p, p->at, text, &kind);
        if (p->hop_count == 0)
            p->via = kind;
        if (p->hop_count == 0 || strcmp(text, p->hops[p->hop_count - 1]) != 0)
            p->hop_count++;
    }
}

static void write_path(path *p) {
    krs_outside_holder *holder = p->holder;
    size_t first = 0;
    if (!strcmp(holder->kind, "error") && !strcmp(p->via, "error")) {
        const char *rest = strchr(p->hops[0], ' '); /* what follows "error" */
        append(holder->place, sizeof holder->place, "%s", rest != NULL ? rest : "");
        first = 1;
    }
    if (!strcmp(holder->kind, "registry") && p->hop_count > 0)
        first = p->hop_count - 1; /* what lies between is the framework's own */
    copy(holder->path, sizeof holder->path, holder->place);
    const size_t left = p->hop_count - first;
    for (size_t i = first; i < p->hop_count; i++) {
        if (left > HOP_LIMIT && i == first + 2) {
            append(holder->path, sizeof holder->path, ARROW "…");
            i = p->hop_count - 2;
        }
        append(holder->path, sizeof holder->path, ARROW "%s", p->hops[i]);
    }
}

/* ---- what to do ------------------------------------------------------------- */

static void write_line(const path *p, char *line, size_t room) {
    const char *code = p->code;
    const int name_length = (int)strcspn(code, "[");
    if (*p->let_go && p->hop_count == 1)
        snprintf(line, room, "%s.%s", code, p->let_go);
    else if (!strcmp(p->via, "error"))
        snprintf(line, room, "%s.__traceback__ = None", code);
    else if (!strcmp(p->via, "generator"))
        snprintf(line, room, "%s.close()", code);
    else if (!strcmp(p->via, "cache"))
        snprintf(line, room, "%s.cache_clear()", code);
    else if (!strcmp(p->container, "tuple") || !strcmp(p->container, "frozenset"))
        snprintf(line, room, "del %.*s", name_length, code);
    else if (!strcmp(p->container, "set"))
        snprintf(line, room, "%s.discard(...)", code);
    else
        snprintf(line, room, "del %s", code);
}

static void write_fix(const path *p) {
    krs_outside_holder *holder = p->holder;
    char line[200];
    char *fix = holder->fix;
    const size_t room = sizeof holder->fix;
    write_line(p, line, sizeof line);
    if (!strcmp(holder->kind, "error"))
        snprintf(fix, room,
                 "sys.last_exc = sys.last_value = sys.last_traceback = None");
    else if (!strcmp(holder->kind, "notebook"))
        snprintf(fix, room, "%%reset -f out");
    else if (!strcmp(holder->kind, "registry"))
        snprintf(fix, room, "keraser.clear()");
    else if (!strcmp(holder->kind, "module"))
        snprintf(fix, room, "%.120s belongs to a library: see whether it can let go",
                 *p->code ? p->code : holder->place);
    else if (!strcmp(holder->kind, "c"))
        snprintf(fix, room, "nothing in Python can let go of it: end what took it");
    else if (!strcmp(holder->kind, "local"))
        snprintf(fix, room, "%.130s in %.60s, or return from it", line, p->function);
    else
        copy(fix, room, line);
}

void krs__chain_describe(const krs__chain *chain, krs_outside_holder *holder) {
    path p = {
        .target = chain->reading->target, .holder = holder, .via = "", .let_go = ""};
    p.count = krs__steps_read(chain, p.steps, MOST_STEPS);
    start(&p, chain);
    add_items(&p);
    add_hops(&p);
    write_path(&p);
    write_fix(&p);
    holder->steps = (uint32_t)(chain->length - 1);
}
