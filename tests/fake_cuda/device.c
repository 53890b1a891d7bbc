/* Devices, which look like an A100, and contexts. A context is its device; a thread has
 * a stack of current ones. A primary context is active from its first retain until its
 * last release. */
#include <stdio.h>
#include <string.h>

#include "fake_cuda.h"

typedef struct {
    int device;
} context;

enum { DEPTH = 32 };

static context contexts[FAKE_DEVICES];
static int retained[FAKE_DEVICES];
static bool initialized;
static _Thread_local context *stack[DEPTH];
static _Thread_local int depth;

static bool is_device(int device) {
    return device >= 0 && device < fake_device_count();
}

int fake_current_device(void) {
    return depth == 0 || stack[depth - 1] == NULL ? -1 : stack[depth - 1]->device;
}

int cuInit(unsigned flags) {
    ENTER();
    initialized = true;
    return flags == 0 ? SUCCESS : INVALID_VALUE;
}

int cuDriverGetVersion(int *version) {
    ENTER();
    *version = 12050;
    return SUCCESS;
}

int cuDeviceGetCount(int *count) {
    ENTER();
    if (!initialized)
        return NOT_INITIALIZED;
    *count = fake_device_count();
    return SUCCESS;
}

int cuDeviceGet(int *device, int ordinal) {
    ENTER();
    if (!initialized)
        return NOT_INITIALIZED;
    *device = ordinal;
    return is_device(ordinal) ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceGetName(char *name, int room, int device) {
    ENTER();
    snprintf(name, (size_t)room, "Fake A100");
    return is_device(device) ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceGetPCIBusId(char *id, int room, int device) {
    ENTER();
    snprintf(id, (size_t)room, "0000:%02x:00.0", (unsigned)device + 1);
    return is_device(device) ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    ENTER();
    *bytes = fake_device_memory();
    return is_device(device) ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
    ENTER();
    memset(uuid, device + 1, 16);
    return is_device(device) ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceGetUuid(unsigned char *uuid, int device) {
    return cuDeviceGetUuid_v2(uuid, device);
}

/* CU_DEVICE_ATTRIBUTE_*, of an A100; the rest is 0. */
static int attribute(int number) {
    static const struct {
        int number, value;
    } known[] = {
        {1, 1024},                                   /* MAX_THREADS_PER_BLOCK */
        {2, 1024},                                   /* MAX_BLOCK_DIM_X, Y, Z */
        {3, 1024},      {4, 64},    {5, 2147483647}, /* MAX_GRID_DIM_X, Y, Z */
        {6, 65535},     {7, 65535}, {8, 49152},      /* MAX_SHARED_MEMORY_PER_BLOCK */
        {9, 65536},                                  /* TOTAL_CONSTANT_MEMORY */
        {10, 32},                                    /* WARP_SIZE */
        {12, 65536},                                 /* MAX_REGISTERS_PER_BLOCK */
        {13, 1410000},                               /* CLOCK_RATE */
        {16, 108},                                   /* MULTIPROCESSOR_COUNT */
        {34, 1},                                     /* PCI_DEVICE_ID */
        {36, 1215000},                               /* MEMORY_CLOCK_RATE */
        {37, 5120},                                  /* GLOBAL_MEMORY_BUS_WIDTH */
        {38, 41943040},                              /* L2_CACHE_SIZE */
        {39, 2048},   /* MAX_THREADS_PER_MULTIPROCESSOR */
        {40, 3},      /* ASYNC_ENGINE_COUNT */
        {41, 1},      /* UNIFIED_ADDRESSING */
        {75, 8},      /* COMPUTE_CAPABILITY_MAJOR */
        {81, 167936}, /* MAX_SHARED_MEMORY_PER_MULTIPROCESSOR */
        {82, 65536},  /* MAX_REGISTERS_PER_MULTIPROCESSOR */
        {97, 166912}, /* MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
        {102, 1},     /* VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED */
        {106, 32},    /* MAX_BLOCKS_PER_MULTIPROCESSOR */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].number == number)
            return known[i].value;
    }
    return 0;
}

int cuDeviceGetAttribute(int *value, int number, int device) {
    enum { MEMORY_POOLS_SUPPORTED = 115 };
    ENTER();
    *value = number == MEMORY_POOLS_SUPPORTED ? fake_has_pools() : attribute(number);
    return is_device(device) ? SUCCESS : INVALID_DEVICE;
}

/* ---- contexts --------------------------------------------------------------- */

int cuDevicePrimaryCtxRetain(context **primary, int device) {
    ENTER();
    if (!is_device(device))
        return INVALID_DEVICE;
    fake_lock();
    retained[device]++;
    fake_unlock();
    contexts[device].device = device;
    *primary = &contexts[device];
    return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER();
    if (!is_device(device))
        return INVALID_DEVICE;
    fake_lock();
    const bool has = retained[device] > 0;
    retained[device] -= has;
    fake_unlock();
    return has ? SUCCESS : INVALID_CONTEXT;
}

bool fake_is_active(int device) {
    return retained[device] > 0;
}

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    ENTER();
    if (!initialized)
        return NOT_INITIALIZED;
    if (!is_device(device))
        return INVALID_DEVICE;
    fake_lock();
    *flags = 0;
    *active = fake_is_active(device);
    fake_unlock();
    return SUCCESS;
}

int cuCtxGetCurrent(context **current) {
    ENTER();
    *current = depth == 0 ? NULL : stack[depth - 1];
    return SUCCESS;
}

int cuCtxSetCurrent(context *current) {
    ENTER();
    depth += depth == 0;
    stack[depth - 1] = current;
    return SUCCESS;
}

int cuCtxPushCurrent_v2(context *current) {
    ENTER();
    if (current == NULL || depth == DEPTH)
        return INVALID_CONTEXT;
    stack[depth++] = current;
    return SUCCESS;
}

int cuCtxPopCurrent_v2(context **popped) {
    ENTER();
    if (depth == 0)
        return INVALID_CONTEXT;
    depth--;
    if (popped != NULL)
        *popped = stack[depth];
    return SUCCESS;
}

int cuCtxGetDevice(int *device) {
    ENTER();
    *device = fake_current_device();
    return *device < 0 ? INVALID_CONTEXT : SUCCESS;
}

int cuCtxGetId(context *of, uint64_t *id) {
    ENTER();
    *id = of == NULL ? 1 : (uint64_t)of->device + 1;
    return SUCCESS;
}

int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER();
    *least = 0;
    *greatest = -5;
    return SUCCESS;
}

/* Nothing is ever queued, so nothing is waited for; but a capture would be broken. */
int cuCtxSynchronize(void) {
    ENTER();
    if (fake_current_device() < 0)
        return INVALID_CONTEXT;
    if (fake_is_capturing())
        return CAPTURE_UNSUPPORTED;
    fake_pools_settle();
    return SUCCESS;
}
