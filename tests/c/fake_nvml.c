/* A management library of two GPUs; what it says is set through fake_nvml(). Layouts
 * are spelled out here a second time, as nvml.h of CUDA 12 has them. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fake_nvml.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct {
    uint32_t pid, padding;
    uint64_t used;
    uint32_t gpu_instance, compute_instance;
} info;

_Static_assert(sizeof(info) == 24, "as in nvml.h");

EXPORT fake_nvml_state *fake_nvml(void);
EXPORT int nvmlInit_v2(void);
EXPORT int nvmlShutdown(void);
EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device);
EXPORT int FAKE_LIST(void *device, unsigned *count, info *infos);

fake_nvml_state *fake_nvml(void) {
    static fake_nvml_state state;
    return &state;
}

int nvmlInit_v2(void) {
    fake_nvml()->started += fake_nvml()->init_answer == 0;
    fake_nvml()->starts++;
    return fake_nvml()->init_answer;
}

int nvmlShutdown(void) {
    fake_nvml()->started--;
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = FAKE_GPUS;
    return fake_nvml()->count_answer;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = &fake_nvml()->gpus[index];
    return fake_nvml()->gpus[index].handle_answer;
}

/* Of "0000:01:00.0" the first, and so on. */
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) {
    strncpy(fake_nvml()->bus, bus, sizeof fake_nvml()->bus - 1);
    const int index = strlen(bus) < 8 ? -1 : bus[6] - '1';
    if (index < 0 || index >= FAKE_GPUS)
        return 6; /* not found */
    *device = &fake_nvml()->gpus[index];
    return fake_nvml()->gpus[index].handle_answer;
}

int FAKE_LIST(void *device, unsigned *count, info *infos) {
    fake_gpu *gpu = device;
    if (gpu->list_answer != 0)
        return gpu->list_answer;
    if (*count > 0 && infos == NULL)
        return 2; /* invalid argument */
    gpu->processes += gpu->more_each_time;
    const unsigned room = *count;
    *count = gpu->processes;
    if (room < gpu->processes)
        return 7; /* insufficient size */
    for (unsigned i = 0; i < gpu->processes; i++)
        infos[i] = (info){i < FAKE_PIDS ? gpu->pids[i] : 1, 0,
                          i < FAKE_PIDS ? gpu->used[i] : 1,
                          gpu->instance == 0 ? UINT32_MAX : gpu->instance, UINT32_MAX};
    return 0;
}
