/* verbs.h - what the command line can do, one file a verb. */
#ifndef KRS_CLI_VERBS_H
#define KRS_CLI_VERBS_H

/* Exit statuses of our own; others are those of the program that is run. */
enum { KRS_EXIT_OK = 0, KRS_EXIT_FAILURE = 1, KRS_EXIT_USAGE = 2 };

/* Runs Python in place of this program. `arguments` begins with the verb and ends with
 * NULL. Returns only when that fails: an exit status, after saying why. */
int krs_run(int count, char **arguments);

#endif
