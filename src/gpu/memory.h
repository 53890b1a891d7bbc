/* memory.h - krs_gpu_new() with the driver elsewhere, for tests. */
#ifndef KRS_GPU_MEMORY_H
#define KRS_GPU_MEMORY_H

#include "keraser.h"

/* `path` NULL: the one that this process has loaded under its own name. */
krs_status krs__gpu_new(const char *path, krs_gpu **gpu);

#endif
