#include "pids.h"

#include <stdlib.h>
#include <unistd.h>

#include "facts.h"
#include "wire/protocol.h"

/* A process that is gone has left its socket: connecting is what removes it. */
static void knock(pid_t pid) {
    int made;
    if (krs_place_connect(pid, &made) == KRS_OK)
        close(made);
}

static void add(void *context, pid_t pid) {
    krs_pids *pids = context;
    krs_facts facts;
    if (!krs_facts_read(pid, &facts)) {
        knock(pid);
        return;
    }
    if (facts.user != geteuid() || facts.state == 'Z' || facts.state == 'X')
        return;
    if (pids->count == pids->room) {
        const size_t room = pids->room == 0 ? 16 : 2 * pids->room;
        pid_t *grown = realloc(pids->pids, room * sizeof *grown);
        if (grown == NULL) {
            pids->failed = 1;
            return;
        }
        pids->pids = grown;
        pids->room = room;
    }
    pids->pids[pids->count++] = pid;
}

static int compare(const void *left, const void *right) {
    const pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;
    return (a > b) - (a < b);
}

void krs_pids_list(krs_pids *pids) {
    pids->count = 0;
    pids->failed = 0;
    krs_place_list(add, pids);
    if (pids->count == 0)
        return;
    qsort(pids->pids, pids->count, sizeof *pids->pids, compare);
    size_t kept = 1;
    for (size_t i = 1; i < pids->count; i++)
        if (pids->pids[i] != pids->pids[kept - 1])
            pids->pids[kept++] = pids->pids[i];
    pids->count = kept;
}

void krs_pids_free(krs_pids *pids) {
    free(pids->pids);
    *pids = (krs_pids){0};
}
