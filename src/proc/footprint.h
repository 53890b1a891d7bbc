/* What the memory of a process is worth to others, from /proc/PID/smaps_rollup: the
 * kernel walks the process's page tables for each reading, 2.5 ms for a forked child of
 * a process with TensorFlow imported, and about 6 ms more for each GiB in small pages.
 */
#ifndef KRS_PROC_FOOTPRINT_H
#define KRS_PROC_FOOTPRINT_H

#include <stddef.h>
#include <sys/types.h>

#include "keraser.h"

typedef struct {
    uint64_t rss;  /* resident set */
    uint64_t pss;  /* the same, each page divided by the processes that map it */
    uint64_t own;  /* USS: pages that no other process maps, files among them; what
                      goes if it ends */
    uint64_t made; /* of own what it made or changed, so no clean pages of files; and
                      its share of what is swapped out */
} krs__footprint;

/* KRS_FORMAT where the text is not as the kernel writes it, up to its last line. */
krs_status krs__footprint_parse(const char *text, size_t length,
                                krs__footprint *footprint);

/* KRS_SYSTEM where it cannot be read: errno is ESRCH where the process has ended,
 * ENOENT where the kernel has no such file (before 4.14, gVisor), EACCES where the
 * process is not ours. */
krs_status krs__footprint_read(pid_t pid, krs__footprint *footprint);

#endif
