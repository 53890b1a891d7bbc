/* What the runtime tells of a device and of a kernel, in the structures of the headers
 * that TensorFlow was built with and brings along: they differ between versions. */
#include <string.h>

#include <driver_types.h>

int cudaGetDeviceProperties_v2(struct cudaDeviceProp *p, int device);
int cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function);

int cudaGetDeviceProperties_v2(struct cudaDeviceProp *p, int device) {
    (void)device;
    memset(p, 0, sizeof *p);
    strcpy(p->name, "Fake A100");
    p->totalGlobalMem = (size_t)8 << 30;
    p->sharedMemPerBlock = 49152;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->warpSize = 32;
    p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->clockRate = 1410000;
    p->major = 8;
    p->multiProcessorCount = 108;
    p->memoryBusWidth = 5120;
    p->l2CacheSize = 41943040;
    p->maxThreadsPerMultiProcessor = 2048;
    p->sharedMemPerMultiprocessor = 167936;
    p->sharedMemPerBlockOptin = 166912;
    p->maxBlocksPerMultiProcessor = 32;
    return 0;
}

int cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function) {
    (void)function;
    memset(attributes, 0, sizeof *attributes);
    attributes->maxThreadsPerBlock = 1024;
    attributes->numRegs = 32;
    return 0;
}
