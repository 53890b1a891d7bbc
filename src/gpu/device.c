#define _POSIX_C_SOURCE 200809L
#include "gpu/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void take_link(const char *target, krs__gpu_devices *devices) {
    static const char nvidia[] = "/dev/nvidia", wsl[] = "/dev/dxg";
    const bool is_wsl = strcmp(target, wsl) == 0;
    if (!is_wsl && strncmp(target, nvidia, strlen(nvidia)) != 0)
        return;
    devices->any = true;
    devices->cuda |= is_wsl || strcmp(target, "/dev/nvidia-uvm") == 0;
}

krs_status krs__gpu_devices_read(krs__gpu_devices *devices) {
    krs__gpu_devices seen = {.any = false};
    DIR *links = opendir("/proc/self/fd");
    if (links == NULL)
        return KRS_SYSTEM;
    const struct dirent *link;
    while ((errno = 0, link = readdir(links)) != NULL) {
        char target[64]; /* cut where it is longer than any of those looked for */
        const ssize_t length =
            readlinkat(dirfd(links), link->d_name, target, sizeof target - 1);
        if (length < 0) /* "." and "..", and one that another thread has closed */
            continue;
        target[length] = '\0';
        take_link(target, &seen);
    }
    const int error = errno;
    closedir(links);
    errno = error;
    if (error != 0)
        return KRS_SYSTEM;
    *devices = seen;
    return KRS_OK;
}
