/* cuMemAlloc and what copies. An allocation is counted as it was asked for, to the
 * byte. Of one that was freed the addresses stay closed for ever: a program that goes
 * on using them ends with a signal, as it should. Contents are not set, hence zeros. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_cuda.h"

typedef struct {
    fake_address begin;
    size_t bytes;
    int device; /* -1: of the host */
} block;

enum { PAGE = 4096, MOST = 1 << 16 };

static block blocks[MOST];
static size_t count;

static size_t whole_pages(size_t bytes) {
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static block *find(fake_address address) {
    for (size_t i = 0; i < count; i++) {
        if (address >= blocks[i].begin && address - blocks[i].begin < blocks[i].bytes)
            return &blocks[i];
    }
    return NULL;
}

static int add(fake_address *begin, size_t bytes, int device, uint64_t *figure) {
    if (bytes == 0)
        return INVALID_VALUE;
    if (count == MOST || (device >= 0 && !fake_take(device, figure, bytes)))
        return OUT_OF_MEMORY;
    void *memory = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        abort(); /* the host's memory, and not the device's, has run out */
    if (device < 0)
        *figure += bytes;
    blocks[count++] = (block){(fake_address)(uintptr_t)memory, bytes, device};
    *begin = blocks[count - 1].begin;
    return SUCCESS;
}

static int drop(fake_address begin, bool of_host, uint64_t *figure) {
    block *b = find(begin);
    if (b == NULL || b->begin != begin || (b->device < 0) != of_host)
        return INVALID_VALUE;
    if (of_host)
        *figure -= b->bytes;
    else
        fake_give(b->device, figure, b->bytes);
    if (mmap((void *)(uintptr_t)begin, whole_pages(b->bytes), PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) == MAP_FAILED)
        abort();
    *b = blocks[--count];
    return SUCCESS;
}

int cuMemAlloc_v2(fake_address *address, size_t bytes) {
    ENTER();
    const int device = fake_current_device();
    if (device < 0)
        return INVALID_CONTEXT;
    if (fake_is_unsafe())
        return CAPTURE_UNSUPPORTED;
    fake_lock();
    const int result = add(address, bytes, device, &fake_figure.allocated);
    fake_unlock();
    return result;
}

int cuMemFree_v2(fake_address address) {
    ENTER();
    if (fake_is_unsafe())
        return CAPTURE_UNSUPPORTED;
    fake_lock();
    const int result = drop(address, false, &fake_figure.allocated);
    fake_unlock();
    return result;
}

int cuMemGetAddressRange_v2(fake_address *begin, size_t *bytes, fake_address address) {
    ENTER();
    fake_lock();
    const block *b = find(address);
    const bool found = b != NULL && b->device >= 0;
    if (found) {
        *begin = b->begin;
        *bytes = b->bytes;
    }
    fake_unlock();
    return found ? SUCCESS : INVALID_VALUE;
}

int cuMemGetInfo_v2(size_t *available, size_t *total) {
    ENTER();
    const int device = fake_current_device();
    if (device < 0)
        return INVALID_CONTEXT;
    fake_lock();
    *total = fake_device_memory();
    *available = *total - fake_device_used(device);
    fake_unlock();
    return SUCCESS;
}

/* ---- of the host, pinned ----------------------------------------------------- */

int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
    ENTER();
    fake_address address = 0;
    (void)flags;
    fake_lock();
    const int result = add(&address, bytes, -1, &fake_figure.pinned);
    fake_unlock();
    *memory = (void *)(uintptr_t)address;
    return result;
}

int cuMemAllocHost_v2(void **memory, size_t bytes) {
    return cuMemHostAlloc(memory, bytes, 0);
}

int cuMemFreeHost(void *memory) {
    ENTER();
    fake_lock();
    const int result = drop((fake_address)(uintptr_t)memory, true, &fake_figure.pinned);
    fake_unlock();
    return result;
}

int cuMemHostGetDevicePointer_v2(fake_address *address, void *memory, unsigned flags) {
    ENTER();
    (void)flags;
    *address = (fake_address)(uintptr_t)memory;
    return SUCCESS;
}

int cuPointerGetAttribute(void *value, int attribute, fake_address address) {
    enum { CONTEXT = 1, MEMORY_TYPE = 2, DEVICE = 2, ORDINAL = 9 };
    extern int cuCtxGetCurrent(void **);
    ENTER();
    if (attribute == CONTEXT)
        return cuCtxGetCurrent(value);
    fake_lock();
    const block *b = find(address);
    const int device = b == NULL || b->device < 0 ? 0 : b->device;
    fake_unlock();
    *(int *)value = attribute == MEMORY_TYPE ? DEVICE
                    : attribute == ORDINAL   ? device
                                             : 0;
    return SUCCESS;
}

/* ---- copying and setting ------------------------------------------------------ */

static int copy(uintptr_t to, uintptr_t from, size_t bytes) {
    memmove((void *)to, (const void *)from, bytes);
    return SUCCESS;
}

static int fill(fake_address to, const void *value, size_t size, size_t times) {
    char *at = (char *)(uintptr_t)to;
    for (size_t i = 0; i < times; i++)
        memcpy(at + i * size, value, size);
    return SUCCESS;
}

/* X(what it is called, to, from) */
#define COPIES(X)                                                                      \
    X(cuMemcpy, fake_address, fake_address)                                            \
    X(cuMemcpyHtoD_v2, fake_address, const void *)                                     \
    X(cuMemcpyDtoH_v2, void *, fake_address)                                           \
    X(cuMemcpyDtoD_v2, fake_address, fake_address)

#define X(name, destination, source)                                                   \
    int name(destination to, source from, size_t bytes) {                              \
        ENTER();                                                                       \
        return copy((uintptr_t)to, (uintptr_t)from, bytes);                            \
    }
COPIES(X)
#undef X

#define COPIES_ASYNC(X)                                                                \
    X(cuMemcpyAsync, fake_address, fake_address)                                       \
    X(cuMemcpyHtoDAsync_v2, fake_address, const void *)                                \
    X(cuMemcpyDtoHAsync_v2, void *, fake_address)                                      \
    X(cuMemcpyDtoDAsync_v2, fake_address, fake_address)

#define X(name, destination, source)                                                   \
    int name(destination to, source from, size_t bytes, void *stream) {                \
        ENTER();                                                                       \
        (void)stream;                                                                  \
        return copy((uintptr_t)to, (uintptr_t)from, bytes);                            \
    }
COPIES_ASYNC(X)
#undef X

/* Between two GPUs: all of them are in one memory here. */
int cuMemcpyPeer(fake_address to, void *to_context, fake_address from,
                 void *from_context, size_t bytes) {
    ENTER();
    (void)to_context, (void)from_context;
    return copy((uintptr_t)to, (uintptr_t)from, bytes);
}

int cuMemcpyPeerAsync(fake_address to, void *to_context, fake_address from,
                      void *from_context, size_t bytes, void *stream) {
    ENTER();
    (void)to_context, (void)from_context, (void)stream;
    return copy((uintptr_t)to, (uintptr_t)from, bytes);
}

int cuMemsetD8_v2(fake_address to, unsigned char value, size_t times) {
    ENTER();
    return fill(to, &value, 1, times);
}

int cuMemsetD8Async(fake_address to, unsigned char value, size_t times, void *stream) {
    ENTER();
    (void)stream;
    return fill(to, &value, 1, times);
}

int cuMemsetD32_v2(fake_address to, uint32_t value, size_t times) {
    ENTER();
    return fill(to, &value, sizeof value, times);
}

int cuMemsetD32Async(fake_address to, uint32_t value, size_t times, void *stream) {
    ENTER();
    (void)stream;
    return fill(to, &value, sizeof value, times);
}
