/* fake_cuda.h - a CUDA driver without a GPU, on which programs run that move bytes.
 *
 * Device memory is memory of the process, addresses are true addresses, copies are done
 * at once and kernels do nothing. What the driver promises about memory is kept to the
 * byte, and its rules are enforced as cuda.h states them, where the real one may be
 * more lenient: see each file. What is not written here is answered by a generated
 * function that does nothing and says that it worked (stubs.py).
 *
 * The environment says what there is: FAKE_CUDA_DEVICES (1), FAKE_CUDA_MEMORY in bytes
 * for each (8 GiB), FAKE_CUDA_NO_POOLS (as on some virtual GPUs), in bytes what a
 * context takes of its device, FAKE_CUDA_CONTEXT (0), and another process,
 * FAKE_CUDA_OTHERS (0), and FAKE_CUDA_NO_USERS (nobody tells who uses it). The
 * functions below are for tests, who find them in the same library. */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what tests may ask and set ------------------------------------------- */

/* Figures in bytes, of all devices together: X(name). `allocated` by cuMemAlloc;
 * `created` by cuMemCreate and not yet gone; `mapped` of these; `pooled` what memory
 * pools hold, of which `pool_used` is handed out; `pinned` host memory; `reserved`
 * address space. */
#define FAKE_CUDA_FIGURES(X)                                                           \
    X(allocated) X(created) X(mapped) X(pooled) X(pool_used) X(pinned) X(reserved)

/* A figure by its name; UINT64_MAX for an unknown one. */
uint64_t fake_cuda_figure(const char *name);

/* How often a function of the driver has been called; 0 for one never called. */
uint64_t fake_cuda_calls(const char *function);

/* The `nth` call of `function` from now (1: the next) and the `times - 1` after it
 * answer `result` and do nothing else. One fault for each function at a time. */
void fake_cuda_fail(const char *function, uint64_t nth, uint64_t times, int result);

/* ---- what the files of the driver share ------------------------------------ */

typedef uint64_t fake_address;

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_SUPPORTED = 801,
    CAPTURE_UNSUPPORTED = 900,
};

enum { FAKE_DEVICES = 8 }; /* at most */

typedef struct fake_call {
    const char *name;
    uint64_t count;
    struct fake_call *next;
    bool known;
} fake_call;

typedef struct {
#define X(name) uint64_t name;
    FAKE_CUDA_FIGURES(X)
#undef X
} fake_figures;

/* Counts the call; not SUCCESS where it has to fail. */
int fake_enter(fake_call *call);

/* First in every function of the driver. */
#define ENTER()                                                                        \
    do {                                                                               \
        static fake_call call_ = {.name = __func__};                                   \
        const int fault_ = fake_enter(&call_);                                         \
        if (fault_ != SUCCESS)                                                         \
            return fault_;                                                             \
    } while (0)

/* Around all that reads or writes figures and tables. */
void fake_lock(void);
void fake_unlock(void);

/* Under the lock. Takes `bytes` of the device's memory and adds them to `*figure`;
 * false where there is not as much. */
bool fake_take(int device, uint64_t *figure, uint64_t bytes);
void fake_give(int device, uint64_t *figure, uint64_t bytes);
extern fake_figures fake_figure;

/* A number of the environment. */
uint64_t fake_setting(const char *name, uint64_t otherwise);

int fake_device_count(void);
uint64_t fake_device_memory(void);
uint64_t fake_device_used(int device);
bool fake_is_active(int device); /* a primary context */
bool fake_has_pools(void);

/* The device of this thread's current context, -1 where it has none. */
int fake_current_device(void);

/* Whether a stream captures; a synchronisation would then break the capture, as would
 * to allocate or free in a thread that has not declared that it knows. */
bool fake_is_capturing(void);
bool fake_is_unsafe(void);

/* All work that was queued is done: pools may let go of what was freed. */
void fake_pools_settle(void);

#endif
