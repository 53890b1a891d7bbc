/* verbs.h - what the command line can do, one file a verb. */
#ifndef KRS_CLI_VERBS_H
#define KRS_CLI_VERBS_H

/* Exit statuses of our own; others are those of the program that is run. The last two
 * are what shells, env and timeout say when they cannot run a program. */
enum {
    KRS_EXIT_OK = 0,
    KRS_EXIT_USAGE = 2,
    KRS_EXIT_CANNOT_RUN = 126,
    KRS_EXIT_NOT_FOUND = 127,
};

/* Runs Python in place of this program. `arguments` begins with the verb and ends with
 * NULL. Returns only when that fails: an exit status, after saying why. */
int krs_run(int count, char **arguments);

/* keraser why PID [MODEL] [--json] */
int krs_why(int count, char **arguments);

#endif
