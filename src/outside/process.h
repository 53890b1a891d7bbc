/* process.h - the process that is read: whether it may be, where its memory is, and
 * which Python it runs. */
#ifndef KRS_OUTSIDE_PROCESS_H
#define KRS_OUTSIDE_PROCESS_H

#include "outside/target.h"

enum { KRS__PROGRAM_BYTES = 1024 };

typedef struct {
    pid_t pid;
    char state;     /* as /proc/PID/stat has it */
    uint64_t start; /* when it began, in ticks: with the number tells it from others */
    char program[KRS__PROGRAM_BYTES]; /* /proc/PID/exe, "" where it cannot be read */
} krs__process;

/* Reads state and start from the text of /proc/PID/stat. */
bool krs__process_parse(const char *text, size_t length, krs__process *process);

/* Makes sure that it is there, alive and ours. KRS_UNSUPPORTED with `*error`. */
krs_status krs__process_find(pid_t pid, krs__process *process,
                             krs_outside_error *error);

/* Says what became of a process whose memory could not be read, `failure` being errno:
 * it ended, or the kernel forbids it. */
krs_status krs__process_explain(const krs__process *process, int failure,
                                krs_outside_error *error);

/* Whether it is still there, and no other has its number. */
bool krs__process_is_same(const krs__process *process);

/* Whether it has ended, or does so within a tenth of a second. */
bool krs__process_ends(const krs__process *process);

/* Whether it still runs the same program. */
bool krs__process_runs_same(const krs__process *process);

/* krs__process_is_same(), and takes the state it is in now. */
bool krs__process_look(krs__process *process);

/* Maps its memory, and finds the runtime and version of its Python. KRS_SYSTEM with
 * `failure` of its memory set. */
krs_status krs__process_open(const krs__process *process, krs__target *target,
                             krs_outside_error *error);

/* A krs__reader and a krs__mapper; their context is a krs__process. */
krs__reader krs__process_memory;
krs__mapper krs__process_map;

#endif
