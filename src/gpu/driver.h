/* driver.h - the calls of the CUDA driver that are made here, in one table.
 *
 * Each is as cuda.h of CUDA 12 has it, by the name that carries the version of its
 * types; all answer 0 where they worked, else an error by which krs__driver_refusal()
 * knows what to say. `device` is a CUdevice, `context` a CUcontext, and so on; the
 * types are spelled out here since no header of CUDA is needed to build. */
#ifndef KRS_GPU_DRIVER_H
#define KRS_GPU_DRIVER_H

#include <stdbool.h>

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

/* CUmemAllocationProp and CUmemAccessDesc: memory of a device, and who may use it. */
typedef struct {
    int type, handle_types;
    struct {
        int type, id;
    } where;
    void *windows;
    unsigned char flags[8];
} krs__memory_kind;

typedef struct {
    struct {
        int type, id;
    } where;
    int flags;
} krs__memory_access;

typedef void *krs__memory_handle;

enum { KRS__MEMORY_PINNED = 1, KRS__MEMORY_OF_DEVICE = 1, KRS__MEMORY_READ_WRITE = 3 };

/* What drivers since CUDA 10.2 have, for memory in granules (granules.c). Sizes and
 * addresses are multiples of the granularity of the kind of memory.
 *
 * allocate         with a current context; beside it `deallocate`, which waits for all
 *                  work first.
 * current, current_device  any time; NULL, or an error, where there is no context.
 * reserve          any time: addresses without memory. unreserve: as they were
 * reserved, when nothing is mapped there. create           any time: memory without an
 * address; released once, and gone when nothing of it is mapped either. map where
 * nothing is mapped, a handle as a whole. Nobody can use it before set_access, which
 * takes ranges of whole mappings. unmap            ranges of whole mappings. Does not
 * wait: no work that uses the range may be queued. */
#define KRS__DRIVER_GRANULE_FUNCTIONS(X)                                               \
    X(allocate, "cuMemAlloc_v2", (uint64_t * address, size_t bytes))                   \
    X(deallocate, "cuMemFree_v2", (uint64_t address))                                  \
    X(current, "cuCtxGetCurrent", (krs__context * context))                            \
    X(current_device, "cuCtxGetDevice", (krs__device * device))                        \
    X(granularity, "cuMemGetAllocationGranularity",                                    \
      (size_t * bytes, const krs__memory_kind *kind, int recommended))                 \
    X(reserve, "cuMemAddressReserve",                                                  \
      (uint64_t * address, size_t bytes, size_t alignment, uint64_t wish,              \
       uint64_t flags))                                                                \
    X(unreserve, "cuMemAddressFree", (uint64_t address, size_t bytes))                 \
    X(create, "cuMemCreate",                                                           \
      (krs__memory_handle * handle, size_t bytes, const krs__memory_kind *kind,        \
       uint64_t flags))                                                                \
    X(release, "cuMemRelease", (krs__memory_handle handle))                            \
    X(map, "cuMemMap",                                                                 \
      (uint64_t address, size_t bytes, size_t offset, krs__memory_handle handle,       \
       uint64_t flags))                                                                \
    X(unmap, "cuMemUnmap", (uint64_t address, size_t bytes))                           \
    X(set_access, "cuMemSetAccess",                                                    \
      (uint64_t address, size_t bytes, const krs__memory_access *access,               \
       size_t count))

/* What says which device is which; each is NULL where a driver lacks it.
 *
 * device_name, device_bus  any time; text with its NUL, cut to `room`.
 * pointer_attribute        with a current context; `value` is of the type of the
 *                          attribute, of KRS__POINTER_DEVICE an int. */
#define KRS__DRIVER_NAME_FUNCTIONS(X)                                                  \
    X(device_name, "cuDeviceGetName", (char *name, int room, krs__device device))      \
    X(device_bus, "cuDeviceGetPCIBusId", (char *bus, int room, krs__device device))    \
    X(pointer_attribute, "cuPointerGetAttribute",                                      \
      (void *value, int attribute, uint64_t address))

enum { KRS__POINTER_DEVICE = 9 }; /* CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL */

typedef struct {
    void *library;
    const char *missing; /* the first function of the first list that is not there */
    bool has_granules;   /* all of their list are there */
#define X(name, symbol, arguments) int(*name) arguments;
    KRS__DRIVER_FUNCTIONS(X)
    KRS__DRIVER_POOL_FUNCTIONS(X)
    KRS__DRIVER_GRANULE_FUNCTIONS(X)
    KRS__DRIVER_NAME_FUNCTIONS(X)
#undef X
} krs__driver;

/* The driver that the process has loaded, "libcuda.so.1" where `path` is NULL; loads
 * none: `library` is NULL where there is none. */
void krs__driver_open(const char *path, krs__driver *driver);
void krs__driver_close(krs__driver *driver);

/* What a refusal after the answer `error` is called. */
krs_refusal krs__driver_refusal(int error);

#endif
