/* Memory and processor time of another process of ours, by its number. A process that
 * has ended is KRS_SYSTEM with errno ESRCH, whether it is still a zombie or not. */
#ifndef KRS_PROC_PROCESS_H
#define KRS_PROC_PROCESS_H

#include <sys/types.h>

#include "keraser.h"

/* krs_process_read() for the process `pid`: 11 us. */
krs_status krs__process_read_of(pid_t pid, krs_process *process);

/* Of its memory what belongs to no file and is not shared memory, resident or swapped
 * out: what malloc and Python hand out, and changed pages of libraries. Of a forked
 * child pages it still has in common with its parent are counted too. */
uint64_t krs__process_anonymous(const krs_process *process);

/* Processor time of all its threads so far, user and system, in ns; not that of
 * processes it started. */
krs_status krs__cpu_read(pid_t pid, uint64_t *ns);

#endif
