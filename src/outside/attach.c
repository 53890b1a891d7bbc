/* Which Python a process runs. Its symbols lead to the runtime; its version is a symbol
 * too from 3.11 on, before that the names of its libraries tell, and sys.hexversion has
 * to agree with either in the end. */
#define _GNU_SOURCE /* strchrnul */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outside/process.h"
#include "outside/refusal.h"
#include "outside/symbols.h"
#include "proc/text.h"

enum { PATH_ROOM = 4096 };

typedef struct {
    const krs__process *process;
    krs__target *target;
    uint64_t program_base, runtime_base; /* where their files begin */
    unsigned minor; /* as names of files have it, 0 where none does */
    bool free_threaded;
    char last[PATH_ROOM]; /* the file of the last mapping */
} search;

/* The last part of a path. */
static const char *file_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* "x.cpython-310-x86_64-linux-gnu.so", "libpython3.10.so.1.0", "python3.10". */
static void note_version(search *s, const char *path) {
    static const char *const marks[] = {".cpython-3", "libpython3.", "python3."};
    const char *file = file_of(path);
    for (size_t i = 0; i < sizeof marks / sizeof *marks && s->minor == 0; i++) {
        const char *found = strstr(file, marks[i]);
        if (found == NULL)
            continue;
        char *end;
        const unsigned long minor = strtoul(found + strlen(marks[i]), &end, 10);
        if (minor > 0 && minor < 100) {
            s->minor = (unsigned)minor;
            s->free_threaded = *end == 't';
        }
    }
}

static void look_for_runtime(search *s, uint64_t base) {
    if (s->target->runtime != 0)
        return;
    s->target->runtime = krs__symbol_find(&s->target->memory, base, "_PyRuntime");
    s->runtime_base = base;
}

static void note_file(search *s, const char *path, uint64_t base) {
    if (!strcmp(path, s->last))
        return;
    snprintf(s->last, sizeof s->last, "%s", path);
    note_version(s, path);
    if (!strcmp(path, s->process->program) && s->program_base == 0)
        s->program_base = base;
    if (!strncmp(file_of(path), "libpython3", 10))
        look_for_runtime(s, base);
}

static bool is_device(const char *path) {
    return !strncmp(path, "/dev/", 5) || !strncmp(path, "[v", 2);
}

/* Takes the next mapping from the kernel's list; false at its end. */
static bool next_mapping(const char **text, krs_mapping *mapping) {
    bool found = false;
    while (!found && **text) {
        const char *end = strchrnul(*text, '\n');
        found = krs_mapping_parse(*text, (size_t)(end - *text), mapping) == KRS_OK;
        *text = *end ? end + 1 : end;
    }
    return found;
}

/* Adds one mapping to what can be read. The kernel writes them page by page: one that
 * is told already and grows meanwhile, up to the next and into one with it where what
 * lay between is filled, is told again as a whole. */
static krs_status add_mapping(krs__memory *memory, const krs_mapping *mapping) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%.*s", (int)mapping->path_length, mapping->path);
    if (!mapping->is_private || is_device(path))
        return KRS_OK;
    const krs_status status = krs__memory_add(memory, mapping->begin, mapping->end);
    return status == KRS_INVALID ? KRS_OK : status;
}

/* `*text` becomes the kernel's list of them, the caller's to free, or NULL. */
static krs_status map(const krs__process *process, krs__memory *memory, char **text) {
    char path[64];
    krs_mapping mapping;
    *text = NULL;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)process->pid);
    krs_status status = krs__text_load(path, text);
    if (status == KRS_SYSTEM)
        memory->failure = errno;
    const char *line = *text;
    while (status == KRS_OK && next_mapping(&line, &mapping))
        status = add_mapping(memory, &mapping);
    return status;
}

krs_status krs__process_map(void *context, krs__memory *memory) {
    char *text;
    const krs_status status = map(context, memory, &text);
    free(text);
    return status;
}

/* What files are mapped: symbols are read from memory. */
static void note_files(search *s, const char *text) {
    char path[PATH_ROOM];
    krs_mapping mapping;
    while (next_mapping(&text, &mapping)) {
        if (mapping.path_length == 0 || *mapping.path != '/')
            continue;
        snprintf(path, sizeof path, "%.*s", (int)mapping.path_length, mapping.path);
        note_file(s, path, mapping.begin);
    }
}

static krs_status refuse(const search *s, krs_outside_refusal refusal, const char *more,
                         krs_outside_error *error) {
    char detail[128];
    snprintf(detail, sizeof detail, "%d%s", (int)s->process->pid, more);
    return krs__refuse(error, refusal, detail);
}

/* Where no library is Python, the program itself may be. */
static krs_outside_refusal find_runtime(search *s) {
    if (krs__elf_at(&s->target->memory, s->program_base) == KRS__ELF_32)
        return KRS_OUTSIDE_NOT_64_BITS;
    look_for_runtime(s, s->program_base);
    return s->target->runtime == 0 ? KRS_OUTSIDE_NOT_PYTHON : KRS_OUTSIDE_READ;
}

static void read_version(search *s) {
    uint64_t version;
    krs__memory *memory = &s->target->memory;
    const uint64_t at = krs__symbol_find(memory, s->runtime_base, "Py_Version");
    if (at == 0 || !krs__memory_word(memory, at, &version) || version >> 24 != 3)
        return;
    s->target->version = (uint32_t)version;
    s->minor = (unsigned)(version >> 16 & 0xff);
}

static krs_status choose_layout(search *s, krs_outside_error *error) {
    char more[64] = " is a Python of an unknown version";
    const krs__layout *layout = krs__layout_of(s->minor);
    if (s->free_threaded)
        return refuse(s, KRS_OUTSIDE_FREE_THREADED, "", error);
    if (layout == NULL) {
        if (s->minor != 0)
            snprintf(more, sizeof more, " is CPython 3.%u", s->minor);
        return refuse(s, KRS_OUTSIDE_VERSION, more, error);
    }
    s->target->layout = *layout;
    return KRS_OK;
}

static krs_status find_python(search *s, const char *text, krs_outside_error *error) {
    /* A process has no memory when it ends, in the moment before it is seen to have
     * ended; nor has a thread of the kernel. */
    if (s->target->memory.range_count == 0)
        return refuse(s,
                      krs__process_ends(s->process) ? KRS_OUTSIDE_ENDED
                                                    : KRS_OUTSIDE_NOT_PYTHON,
                      "", error);
    note_files(s, text);
    const krs_outside_refusal refusal = find_runtime(s);
    if (s->target->memory.failure != 0)
        return krs__process_explain(s->process, s->target->memory.failure, error);
    if (refusal != KRS_OUTSIDE_READ)
        return refuse(s, refusal, "", error);
    read_version(s);
    const krs_status status = krs__memory_status(&s->target->memory);
    return status == KRS_OK ? choose_layout(s, error) : status;
}

krs_status krs__process_open(const krs__process *process, krs__target *target,
                             krs_outside_error *error) {
    search *s = calloc(1, sizeof *s);
    char *text = NULL;
    if (s == NULL)
        return KRS_NOMEM;
    s->process = process;
    s->target = target;
    krs_status status = map(process, &target->memory, &text);
    if (status == KRS_OK)
        status = find_python(s, text, error);
    free(text);
    free(s);
    return status;
}
