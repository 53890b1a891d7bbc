/* gpu_map.h - what a GPU's memory is used for. */
#ifndef KRS_PY_GPU_MAP_H
#define KRS_PY_GPU_MAP_H

#include <stdbool.h>

#include "python.h"

/* Bytes of a GPU that this process has; false where nobody tells. Without the GIL. */
bool krs_gpu_own(const krs_gpu *gpu, int device, uint64_t *bytes);

#endif
