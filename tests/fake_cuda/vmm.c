/* Virtual memory management, with the rules of cuda.h and no leniency: sizes and
 * addresses are multiples of the granule, an offset into a handle is 0, nothing is
 * mapped twice, what is unmapped are whole mappings, addresses are freed as they were
 * reserved and when nothing is mapped there. Memory that is not mapped, or to which
 * access was not given, ends the program that touches it.
 *
 * Physical memory is one sparse file, each handle a range of it. */
#define _GNU_SOURCE /* memfd_create, fallocate */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_cuda.h"

enum { RANGES = 4096, GRANULE = 2 << 20 };

typedef struct {
    int type, id;
} location;

typedef struct { /* CUmemAllocationProp */
    int type, handle_types;
    location where;
    void *windows;
    unsigned char flags[8];
} properties;

typedef struct { /* CUmemAccessDesc */
    location where;
    int flags;
} access_of;

typedef struct {
    size_t first, granules; /* of the file */
    int device, mappings;
    bool released;
} handle;

typedef struct {
    handle *of; /* NULL: nothing is mapped */
    bool is_first;
} entry;

typedef struct {
    uintptr_t begin;
    size_t granules;
    entry *entries;
} range;

static range ranges[RANGES];
static size_t range_count, file_granules;
static unsigned char *taken; /* granules of the file */
static int file = -1;

static bool is_whole(uint64_t bytes) {
    return bytes != 0 && bytes % GRANULE == 0;
}

static void open_file(void) {
    file_granules = fake_device_memory() / GRANULE * (size_t)fake_device_count();
    file = memfd_create("fake device memory", MFD_CLOEXEC);
    taken = calloc(file_granules, 1);
    if (file < 0 || taken == NULL ||
        ftruncate(file, (off_t)(file_granules * GRANULE)) != 0)
        abort();
}

/* First fit. Never fails: the devices' own books say first that memory is out. */
static size_t take_granules(size_t count) {
    for (size_t first = 0, run = 0, i = 0; i < file_granules; i++) {
        run = taken[i] ? 0 : run + 1;
        first = i + 1 - run;
        if (run < count)
            continue;
        for (size_t j = first; j <= i; j++)
            taken[j] = 1;
        return first;
    }
    abort();
}

/* A handle lives until it is released and nothing of it is mapped. */
static void end_if_unused(handle *h) {
    if (!h->released || h->mappings > 0)
        return;
    for (size_t i = 0; i < h->granules; i++)
        taken[h->first + i] = 0;
    fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (off_t)(h->first * GRANULE), (off_t)(h->granules * GRANULE));
    fake_give(h->device, &fake_figure.created, h->granules * GRANULE);
    free(h);
}

static range *find(fake_address address, size_t bytes) {
    for (size_t i = 0; i < range_count; i++) {
        const range *r = &ranges[i];
        if (address >= r->begin && is_whole(bytes) && address % GRANULE == 0 &&
            address - r->begin + bytes <= r->granules * GRANULE)
            return &ranges[i];
    }
    return NULL;
}

static entry *entry_at(const range *r, fake_address address) {
    return &r->entries[(address - r->begin) / GRANULE];
}

static bool close_pages(uintptr_t begin, size_t bytes) {
    return mmap((void *)begin, bytes, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

int cuMemGetAllocationGranularity(size_t *granule, const properties *p, int option) {
    ENTER();
    (void)p, (void)option;
    *granule = GRANULE;
    return SUCCESS;
}

int cuMemAddressReserve(fake_address *begin, size_t bytes, size_t alignment,
                        fake_address wish, uint64_t flags) {
    ENTER();
    (void)wish;
    if (!is_whole(bytes) || flags != 0 || (alignment & (alignment - 1)) != 0)
        return INVALID_VALUE;
    const size_t align = alignment > GRANULE ? alignment : GRANULE;
    void *memory = mmap(NULL, bytes + align, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fake_lock();
    if (memory == MAP_FAILED || range_count == RANGES)
        abort();
    range *r = &ranges[range_count++];
    r->begin = ((uintptr_t)memory + align - 1) / align * align;
    r->granules = bytes / GRANULE;
    r->entries = calloc(r->granules, sizeof *r->entries);
    if (r->entries == NULL)
        abort();
    fake_figure.reserved += bytes;
    *begin = r->begin;
    fake_unlock();
    return SUCCESS;
}

int cuMemAddressFree(fake_address begin, size_t bytes) {
    ENTER();
    fake_lock();
    range *r = find(begin, bytes);
    bool right = r != NULL && r->begin == begin && r->granules == bytes / GRANULE;
    for (size_t i = 0; right && i < r->granules; i++)
        right = r->entries[i].of == NULL;
    if (right) {
        free(r->entries);
        *r = ranges[--range_count];
        fake_figure.reserved -= bytes;
    }
    fake_unlock();
    return right ? SUCCESS : INVALID_VALUE;
}

int cuMemCreate(handle **created, size_t bytes, const properties *p, uint64_t flags) {
    enum { PINNED = 1, DEVICE = 1 };
    ENTER();
    if (!is_whole(bytes) || flags != 0 || p->type != PINNED ||
        p->where.type != DEVICE || p->where.id < 0 ||
        p->where.id >= fake_device_count())
        return INVALID_VALUE;
    fake_lock();
    if (file < 0)
        open_file();
    const bool enough = fake_take(p->where.id, &fake_figure.created, bytes);
    if (enough) {
        *created = calloc(1, sizeof **created);
        if (*created == NULL)
            abort();
        (*created)->device = p->where.id;
        (*created)->granules = bytes / GRANULE;
        (*created)->first = take_granules(bytes / GRANULE);
    }
    fake_unlock();
    return enough ? SUCCESS : OUT_OF_MEMORY;
}

int cuMemRelease(handle *h) {
    ENTER();
    fake_lock();
    const bool right = h != NULL && !h->released;
    if (right) {
        h->released = true;
        end_if_unused(h);
    }
    fake_unlock();
    return right ? SUCCESS : INVALID_VALUE;
}

static int map(fake_address begin, size_t bytes, handle *h) {
    const range *r = find(begin, bytes);
    if (r == NULL || h->released || bytes != h->granules * GRANULE)
        return INVALID_VALUE;
    entry *entries = entry_at(r, begin);
    for (size_t i = 0; i < h->granules; i++) {
        if (entries[i].of != NULL)
            return INVALID_VALUE;
    }
    if (mmap((void *)(uintptr_t)begin, bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, file,
             (off_t)(h->first * GRANULE)) == MAP_FAILED)
        abort();
    for (size_t i = 0; i < h->granules; i++)
        entries[i] = (entry){h, i == 0};
    h->mappings++;
    fake_figure.mapped += bytes;
    return SUCCESS;
}

int cuMemMap(fake_address begin, size_t bytes, size_t offset, handle *h,
             uint64_t flags) {
    ENTER();
    if (offset != 0 || flags != 0 || h == NULL)
        return INVALID_VALUE;
    fake_lock();
    const int result = map(begin, bytes, h);
    fake_unlock();
    return result;
}

/* Whether something is mapped everywhere, and mappings begin and end at the ends. */
static bool are_whole_mappings(const range *r, const entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (entries[i].of == NULL)
            return false;
    }
    const entry *end = entries + count;
    return entries[0].is_first &&
           (end == r->entries + r->granules || end->of == NULL || end->is_first);
}

int cuMemSetAccess(fake_address begin, size_t bytes, const access_of *access,
                   size_t count) {
    enum { READ_WRITE = 3 };
    ENTER();
    fake_lock();
    const range *r = find(begin, bytes);
    const bool right = r != NULL && count > 0 &&
                       are_whole_mappings(r, entry_at(r, begin), bytes / GRANULE) &&
                       mprotect((void *)(uintptr_t)begin, bytes,
                                access[0].flags == READ_WRITE ? PROT_READ | PROT_WRITE
                                                              : PROT_NONE) == 0;
    fake_unlock();
    return right ? SUCCESS : INVALID_VALUE;
}

int cuMemUnmap(fake_address begin, size_t bytes) {
    ENTER();
    fake_lock();
    const range *r = find(begin, bytes);
    const bool right = r != NULL &&
                       are_whole_mappings(r, entry_at(r, begin), bytes / GRANULE) &&
                       close_pages((uintptr_t)begin, bytes);
    for (size_t i = 0; right && i < bytes / GRANULE; i++) {
        entry *e = entry_at(r, begin) + i;
        handle *h = e->of;
        const bool is_first = e->is_first;
        *e = (entry){0};
        fake_figure.mapped -= GRANULE;
        if (is_first && --h->mappings == 0)
            end_if_unused(h);
    }
    fake_unlock();
    return right ? SUCCESS : INVALID_VALUE;
}
