/* facts.h - what /proc says of a process, without asking it. */
#ifndef KRS_CLI_FACTS_H
#define KRS_CLI_FACTS_H

#include <stdint.h>
#include <sys/types.h>

enum { KRS_COMMAND = 512, KRS_STATUS_TEXT = 16384 };

typedef struct {
    uid_t user;
    char state;   /* as ps has it: R, S, D, T, t, Z, X */
    uint64_t rss; /* bytes; 0 where not told */
} krs_facts;

/* 0 where there is no such process that can be seen. One that may be seen but not read,
 * in a /proc that hides others', is of user (uid_t)-1. */
int krs_facts_read(pid_t pid, krs_facts *facts);

/* The same from the text of its status file. 0 where a field is not as it should be. */
int krs_facts_parse(const char *text, krs_facts *facts);

/* Its command line, with blanks between, cut at the end of `command`; what the kernel
 * calls it where it has none; "" where it cannot be read. */
void krs_facts_command(pid_t pid, char command[KRS_COMMAND]);

#endif
