#include "run_environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

/* docs/running.md has what each does and costs. */
static const struct {
    const char *name, *value;
} settings[] = {
    /* Blocks from 1 MiB on are mapped, and so unmapped when freed, for good: left to
     * itself malloc raises the bound to 32 MiB when it sees such a block freed. Read
     * once, before Python begins, which then takes it out again. */
    {"MALLOC_MMAP_THRESHOLD_", "1048576"},
    /* The pool of a GPU begins small, so that it has something to give back. */
    {"TF_FORCE_GPU_ALLOW_GROWTH", "true"},
};

static int set(const char *name, const char *value) {
    if (value != NULL ? setenv(name, value, 1) : unsetenv(name)) {
        krs_complain("cannot set %s: out of memory", name, "");
        return -1;
    }
    return 0;
}

/* Leaves `name` as the user has set it; else says under `mark` that it was us. */
static int set_unless_set(const char *name, const char *value, const char *mark) {
    if (getenv(name) != NULL)
        return set(mark, NULL);
    return set(name, value) < 0 || set(mark, "1") < 0 ? -1 : 0;
}

/* Puts `startup` in front of PYTHONPATH, and keeps what that was. */
static int lead_through(const char *startup) {
    const char *before = getenv("PYTHONPATH");
    if (set("KERASER_RUN_PYTHONPATH", before) < 0)
        return -1;
    if (before == NULL || !*before)
        return set("PYTHONPATH", startup);
    size_t size = strlen(startup) + strlen(before) + 2;
    char *path = malloc(size);
    if (path == NULL) {
        krs_complain("cannot set %s: out of memory", "PYTHONPATH", "");
        return -1;
    }
    snprintf(path, size, "%s:%s", startup, before);
    int status = set("PYTHONPATH", path);
    free(path);
    return status;
}

int krs_prepare_environment(const krs_run_options *options, const char *startup) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char mark[64];
        snprintf(mark, sizeof mark, "KERASER_RUN_SET_%s", settings[i].name);
        if (set_unless_set(settings[i].name, settings[i].value, mark) < 0)
            return -1;
    }
    if (options->gpu && set("KERASER_GPU", "arm") < 0)
        return -1;
    if (set("KERASER_RUN_GUARD", options->guard ? "1" : "0") < 0 ||
        set("KERASER_RUN_TRIM", options->trim ? "1" : "0") < 0 ||
        set("KERASER_RUN_REPORT", options->report) < 0)
        return -1;
    return lead_through(startup);
}
