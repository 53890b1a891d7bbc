/* verbs.h - what the command line can do, one file a verb. */
#ifndef KRS_CLI_VERBS_H
#define KRS_CLI_VERBS_H

/* Exit statuses of our own, those of sysexits.h where one fits; others are those of the
 * program that is run. The last two are what shells, env and timeout say when they
 * cannot run a program. */
enum {
    KRS_EXIT_OK = 0,
    KRS_EXIT_USAGE = 2,
    KRS_EXIT_ABSENT = 66,      /* no such process, or no such model in it */
    KRS_EXIT_UNAVAILABLE = 69, /* it does not listen, or it refused: nothing changed */
    KRS_EXIT_FAILED = 70,      /* an error in that process, on the way */
    KRS_EXIT_SYSTEM = 71,      /* a system call failed here, or memory ran out */
    KRS_EXIT_OUTPUT = 74,      /* what was to be printed could not be written */
    KRS_EXIT_LATER = 75,       /* busy, stopped or ended meanwhile: may work later */
    KRS_EXIT_PROTOCOL = 76,    /* it answers in a way that is not known */
    KRS_EXIT_DENIED = 77,      /* it is another user's */
    KRS_EXIT_CANNOT_RUN = 126,
    KRS_EXIT_NOT_FOUND = 127,
};

/* What each takes and returns: `arguments` begins with the verb and ends with NULL; an
 * exit status, after saying why where it is not 0. */
typedef int krs_verb_function(int count, char **arguments);

/* Runs Python in place of this program; returns only when that fails. */
krs_verb_function krs_verb_run;

krs_verb_function krs_verb_top;
krs_verb_function krs_verb_why;
krs_verb_function krs_verb_clear;
krs_verb_function krs_verb_trim;
krs_verb_function krs_verb_doctor;

/* For completions of shells: process ids with what runs there, and models of one. */
krs_verb_function krs_verb_list_pids;
krs_verb_function krs_verb_list_models;

/* keraser why PID [MODEL] [--json] */
int krs_why(int count, char **arguments);

#endif
