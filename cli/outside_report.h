/* outside_report.h - what the outside reader finds, as text or JSON. */
#ifndef KRS_CLI_OUTSIDE_REPORT_H
#define KRS_CLI_OUTSIDE_REPORT_H

#include <sys/types.h>

/* Reads the process from outside and prints who holds its models, or only the one
 * called `model`, by its name or the last part of its class; NULL asks for all. As
 * text, or as one JSON object where `json` is not 0. What is refused goes to stderr.
 * Returns an exit status: 0; 1 where there is no such model; that of KRS_STATUS_MAP
 * where the process is not read. */
int krs_report_outside(pid_t pid, const char *model, int json);

#endif
