/* Which folder is our group of cgroup v2: /proc/self/cgroup names the group as seen
 * from the root of our cgroup namespace, /proc/self/mountinfo which part of the
 * hierarchy is mounted where, with the same root. */
#include <stdbool.h>
#include <string.h>

#include "proc/cgroup.h"
#include "proc/text.h"

typedef struct {
    const char *at;
    size_t length;
} word;

/* Takes what is before the next blank, or up to the end. */
static word take_word(const char **at, const char *end) {
    const char *blank = memchr(*at, ' ', (size_t)(end - *at));
    const word taken = {*at, (size_t)((blank == NULL ? end : blank) - *at)};
    *at = blank == NULL ? end : blank + 1;
    return taken;
}

static bool is(word w, const char *text) {
    return w.length == strlen(text) && memcmp(w.at, text, w.length) == 0;
}

static int octal(const char *at) {
    int value = 0;
    for (size_t i = 0; i < 3; i++) {
        if (at[i] < '0' || at[i] > '7')
            return -1;
        value = value * 8 + (at[i] - '0');
    }
    return value;
}

/* Writes a path of mountinfo as it is: blanks, tabs, newlines and backslashes stand
 * there as \ooo. False where it does not fit, or has no form the kernel writes. */
static bool unescape(word w, char *path, size_t room) {
    size_t length = 0;
    for (size_t i = 0; i < w.length; i++) {
        int c = (unsigned char)w.at[i];
        if (c == '\\') {
            if (w.length - i < 4 || (c = octal(w.at + i + 1)) <= 0 || c > 255)
                return false;
            i += 3;
        }
        if (length + 1 >= room)
            return false;
        path[length++] = (char)c;
    }
    path[length] = '\0';
    return length > 0 && path[0] == '/';
}

/* The folder that shows the group `group` where `root` is mounted at `mount`; false if
 * the mount does not show it, or there is no room. */
static bool place_group(const char *group, const char *root, const char *mount,
                        char *folder, size_t room) {
    const char *rest = group;
    const size_t root_length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(group, root, root_length) != 0)
        return false;
    rest += root_length;
    if (*rest != '\0' && *rest != '/')
        return false;
    if (strcmp(rest, "/") == 0)
        rest = "";
    if (strlen(mount) + strlen(rest) >= room)
        return false;
    strcpy(folder, mount);
    strcat(folder, rest);
    return true;
}

/* The path in the line "0::PATH" of /proc/self/cgroup. */
static bool find_group(const char *text, word *group) {
    for (const char *newline; (newline = strchr(text, '\n')) != NULL;
         text = newline + 1) {
        if (krs__text_skip(&text, newline, "0::")) {
            *group = (word){text, (size_t)(newline - text)};
            return group->length > 0 && *text == '/';
        }
    }
    return false;
}

enum { LONGEST = 4096 };

typedef struct {
    char group[LONGEST], folder[LONGEST], mount[LONGEST];
    bool mounted, shown;
} search;

/* Takes up a line of mountinfo, proc_pid_mountinfo(5). What is mounted later lies over
 * what was mounted before. */
static bool take_mount(search *s, const char *at, const char *end) {
    char root[LONGEST], mount[LONGEST], folder[LONGEST];
    for (int i = 0; i < 3; i++) /* number, parent's number, device */
        take_word(&at, end);
    const word root_word = take_word(&at, end), mount_word = take_word(&at, end);
    for (word w = take_word(&at, end); !is(w, "-"); w = take_word(&at, end)) {
        if (at == end)
            return false;
    }
    const word type = take_word(&at, end);
    if (!is(type, "cgroup2"))
        return type.length > 0;
    if (!unescape(root_word, root, sizeof root) ||
        !unescape(mount_word, mount, sizeof mount))
        return false;
    s->mounted = true;
    if (place_group(s->group, root, mount, folder, sizeof folder)) {
        s->shown = true;
        strcpy(s->folder, folder);
        strcpy(s->mount, mount);
    }
    return true;
}

static krs_status refuse(const char **reason, const char *why) {
    *reason = why;
    return KRS_UNSUPPORTED;
}

krs_status krs__cgroup_find(const char *cgroup, const char *mountinfo, char *folder,
                            char *mount, size_t room, const char **reason) {
    search s = {.mounted = false};
    word group;
    if (!find_group(cgroup, &group))
        return refuse(reason, "this process is in no group of cgroup v2");
    if (group.length >= sizeof s.group)
        return refuse(reason, "the path of our group is too long");
    memcpy(s.group, group.at, group.length);
    for (const char *newline; (newline = strchr(mountinfo, '\n')) != NULL;
         mountinfo = newline + 1) {
        if (!take_mount(&s, mountinfo, newline))
            return KRS_FORMAT;
    }
    if (!s.mounted)
        return refuse(reason, "cgroup v2 is not mounted");
    if (strncmp(s.group, "/..", 3) == 0)
        return refuse(reason, "our group lies outside of the cgroup namespace");
    if (!s.shown)
        return refuse(reason, "cgroup v2 is mounted without our group in it");
    if (strlen(s.folder) >= room)
        return refuse(reason, "the path of our group is too long");
    strcpy(folder, s.folder);
    strcpy(mount, s.mount);
    return KRS_OK;
}
