/* keraser: the command line. This file is its table of contents. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "keraser.h"
#include "say.h"
#include "verbs.h"

static const struct {
    const char *name;
    krs_verb_function *run;
    const char *about; /* NULL: for completions of shells, and in no list */
} verbs[] = {
    {"top", krs_verb_top, "models of all Python processes that listen, live"},
    {"why", krs_verb_why, "who holds a model of a process, or all that is alive there"},
    {"clear", krs_verb_clear, "clear a model of a process, or all of them"},
    {"trim", krs_verb_trim, "have a process give free memory back to the system"},
    {"doctor", krs_verb_doctor, "what works here, or in a process, and why not"},
    {"run", krs_verb_run,
     "run a Python script so that its models leave nothing behind"},
    {"list-pids", krs_verb_list_pids, NULL},
    {"list-models", krs_verb_list_models, NULL},
};

static const size_t verb_count = sizeof verbs / sizeof *verbs;

static int help(void) {
    printf("usage: keraser VERB [OPTIONS] ...\n\n"
           "Clears Keras models from Python processes, and proves it.\n\n");
    for (size_t i = 0; i < verb_count; i++)
        if (verbs[i].about != NULL)
            printf("  %-8s %s\n", verbs[i].name, verbs[i].about);
    printf("\nkeraser VERB --help says more; keraser --version, which one this is.\n");
    return KRS_EXIT_OK;
}

static int act(int count, char **arguments) {
    const char *verb = count > 1 ? arguments[1] : "";
    if (!strcmp(verb, "--help") || !strcmp(verb, "-h") || !strcmp(verb, "help"))
        return help();
    if (!strcmp(verb, "--version")) {
        printf("keraser %s\n", KRS_VERSION);
        return KRS_EXIT_OK;
    }
    for (size_t i = 0; i < verb_count; i++)
        if (!strcmp(verb, verbs[i].name))
            return verbs[i].run(count - 1, arguments + 1);
    krs_complain(*verb ? "there is no verb '%s'" : "which verb?", verb,
                 "keraser --help lists them");
    return KRS_EXIT_USAGE;
}

int main(int count, char **arguments) {
    const int status = act(count, arguments);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    krs_complain("cannot write the output: %s", strerror(errno), "");
    return status != KRS_EXIT_OK ? status : KRS_EXIT_OUTPUT;
}
