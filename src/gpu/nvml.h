/* GPU memory of a process, as the driver counts it, through NVIDIA's management
 * library; found at run time, so that neither driver nor GPU is needed to build or to
 * start. */
#ifndef KRS_GPU_NVML_H
#define KRS_GPU_NVML_H

#include <sys/types.h>

#include "keraser.h"

typedef struct krs__nvml krs__nvml;

/* Loads and starts the library, "libnvidia-ml.so.1" where `path` is NULL.
 * KRS_UNSUPPORTED where it is not there, lacks a function, or finds no driver. */
krs_status krs__nvml_open(const char *path, krs__nvml **nvml);
/* Not in a forked child, whose parent still uses the library. */
void krs__nvml_close(krs__nvml *nvml);

/* Bytes that the process `pid` has on all GPUs together, 0 where it uses none.
 * KRS_UNSUPPORTED where a GPU does not tell who uses it, or how much (WSL, some virtual
 * GPUs). The driver knows processes by the host's numbers: in a container that has its
 * own the answer is always 0. */
krs_status krs__nvml_used(krs__nvml *nvml, pid_t pid, uint64_t *bytes);

/* Who has memory of the GPU on this bus ("0000:01:00.0"): as krs_gpu_users(). */
krs_status krs__nvml_users(krs__nvml *nvml, const char *bus, krs_gpu_user *users,
                           size_t room, size_t *count);

#endif
