/* The management library: versions, which TensorFlow asks for in its log, and who has
 * memory of a GPU. That is this process, with all that the driver has counted, and
 * where FAKE_CUDA_OTHERS says so the process 1. FAKE_CUDA_NO_USERS: nobody tells, as
 * under WSL. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_cuda.h"

typedef struct {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
} user;

int nvmlSystemGetDriverVersion(char *text, unsigned room) {
    snprintf(text, room, "555.42.00");
    return 0;
}

int nvmlSystemGetCudaDriverVersion(int *version) {
    *version = 12050;
    return 0;
}

int nvmlInit_v2(void) {
    return 0;
}

int nvmlShutdown(void) {
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = (unsigned)fake_device_count();
    return 0;
}

/* A handle is the number of the device, from 1. */
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)(uintptr_t)(index + 1);
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) {
    unsigned number;
    if (sscanf(bus, "%*x:%x:", &number) != 1)
        return 2; /* invalid argument */
    *device = (void *)(uintptr_t)number;
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count,
                                            user *users) {
    enum { NOT_SUPPORTED_HERE = 3, INSUFFICIENT_SIZE = 7, ALL = -1 };
    const int number = (int)(uintptr_t)device - 1;
    const uint64_t others = fake_setting("FAKE_CUDA_OTHERS", 0);
    const unsigned room = *count, listed = others > 0 ? 2 : 1;
    if (fake_setting("FAKE_CUDA_NO_USERS", 0) != 0)
        return NOT_SUPPORTED_HERE;
    *count = listed;
    if (room < listed)
        return INSUFFICIENT_SIZE;
    fake_lock();
    users[0] = (user){(unsigned)getpid(), fake_device_used(number) - others,
                      (unsigned)ALL, (unsigned)ALL};
    fake_unlock();
    if (others > 0)
        users[1] = (user){1, others, (unsigned)ALL, (unsigned)ALL};
    return 0;
}
