/* Streams, events, modules and kernels: handles without anything behind them. What is
 * enqueued has been done when the call returns. */
#include <stdlib.h>

#include "fake_cuda.h"

enum { GLOBAL = 0, RELAXED = 2 }; /* CU_STREAM_CAPTURE_MODE_* */

static int captures; /* streams that capture */
static _Thread_local int mode = GLOBAL;

static int new_handle(void **handle) {
    *handle = calloc(1, 64);
    return *handle == NULL ? OUT_OF_MEMORY : SUCCESS;
}

bool fake_is_capturing(void) {
    return __atomic_load_n(&captures, __ATOMIC_ACQUIRE) > 0;
}

bool fake_is_unsafe(void) {
    return fake_is_capturing() && mode != RELAXED;
}

int cuStreamCreate(void **stream, unsigned flags) {
    ENTER();
    (void)flags;
    return new_handle(stream);
}

int cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
    ENTER();
    (void)flags, (void)priority;
    return new_handle(stream);
}

int cuStreamSynchronize(void *stream) {
    ENTER();
    (void)stream;
    fake_pools_settle();
    return SUCCESS;
}

int cuStreamGetCtx(void *stream, void **context) {
    extern int cuCtxGetCurrent(void **);
    ENTER();
    (void)stream;
    return cuCtxGetCurrent(context);
}

int cuStreamBeginCapture_v2(void *stream, int how) {
    ENTER();
    (void)stream, (void)how;
    __atomic_add_fetch(&captures, 1, __ATOMIC_ACQ_REL);
    return SUCCESS;
}

int cuStreamEndCapture(void *stream, void **graph) {
    ENTER();
    (void)stream;
    __atomic_sub_fetch(&captures, 1, __ATOMIC_ACQ_REL);
    return new_handle(graph);
}

int cuStreamIsCapturing(void *stream, int *status) {
    ENTER();
    (void)stream;
    *status = 0;
    return SUCCESS;
}

int cuThreadExchangeStreamCaptureMode(int *exchanged) {
    ENTER();
    const int before = mode;
    if (*exchanged < GLOBAL || *exchanged > RELAXED)
        return INVALID_VALUE;
    mode = *exchanged;
    *exchanged = before;
    return SUCCESS;
}

int cuLaunchHostFunc(void *stream, void (*function)(void *), void *data) {
    ENTER();
    (void)stream;
    function(data);
    return SUCCESS;
}

int cuStreamAddCallback(void *stream, void (*callback)(void *, int, void *), void *data,
                        unsigned flags) {
    ENTER();
    (void)flags;
    callback(stream, SUCCESS, data);
    return SUCCESS;
}

int cuEventCreate(void **event, unsigned flags) {
    ENTER();
    (void)flags;
    return new_handle(event);
}

int cuEventElapsedTime(float *ms, void *start, void *end) {
    ENTER();
    (void)start, (void)end;
    *ms = 0.01F;
    return SUCCESS;
}

/* ---- code -------------------------------------------------------------------- */

int cuModuleLoadFatBinary(void **module, const void *image) {
    ENTER();
    (void)image;
    return new_handle(module);
}

int cuModuleLoadData(void **module, const void *image) {
    ENTER();
    (void)image;
    return new_handle(module);
}

int cuModuleLoadDataEx(void **module, const void *image, unsigned count, void *options,
                       void *values) {
    ENTER();
    (void)image, (void)count, (void)options, (void)values;
    return new_handle(module);
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
    ENTER();
    (void)module, (void)name;
    return new_handle(function);
}

int cuFuncGetModule(void **module, void *function) {
    ENTER();
    *module = function;
    return SUCCESS;
}

int cuFuncGetAttribute(int *value, int attribute, void *function) {
    enum { MAX_THREADS_PER_BLOCK = 0 };
    ENTER();
    (void)function;
    *value = attribute == MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return SUCCESS;
}

int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int size,
                                                size_t shared) {
    ENTER();
    (void)function, (void)size, (void)shared;
    *blocks = 8;
    return SUCCESS;
}

int cuGetErrorName(int error, const char **name) {
    ENTER();
    (void)error;
    *name = "CUDA_ERROR_FAKE";
    return SUCCESS;
}

int cuGetErrorString(int error, const char **text) {
    ENTER();
    (void)error;
    *text = "an error of the fake driver";
    return SUCCESS;
}
