/* outside_report.h - what the outside reader finds, as text or JSON. */
#ifndef KRS_CLI_OUTSIDE_REPORT_H
#define KRS_CLI_OUTSIDE_REPORT_H

#include <sys/types.h>

/* Reads the process from outside and prints who holds its models, or only the one
 * called `model`, by its name or the last part of its class; NULL asks for all. As
 * text, or as one JSON object where `json` is not 0. What is refused goes to stderr
 * too. Returns an exit status of verbs.h. */
int krs_report_outside(pid_t pid, const char *model, int json);

#endif
