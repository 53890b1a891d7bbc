/* keraser: the command line. This file is its table of contents. */
#include <stdio.h>
#include <string.h>

#include "keraser.h"
#include "say.h"
#include "verbs.h"

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *about;
} verbs[] = {
    {"run", krs_run, "run a Python script so that its models leave nothing behind"},
    {"why", krs_why, "say who holds the models of another process"},
};

static const size_t verb_count = sizeof verbs / sizeof *verbs;

static int help(void) {
    printf("usage: keraser VERB [OPTIONS] ...\n\n"
           "Clears Keras models from Python processes, and proves it.\n\n");
    for (size_t i = 0; i < verb_count; i++)
        printf("  %-8s %s\n", verbs[i].name, verbs[i].about);
    printf("\nkeraser VERB --help says more; keraser --version, which one this is.\n");
    return KRS_EXIT_OK;
}

int main(int count, char **arguments) {
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
