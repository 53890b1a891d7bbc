/* Where processes listen: folders that are their user's alone, with a socket for each
 * process, named by its process id. */
#define _GNU_SOURCE /* struct ucred */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/protocol.h"

enum { BACKLOG = 16, DECIMAL = 10, NAME_ROOM = 16 /* slash, dot, process id */ };

/* As snprintf(); 0 where there is no such place, or it is an earlier one. */
static int write_folder(unsigned index, char *path, size_t room) {
    char usual[sizeof "/run/user/4294967295"];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const unsigned user = (unsigned)geteuid();
    snprintf(usual, sizeof usual, "/run/user/%u", user);
    if (runtime == NULL || *runtime != '/')
        runtime = usual;
    if (index == 0)
        return snprintf(path, room, "%s/keraser", runtime);
    if (index == 1)
        return strcmp(runtime, usual) ? snprintf(path, room, "%s/keraser", usual) : 0;
    return snprintf(path, room, "/tmp/keraser-%u", user);
}

/* 0 with errno: another user could have made it, or can write there. */
static int is_ours_alone(const char *path) {
    struct stat folder;
    if (lstat(path, &folder) < 0)
        return 0;
    errno = EPERM;
    return S_ISDIR(folder.st_mode) && folder.st_uid == geteuid() &&
           !(folder.st_mode & (S_IRWXG | S_IRWXO));
}

krs_status krs_place_folder(unsigned index, int make, char path[KRS_PLACE_PATH]) {
    if (index >= KRS_PLACES)
        return KRS_INVALID;
    char folder[KRS_PLACE_PATH];
    const int length = write_folder(index, folder, sizeof folder);
    errno = length == 0 ? ENOENT : ENAMETOOLONG;
    if (length <= 0 || (size_t)length > sizeof folder - NAME_ROOM)
        return KRS_SYSTEM;
    if (make && mkdir(folder, S_IRWXU) < 0 && errno != EEXIST)
        return KRS_SYSTEM;
    if (!is_ours_alone(folder))
        return KRS_SYSTEM;
    memcpy(path, folder, (size_t)length + 1);
    return KRS_OK;
}

/* A socket of this kind and the name that it is to have; -1 with errno. */
static int open_socket(const char *path, struct sockaddr_un *name) {
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    strncpy(name->sun_path, path, sizeof name->sun_path - 1);
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Keeps errno, of what went wrong before; -1. */
static int close_after(int file) {
    const int error = errno;
    close(file);
    errno = error;
    return -1;
}

/* A connection; -1 with errno. A socket that nobody listens on is removed, as which
 * ENOENT counts. */
static int connect_path(const char *path) {
    struct sockaddr_un name;
    const int made = open_socket(path, &name);
    if (made < 0 || connect(made, (struct sockaddr *)&name, sizeof name) == 0)
        return made;
    close_after(made);
    if (errno == ECONNREFUSED) {
        unlink(path);
        errno = ENOENT;
    }
    return -1;
}

/* Who listens must be whom the name says, and of this user. */
static krs_status check_peer(int made, pid_t pid, int *connected) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int failed = getsockopt(made, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    if (failed == 0 && (peer.uid != geteuid() || peer.pid != pid)) {
        errno = EPERM;
        failed = -1;
    }
    if (failed) {
        close_after(made);
        return KRS_SYSTEM;
    }
    *connected = made;
    return KRS_OK;
}

static void write_path(const char *folder, const char *dot, pid_t pid, char *path) {
    snprintf(path, KRS_PLACE_PATH, "%.*s/%s%ld", KRS_PLACE_PATH - NAME_ROOM, folder,
             dot, (long)pid);
}

krs_status krs_place_connect(pid_t pid, int *connected) {
    char folder[KRS_PLACE_PATH], path[KRS_PLACE_PATH];
    int error = ENOENT;
    for (unsigned i = 0; i < KRS_PLACES; i++) {
        if (krs_place_folder(i, 0, folder) != KRS_OK)
            continue;
        write_path(folder, "", pid, path);
        const int made = connect_path(path);
        if (made >= 0)
            return check_peer(made, pid, connected);
        if (errno != ENOENT)
            error = errno;
    }
    errno = error;
    return KRS_SYSTEM;
}

/* The process id that `name` is, 0 for any other text. */
static pid_t read_pid(const char *name) {
    char *end = NULL;
    errno = 0;
    const long pid = *name >= '1' && *name <= '9' ? strtol(name, &end, DECIMAL) : 0;
    return pid > 0 && pid == (pid_t)pid && errno == 0 && *end == '\0' ? (pid_t)pid : 0;
}

typedef void found_function(void *context, pid_t pid);

static void each_in(const char *folder, found_function *found, void *context) {
    DIR *files = opendir(folder);
    if (files == NULL)
        return;
    for (struct dirent *file; (file = readdir(files)) != NULL;) {
        const pid_t pid = read_pid(file->d_name);
        if (pid > 0)
            found(context, pid);
    }
    closedir(files);
}

void krs_place_list(found_function *found, void *context) {
    char folder[KRS_PLACE_PATH];
    for (unsigned i = 0; i < KRS_PLACES; i++)
        if (krs_place_folder(i, 0, folder) == KRS_OK)
            each_in(folder, found, context);
}

/* Connecting is what removes a socket that nobody listens on. */
static void knock(void *context, pid_t pid) {
    char path[KRS_PLACE_PATH];
    write_path(context, "", pid, path);
    const int made = connect_path(path);
    if (made >= 0)
        close(made);
}

/* Whoever finds a socket under its name can connect to it: until it listens it has
 * another one. */
static int listen_at(const char *folder, pid_t pid, char path[KRS_PLACE_PATH]) {
    struct sockaddr_un name;
    char early[KRS_PLACE_PATH];
    write_path(folder, ".", pid, early);
    write_path(folder, "", pid, path);
    const int made = open_socket(early, &name);
    if (made < 0)
        return -1;
    unlink(early); /* of a process that had this number */
    if (bind(made, (struct sockaddr *)&name, sizeof name) < 0)
        return close_after(made);
    if (listen(made, BACKLOG) == 0 && rename(early, path) == 0)
        return made;
    close_after(made);
    const int error = errno;
    unlink(early);
    errno = error;
    return -1;
}

krs_status krs_place_listen(pid_t pid, int *listener, char path[KRS_PLACE_PATH]) {
    char folder[KRS_PLACE_PATH], found[KRS_PLACE_PATH];
    int error = ENOENT;
    for (unsigned i = 0; i < KRS_PLACES; i++) {
        if (krs_place_folder(i, 1, folder) == KRS_OK) {
            each_in(folder, knock, folder);
            const int made = listen_at(folder, pid, found);
            if (made >= 0) {
                memcpy(path, found, sizeof found);
                *listener = made;
                return KRS_OK;
            }
        }
        if (errno != ENOENT)
            error = errno;
    }
    errno = error;
    return KRS_SYSTEM;
}

void krs_place_leave(const char *path) {
    unlink(path);
}
