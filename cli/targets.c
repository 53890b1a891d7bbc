#include "targets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void end_question(krs_target *target) {
    if (target->socket >= 0)
        close(target->socket);
    target->socket = -1;
    krs_rows_clear(&target->coming);
}

static void free_target(krs_target *target) {
    end_question(target);
    krs_rows_free(&target->coming);
    krs_rows_free(&target->rows);
    free(target);
}

void krs_targets_free(krs_targets *targets) {
    for (size_t i = 0; i < targets->count; i++)
        free_target(targets->items[i]);
    free(targets->items);
    free(targets->waiting);
    krs_pids_free(&targets->pids);
    *targets = (krs_targets){.only = targets->only, .only_count = targets->only_count};
}

static int has(const krs_targets *targets, pid_t pid) {
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i]->pid == pid)
            return 1;
    return 0;
}

static void add(krs_targets *targets, pid_t pid) {
    if (has(targets, pid))
        return;
    if (targets->count == targets->room) {
        const size_t room = targets->room == 0 ? 16 : 2 * targets->room;
        krs_target **grown = realloc(targets->items, room * sizeof *grown);
        if (grown == NULL) {
            targets->failed = 1;
            return;
        }
        targets->items = grown;
        targets->room = room;
    }
    krs_target *target = malloc(sizeof *target);
    if (target == NULL) {
        targets->failed = 1;
        return;
    }
    memset(target, 0, sizeof *target);
    target->pid = pid;
    target->socket = -1;
    targets->items[targets->count++] = target;
}

static int is_listed(const krs_targets *targets, pid_t pid) {
    const pid_t *pids = targets->only != NULL ? targets->only : targets->pids.pids;
    const size_t count =
        targets->only != NULL ? targets->only_count : targets->pids.count;
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return 1;
    return 0;
}

/* One that was asked for by name stays, as one that is not there. */
static int look_at(const krs_targets *targets, krs_target *target) {
    if (!is_listed(targets, target->pid))
        return 0;
    if (krs_facts_read(target->pid, &target->facts)) {
        krs_facts_command(target->pid, target->command);
        return 1;
    }
    end_question(target);
    krs_rows_clear(&target->rows);
    target->facts = (krs_facts){0};
    target->trouble = KRS_TROUBLE_ABSENT;
    *target->detail = '\0';
    return targets->only != NULL;
}

static int listens(const krs_targets *targets, krs_target *target) {
    return targets->only != NULL || target->trouble != KRS_TROUBLE_MUTE;
}

/* Forgets those that are not `kept`. */
static void keep(krs_targets *targets,
                 int (*kept)(const krs_targets *targets, krs_target *target)) {
    size_t count = 0;
    for (size_t i = 0; i < targets->count; i++) {
        if (kept(targets, targets->items[i]))
            targets->items[count++] = targets->items[i];
        else
            free_target(targets->items[i]);
    }
    targets->count = count;
}

void krs_targets_look(krs_targets *targets) {
    targets->failed = 0;
    if (targets->only == NULL)
        krs_pids_list(&targets->pids);
    targets->failed = targets->pids.failed;
    for (size_t i = 0; i < targets->only_count; i++)
        add(targets, targets->only[i]);
    for (size_t i = 0; i < targets->pids.count; i++)
        add(targets, targets->pids.pids[i]);
    keep(targets, look_at);
}

void krs_targets_ask(krs_targets *targets) {
    const krs_frame question = krs_question_of(KRS_VERB_TOP, NULL);
    for (size_t i = 0; i < targets->count; i++) {
        krs_target *target = targets->items[i];
        if (target->socket >= 0)
            continue;
        const krs_trouble trouble =
            krs_ask_begin(target->pid, &question, &target->socket, target->detail);
        if (trouble != KRS_TROUBLE_NONE)
            target->trouble = trouble;
        target->asked = krs_now();
    }
    /* What was left under the number of a process that never listened. */
    keep(targets, listens);
}

static void end_with(krs_target *target, krs_trouble trouble) {
    target->trouble = trouble;
    end_question(target);
}

/* Takes all that has come by now. */
static void take(krs_target *target) {
    char bytes[KRS_FRAME_MOST];
    krs_frame frame;
    int descriptor, got;
    for (;;) {
        krs_trouble trouble =
            krs_ask_receive(target->pid, target->socket, bytes, &frame, &descriptor,
                            &got, target->detail);
        if (trouble == KRS_TROUBLE_NONE && !got)
            return;
        if (got && descriptor >= 0)
            close(descriptor);
        if (trouble == KRS_TROUBLE_NONE)
            trouble = krs_rows_take(&target->coming, &frame);
        if (trouble == KRS_TROUBLE_NONE && !target->coming.complete)
            continue;
        if (trouble == KRS_TROUBLE_NONE) {
            const krs_rows before = target->rows;
            target->rows = target->coming;
            target->coming = before;
        }
        end_with(target, trouble);
        return;
    }
}

/* 0 without memory. */
static int make_room(krs_targets *targets, size_t count) {
    if (count <= targets->waiting_room)
        return 1;
    struct pollfd *grown = realloc(targets->waiting, count * sizeof *grown);
    if (grown == NULL)
        return 0;
    targets->waiting = grown;
    targets->waiting_room = count;
    return 1;
}

int krs_targets_wait(krs_targets *targets, struct pollfd *others, size_t count,
                     int timeout) {
    enum { LITTLE = 100 /* ms */ };
    if (!make_room(targets, targets->count + count)) {
        targets->failed = 1;
        poll(others, count, LITTLE);
        return 0;
    }
    for (size_t i = 0; i < targets->count; i++)
        targets->waiting[i] =
            (struct pollfd){.fd = targets->items[i]->socket, .events = POLLIN};
    struct pollfd *behind = targets->waiting + targets->count;
    if (count > 0)
        memcpy(behind, others, count * sizeof *others);
    const int ready = poll(targets->waiting, targets->count + count, timeout);
    int came = 0;
    for (size_t i = 0; i < count; i++)
        others[i].revents = ready > 0 ? behind[i].revents : 0;
    for (size_t i = 0; ready > 0 && i < targets->count; i++)
        if (targets->waiting[i].fd >= 0 && targets->waiting[i].revents) {
            take(targets->items[i]);
            came = 1;
        }
    return came;
}

int krs_targets_judge(krs_targets *targets) {
    const uint64_t patience = UINT64_C(1000000000) * KRS_PATIENCE, now = krs_now();
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < targets->count; i++) {
        krs_target *target = targets->items[i];
        if (target->socket < 0)
            continue;
        const uint64_t end = target->asked + patience;
        if (now < end) {
            least = end - now < least ? end - now : least;
            continue;
        }
        const krs_trouble trouble = krs_ask_look(target->pid);
        if (trouble == KRS_TROUBLE_ENDED)
            end_with(target, trouble);
        else
            target->trouble = trouble != KRS_TROUBLE_NONE ? trouble : KRS_TROUBLE_BUSY;
        *target->detail = '\0';
    }
    return least == UINT64_MAX ? -1 : (int)(least / 1000000) + 1;
}

void krs_targets_read(krs_targets *targets) {
    krs_targets_look(targets);
    krs_targets_ask(targets);
    for (int left; (left = krs_targets_judge(targets)) >= 0;)
        krs_targets_wait(targets, NULL, 0, left);
}
