/* keraser why: who holds the models of a process that need not know of keraser. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outside_report.h"
#include "say.h"
#include "verbs.h"

static int help(void) {
    printf(
        "usage: keraser why PID [MODEL] [--json]\n\n"
        "Says which Keras models are in the memory of a Python process, and who holds\n"
        "each: reads it from outside, changes nothing there and stops nothing.\n"
        "MODEL is the name of one, or its class.\n\n"
        "  --json  one JSON object, in place of text\n");
    return KRS_EXIT_OK;
}

/* A number of a process, 0 where the text is none. */
static pid_t read_pid(const char *text) {
    char *end;
    const long number = strtol(text, &end, 10);
    return *text >= '1' && *text <= '9' && *end == '\0' && number <= INT_MAX
               ? (pid_t)number
               : 0;
}

static int mistake(const char *cause, const char *detail) {
    krs_complain(cause, detail, "keraser why --help says more");
    return KRS_EXIT_USAGE;
}

int krs_why(int count, char **arguments) {
    const char *words[2] = {NULL, NULL};
    int used = 0, json = 0;
    for (int i = 1; i < count; i++) {
        if (!strcmp(arguments[i], "--help") || !strcmp(arguments[i], "-h"))
            return help();
        if (!strcmp(arguments[i], "--json"))
            json = 1;
        else if (arguments[i][0] == '-')
            return mistake("there is no option '%s'", arguments[i]);
        else if (used == 2)
            return mistake("what is '%s'? a process and a model are enough",
                           arguments[i]);
        else
            words[used++] = arguments[i];
    }
    if (used == 0)
        return mistake("which process?", "");
    const pid_t pid = read_pid(words[0]);
    if (pid == 0)
        return mistake("'%s' is no number of a process", words[0]);
    return krs_report_outside(pid, words[1], json);
}
