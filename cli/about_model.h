/* about_model.h - what the verbs about a process and its models have in common. */
#ifndef KRS_CLI_ABOUT_MODEL_H
#define KRS_CLI_ABOUT_MODEL_H

#include "options.h"

enum { KRS_WAIT_SECONDS = 10, KRS_MODEL_NAME = 1024 };

#define KRS_OPTION_JSON                                                                \
    { "--json", NULL, "print JSON, with a schema_version" }
#define KRS_OPTION_WAIT                                                                \
    { "--wait", "SECONDS", "for an answer, at most; 10 without it" }

/* 0 after saying what is wrong with it. */
int krs_check_model(const char *model);

#endif
