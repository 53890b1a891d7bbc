#include "doctor_here.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"
#include "json.h"
#include "pids.h"
#include "printable.h"
#include "say.h"
#include "verbs.h"
#include "wire/protocol.h"

typedef enum { USABLE, ABSENT, REFUSED } place_state;

static const struct {
    const char *name;  /* in JSON */
    const char *about; /* for people */
} states[] = {
    [USABLE] = {"usable", "usable"},
    [ABSENT] = {"absent", "not there, made when a process listens"},
    [REFUSED] = {"refused", "not used"},
};

typedef struct {
    char path[KRS_PLACE_PATH]; /* "": not even a path */
    place_state state;
    char why[256]; /* where refused */
} place;

/* Where protocol.h says that it is, for a place that is not usable. */
static void write_path(unsigned index, char path[KRS_PLACE_PATH]) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (index == 0 && runtime != NULL && *runtime == '/')
        snprintf(path, KRS_PLACE_PATH, "%s/keraser", runtime);
    else if (index < 2)
        snprintf(path, KRS_PLACE_PATH, "/run/user/%u/keraser", (unsigned)geteuid());
    else
        snprintf(path, KRS_PLACE_PATH, "/tmp/keraser-%u", (unsigned)geteuid());
}

static void look_at_parent(place *found) {
    char parent[KRS_PLACE_PATH];
    strcpy(parent, found->path);
    *strrchr(parent, '/') = '\0';
    found->state = access(parent, W_OK | X_OK) == 0 ? ABSENT : REFUSED;
    if (found->state == REFUSED)
        snprintf(found->why, sizeof found->why, "%s: %s", parent, strerror(errno));
}

/* 0 where it is one that has been looked at. */
static int look_at(unsigned index, place *found) {
    *found = (place){.state = USABLE};
    if (krs_place_folder(index, 0, found->path) == KRS_OK)
        return 1;
    const int error = errno;
    write_path(index, found->path);
    char first[KRS_PLACE_PATH];
    write_path(0, first);
    if (index == 1 && !strcmp(found->path, first))
        return 0;
    if (error == ENOENT) {
        look_at_parent(found);
        return 1;
    }
    found->state = REFUSED;
    snprintf(found->why, sizeof found->why, "%s",
             error == EPERM
                 ? "it is not a folder of yours alone: remove it, or make it "
                   "so with chmod 700"
                 : strerror(error));
    return 1;
}

/* -1 where the kernel has no such setting: who may trace is then up to rights alone. */
static int ptrace_scope(void) {
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    int scope = -1;
    if (file != NULL) {
        if (fscanf(file, "%d", &scope) != 1)
            scope = -1;
        fclose(file);
    }
    return scope;
}

static void print_json(const place *places, size_t count, const krs_pids *pids) {
    krs_json out = krs_json_begin(stdout);
    krs_json_object(&out);
    krs_json_key(&out, "schema_version");
    krs_json_number(&out, KRS_SCHEMA_VERSION);
    krs_json_key(&out, "verb");
    krs_json_string(&out, "doctor");
    krs_json_key(&out, "version");
    krs_json_string(&out, KRS_VERSION);
    krs_json_key(&out, "places");
    krs_json_array(&out);
    for (size_t i = 0; i < count; i++) {
        krs_json_object(&out);
        krs_json_key(&out, "path");
        krs_json_string(&out, places[i].path);
        krs_json_key(&out, "state");
        krs_json_string(&out, states[places[i].state].name);
        krs_json_key(&out, "why");
        krs_json_string(&out, places[i].why);
        krs_json_end(&out);
    }
    krs_json_end(&out);
    krs_json_key(&out, "ptrace_scope");
    const int scope = ptrace_scope();
    if (scope < 0)
        krs_json_null(&out);
    else
        krs_json_number(&out, (uint64_t)scope);
    krs_json_key(&out, "listening");
    krs_json_array(&out);
    for (size_t i = 0; i < pids->count; i++)
        krs_json_number(&out, (uint64_t)pids->pids[i]);
    krs_json_end(&out);
    krs_json_end(&out);
}

static void print_text(const place *places, size_t count, const krs_pids *pids) {
    printf("keraser %s\n\nWhere processes can listen:\n", KRS_VERSION);
    for (size_t i = 0; i < count; i++) {
        printf("  ");
        krs_print_clean(stdout, places[i].path, strlen(places[i].path), 0);
        printf("  %s%s", states[places[i].state].about, *places[i].why ? ": " : "");
        krs_print_clean(stdout, places[i].why, strlen(places[i].why), 0);
        putchar('\n');
    }
    const int scope = ptrace_scope();
    if (scope < 0)
        printf("\nptrace_scope is not set: a process can be looked into from outside\n"
               "by its user\n");
    else
        printf(
            "\nptrace_scope is %d: a process can be looked into from outside by %s\n",
            scope,
            scope == 0   ? "its user"
            : scope == 1 ? "those that started it, and root"
            : scope == 2 ? "root"
                         : "nobody");
    printf("\n%zu process%s listening%s\n", pids->count, pids->count == 1 ? "" : "es",
           pids->count > 0 ? ":" : ", by import keraser, or under keraser run");
    for (size_t i = 0; i < pids->count; i++) {
        char command[KRS_COMMAND];
        krs_facts_command(pids->pids[i], command);
        printf("  %7ld  ", (long)pids->pids[i]);
        krs_print_clean(stdout, command, strlen(command), 0);
        putchar('\n');
    }
}

int krs_doctor_here(int json) {
    place places[KRS_PLACES];
    size_t count = 0;
    int could_listen = 0;
    for (unsigned i = 0; i < KRS_PLACES; i++)
        if (look_at(i, &places[count]))
            could_listen |= places[count++].state != REFUSED;
    krs_pids pids = {0};
    krs_pids_list(&pids);
    (json ? print_json : print_text)(places, count, &pids);
    krs_pids_free(&pids);
    if (could_listen)
        return KRS_EXIT_OK;
    fflush(stdout);
    krs_complain("no process can listen here: there is no folder for a socket", "",
                 "set XDG_RUNTIME_DIR to a folder of yours alone (chmod 700)");
    return KRS_EXIT_UNAVAILABLE;
}
