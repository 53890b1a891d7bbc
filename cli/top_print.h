/* top_print.h - what top found, once and for all, on stdout. */
#ifndef KRS_CLI_TOP_PRINT_H
#define KRS_CLI_TOP_PRINT_H

#include "targets.h"

/* Sorts the targets. KRS_EXIT_*. */
int krs_top_print(krs_targets *targets);
int krs_top_print_json(krs_targets *targets);

#endif
