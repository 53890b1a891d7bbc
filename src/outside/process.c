#define _GNU_SOURCE /* process_vm_readv, nanosleep */
#include "outside/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "outside/refusal.h"
#include "proc/text.h"

enum { PATH_ROOM = 64, TEXT_ROOM = 4096 };

ptrdiff_t krs__process_memory(void *context, uint64_t address, void *to, size_t size) {
    const krs__process *process = context;
    const struct iovec ours = {to, size};
    const struct iovec theirs = {(void *)(uintptr_t)address, size};
    return process_vm_readv(process->pid, &ours, 1, &theirs, 1, 0);
}

/* ---- /proc/PID/stat ---------------------------------------------------------- */

/* "12 (a name) S 1 ...": the name may contain anything, so from its last bracket on. */
bool krs__process_parse(const char *text, size_t length, krs__process *process) {
    enum { FIELDS_BETWEEN = 18 }; /* of state and start */
    const char *at = memrchr(text, ')', length), *const end = text + length;
    uint64_t ignored, start;
    if (at == NULL || end - at < 4 || at[1] != ' ' || at[3] != ' ')
        return false;
    const char state = at[2];
    at += 3;
    for (int i = 0; i < FIELDS_BETWEEN; i++) {
        if (!krs__text_skip(&at, end, " "))
            return false;
        krs__text_skip(&at, end, "-");
        if (!krs__text_number(&at, end, 10, UINT64_MAX, &ignored))
            return false;
    }
    if (!krs__text_skip(&at, end, " ") ||
        !krs__text_number(&at, end, 10, UINT64_MAX, &start))
        return false;
    process->state = state;
    process->start = start;
    return true;
}

static bool read_stat(pid_t pid, krs__process *process) {
    char path[PATH_ROOM], text[TEXT_ROOM];
    size_t length;
    process->pid = pid;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return krs__text_read(path, text, sizeof text, &length) == KRS_OK &&
           krs__process_parse(text, length, process);
}

static void read_program(pid_t pid, char program[KRS__PROGRAM_BYTES]) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    const ssize_t length = readlink(path, program, KRS__PROGRAM_BYTES - 1);
    program[length > 0 ? length : 0] = '\0';
}

bool krs__process_runs_same(const krs__process *process) {
    char program[KRS__PROGRAM_BYTES];
    read_program(process->pid, program);
    /* One that ends has none. */
    return program[0] == '\0' || !strcmp(program, process->program);
}

static krs_status refuse(krs_outside_error *error, krs_outside_refusal refusal,
                         pid_t pid) {
    char number[24];
    snprintf(number, sizeof number, "%d", (int)pid);
    return krs__refuse(error, refusal, number);
}

static bool is_dead(char state) {
    return state == 'Z' || state == 'X' || state == 'x';
}

krs_status krs__process_find(pid_t pid, krs__process *process,
                             krs_outside_error *error) {
    char path[PATH_ROOM], detail[PATH_ROOM];
    struct stat owner;
    krs__process found;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (pid <= 0 || stat(path, &owner) != 0 || !read_stat(pid, &found))
        return refuse(error, KRS_OUTSIDE_ABSENT, pid);
    if (is_dead(found.state))
        return refuse(error, KRS_OUTSIDE_ZOMBIE, pid);
    if (geteuid() != 0 && owner.st_uid != geteuid()) {
        snprintf(detail, sizeof detail, "%d belongs to user %u, and we are user %u",
                 (int)pid, (unsigned)owner.st_uid, (unsigned)geteuid());
        return krs__refuse(error, KRS_OUTSIDE_OTHER_USER, detail);
    }
    read_program(pid, found.program);
    *process = found;
    return KRS_OK;
}

bool krs__process_look(krs__process *process) {
    krs__process now;
    if (!read_stat(process->pid, &now) || now.start != process->start ||
        is_dead(now.state))
        return false;
    process->state = now.state;
    return true;
}

bool krs__process_is_same(const krs__process *process) {
    krs__process copy = *process;
    return krs__process_look(&copy);
}

bool krs__process_ends(const krs__process *process) {
    const struct timespec moment = {.tv_nsec = 5000000};
    for (int i = 0; i < 20; i++) {
        if (!krs__process_is_same(process))
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

krs_status krs__process_explain(const krs__process *process, int failure,
                                krs_outside_error *error) {
    char detail[128];
    if (failure == ESRCH || !krs__process_is_same(process))
        return refuse(error, KRS_OUTSIDE_ENDED, process->pid);
    if (failure == EPERM || failure == EACCES)
        return refuse(error, KRS_OUTSIDE_FORBIDDEN, process->pid);
    snprintf(detail, sizeof detail, "%d cannot be read: %s", (int)process->pid,
             strerror(failure));
    return krs__refuse(error, KRS_OUTSIDE_SYSTEM, detail);
}
