/* What TensorFlow calls of the CUDA runtime (libcudart) and of the code that nvcc makes
 * for it: over the driver beside it, and kernels that do nothing. */
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, VERSION = 12050 };

extern int cuInit(unsigned flags);
extern int cuDeviceGetCount(int *count);
extern int cuDeviceGetAttribute(int *value, int attribute, int device);

int cudaGetDeviceCount(int *count) {
    cuInit(0);
    return cuDeviceGetCount(count);
}

int cudaGetDevice(int *device) {
    *device = 0;
    return SUCCESS;
}

int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    return cuDeviceGetAttribute(value, attribute, device);
}

int cudaRuntimeGetVersion(int *version) {
    *version = VERSION;
    return SUCCESS;
}

int cudaDriverGetVersion(int *version) {
    *version = VERSION;
    return SUCCESS;
}

const char *cudaGetErrorString(int error) {
    (void)error;
    return "an error of the fake runtime";
}

const char *cudaGetErrorName(int error) {
    (void)error;
    return "cudaErrorFake";
}

int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) {
    (void)kind;
    memmove(to, from, bytes);
    return SUCCESS;
}

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
    (void)stream;
    return cudaMemcpy(to, from, bytes, kind);
}

int cudaMemsetAsync(void *to, int value, size_t bytes, void *stream) {
    (void)stream;
    memset(to, value, bytes);
    return SUCCESS;
}

/* ---- kernels ----------------------------------------------------------------- */

typedef struct {
    unsigned x, y, z;
} dimensions;

static _Thread_local struct {
    dimensions grid, block;
    size_t shared;
    void *stream;
} launch;

void **__cudaRegisterFatBinary(void *image) {
    (void)image;
    return calloc(1, sizeof(void *)); /* one for each library with kernels */
}

unsigned __cudaPushCallConfiguration(dimensions grid, dimensions block, size_t shared,
                                     void *stream) {
    launch.grid = grid;
    launch.block = block;
    launch.shared = shared;
    launch.stream = stream;
    return SUCCESS;
}

int __cudaPopCallConfiguration(dimensions *grid, dimensions *block, size_t *shared,
                               void **stream) {
    *grid = launch.grid;
    *block = launch.block;
    *shared = launch.shared;
    *stream = launch.stream;
    return SUCCESS;
}

int cudaGetFuncBySymbol(void **function, const void *symbol) {
    (void)symbol;
    *function = calloc(1, 64);
    return SUCCESS;
}

int cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function,
                                                  int size, size_t shared) {
    (void)function, (void)size, (void)shared;
    *blocks = 8;
    return SUCCESS;
}

int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks,
                                                           const void *function,
                                                           int size, size_t shared,
                                                           unsigned flags) {
    (void)flags;
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, size,
                                                         shared);
}
