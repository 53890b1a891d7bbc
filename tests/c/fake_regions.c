/* See fake_regions.h. Functions have the names of TensorFlow's, and call each other as
 * those do: through the table of calls of the library. */
#include "fake_regions.h"

#include <stdlib.h>
#include <string.h>

#define NAMED(symbol) __asm__(symbol) __attribute__((visibility("default")))
#define NAMED_FUNCTION(symbol) NAMED(symbol) __attribute__((noinline))

typedef struct {
    const void *table;
    uint8_t bytes[256];
    size_t length;
} dump;

fake_tensorflow *fake_regions(void) __attribute__((visibility("default")));
void record_map(dump *d, fake_pool *p)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator15RecordMemoryMapEv");
dump *record_locked(dump *d, fake_pool *p)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator23RecordMemoryMapInternalEv");
bool release_regions(fake_pool *p, size_t wanted)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator21DeallocateFreeRegionsEm");
bool release_for_true(fake_pool *p) NAMED_FUNCTION("fake_release");
void flush(const char *message)
    NAMED_FUNCTION("_ZN4absl12lts_2025081412log_internal10LogMessage5FlushEv");
size_t dump_bytes(const dump *d)
    NAMED_FUNCTION("_ZNK10tensorflow10MemoryDump12ByteSizeLongEv");
bool serialize(const dump *d, void *bytes, int size)
    NAMED_FUNCTION("_ZNK6google8protobuf11MessageLite16SerializeToArrayEPvi");
void destroy(dump *d) NAMED_FUNCTION("_ZN10tensorflow10MemoryDumpD1Ev");
void *cpu_allocator(int node) NAMED_FUNCTION("_ZN3tsl13cpu_allocatorEi");
void *gpu_state(void *other)
    NAMED_FUNCTION("_ZN10tensorflow15GPUProcessState9singletonEPS0_");
void *allocate(void) NAMED("TF_AllocateTensor");
void *data(void) NAMED("TF_TensorData");
void delete (void)NAMED("TF_DeleteTensor");

extern const void *const bfc_table[4] NAMED("_ZTVN3tsl12BFCAllocatorE");
extern const void *const gpu_table[4] NAMED("_ZTVN10tensorflow15GPUBFCAllocatorE");
extern const void *const mkl_table[4] NAMED("_ZTVN10tensorflow15MklCPUAllocatorE");
extern const void *const dump_table[4] NAMED("_ZTVN10tensorflow10MemoryDumpE");
const void *const bfc_table[4] = {NULL}, *const gpu_table[4] = {NULL};
const void *const mkl_table[4] = {NULL}, *const dump_table[4] = {NULL};

void log_of_another(void) NAMED_FUNCTION("_ZN5other12log_internal10LogMessage5FlushEv");

static fake_tensorflow fake;
static fake_pool other = {.table = &other};

static void begin(fake_pool *p, const void *table, const char *name) {
    p->table = table;
    p->name = name;
}

fake_tensorflow *fake_regions(void) {
    memset(&fake, 0, sizeof fake);
    begin(&fake.cpu, bfc_table + 2, "cpu");
    begin(&fake.gpus[0], gpu_table + 2, "GPU_0_bfc");
    begin(&fake.gpus[1], gpu_table + 2, "GPU_1_bfc");
    begin(&fake.host, bfc_table + 2, "gpu_host_bfc");
    fake.gpus[0].flag = fake.gpus[1].flag = 1;
    fake.state.begin = fake.state.end = fake.elements;
    fake.state.room = fake.elements + ELEMENTS;
    return &fake;
}

/* ---- a pool ---------------------------------------------------------------------- */

static void lock(fake_pool *p) {
    while (__atomic_exchange_n(&p->locked, 1, __ATOMIC_ACQUIRE))
        ;
}

static void unlock(fake_pool *p) {
    __atomic_store_n(&p->locked, 0, __ATOMIC_RELEASE);
}

void record_map(dump *d, fake_pool *p) {
    lock(p);
    record_locked(d, p);
    unlock(p);
}

static void put(dump *d, uint8_t tag, uint64_t value) {
    d->bytes[d->length++] = tag;
    for (; value > 0x7F; value >>= 7)
        d->bytes[d->length++] = (uint8_t)(value | 0x80);
    d->bytes[d->length++] = (uint8_t)value;
}

static void put_chunk(dump *d, uint64_t address, uint64_t size, bool in_use) {
    dump chunk = {.length = 0};
    put(&chunk, 0x08, address);
    put(&chunk, 0x10, size);
    put(&chunk, 0x40, in_use);
    put(d, 0x1A, chunk.length);
    memcpy(d->bytes + d->length, chunk.bytes, chunk.length);
    d->length += chunk.length;
}

dump *record_locked(dump *d, fake_pool *p) {
    dump book = {.length = 0};
    uint64_t in_use = p->lie;
    *d = (dump){.table = fake.other_dump ? (const void *)&fake : dump_table + 2};
    __atomic_add_fetch(&fake.dumps, 1, __ATOMIC_RELAXED);
    put(d, 0x0A, strlen(p->name));
    memcpy(d->bytes + d->length, p->name, strlen(p->name));
    d->length += strlen(p->name);
    for (size_t i = 0; i < REGIONS; i++) {
        const fake_region *r = &p->regions[i];
        const uint64_t begin_at = (i + 1) << 32;
        if (r->in_use > 0)
            put_chunk(d, begin_at, r->in_use, true);
        if (r->size > r->in_use)
            put_chunk(d, begin_at + r->in_use, r->size - r->in_use, false);
        in_use += r->in_use;
    }
    put(&book, 0x10, in_use);
    put(d, 0x2A, book.length);
    memcpy(d->bytes + d->length, book.bytes, book.length);
    d->length += book.length;
    return d;
}

/* Begins like TensorFlow's, with the look at the flag. */
#if defined(__x86_64__)
__asm__(".text\n.globl _ZN3tsl12BFCAllocator21DeallocateFreeRegionsEm\n"
        ".type _ZN3tsl12BFCAllocator21DeallocateFreeRegionsEm, @function\n"
        "_ZN3tsl12BFCAllocator21DeallocateFreeRegionsEm:\n"
        "  push %rbp\n  mov %rsp, %rbp\n"
        "  " FAKE_CODE " $0, 0x4c2(%rdi)\n  je 1f\n"
        "  call fake_release@PLT\n  pop %rbp\n  ret\n"
        "1: xor %eax, %eax\n  pop %rbp\n  ret\n");
#else
bool release_regions(fake_pool *p, size_t wanted) {
    return wanted == 0 && p->flag && release_for_true(p);
}
#endif

bool release_for_true(fake_pool *p) {
    bool any = false;
    fake.releases++;
    log_of_another();
    fake.unlocked += !p->locked || p->flag != 1;
    if (fake.meanwhile != NULL)
        fake.meanwhile();
    for (size_t i = 0; i < REGIONS; i++)
        any |= p->regions[i].size > 0 && p->regions[i].in_use == 0;
    if (any)
        flush("warning");
    for (size_t i = 0; i < REGIONS; i++) {
        if (p->regions[i].in_use == 0)
            p->regions[i].size = 0;
    }
    flush("error");
    return any;
}

void log_of_another(void) {
}

void flush(const char *message) {
    fake.warnings += strcmp(message, "warning") == 0;
    fake.errors += strcmp(message, "error") == 0;
}

/* ---- the rest ----------------------------------------------------------------------
 */

size_t dump_bytes(const dump *d) {
    return d->length;
}

bool serialize(const dump *d, void *bytes, int size) {
    memcpy(bytes, d->bytes, (size_t)size);
    return true;
}

void destroy(dump *d) {
    d->length = 0;
    __atomic_sub_fetch(&fake.dumps, 1, __ATOMIC_RELAXED);
}

void *cpu_allocator(int node) {
    (void)node;
    return fake.cpu_is_other ? &other : &fake.cpu;
}

void *gpu_state(void *replacement) {
    if (replacement != NULL)
        abort();
    return &fake.state;
}

void *allocate(void) {
    return NULL;
}

void *data(void) {
    return NULL;
}

void delete (void) {
}
