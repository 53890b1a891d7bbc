/* targets.h - all processes that top shows, asked at the same time, each on a
 * connection of its own. What /proc says of them is there at once, models come as they
 * answer; one that does not answer disturbs no other, and is not asked anew before it
 * has. */
#ifndef KRS_CLI_TARGETS_H
#define KRS_CLI_TARGETS_H

#include <poll.h>

#include "ask.h"
#include "facts.h"
#include "pids.h"
#include "rows.h"

enum { KRS_PATIENCE = 2 /* seconds, before a process is shown as one that is busy */ };

typedef struct {
    pid_t pid;
    krs_facts facts;
    char command[KRS_COMMAND];
    int socket;     /* of the question under way; -1: none */
    uint64_t asked; /* when that began */
    krs_rows coming;
    krs_rows rows; /* of its last whole answer; complete once there was one */
    krs_trouble trouble;
    char detail[KRS_DETAIL];
} krs_target;

/* But for `only`, zeroed it is empty. */
typedef struct {
    const pid_t *only; /* these and no others; NULL: all that listen */
    size_t only_count;
    krs_target **items; /* in no order */
    size_t count, room;
    krs_pids pids;
    struct pollfd *waiting;
    size_t waiting_room;
    int failed; /* without memory: not all are here, or not all were waited for */
} krs_targets;

/* Looks who is there, and at what /proc says of them; forgets those that are gone. */
void krs_targets_look(krs_targets *targets);

/* Asks all those that no question is under way to. */
void krs_targets_ask(krs_targets *targets);

/* Waits for answers, and for `others`, `timeout` ms at most (-1: for ever), and takes
 * the answers that have come. Whether there were any. */
int krs_targets_wait(krs_targets *targets, struct pollfd *others, size_t count,
                     int timeout);

/* Sees whose time is over. Ms until the next one's is, -1 where none is waited for. */
int krs_targets_judge(krs_targets *targets);

/* Asks all, and waits until each has answered or has had its time. */
void krs_targets_read(krs_targets *targets);

void krs_targets_free(krs_targets *targets);

#endif
