/* Memory in granules: addresses are reserved once, and each granule of them is memory
 * of its own, since the driver unmaps what was mapped as a whole and never a part of
 * it. 2 MiB where the range is small; of a large one at most some 4,096, so that a GPU
 * of 80 GB does not take tens of thousands of calls.
 *
 * What fails here must not fail the program: an allocation is then made as it would
 * have been without us, and memory that cannot be brought back stays away. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "gpu/driver.h"
#include "gpu/memory.h"

enum { MOST_GRANULES = 4096, FEWEST_GRANULES = 2, DRIVER_ABSENT = 3 };

typedef struct {
    uint64_t begin;
    size_t granule, count;
    unsigned char *mapped; /* one for each granule */
    krs__context context;
    krs__device device;
} range;

/* In cuMemAlloc()'s place a function has no argument of ours: what it needs stands
 * here. The driver is opened when it is first needed, and stays. */
static struct {
    pthread_mutex_t lock;
    krs__driver driver;
    range *ranges;
    size_t count, capacity;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *driver_path; /* NULL but in tests */

void krs__gpu_granules_use(const char *path) {
    driver_path = path;
    krs__driver_close(&all.driver);
}

static bool has_driver(void) {
    if (all.driver.library == NULL)
        krs__driver_open(driver_path, &all.driver);
    return all.driver.library != NULL && all.driver.missing == NULL;
}

static range *find(uint64_t address) {
    for (size_t i = 0; i < all.count; i++) {
        const range *r = &all.ranges[i];
        if (address >= r->begin && address - r->begin < r->count * r->granule)
            return &all.ranges[i];
    }
    return NULL;
}

/* ---- mapping -------------------------------------------------------------------- */

static krs__memory_kind kind_of(krs__device device) {
    return (krs__memory_kind){.type = KRS__MEMORY_PINNED,
                              .where = {KRS__MEMORY_OF_DEVICE, device}};
}

static uint64_t address_of(const range *r, size_t granule) {
    return r->begin + granule * r->granule;
}

/* How many granules from `first` on are in the same state, up to `end`. */
static size_t run_length(const range *r, size_t first, size_t end) {
    size_t i = first;
    while (i < end && r->mapped[i] == r->mapped[first])
        i++;
    return i - first;
}

/* Unmaps what is mapped from `first` to `end`; returns the number of granules. */
static size_t unmap(range *r, size_t first, size_t end) {
    size_t count = 0;
    for (size_t i = first, length; i < end; i += length) {
        length = run_length(r, i, end);
        if (!r->mapped[i] ||
            all.driver.unmap(address_of(r, i), length * r->granule) != KRS__DRIVER_OK)
            continue;
        memset(r->mapped + i, 0, length);
        count += length;
    }
    return count;
}

static bool map_one(range *r, size_t i) {
    const krs__memory_kind kind = kind_of(r->device);
    krs__memory_handle handle;
    if (all.driver.create(&handle, r->granule, &kind, 0) != KRS__DRIVER_OK)
        return false;
    const bool mapped =
        all.driver.map(address_of(r, i), r->granule, 0, handle, 0) == KRS__DRIVER_OK;
    all.driver.release(handle); /* it lives as long as it is mapped */
    r->mapped[i] = mapped;
    return mapped;
}

/* `length` granules without memory: all get it, or none. */
static bool map_run(range *r, size_t first, size_t length) {
    const krs__memory_access access = {{KRS__MEMORY_OF_DEVICE, r->device},
                                       KRS__MEMORY_READ_WRITE};
    size_t done = 0;
    while (done < length && map_one(r, first + done))
        done++;
    if (done == length &&
        all.driver.set_access(address_of(r, first), length * r->granule, &access, 1) ==
            KRS__DRIVER_OK)
        return true;
    unmap(r, first, first + done);
    return false;
}

/* Maps what is missing from `first` to `end`: all or nothing. */
static bool map(range *r, size_t first, size_t end) {
    size_t i = first, length;
    unsigned char *before = malloc(end - first + 1);
    if (before == NULL)
        return false;
    memcpy(before, r->mapped + first, end - first);
    for (; i < end; i += length) {
        length = run_length(r, i, end);
        if (!r->mapped[i] && !map_run(r, i, length))
            break;
    }
    for (size_t j = first; i < end && j < i; j++) {
        if (!before[j - first])
            unmap(r, j, j + 1);
    }
    free(before);
    return i >= end;
}

/* ---- ranges --------------------------------------------------------------------- */

static size_t choose_granule(krs__device device, size_t bytes) {
    const krs__memory_kind kind = kind_of(device);
    size_t granule;
    if (all.driver.granularity(&granule, &kind, 0) != KRS__DRIVER_OK || granule == 0)
        return 0;
    while (bytes / granule > MOST_GRANULES)
        granule *= 2;
    return bytes / granule < FEWEST_GRANULES ? 0 : granule;
}

static bool push(const range *r) {
    if (all.count == all.capacity) {
        const size_t capacity =
            krs__array_capacity(all.capacity, all.count + 1, sizeof *all.ranges);
        range *ranges = krs__array_resize(all.ranges, capacity, sizeof *all.ranges);
        if (ranges == NULL)
            return false;
        all.ranges = ranges;
        all.capacity = capacity;
    }
    all.ranges[all.count++] = *r;
    return true;
}

static bool fill(range *r) {
    r->mapped = calloc(r->count, 1);
    if (r->mapped != NULL && map(r, 0, r->count) && push(r))
        return true;
    if (r->mapped != NULL)
        unmap(r, 0, r->count);
    free(r->mapped);
    return false;
}

static bool add(uint64_t *address, size_t bytes) {
    range r = {.begin = 0};
    if (!all.driver.has_granules || all.driver.current(&r.context) != KRS__DRIVER_OK ||
        all.driver.current_device(&r.device) != KRS__DRIVER_OK)
        return false;
    r.granule = choose_granule(r.device, bytes);
    if (r.granule == 0)
        return false;
    r.count = (bytes + r.granule - 1) / r.granule;
    const size_t size = r.count * r.granule;
    if (all.driver.reserve(&r.begin, size, r.granule, 0, 0) != KRS__DRIVER_OK)
        return false;
    if (!fill(&r)) {
        all.driver.unreserve(r.begin, size);
        return false;
    }
    *address = r.begin;
    return true;
}

/* cuMemFree() waits for all work before memory goes; so does this. */
static int drop(range *r) {
    const int error = all.driver.synchronize();
    if (error != KRS__DRIVER_OK)
        return error;
    unmap(r, 0, r->count);
    const int answer = all.driver.unreserve(r->begin, r->count * r->granule);
    if (answer == KRS__DRIVER_OK) {
        free(r->mapped);
        *r = all.ranges[--all.count];
    }
    return answer;
}

/* ---- the table -------------------------------------------------------------- */

static int allocate(uint64_t *address, size_t bytes) {
    pthread_mutex_lock(&all.lock);
    const bool known = has_driver();
    const bool added = known && add(address, bytes);
    pthread_mutex_unlock(&all.lock);
    if (added)
        return KRS__DRIVER_OK;
    return known && all.driver.allocate != NULL ? all.driver.allocate(address, bytes)
                                                : DRIVER_ABSENT;
}

static int deallocate(uint64_t address) {
    pthread_mutex_lock(&all.lock);
    range *r = find(address);
    const bool ours = r != NULL && r->begin == address;
    const int answer = ours ? drop(r) : KRS__DRIVER_OK;
    const bool known = ours || has_driver();
    pthread_mutex_unlock(&all.lock);
    if (ours)
        return answer;
    return known && all.driver.deallocate != NULL ? all.driver.deallocate(address)
                                                  : DRIVER_ABSENT;
}

static size_t granule(uint64_t address) {
    pthread_mutex_lock(&all.lock);
    const range *r = find(address);
    const size_t bytes = r == NULL ? 0 : r->granule;
    pthread_mutex_unlock(&all.lock);
    return bytes;
}

/* Without the lock: work that is waited for may need memory. */
static int settle(uint64_t address) {
    krs__context context = NULL;
    int status, answer;
    pthread_mutex_lock(&all.lock);
    const range *r = find(address);
    if (r != NULL)
        context = r->context;
    pthread_mutex_unlock(&all.lock);
    if (context == NULL || (answer = all.driver.push(context)) != KRS__DRIVER_OK)
        return context == NULL ? DRIVER_ABSENT : answer;
    answer = all.driver.legacy_captures(NULL, &status);
    if (answer == KRS__DRIVER_OK)
        answer = all.driver.synchronize();
    all.driver.pop(&context);
    return answer;
}

static uint64_t take(uint64_t begin, uint64_t end) {
    uint64_t bytes = 0;
    pthread_mutex_lock(&all.lock);
    range *r = find(begin);
    if (r != NULL && end > begin && end - r->begin <= r->count * r->granule) {
        const size_t first = (size_t)(begin - r->begin + r->granule - 1) / r->granule;
        const size_t last = (size_t)(end - r->begin) / r->granule;
        bytes = unmap(r, first, last) * r->granule;
    }
    pthread_mutex_unlock(&all.lock);
    return bytes;
}

static int bring(uint64_t begin, uint64_t end) {
    bool done = true;
    pthread_mutex_lock(&all.lock);
    range *r = find(begin);
    if (r != NULL && end > begin && end - r->begin <= r->count * r->granule) {
        const size_t last = (size_t)(end - r->begin + r->granule - 1) / r->granule;
        done = map(r, (size_t)(begin - r->begin) / r->granule, last);
    }
    pthread_mutex_unlock(&all.lock);
    return done;
}

static int describe(uint64_t address, uint64_t *mapped, int *device) {
    pthread_mutex_lock(&all.lock);
    const range *r = find(address);
    if (r != NULL) {
        *mapped = 0;
        for (size_t i = 0; i < r->count; i++)
            *mapped += r->mapped[i] ? r->granule : 0;
        *device = r->device;
    }
    pthread_mutex_unlock(&all.lock);
    return r != NULL;
}

void krs_gpu_granules_get(krs_gpu_granules *granules) {
    *granules = (krs_gpu_granules){allocate, deallocate, granule, settle,
                                   take,     bring,      describe};
}
