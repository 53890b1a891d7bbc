#define _GNU_SOURCE /* MAP_ANONYMOUS, mincore */
#include "fake_tensorflow.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CHUNKS = 512,
    TENSORS = 256,
    REGIONS = 8,
    GRANULE = 256,
    SMALLEST = 256 * FAKE_KIB,
    OFFSET = 64, /* of a region in its first page, as malloc's head makes it */
    TEXT = 64 * FAKE_KIB,
};

typedef struct {
    uintptr_t begin;
    size_t size;
    bool in_use, starts_region;
} chunk;

typedef struct {
    void *data; /* NULL: this place is free */
    bool in_pool;
} tensor;

/* As C++ lays them out: the table of functions behind two words, the vptr first. */
typedef struct {
    const char *vptr;
    uint8_t text[128];
} dump_object;

typedef struct {
    const char *vptr;
    const void *words[7];
} object;

static const char mkl_table[64], bfc_table[64], dump_table[64], other_table[64];
static object allocator, bfc;

static struct {
    chunk chunks[CHUNKS];
    size_t chunk_count;
    void *regions[REGIONS];
    size_t region_sizes[REGIONS];
    unsigned region_count, dumps, allocations;
    tensor tensors[TENSORS];
    uint8_t text[TEXT];
    bool busy, allocating;
} world;

fake_faults fake;

static void must(bool holds) {
    if (!holds)
        abort();
}

static void let_others_go_on(void) {
    if (fake.meanwhile == NULL || world.busy)
        return;
    world.busy = true;
    fake.meanwhile();
    world.busy = false;
}

/* ---- the pool --------------------------------------------------------------- */

static void insert(size_t at, chunk c) {
    must(world.chunk_count < CHUNKS);
    memmove(&world.chunks[at + 1], &world.chunks[at],
            (world.chunk_count - at) * sizeof c);
    world.chunks[at] = c;
    world.chunk_count++;
}

static void extend(size_t size) {
    size_t bytes = (size_t)2 * FAKE_MIB << world.region_count;
    while (bytes < size)
        bytes *= 2;
    must(world.region_count < REGIONS);
    void *region = mmap(NULL, bytes + FAKE_PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(region != MAP_FAILED);
    world.regions[world.region_count] = region;
    world.region_sizes[world.region_count++] = bytes + FAKE_PAGE;
    const chunk c = {(uintptr_t)region + OFFSET, bytes, false, true};
    size_t at = 0;
    while (at < world.chunk_count && world.chunks[at].begin < c.begin)
        at++;
    insert(at, c);
}

static size_t best_fit(size_t size) {
    size_t found = CHUNKS;
    for (size_t i = 0; i < world.chunk_count; i++) {
        const chunk *c = &world.chunks[i];
        if (!c->in_use && c->size >= size &&
            (found == CHUNKS || c->size < world.chunks[found].size))
            found = i;
    }
    return found;
}

static void *pool_take(size_t bytes) {
    const size_t size = (bytes + GRANULE - 1) / GRANULE * GRANULE;
    size_t at = best_fit(size);
    if (at == CHUNKS) {
        extend(size);
        at = best_fit(size);
    }
    chunk *c = &world.chunks[at];
    if (c->size >= 2 * size) {
        insert(at + 1, (chunk){c->begin + size, c->size - size, false, false});
        c->size = size;
    }
    c->in_use = true;
    return (void *)c->begin;
}

/* Joins a chunk with the one behind it, if both are free parts of one region. */
static void merge(size_t at) {
    chunk *c = &world.chunks[at];
    if (at + 1 >= world.chunk_count || c->in_use || c[1].in_use || c[1].starts_region)
        return;
    c->size += c[1].size;
    world.chunk_count--;
    memmove(c + 1, c + 2, (world.chunk_count - at - 1) * sizeof *c);
}

static void pool_free(const void *data) {
    size_t at = 0;
    while (at < world.chunk_count && world.chunks[at].begin != (uintptr_t)data)
        at++;
    must(at < world.chunk_count && world.chunks[at].in_use);
    world.chunks[at].in_use = false;
    merge(at);
    if (at > 0)
        merge(at - 1);
}

/* ---- what the core calls ---------------------------------------------------- */

static void *cpu_allocator(int node) {
    must(node == -1);
    static const void *const wild[7] = {(void *)8, (void *)0x1001, (void *)-4096,
                                        (void *)0x10000, (void *)&other_table};
    allocator = (object){.vptr = mkl_table + 16, .words = {NULL, &bfc}};
    bfc.vptr = bfc_table + 16;
    if (fake.other_allocator)
        allocator.vptr = other_table + 16;
    if (fake.wild_words)
        memcpy(allocator.words, wild, sizeof wild);
    return fake.null_allocator ? NULL : &allocator;
}

static size_t put_varint(uint8_t *at, uint64_t value) {
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        at[length++] = (uint8_t)(value | 0x80);
    at[length++] = (uint8_t)value;
    return length;
}

static size_t put_field(uint8_t *at, unsigned number, uint64_t value) {
    const size_t length = put_varint(at, number << 3);
    return length + put_varint(at + length, value);
}

static size_t write_chunk(uint8_t *at, const chunk *c) {
    uint8_t body[64];
    size_t length = put_field(body, 1, c->begin);
    length += put_field(body + length, 2, c->size);
    length += put_field(body + length, 4, c->in_use ? UINT64_MAX : 14); /* its bin */
    if (c->in_use && !fake.lies)
        length += put_field(body + length, 8, 1);
    const size_t head = put_varint(at, 3 << 3 | 2) + 1;
    at[head - 1] = (uint8_t)length;
    memcpy(at + head, body, length);
    return head + length;
}

static size_t write_map(uint8_t *at) {
    static const uint8_t name[] = {1 << 3 | 2, 6, 'm', 'k', 'l', 'c', 'p', 'u'};
    if (fake.text != NULL) {
        memcpy(at, fake.text, fake.text_length);
        return fake.text_length;
    }
    size_t length = sizeof name;
    memcpy(at, name, length);
    for (size_t i = 0; i < world.chunk_count; i++) {
        must(length + 128 < TEXT);
        length += write_chunk(at + length, &world.chunks[i]);
    }
    return length;
}

static void record_map(void *dump, void *pool) {
    must(pool == &bfc);
    let_others_go_on();
    ((dump_object *)dump)->vptr = (fake.other_dump ? other_table : dump_table) + 16;
    world.dumps += !fake.other_dump;
}

static size_t dump_bytes(const void *dump) {
    must(((const dump_object *)dump)->vptr == dump_table + 16);
    return write_map(world.text);
}

static bool serialize(const void *dump, void *bytes, int size) {
    must(((const dump_object *)dump)->vptr == dump_table + 16);
    const size_t length = write_map(world.text);
    if (fake.refuses_to_write || (size_t)size < length)
        return false;
    memcpy(bytes, world.text, length);
    return true;
}

static void destroy_dump(void *dump) {
    must(((dump_object *)dump)->vptr == dump_table + 16);
    world.dumps--;
}

static void *allocate_tensor(int type, const int64_t *dimensions, int count,
                             size_t bytes) {
    static uint8_t elsewhere[8 * FAKE_MIB];
    must(type == 4 && count == 1 && (size_t)dimensions[0] == bytes);
    world.allocating = true;
    let_others_go_on();
    world.allocating = false;
    world.allocations++;
    if (fake.fails > 0 && --fake.fails == 0)
        return NULL;
    for (size_t i = 0; i < TENSORS; i++) {
        tensor *t = &world.tensors[i];
        if (t->data != NULL)
            continue;
        t->in_pool = !fake.outside;
        t->data = fake.outside ? elsewhere : pool_take(bytes);
        must(bytes >= SMALLEST); /* less would not reach the pool */
        return t;
    }
    abort();
}

static void *tensor_data(const void *t) {
    return ((const tensor *)t)->data;
}

static void delete_tensor(void *t) {
    tensor *dying = t;
    must(dying->data != NULL);
    let_others_go_on();
    if (dying->in_pool)
        pool_free(dying->data);
    dying->data = NULL;
}

static uint64_t hash64(const char *bytes, size_t length, uint64_t seed) {
    must(seed == 0xDECAFCAFFE);
    return length * 1000 + (unsigned char)bytes[0];
}

/* ---- where the core looks --------------------------------------------------- */

typedef void function(void);

static const struct {
    const char *symbol;
    function *code;
    const char *table;
} symbols[] = {
    {"_ZN3tsl13cpu_allocatorEi", (function *)cpu_allocator, NULL},
    {"_ZN3tsl12BFCAllocator15RecordMemoryMapEv", (function *)record_map, NULL},
    {"_ZNK10tensorflow10MemoryDump12ByteSizeLongEv", (function *)dump_bytes, NULL},
    {"_ZNK6google8protobuf11MessageLite16SerializeToArrayEPvi", (function *)serialize,
     NULL},
    {"_ZN10tensorflow10MemoryDumpD1Ev", (function *)destroy_dump, NULL},
    {"TF_AllocateTensor", (function *)allocate_tensor, NULL},
    {"TF_TensorData", (function *)tensor_data, NULL},
    {"TF_DeleteTensor", (function *)delete_tensor, NULL},
    {"_ZN3tsl6Hash64EPKcmm", (function *)hash64, NULL},
    {"_ZTVN10tensorflow15MklCPUAllocatorE", NULL, mkl_table},
    {"_ZTVN3tsl12BFCAllocatorE", NULL, bfc_table},
    {"_ZTVN10tensorflow10MemoryDumpE", NULL, dump_table},
};

void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_dlclose(void *handle);

static char library;

void *__wrap_dlopen(const char *name, int flags) {
    must((flags & RTLD_NOLOAD) != 0);
    return !fake.absent && strcmp(name, "libtensorflow_framework.so.2") == 0 ? &library
                                                                             : NULL;
}

int __wrap_dlclose(void *handle) {
    must(handle == &library);
    return 0;
}

void *__wrap_dlsym(void *handle, const char *name) {
    must(handle == &library);
    void *address = NULL;
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        if (strcmp(symbols[i].symbol, name) != 0)
            continue;
        if (fake.lacks != NULL && strcmp(fake.lacks, name) == 0)
            return NULL;
        if (symbols[i].table != NULL)
            return (void *)(uintptr_t)symbols[i].table;
        memcpy(&address, &symbols[i].code, sizeof address);
    }
    return address;
}

/* ---- for tests -------------------------------------------------------------- */

void fake_start(void) {
    fake = (fake_faults){0};
    memset(&world, 0, sizeof world);
}

void fake_stop(void) {
    fake = (fake_faults){0};
    must(fake_tensors() == 0 && world.dumps == 0);
    for (unsigned i = 0; i < world.region_count; i++)
        munmap(world.regions[i], world.region_sizes[i]);
}

void *fake_tensor(size_t bytes) {
    const fake_faults faults = fake;
    const unsigned allocations = world.allocations;
    fake = (fake_faults){0};
    const int64_t length = (int64_t)bytes;
    void *t = allocate_tensor(4, &length, 1, bytes);
    memset(tensor_data(t), 0x5A, bytes);
    world.allocations = allocations;
    fake = faults;
    return t;
}

void fake_delete(void *t) {
    const fake_faults faults = fake;
    fake = (fake_faults){0};
    delete_tensor(t);
    fake = faults;
}

const uint8_t *fake_data(const void *t) {
    return tensor_data(t);
}

size_t fake_pool_bytes(void) {
    size_t bytes = 0;
    for (size_t i = 0; i < world.chunk_count; i++)
        bytes += world.chunks[i].size;
    return bytes;
}

unsigned fake_regions(void) {
    return world.region_count;
}

bool fake_is_allocating(void) {
    return world.allocating;
}

unsigned fake_dumps(void) {
    return world.dumps;
}

unsigned fake_allocations(void) {
    return world.allocations;
}

unsigned fake_tensors(void) {
    unsigned alive = 0;
    for (size_t i = 0; i < TENSORS; i++)
        alive += world.tensors[i].data != NULL;
    return alive;
}

size_t fake_largest_free(void) {
    size_t largest = 0;
    for (size_t i = 0; i < world.chunk_count; i++) {
        const chunk *c = &world.chunks[i];
        if (!c->in_use && c->size > largest)
            largest = c->size;
    }
    return largest;
}

size_t fake_idle(void) {
    size_t pages = 0;
    for (size_t i = 0; i < world.chunk_count; i++) {
        const chunk *c = &world.chunks[i];
        uintptr_t at = (c->begin + FAKE_PAGE - 1) / FAKE_PAGE * FAKE_PAGE;
        for (; !c->in_use && at + FAKE_PAGE <= c->begin + c->size; at += FAKE_PAGE) {
            unsigned char page;
            must(mincore((void *)at, FAKE_PAGE, &page) == 0);
            pages += page & 1;
        }
    }
    return pages * FAKE_PAGE;
}
