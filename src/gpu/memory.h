/* memory.h - the driver of a thread, and the same with the driver elsewhere, for tests.
 */
#ifndef KRS_GPU_MEMORY_H
#define KRS_GPU_MEMORY_H

#include "gpu/driver.h"
#include "keraser.h"

struct krs_gpu {
    krs__driver driver;
    krs_refusal refusal;
    int capture_mode; /* this thread's, before */
};

/* The device with this number, if a primary context is active on it. */
bool krs__gpu_is_active(const krs__driver *driver, int number, krs__device *device);

/* `path` NULL: the one that this process has loaded under its own name. */
krs_status krs__gpu_new(const char *path, krs_gpu **gpu);

/* Forgets the driver that it knows. */
void krs__gpu_granules_use(const char *path);

#endif
