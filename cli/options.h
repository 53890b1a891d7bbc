/* options.h - the options and operands of a verb, by a table that is its help too. */
#ifndef KRS_CLI_OPTIONS_H
#define KRS_CLI_OPTIONS_H

#include <stdint.h>
#include <sys/types.h>

#include "say.h"

typedef struct {
    const char *name;  /* with its dashes */
    const char *value; /* what --help calls it; NULL: it takes none */
    const char *about;
} krs_option;

enum { KRS_OPTIONS = 8 /* most that a verb has */ };

typedef struct {
    const char *usage;               /* "VERB [OPTIONS] ..." */
    const char *about;               /* lines, the last without its newline */
    krs_option options[KRS_OPTIONS]; /* up to the one without a name */
    int least, most;                 /* operands */
} krs_syntax;

typedef struct {
    int help;
    const char *values[KRS_OPTIONS]; /* NULL: not given; "" without a value */
    char **operands;
    int count;
} krs_given;

/* Reads `arguments`, the first of which is the verb. Options and operands come in any
 * order, `--` ends the options; the operands are moved together. An option that is
 * given twice counts as last given. */
krs_mistake krs_options_read(const krs_syntax *syntax, int count, char **arguments,
                             krs_given *given);

/* The same; 1 to go on. 0 where --help was asked for or something is wrong, which has
 * been printed; `*status` is what to exit with. */
int krs_options_begin(const krs_syntax *syntax, int count, char **arguments,
                      krs_given *given, int *status);

/* Says what is wrong; KRS_EXIT_USAGE. */
int krs_options_refuse(const char *cause, const char *detail);

/* 0 after saying what is wrong. */
int krs_read_pid(const char *text, pid_t *pid);
/* Seconds, such as 0.5, from `least` to a day, as nanoseconds. `text` NULL: `usual`. */
int krs_read_seconds(const char *text, double least, double usual, uint64_t *ns);

#endif
