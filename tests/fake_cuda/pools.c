/* Memory pools: each device has its default one. What is freed stays in the pool; it
 * goes back to the device by cuMemPoolTrimTo() alone, and there only what was freed
 * before the last synchronisation. (A real pool gives back at a synchronisation what
 * exceeds its release threshold; programs set that to all there is.) A freed block
 * cannot be touched until it is handed out again. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <stdlib.h>
#include <sys/mman.h>

#include "fake_cuda.h"

enum { MOST = 1 << 14, STEP = 2 << 20 };
enum { USED, FREED, SETTLED }; /* of a block */

typedef struct {
    fake_address begin;
    size_t bytes, asked;
    int state;
} block;

typedef struct {
    int device;
    uint64_t threshold, held;
    block blocks[MOST];
    size_t count;
} pool;

static pool pools[FAKE_DEVICES];

static int protect(const block *b, int protection) {
    return mprotect((void *)(uintptr_t)b->begin, b->bytes, protection);
}

static void drop(pool *p, block *b) {
    if (mmap((void *)(uintptr_t)b->begin, b->bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) == MAP_FAILED)
        abort(); /* the addresses stay closed for ever */
    fake_give(p->device, &fake_figure.pooled, b->bytes);
    p->held -= b->bytes;
    *b = p->blocks[--p->count];
}

static void trim(pool *p, uint64_t keep) {
    for (size_t i = p->count; i-- > 0 && p->held > keep;) {
        if (p->blocks[i].state == SETTLED)
            drop(p, &p->blocks[i]);
    }
}

void fake_pools_settle(void) {
    fake_lock();
    for (size_t i = 0; i < FAKE_DEVICES; i++) {
        for (size_t j = 0; j < pools[i].count; j++) {
            if (pools[i].blocks[j].state == FREED)
                pools[i].blocks[j].state = SETTLED;
        }
    }
    fake_unlock();
}

/* The smallest free block that is large enough, and not more than twice that. */
static block *find_free(pool *p, size_t bytes) {
    block *best = NULL;
    for (size_t i = 0; i < p->count; i++) {
        block *b = &p->blocks[i];
        if (b->state != USED && b->bytes >= bytes && b->bytes / 2 <= bytes &&
            (best == NULL || b->bytes < best->bytes))
            best = b;
    }
    return best;
}

static block *add(pool *p, size_t bytes) {
    if (p->count == MOST || !fake_take(p->device, &fake_figure.pooled, bytes))
        return NULL;
    void *memory = mmap(NULL, bytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    p->held += bytes;
    p->blocks[p->count] = (block){(fake_address)(uintptr_t)memory, bytes, 0, SETTLED};
    return &p->blocks[p->count++];
}

static int allocate(fake_address *address, size_t bytes, pool *p) {
    const size_t size = (bytes + STEP - 1) / STEP * STEP;
    block *b = find_free(p, size);
    if (b == NULL)
        b = add(p, size);
    if (b == NULL) {
        trim(p, 0);
        b = add(p, size);
    }
    if (b == NULL)
        return OUT_OF_MEMORY;
    protect(b, PROT_READ | PROT_WRITE);
    b->state = USED;
    b->asked = bytes;
    fake_figure.pool_used += bytes;
    *address = b->begin;
    return SUCCESS;
}

int cuDeviceGetDefaultMemPool(pool **found, int device) {
    ENTER();
    if (device < 0 || device >= fake_device_count())
        return INVALID_DEVICE;
    if (!fake_has_pools())
        return NOT_SUPPORTED;
    pools[device].device = device;
    *found = &pools[device];
    return SUCCESS;
}

int cuDeviceGetMemPool(pool **found, int device) {
    return cuDeviceGetDefaultMemPool(found, device);
}

int cuMemAllocFromPoolAsync(fake_address *address, size_t bytes, pool *p,
                            void *stream) {
    ENTER();
    (void)stream;
    if (bytes == 0)
        return INVALID_VALUE;
    fake_lock();
    const int result = allocate(address, bytes, p);
    fake_unlock();
    return result;
}

static int release(fake_address address) {
    for (size_t i = 0; i < FAKE_DEVICES; i++) {
        for (size_t j = 0; j < pools[i].count; j++) {
            block *b = &pools[i].blocks[j];
            if (b->begin != address || b->state != USED)
                continue;
            protect(b, PROT_NONE);
            b->state = FREED;
            fake_figure.pool_used -= b->asked;
            return SUCCESS;
        }
    }
    return INVALID_VALUE;
}

int cuMemFreeAsync(fake_address address, void *stream) {
    ENTER();
    (void)stream;
    fake_lock();
    const int result = release(address);
    fake_unlock();
    return result;
}

int cuMemPoolTrimTo(pool *p, size_t keep) {
    ENTER();
    fake_lock();
    trim(p, keep);
    fake_unlock();
    return SUCCESS;
}

/* CU_MEMPOOL_ATTR_*; the first three, on the reuse of memory, are taken as they come.
 */
enum { RELEASE_THRESHOLD = 4, RESERVED_CURRENT = 5, USED_CURRENT = 7 };

int cuMemPoolSetAttribute(pool *p, int attribute, void *value) {
    ENTER();
    if (attribute == RELEASE_THRESHOLD)
        p->threshold = *(uint64_t *)value;
    return SUCCESS;
}

int cuMemPoolGetAttribute(pool *p, int attribute, void *value) {
    ENTER();
    fake_lock();
    uint64_t used = 0;
    for (size_t i = 0; i < p->count; i++)
        used += p->blocks[i].state == USED ? p->blocks[i].bytes : 0;
    if (attribute == RELEASE_THRESHOLD)
        *(uint64_t *)value = p->threshold;
    else if (attribute == RESERVED_CURRENT)
        *(uint64_t *)value = p->held;
    else if (attribute == USED_CURRENT)
        *(uint64_t *)value = used;
    else
        *(int *)value = 1;
    fake_unlock();
    return SUCCESS;
}

int cuMemPoolSetAccess(pool *p, const void *access, size_t count) {
    ENTER();
    (void)p, (void)access, (void)count;
    return SUCCESS;
}
