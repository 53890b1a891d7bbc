#define _POSIX_C_SOURCE 200809L
#include "gpu/nvml.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/array.h"

/* What nvml.h of CUDA 12 declares, and every driver since 510 (_v3) or 470 (_v2) has.
 */
typedef void *device;
typedef struct {
    unsigned pid;
    unsigned long long used; /* NOT_AVAILABLE where the driver does not tell */
    unsigned gpu_instance, compute_instance;
} process_info;

enum {
    SUCCESS = 0,
    NO_PERMISSION = 4,
    INSUFFICIENT_SIZE = 7,
    GPU_IS_LOST = 15,
    SPARE = 16, /* processes that may come between two calls */
};
#define NOT_AVAILABLE (~0ULL)
#define WHOLE_GPU (~0U) /* gpu_instance where a GPU is not divided */

#define FUNCTIONS(X)                                                                   \
    X(start, "nvmlInit_v2", (void))                                                    \
    X(stop, "nvmlShutdown", (void))                                                    \
    X(count, "nvmlDeviceGetCount_v2", (unsigned *))                                    \
    X(device_at, "nvmlDeviceGetHandleByIndex_v2", (unsigned, device *))

static const char *const list_names[] = {"nvmlDeviceGetComputeRunningProcesses_v3",
                                         "nvmlDeviceGetComputeRunningProcesses_v2"};

struct krs__nvml {
    void *library;
#define X(name, symbol, arguments) int(*name) arguments;
    FUNCTIONS(X)
#undef X
    int (*list)(device, unsigned *, process_info *);
    int (*device_on)(const char *bus, device *); /* NULL where there is none */
    process_info *infos;
    unsigned room;
};

static bool find_all(krs__nvml *n) {
    bool all = true;
    /* POSIX's way round ISO C, which has no cast from an object to a function. */
#define X(name, symbol, arguments)                                                     \
    *(void **)&n->name = dlsym(n->library, symbol);                                    \
    all &= n->name != NULL;
    FUNCTIONS(X)
#undef X
    for (size_t i = 0; n->list == NULL && i < sizeof list_names / sizeof *list_names;
         i++)
        *(void **)&n->list = dlsym(n->library, list_names[i]);
    *(void **)&n->device_on = dlsym(n->library, "nvmlDeviceGetHandleByPciBusId_v2");
    return all && n->list != NULL;
}

krs_status krs__nvml_open(const char *path, krs__nvml **nvml) {
    krs__nvml *n = calloc(1, sizeof *n);
    if (n == NULL)
        return KRS_NOMEM;
    n->library =
        dlopen(path == NULL ? "libnvidia-ml.so.1" : path, RTLD_NOW | RTLD_LOCAL);
    if (n->library != NULL && find_all(n) && n->start() == SUCCESS) {
        *nvml = n;
        return KRS_OK;
    }
    if (n->library != NULL)
        dlclose(n->library);
    free(n);
    return KRS_UNSUPPORTED;
}

void krs__nvml_close(krs__nvml *nvml) {
    if (nvml == NULL)
        return;
    nvml->stop();
    dlclose(nvml->library);
    free(nvml->infos);
    free(nvml);
}

/* Lists the processes of a device into n->infos, which grows as needed. */
static krs_status list_processes(krs__nvml *n, device d, unsigned *count) {
    enum { TRIES = 4 };
    for (int i = 0; i < TRIES; i++) {
        *count = n->room;
        const int answer = n->list(d, count, n->infos);
        if (answer == SUCCESS)
            return *count <= n->room ? KRS_OK : KRS_UNSUPPORTED;
        if (answer != INSUFFICIENT_SIZE || *count > UINT32_MAX - SPARE)
            return KRS_UNSUPPORTED;
        const unsigned room = *count + SPARE;
        process_info *infos = krs__array_resize(n->infos, room, sizeof *infos);
        if (infos == NULL)
            return KRS_NOMEM;
        n->infos = infos;
        n->room = room;
    }
    return KRS_UNSUPPORTED;
}

/* Adds what the process has on one device; with MIG it may be listed several times. */
static krs_status add_used(krs__nvml *n, device d, unsigned pid, uint64_t *bytes) {
    unsigned count;
    const krs_status status = list_processes(n, d, &count);
    if (status != KRS_OK)
        return status;
    for (unsigned i = 0; i < count; i++) {
        if (n->infos[i].pid != pid)
            continue;
        if (n->infos[i].used == NOT_AVAILABLE)
            return KRS_UNSUPPORTED;
        *bytes += n->infos[i].used;
    }
    return KRS_OK;
}

krs_status krs__nvml_used(krs__nvml *nvml, pid_t pid, uint64_t *bytes) {
    unsigned devices;
    uint64_t sum = 0;
    if (nvml->count(&devices) != SUCCESS)
        return KRS_UNSUPPORTED;
    for (unsigned i = 0; i < devices; i++) {
        device d;
        const int answer = nvml->device_at(i, &d);
        if (answer == NO_PERMISSION || answer == GPU_IS_LOST)
            continue; /* then it is not used either */
        const krs_status status = answer == SUCCESS
                                      ? add_used(nvml, d, (unsigned)pid, &sum)
                                      : KRS_UNSUPPORTED;
        if (status != KRS_OK)
            return status;
    }
    *bytes = sum;
    return KRS_OK;
}

/* Adds to an entry, or makes one at its place, for which there is room. */
static void add_user(krs_gpu_user *users, size_t *count, pid_t pid, uint64_t bytes) {
    size_t at = 0;
    while (at < *count && users[at].pid < pid)
        at++;
    if (at == *count || users[at].pid != pid) {
        for (size_t i = (*count)++; i > at; i--)
            users[i] = users[i - 1];
        users[at] = (krs_gpu_user){pid, 0};
    }
    users[at].bytes += bytes;
}

krs_status krs__nvml_users(krs__nvml *nvml, const char *bus, krs_gpu_user *users,
                           size_t room, size_t *count) {
    device d;
    unsigned listed;
    size_t found = 0;
    if (nvml->device_on == NULL || nvml->device_on(bus, &d) != SUCCESS)
        return KRS_UNSUPPORTED;
    const krs_status status = list_processes(nvml, d, &listed);
    if (status != KRS_OK)
        return status;
    if (listed > room)
        return KRS_UNSUPPORTED;
    for (unsigned i = 0; i < listed; i++) {
        const process_info *p = &nvml->infos[i];
        if (p->used == NOT_AVAILABLE || p->gpu_instance != WHOLE_GPU)
            return KRS_UNSUPPORTED;
        add_user(users, &found, (pid_t)p->pid, p->used);
    }
    *count = found;
    return KRS_OK;
}
