/* Where groups of ours can be made.
 *
 * Below a group of cgroup v2 others have the memory controller only if it passes it on
 * (cgroup.subtree_control), and one that does, the root excepted, may hold no process
 * itself. So our own group, which holds us, is hardly ever the place; its parent is,
 * where it has been handed to us (systemd's Delegate=, a container's own hierarchy).
 * Groups beside our own escape a limit that is set on it: where there is one we do not
 * go past it. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "proc/cgroup_files.h"
#include "proc/text.h"

struct krs__cgroup_place {
    char folder[KRS__CGROUP_PATH];
};

const char *krs__cgroup_place_folder(const krs__cgroup_place *place) {
    return place->folder;
}

void krs__cgroup_place_close(krs__cgroup_place *place) {
    free(place);
}

/* Whether `name` is `prefix`, the number of a process that is no more, and a dash. */
static bool is_left_behind(const char *name, const char *prefix) {
    const size_t length = strlen(prefix);
    char *end, path[32];
    struct stat there;
    if (strncmp(name, prefix, length) != 0)
        return false;
    const long pid = strtol(name + length, &end, 10);
    if (pid <= 0 || *end != '-')
        return false;
    snprintf(path, sizeof path, "/proc/%ld", pid);
    return stat(path, &there) < 0 && errno == ENOENT;
}

void krs__cgroup_place_sweep(const krs__cgroup_place *place, const char *prefix) {
    DIR *folder = opendir(place->folder);
    if (folder == NULL)
        return;
    for (struct dirent *group; (group = readdir(folder)) != NULL;)
        if (is_left_behind(group->d_name, prefix))
            unlinkat(dirfd(folder), group->d_name, AT_REMOVEDIR);
    closedir(folder);
}

/* Whether the list of controllers in the file names memory. */
static bool names_memory(const char *folder, const char *file) {
    char text[1024];
    if (krs__cgroup_text(folder, file, text, sizeof text) != KRS_OK)
        return false;
    char *rest = text;
    for (const char *name; (name = strtok_r(rest, " \n", &rest)) != NULL;) {
        if (strcmp(name, "memory") == 0)
            return true;
    }
    return false;
}

static bool has_file(const char *folder, const char *name) {
    char path[KRS__CGROUP_PATH];
    return krs__cgroup_path(path, folder, name) && access(path, F_OK) == 0;
}

/* The root alone has no type; others must hold no process. */
static bool may_pass_on(const char *folder) {
    char text[64];
    return !has_file(folder, "cgroup.type") ||
           (krs__cgroup_text(folder, "cgroup.procs", text, sizeof text) == KRS_OK &&
            text[0] == '\0');
}

/* Moving a process needs leave to write to the nearest group above both ends. */
static bool may_move(const char *folder) {
    char path[KRS__CGROUP_PATH];
    return krs__cgroup_path(path, folder, "cgroup.procs") && access(path, W_OK) == 0;
}

/* Makes a group and removes it. */
static krs_status try_group(const krs__cgroup_place *place) {
    char name[48];
    krs__cgroup *group;
    snprintf(name, sizeof name, "keraser-test-%ld", (long)getpid());
    krs_status status = krs__cgroup_new(place, name, UINT64_C(1) << 30, &group);
    if (status != KRS_OK)
        return status;
    status = krs__cgroup_free(group);
    if (status != KRS_OK)
        krs__cgroup_forget(group);
    return status;
}

/* Tries one group as the place. */
static krs_status try_place(const krs__cgroup_place *place, const char **reason) {
    bool passed_on = false;
    *reason = "no group above ours has the memory controller";
    if (!names_memory(place->folder, "cgroup.controllers"))
        return KRS_UNSUPPORTED;
    *reason = "the groups above ours are not writable";
    if (!may_move(place->folder))
        return KRS_UNSUPPORTED;
    if (!names_memory(place->folder, "cgroup.subtree_control")) {
        *reason = "the memory controller is not passed on, since processes are beside";
        if (!may_pass_on(place->folder))
            return KRS_UNSUPPORTED;
        *reason = "the memory controller cannot be passed on";
        if (krs__cgroup_write(place->folder, "cgroup.subtree_control", "+memory") !=
            KRS_OK)
            return KRS_UNSUPPORTED;
        passed_on = true;
    }
    const krs_status status = try_group(place);
    if (status == KRS_OK)
        return KRS_OK;
    *reason = errno == ENOENT ? "a group made below ours has no limit on memory"
                              : "no group can be made below those above ours";
    if (passed_on)
        krs__cgroup_write(place->folder, "cgroup.subtree_control", "-memory");
    return status == KRS_NOMEM ? KRS_NOMEM : KRS_UNSUPPORTED;
}

/* Whether the group has a limit that one beside it would not have. */
static bool is_limited(const char *folder) {
    static const char *const limits[] = {"memory.max", "memory.high"};
    char text[32];
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (krs__cgroup_text(folder, limits[i], text, sizeof text) == KRS_OK &&
            strcmp(text, "max\n") != 0)
            return true;
    }
    return false;
}

/* From the group in `place` upwards; what is said in the end is why our own parent, or
 * the highest group that came nearer to being one, is no place. */
static krs_status climb(krs__cgroup_place *place, size_t top, const char **reason) {
    for (;;) {
        const krs_status status = try_place(place, reason);
        if (status != KRS_UNSUPPORTED)
            return status;
        if (strlen(place->folder) <= top)
            return status;
        if (is_limited(place->folder)) {
            *reason = "our own group has a limit, which groups beside it would escape";
            return status;
        }
        *strrchr(place->folder, '/') = '\0';
    }
}

static krs_status find_own(const krs__cgroup_files *files, char *folder, char *mount,
                           size_t room, const char **reason) {
    const bool given = files != NULL;
    char *cgroup = NULL, *mountinfo = NULL;
    krs_status status = krs__text_load(
        given && files->cgroup ? files->cgroup : "/proc/self/cgroup", &cgroup);
    if (status == KRS_OK)
        status = krs__text_load(given && files->mountinfo ? files->mountinfo
                                                          : "/proc/self/mountinfo",
                                &mountinfo);
    if (status == KRS_OK)
        status = krs__cgroup_find(cgroup, mountinfo, folder, mount, room, reason);
    free(mountinfo);
    free(cgroup);
    return status;
}

krs_status krs__cgroup_place_open(const krs__cgroup_files *files,
                                  krs__cgroup_place **place, const char **reason) {
    enum { ROOM = 4096 };
    char mount[ROOM];
    krs__cgroup_place *opened = malloc(sizeof *opened);
    if (opened == NULL)
        return KRS_NOMEM;
    const char *why = NULL;
    krs_status status = find_own(files, opened->folder, mount, ROOM, &why);
    if (status == KRS_OK)
        status = climb(opened, strlen(mount), &why);
    if (status == KRS_OK) {
        *place = opened;
        return KRS_OK;
    }
    if (status == KRS_UNSUPPORTED)
        *reason = why;
    free(opened);
    return status;
}
