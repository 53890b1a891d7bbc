#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* By one call, since the kernel composes such a text anew for each; bytes, -1 with
 * errno. */
static ssize_t read_file(pid_t pid, const char *name, char *text, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    const ssize_t length = read(file, text, room - 1);
    const int error = errno;
    close(file);
    errno = error;
    text[length < 0 ? 0 : length] = '\0';
    return length;
}

/* Behind `name` at the begin of a line; NULL if there is none. The kernel escapes
 * newlines in what a process calls itself. */
static const char *field(const char *text, const char *name) {
    const size_t length = strlen(name);
    for (const char *line = text; line != NULL && *line;) {
        if (strncmp(line, name, length) == 0)
            return line + length;
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return NULL;
}

int krs_facts_parse(const char *text, krs_facts *facts) {
    const char *state = field(text, "State:\t"), *user = field(text, "Uid:\t");
    const char *rss = field(text, "VmRSS:\t");
    krs_facts read = {0};
    uint32_t effective;
    uint64_t kib;
    if (state == NULL || *state < 'A' || *state > 'z' || user == NULL ||
        sscanf(user, "%*u %" SCNu32, &effective) != 1)
        return 0;
    read.state = *state;
    read.user = (uid_t)effective;
    if (rss != NULL && sscanf(rss, "%" SCNu64 " kB", &kib) == 1 &&
        kib <= UINT64_MAX / 1024)
        read.rss = kib * 1024;
    *facts = read;
    return 1;
}

int krs_facts_read(pid_t pid, krs_facts *facts) {
    char text[KRS_STATUS_TEXT];
    if (read_file(pid, "status", text, sizeof text) > 0)
        return krs_facts_parse(text, facts);
    if (kill(pid, 0) == 0 || errno == ESRCH)
        return 0; /* it went between the two calls */
    *facts = (krs_facts){.user = (uid_t)-1, .state = '?'};
    return 1;
}

void krs_facts_command(pid_t pid, char command[KRS_COMMAND]) {
    ssize_t length = read_file(pid, "cmdline", command, KRS_COMMAND);
    while (length > 0 && command[length - 1] == '\0')
        length--;
    if (length <= 0) {
        length = read_file(pid, "comm", command, KRS_COMMAND);
        command[strcspn(command, "\n")] = '\0';
        return;
    }
    for (ssize_t i = 0; i < length; i++)
        if (command[i] == '\0' || command[i] == '\n' || command[i] == '\t')
            command[i] = ' ';
}
