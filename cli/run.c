/* keraser run: becomes the Python that runs the script. Its environment names a folder
 * whose sitecustomize.py prepares the process before the script begins. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_options.h"
#include "say.h"
#include "verbs.h"

/* Set unless the user has set them. docs/running.md has what each costs. */
static const struct {
    const char *name, *value;
} settings[] = {
    /* Blocks from 1 MiB on are mapped, and so unmapped when freed, for good: left to
     * itself malloc raises the bound to 32 MiB when it sees such a block freed. */
    {"MALLOC_MMAP_THRESHOLD_", "1048576"},
    /* The pool of a GPU begins small, so that it has something to give back. */
    {"TF_FORCE_GPU_ALLOW_GROWTH", "true"},
};

static int help(void) {
    printf(
        "usage: keraser run [OPTIONS] (script.py | -m module | -c code | -) [ARGS]\n\n"
        "Runs Python as `python script.py ARGS` would, with TensorFlow's gradient\n"
        "registry guarded, dead models collected, and a report at the end.\n\n"
        "  --no-guard       leave TensorFlow's registry as it is\n"
        "  --trim           give free memory back to the system now and then\n"
        "  --python PATH    the Python to run; else the one beside this program,\n"
        "                   else python3\n"
        "  --report FILE    write the report as JSON, too\n");
    return KRS_EXIT_OK;
}

/* The folder of this program, with a slash behind, or "". */
static void own_folder(char folder[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    folder[slash ? slash + 1 - folder : 0] = '\0';
}

/* `folder` and `rest` as one path; 0 if it is too long or cannot be used as `mode`. */
static int find(char path[PATH_MAX], const char *folder, const char *rest, int mode) {
    int length = snprintf(path, PATH_MAX, "%s%s", folder, rest);
    return length > 0 && length < PATH_MAX && access(path, mode) == 0;
}

static int set(const char *name, const char *value) {
    if (value != NULL ? setenv(name, value, 1) : unsetenv(name)) {
        krs_complain("cannot set %s: out of memory", name, "");
        return -1;
    }
    return 0;
}

/* Puts `startup` in front of PYTHONPATH, and what that was where sitecustomize.py finds
 * it, to set it back. */
static int lead_through(const char *startup) {
    const char *before = getenv("PYTHONPATH");
    if (set("KERASER_RUN_PYTHONPATH", before) < 0)
        return -1;
    if (before == NULL || !*before)
        return set("PYTHONPATH", startup);
    size_t size = strlen(startup) + strlen(before) + 2;
    char *path = malloc(size);
    if (path == NULL) {
        krs_complain("cannot set PYTHONPATH: out of memory", "", "");
        return -1;
    }
    snprintf(path, size, "%s:%s", startup, before);
    int status = set("PYTHONPATH", path);
    free(path);
    return status;
}

static int prepare(const krs_run_options *options, const char *startup) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (getenv(settings[i].name) == NULL &&
            set(settings[i].name, settings[i].value) < 0)
            return -1;
    if (set("KERASER_RUN_GUARD", options->guard ? "1" : "0") < 0 ||
        set("KERASER_RUN_TRIM", options->trim ? "1" : "0") < 0 ||
        set("KERASER_RUN_REPORT", options->report) < 0)
        return -1;
    return lead_through(startup);
}

int krs_run(int count, char **arguments) {
    krs_run_options options;
    krs_mistake mistake = krs_read_run_options(&options, count, arguments);
    if (mistake.cause != NULL) {
        krs_complain(mistake.cause, mistake.detail, mistake.cure);
        return KRS_EXIT_USAGE;
    }
    if (options.help)
        return help();
    char folder[PATH_MAX], startup[PATH_MAX], beside[PATH_MAX];
    own_folder(folder);
    if (!find(startup, folder, "../share/keraser/startup", R_OK | X_OK)) {
        krs_complain("%s is missing", startup, "install keraser again");
        return KRS_EXIT_FAILURE;
    }
    const char *python = options.python;
    if (python == NULL)
        python = find(beside, folder, "python", X_OK) ? beside : "python3";
    if (prepare(&options, startup) < 0)
        return KRS_EXIT_FAILURE;
    char **python_arguments = arguments + options.script - 1;
    python_arguments[0] = (char *)python;
    execvp(python, python_arguments);
    krs_complain(errno == ENOENT ? "there is no Python at %s" : "cannot run %s", python,
                 "keraser run --python PATH says which one");
    return KRS_EXIT_FAILURE;
}
