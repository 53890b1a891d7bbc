/* Whether this process is at work with a GPU: then it must not fork. */
#ifndef KRS_GPU_DEVICE_H
#define KRS_GPU_DEVICE_H

#include <stdbool.h>

#include "keraser.h"

typedef struct {
    bool any;  /* a descriptor of /dev/nvidia* or, under WSL, /dev/dxg is open */
    bool cuda; /* one of /dev/nvidia-uvm or /dev/dxg: CUDA has been initialised, which
                  the driver answers with an error in every forked child; NVML opens
                  others only */
} krs__gpu_devices;

/* Reads the links in /proc/self/fd. */
krs_status krs__gpu_devices_read(krs__gpu_devices *devices);

#endif
