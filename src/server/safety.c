/* Whether this process may be forked. A fork copies one thread: locks that others hold
 * stay locked in the child for ever, and a runtime whose threads are gone waits for
 * them. TensorFlow is such a runtime once it has run an operation: the first function
 * that a child traces then hangs. CUDA refuses to work in a child of a process that has
 * initialised it. */
#define _GNU_SOURCE /* siginfo_t and sigset_t, in server.h */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gpu/device.h"
#include "proc/text.h"
#include "server/server.h"

enum { NAME_BYTES = 32, NAMES = 4 };

/* The name of a thread, "" where it has ended meanwhile. */
static void read_name(const char *task, char name[NAME_BYTES]) {
    char path[64];
    if (snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", task) < 0)
        return;
    size_t length;
    if (krs__text_read(path, name, NAME_BYTES, &length) != KRS_OK)
        length = 0;
    name[length] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

/* Adds the names of some threads but the first to what `reason` says. */
static void name_threads(char *reason, size_t room) {
    DIR *tasks = opendir("/proc/self/task");
    char own[24], name[NAME_BYTES];
    if (tasks == NULL)
        return;
    snprintf(own, sizeof own, "%ld", (long)getpid());
    int named = 0;
    for (struct dirent *task; named < NAMES && (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.' || strcmp(task->d_name, own) == 0)
            continue;
        read_name(task->d_name, name);
        const size_t length = strlen(reason);
        snprintf(reason + length, room - length, "%s%s", named++ == 0 ? ": " : ", ",
                 name);
    }
    closedir(tasks);
}

bool krs__safety_look(const krs_server_hooks *hooks, char *reason, size_t room) {
    krs_process process;
    krs__gpu_devices devices;
    if (hooks->hazard(hooks->context, reason, room) != 0)
        return false;
    if (krs_process_read(&process) != KRS_OK) {
        snprintf(reason, room, "the server cannot tell how many threads it has");
        return false;
    }
    if (process.threads != 1) {
        snprintf(reason, room, "the server has %u threads", process.threads);
        name_threads(reason, room);
        return false;
    }
    if (krs__gpu_devices_read(&devices) == KRS_OK && devices.cuda) {
        snprintf(reason, room, "the server has CUDA initialised");
        return false;
    }
    return true;
}
