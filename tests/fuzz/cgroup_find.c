/* Any two texts, with a NUL between them, are refused or understood as the group we are
 * in and what is mounted; a folder that is found lies in the mount. */
#include <stdlib.h>
#include <string.h>

#include "proc/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    enum { ROOM = 64 };
    const uint8_t *split = length == 0 ? NULL : memchr(bytes, '\0', length);
    const size_t first = split == NULL ? length : (size_t)(split - bytes);
    const size_t second = split == NULL ? 0 : length - first - 1;
    char *group = calloc(1, first + 1), *mounts = calloc(1, second + 1);
    must(group != NULL && mounts != NULL);
    if (first > 0)
        memcpy(group, bytes, first);
    if (second > 0)
        memcpy(mounts, split + 1, second);
    char folder[ROOM] = "f", mount[ROOM] = "m";
    const char *reason = NULL;
    const krs_status status =
        krs__cgroup_find(group, mounts, folder, mount, ROOM, &reason);
    if (status == KRS_OK) {
        must(reason == NULL && folder[0] == '/' && strlen(folder) < ROOM);
        must(strncmp(folder, mount, strlen(mount)) == 0);
    } else {
        must((status == KRS_UNSUPPORTED) == (reason != NULL));
        must(status == KRS_UNSUPPORTED || status == KRS_FORMAT);
        must(strcmp(folder, "f") == 0 && strcmp(mount, "m") == 0);
    }
    free(mounts);
    free(group);
    return 0;
}
