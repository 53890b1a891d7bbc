/* pids.h - the processes of this user that have a socket to be asked on. */
#ifndef KRS_CLI_PIDS_H
#define KRS_CLI_PIDS_H

#include <stddef.h>
#include <sys/types.h>

/* Zeroed, it is empty. */
typedef struct {
    pid_t *pids; /* rising, each once */
    size_t count, room;
    int failed; /* without memory: not all are here */
} krs_pids;

/* Of those that are alive and this user's; whether they answer is not tried. */
void krs_pids_list(krs_pids *pids);
void krs_pids_free(krs_pids *pids);

#endif
