/* One group: made, entered, read, emptied, removed. */
#define _POSIX_C_SOURCE 200809L
#include "proc/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/cgroup_files.h"
#include "proc/fields.h"
#include "proc/text.h"

struct krs__cgroup {
    char *folder;
};

/* ---- its files -------------------------------------------------------------- */

bool krs__cgroup_path(char path[KRS__CGROUP_PATH], const char *folder,
                      const char *name) {
    const int length = snprintf(path, KRS__CGROUP_PATH, "%s/%s", folder, name);
    if (length > 0 && length < KRS__CGROUP_PATH)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

krs_status krs__cgroup_write(const char *folder, const char *name, const char *text) {
    char path[KRS__CGROUP_PATH];
    if (!krs__cgroup_path(path, folder, name))
        return KRS_SYSTEM;
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return KRS_SYSTEM;
    ssize_t written;
    do
        written = write(file, text, strlen(text));
    while (written < 0 && errno == EINTR);
    const int error = written < 0 ? errno : EIO;
    close(file);
    if (written == (ssize_t)strlen(text))
        return KRS_OK;
    errno = error;
    return KRS_SYSTEM;
}

krs_status krs__cgroup_text(const char *folder, const char *name, char *text,
                            size_t room) {
    char path[KRS__CGROUP_PATH];
    size_t length;
    if (!krs__cgroup_path(path, folder, name))
        return KRS_SYSTEM;
    const krs_status status = krs__text_read(path, text, room, &length);
    if (status == KRS_OK)
        text[length] = '\0';
    return status;
}

/* A setting that a kernel may not have, and need not. */
static krs_status write_optional(const char *folder, const char *name,
                                 const char *text) {
    const krs_status status = krs__cgroup_write(folder, name, text);
    return status == KRS_SYSTEM && errno == ENOENT ? KRS_OK : status;
}

/* ---- made ------------------------------------------------------------------- */

static krs_status set_limits(const char *folder, uint64_t memory) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, memory);
    krs_status status = krs__cgroup_write(folder, "memory.max", text);
    if (status == KRS_OK) /* else it would swap before it is stopped */
        status = write_optional(folder, "memory.swap.max", "0");
    if (status == KRS_OK)
        status = write_optional(folder, "memory.oom.group", "1");
    return status;
}

static bool is_name(const char *name) {
    return name[0] != '\0' && name[0] != '.' && strpbrk(name, "/\n") == NULL;
}

krs_status krs__cgroup_new(const krs__cgroup_place *place, const char *name,
                           uint64_t memory, krs__cgroup **group) {
    char folder[KRS__CGROUP_PATH];
    if (!is_name(name))
        return KRS_INVALID;
    if (!krs__cgroup_path(folder, krs__cgroup_place_folder(place), name))
        return KRS_SYSTEM;
    krs__cgroup *made = malloc(sizeof *made);
    char *kept = malloc(strlen(folder) + 1);
    krs_status status = made == NULL || kept == NULL ? KRS_NOMEM : KRS_OK;
    if (status == KRS_OK && mkdir(folder, 0755) != 0)
        status = KRS_SYSTEM;
    else if (status == KRS_OK && (status = set_limits(folder, memory)) != KRS_OK) {
        const int error = errno;
        rmdir(folder);
        errno = error;
    }
    if (status != KRS_OK) {
        free(kept);
        free(made);
        return status;
    }
    made->folder = strcpy(kept, folder);
    *group = made;
    return KRS_OK;
}

krs_status krs__cgroup_enter(const krs__cgroup *group, pid_t pid) {
    char text[24];
    snprintf(text, sizeof text, "%ld", (long)pid);
    return krs__cgroup_write(group->folder, "cgroup.procs", text);
}

/* ---- read ------------------------------------------------------------------- */

static krs_status read_number(const char *folder, const char *name, uint64_t *number) {
    char text[32];
    const krs_status status = krs__cgroup_text(folder, name, text, sizeof text);
    if (status != KRS_OK)
        return status;
    const char *at = text, *const end = text + strlen(text);
    if (!krs__text_number(&at, end, 10, UINT64_MAX, number) ||
        !krs__text_skip(&at, end, "\n") || at != end)
        return KRS_FORMAT;
    return KRS_OK;
}

krs_status krs__cgroup_read(const krs__cgroup *group, krs__cgroup_figures *figures) {
    static const krs__field kills = {"oom_kill ", "", 1, UINT64_MAX, true};
    krs__cgroup_figures read = {.peak = 0};
    char events[1024];
    uint64_t found;
    krs_status status = read_number(group->folder, "memory.current", &read.current);
    if (status == KRS_OK) {
        status = read_number(group->folder, "memory.peak", &read.peak);
        if (status == KRS_SYSTEM && errno == ENOENT)
            status = KRS_OK;
    }
    if (status == KRS_OK)
        status =
            krs__cgroup_text(group->folder, "memory.events", events, sizeof events);
    if (status != KRS_OK)
        return status;
    if (!krs__fields_read(events, strlen(events), &kills, 1, &read.oom_kills, &found) ||
        !krs__fields_complete(&kills, 1, found))
        return KRS_FORMAT;
    *figures = read;
    return KRS_OK;
}

/* ---- emptied and removed ---------------------------------------------------- */

/* Ends each process that the group names; how many there were. One of another pid
 * namespace stands there as 0, which to kill() is our own process group. */
static krs_status kill_each(const char *folder, size_t *count) {
    char path[KRS__CGROUP_PATH], *text;
    if (!krs__cgroup_path(path, folder, "cgroup.procs"))
        return KRS_SYSTEM;
    const krs_status status = krs__text_load(path, &text);
    if (status != KRS_OK)
        return status;
    const char *at = text, *const end = text + strlen(text);
    uint64_t pid;
    *count = 0;
    while (krs__text_number(&at, end, 10, INT32_MAX, &pid) &&
           krs__text_skip(&at, end, "\n")) {
        *count += pid > 0 && kill((pid_t)pid, SIGKILL) == 0;
    }
    free(text);
    return KRS_OK;
}

krs_status krs__cgroup_kill(const krs__cgroup *group) {
    enum { ROUNDS = 16 }; /* a process may start another between look and kill */
    krs_status status = krs__cgroup_write(group->folder, "cgroup.kill", "1");
    if (status != KRS_SYSTEM || errno != ENOENT)
        return status;
    size_t killed = 1;
    status = KRS_OK;
    for (int i = 0; i < ROUNDS && killed > 0 && status == KRS_OK; i++)
        status = kill_each(group->folder, &killed);
    return status;
}

void krs__cgroup_forget(krs__cgroup *group) {
    if (group == NULL)
        return;
    free(group->folder);
    free(group);
}

krs_status krs__cgroup_free(krs__cgroup *group) {
    if (group != NULL && rmdir(group->folder) != 0 && errno != ENOENT)
        return KRS_SYSTEM;
    krs__cgroup_forget(group);
    return KRS_OK;
}
