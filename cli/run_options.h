/* run_options.h - the options of `keraser run`, before the script and its arguments. */
#ifndef KRS_CLI_RUN_OPTIONS_H
#define KRS_CLI_RUN_OPTIONS_H

#include "say.h"

typedef struct {
    int guard;          /* 1 unless --no-guard */
    int trim;           /* 1 with --trim */
    int gpu;            /* 1 with --gpu */
    int help;           /* 1 with --help: nothing else counts */
    const char *python; /* --python, or NULL */
    const char *report; /* --report, or NULL */
    int script;         /* index of the first argument that is Python's */
} krs_run_options;

/* Reads `arguments`, the first of which is the verb. */
krs_mistake krs_read_run_options(krs_run_options *options, int count, char **arguments);

#endif
