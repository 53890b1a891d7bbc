/* The part of the watch that looks at memory. */
#ifndef KRS_SERVER_WATCH_MEMORY_H
#define KRS_SERVER_WATCH_MEMORY_H

#include "server/watch.h"

enum {
    KRS__LOOK_SOONEST = 1000000,  /* ns */
    KRS__LOOK_LATEST = 100000000, /* with a limit; figures alone may be older */
};

/* How long from now to the first look at memory that matters. */
uint64_t krs__watch_memory_first(const krs__limits *limits);

/* Looks at memory by itself; moves `*now` on by what a close look took, and `*next`
 * forward to when it wants to look again. */
krs__verdict krs__watch_memory(krs__watch *watch, uint64_t *now, uint64_t *next);

/* Looks at what the kernel says of the group that it keeps the limit of. */
krs__verdict krs__watch_group(krs__watch *watch);

#endif
