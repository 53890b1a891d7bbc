/* driver.h - the calls of the CUDA driver that are made here, in one table.
 *
 * Each is as cuda.h of CUDA 12 has it, by the name that carries the version of its
 * types; all answer 0 where they worked, else an error by which krs__driver_refusal()
 * knows what to say. `device` is a CUdevice, `context` a CUcontext, and so on; the
 * types are spelled out here since no header of CUDA is needed to build. */
#ifndef KRS_GPU_DRIVER_H
#define KRS_GPU_DRIVER_H

#include "keraser.h"

typedef int krs__device;
typedef void *krs__context, *krs__memory_pool, *krs__stream;

/* Errors that are told apart. */
enum {
    KRS__DRIVER_OK = 0,
    KRS__DRIVER_CAPTURES = 900, /* to 906: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED ... */
    KRS__DRIVER_CAPTURES_LAST = 906,
};

/* CU_STREAM_CAPTURE_MODE_RELAXED; CU_MEMPOOL_ATTR_*, both of uint64_t. */
enum { KRS__CAPTURE_RELAXED = 2 };
enum { KRS__POOL_HELD = 5, KRS__POOL_USED = 7 };

/* X(name, symbol, arguments): what every driver since CUDA 10.1 has. Pre-conditions:
 *
 * count            any time; answers 3 (not initialized) before cuInit() and in a child
 *                  forked after it, where no other call may be made.
 * device           0 <= ordinal < count.
 * primary_state    any time; makes no context.
 * primary_retain   only of a primary context that is active: it makes one (some 300 MB)
 *                  where there is none. One primary_release for each.
 * push, pop        in pairs, on one thread.
 * synchronize      with a current context; not while a stream of it captures, which
 *                  would break the capture. Waits for all work, so without any lock
 *                  that the work could need (of Python: its host callbacks).
 * info             with a current context. Bytes free of the device, and in all.
 * legacy_captures  with a current context, and stream NULL, CU_STREAM_LEGACY: answers
 *                  906 while a blocking stream of it captures, and breaks nothing.
 * capture_mode     any time; exchanges this thread's mode. In RELAXED mode it may
 *                  allocate and free while another captures; put the old one back.
 */
#define KRS__DRIVER_FUNCTIONS(X)                                                       \
    X(count, "cuDeviceGetCount", (int *count))                                         \
    X(device, "cuDeviceGet", (krs__device * device, int ordinal))                      \
    X(primary_state, "cuDevicePrimaryCtxGetState",                                     \
      (krs__device device, unsigned *flags, int *active))                              \
    X(primary_retain, "cuDevicePrimaryCtxRetain",                                      \
      (krs__context * context, krs__device device))                                    \
    X(primary_release, "cuDevicePrimaryCtxRelease_v2", (krs__device device))           \
    X(push, "cuCtxPushCurrent_v2", (krs__context context))                             \
    X(pop, "cuCtxPopCurrent_v2", (krs__context * context))                             \
    X(synchronize, "cuCtxSynchronize", (void))                                         \
    X(info, "cuMemGetInfo_v2", (size_t * free, size_t * total))                        \
    X(legacy_captures, "cuStreamIsCapturing", (krs__stream stream, int *status))       \
    X(capture_mode, "cuThreadExchangeStreamCaptureMode", (int *mode))

/* What drivers since CUDA 11.2 have; all NULL where one is missing.
 *
 * default_pool     answers 801 where the device has no pools (some virtual GPUs).
 * pool_attribute   `value` is of the type of the attribute.
 * pool_trim        gives back what is free above `keep` bytes. What was freed in a
 *                  stream counts as free after the next synchronisation alone. */
#define KRS__DRIVER_POOL_FUNCTIONS(X)                                                  \
    X(default_pool, "cuDeviceGetDefaultMemPool",                                       \
      (krs__memory_pool * pool, krs__device device))                                   \
    X(pool_attribute, "cuMemPoolGetAttribute",                                         \
      (krs__memory_pool pool, int attribute, void *value))                             \
    X(pool_trim, "cuMemPoolTrimTo", (krs__memory_pool pool, size_t keep))

typedef struct {
    void *library;
    const char *missing; /* the first function of the first list that is not there */
#define X(name, symbol, arguments) int(*name) arguments;
    KRS__DRIVER_FUNCTIONS(X)
    KRS__DRIVER_POOL_FUNCTIONS(X)
#undef X
} krs__driver;

/* The driver that the process has loaded, "libcuda.so.1" where `path` is NULL; loads
 * none: `library` is NULL where there is none. */
void krs__driver_open(const char *path, krs__driver *driver);
void krs__driver_close(krs__driver *driver);

/* What a refusal after the answer `error` is called. */
krs_refusal krs__driver_refusal(int error);

#endif
