#include "run_options.h"

#include <string.h>

static const char cure[] = "keraser run --help lists the options";

/* The value of the option at `*at`, as `--name=value` or `--name value`; NULL if the
 * argument is another one. Without a value, an empty one. */
static const char *value_of(const char *name, int count, char **arguments, int *at) {
    const char *argument = arguments[*at];
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return NULL;
    if (argument[length] == '=')
        return argument + length + 1;
    if (argument[length] != '\0')
        return NULL;
    return *at + 1 < count ? arguments[++*at] : "";
}

/* 1 for an argument that is Python's: a script, `-`, or what tells it where the program
 * is. */
static int is_pythons(const char *argument) {
    return argument[0] != '-' || !strcmp(argument, "-") || !strcmp(argument, "-m") ||
           !strcmp(argument, "-c");
}

static krs_mistake read_option(krs_run_options *options, int count, char **arguments,
                               int *at) {
    const char *argument = arguments[*at], *value;
    if (!strcmp(argument, "--guard"))
        options->guard = 1;
    else if (!strcmp(argument, "--no-guard"))
        options->guard = 0;
    else if (!strcmp(argument, "--trim"))
        options->trim = 1;
    else if (!strcmp(argument, "--gpu"))
        options->gpu = 1;
    else if (!strcmp(argument, "--help") || !strcmp(argument, "-h"))
        options->help = 1;
    else if ((value = value_of("--python", count, arguments, at)))
        options->python = value;
    else if ((value = value_of("--report", count, arguments, at)))
        options->report = value;
    else
        return (krs_mistake){"run has no option '%s'", argument, cure};
    if ((options->python && !*options->python) ||
        (options->report && !*options->report))
        return (krs_mistake){"%s needs a path", argument, cure};
    return (krs_mistake){0};
}

krs_mistake krs_read_run_options(krs_run_options *options, int count,
                                 char **arguments) {
    *options = (krs_run_options){.guard = 1};
    for (int at = 1; at < count; at++) {
        int last = !strcmp(arguments[at], "--");
        if (last || is_pythons(arguments[at])) {
            options->script = at + last;
            break;
        }
        krs_mistake mistake = read_option(options, count, arguments, &at);
        if (mistake.cause != NULL || options->help)
            return mistake;
    }
    if (options->script == 0 || options->script >= count)
        return (krs_mistake){"run what?", "",
                             "keraser run script.py, or -m module, or -c 'code', or -"};
    return (krs_mistake){0};
}
