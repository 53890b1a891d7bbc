/* keraser run: becomes the Python that runs the script. Its environment names a folder
 * whose sitecustomize.py prepares the process before the script begins. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run_environment.h"
#include "run_options.h"
#include "say.h"
#include "verbs.h"

static int help(void) {
    printf(
        "usage: keraser run [OPTIONS] (script.py | -m module | -c code | -) [ARGS]\n\n"
        "Runs Python as `python script.py ARGS` would, with TensorFlow's gradient\n"
        "registry guarded, dead models collected, and a report at the end.\n\n"
        "  --no-guard       leave TensorFlow's registry as it is\n"
        "  --trim           give free memory back to the system now and then\n"
        "  --gpu            let free GPU memory go back page by page (docs/gpu.md)\n"
        "  --python PATH    the Python to run; else the one beside this program,\n"
        "                   else python3\n"
        "  --report FILE    write the report as JSON, too\n");
    return KRS_EXIT_OK;
}

/* The folder of this program, with a slash behind; 0 if it cannot be told. */
static int own_folder(char folder[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (length <= 0)
        return 0;
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    folder[slash ? slash + 1 - folder : 0] = '\0';
    return slash != NULL;
}

/* `folder` and `rest` as one path; 0 if it is too long or cannot be used as `mode`. */
static int find(char path[PATH_MAX], const char *folder, const char *rest, int mode) {
    int length = snprintf(path, PATH_MAX, "%s%s", folder, rest);
    return length > 0 && length < PATH_MAX && access(path, mode) == 0;
}

/* The Python to run: what --python names, else the one beside this program, which
 * `beside` has room for, else the first python3 of PATH. */
static const char *choose_python(const krs_run_options *options, const char *folder,
                                 char beside[PATH_MAX]) {
    if (options->python != NULL)
        return options->python;
    if (find(beside, folder, "python", X_OK) || find(beside, folder, "python3", X_OK))
        return beside;
    return "python3";
}

/* Becomes `python`; returns only if that fails. */
static int become(const char *python, char **arguments) {
    arguments[0] = (char *)python;
    execvp(python, arguments);
    int absent = errno == ENOENT;
    char why[PATH_MAX + 128];
    snprintf(why, sizeof why, "%s: %s", python, strerror(errno));
    krs_complain(absent ? "there is no Python at %s" : "cannot run %s",
                 absent ? python : why, "keraser run --python PATH says which one");
    return absent ? KRS_EXIT_NOT_FOUND : KRS_EXIT_CANNOT_RUN;
}

int krs_verb_run(int count, char **arguments) {
    krs_run_options options;
    krs_mistake mistake = krs_read_run_options(&options, count, arguments);
    if (mistake.cause != NULL) {
        krs_complain(mistake.cause, mistake.detail, mistake.cure);
        return KRS_EXIT_USAGE;
    }
    if (options.help)
        return help();
    char folder[PATH_MAX], startup[PATH_MAX], beside[PATH_MAX];
    if (!own_folder(folder)) {
        krs_complain("cannot tell where this program is: %s", strerror(errno),
                     "/proc must be mounted");
        return KRS_EXIT_CANNOT_RUN;
    }
    if (!find(startup, folder, "../share/keraser/startup", R_OK | X_OK)) {
        krs_complain("%s is missing", startup, "install keraser again");
        return KRS_EXIT_CANNOT_RUN;
    }
    const char *python = choose_python(&options, folder, beside);
    if (krs_prepare_environment(&options, startup) < 0)
        return KRS_EXIT_CANNOT_RUN;
    return become(python, arguments + options.script - 1);
}
