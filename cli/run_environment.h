/* run_environment.h - what `keraser run` puts into the environment of Python. */
#ifndef KRS_CLI_RUN_ENVIRONMENT_H
#define KRS_CLI_RUN_ENVIRONMENT_H

#include "run_options.h"

/* Makes Python begin in the folder `startup`, whose sitecustomize.py finds there what
 * the options say and takes all of it out again; and makes the settings that help
 * memory come back, but for those that the user has made. 0, or -1 after saying why
 * not. */
int krs_prepare_environment(const krs_run_options *options, const char *startup);

#endif
