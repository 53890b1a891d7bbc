/* See fake_regions.h. Functions have the names of TensorFlow's, and call each other as
 * those do: through the table of calls of the library. */
#include "fake_regions.h"

#include <stdlib.h>
#include <string.h>

#define NAMED(symbol) __asm__(symbol) __attribute__((visibility("default")))
#define NAMED_FUNCTION(symbol) NAMED(symbol) __attribute__((noinline))

typedef struct {
    const void *table;
    uint8_t bytes[1024];
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
void mutex_lock(int *mutex) NAMED_FUNCTION("_ZN4absl12lts_202508145Mutex4lockEv");
void mutex_unlock(int *mutex) NAMED_FUNCTION("_ZN4absl12lts_202508145Mutex6unlockEv");
bool extend(fake_pool *p, size_t alignment, size_t bytes)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator6ExtendEmm");
size_t largest_free(fake_pool *p)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator16LargestFreeChunkEv");
void *allocate_raw(fake_pool *p, size_t alignment, size_t bytes, const void *attributes)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator11AllocateRawEmmRKNS_20AllocationAttributesE");
void deallocate_raw(fake_pool *p, void *memory)
    NAMED_FUNCTION("_ZN3tsl12BFCAllocator13DeallocateRawEPv");
size_t allocated_size(const fake_pool *p, const void *memory)
    NAMED_FUNCTION("_ZNK3tsl12BFCAllocator13AllocatedSizeEPKv");
bool fake_grow(fake_pool *p) NAMED_FUNCTION("fake_grow");
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

void mutex_lock(int *mutex) {
    while (__atomic_exchange_n(mutex, 1, __ATOMIC_ACQUIRE))
        ;
}

void mutex_unlock(int *mutex) {
    __atomic_store_n(mutex, 0, __ATOMIC_RELEASE);
}

void record_map(dump *d, fake_pool *p) {
    mutex_lock(&p->locked);
    record_locked(d, p);
    mutex_unlock(&p->locked);
}

static void put(dump *d, uint8_t tag, uint64_t value) {
    d->bytes[d->length++] = tag;
    for (; value > 0x7F; value >>= 7)
        d->bytes[d->length++] = (uint8_t)(value | 0x80);
    d->bytes[d->length++] = (uint8_t)value;
}

static void put_text(dump *d, uint8_t tag, const char *text) {
    put(d, tag, strlen(text));
    memcpy(d->bytes + d->length, text, strlen(text));
    d->length += strlen(text);
}

static void put_chunk(dump *d, uint64_t address, uint64_t size, bool in_use) {
    dump chunk = {.length = 0};
    put(&chunk, 0x08, address);
    put(&chunk, 0x10, size);
    put(&chunk, 0x18, size - 3); /* of free ones from before */
    put(&chunk, 0x20, in_use ? UINT64_MAX : 17);
    put_text(&chunk, 0x2A, in_use ? "MatMul" : "gone");
    put(&chunk, 0x30, 99);
    put(&chunk, 0x40, in_use);
    put(d, 0x1A, chunk.length);
    memcpy(d->bytes + d->length, chunk.bytes, chunk.length);
    d->length += chunk.length;
}

/* The list of regions, as the pool keeps it beside its map. */
static void write_list(fake_pool *p, const uint64_t *begins) {
    const size_t stride = fake.stride == 0 ? 6 : fake.stride;
    uintptr_t *at = p->words;
    memset(p->words, 0xAA, sizeof p->words);
    for (size_t i = 0; i < REGIONS; i++) {
        if (p->regions[i].size == 0 || (fake.joined && i == 1))
            continue;
        at[0] = begins[i];
        at[1] = p->regions[i].size;
        if (fake.joined && i == 0)
            at[1] = begins[1] + p->regions[1].size - begins[0];
        at[2] = at[0] + at[1];
        at += stride;
    }
    if (fake.stale > 0 && fake.stale--) /* the last has grown */
        at[2 - (ptrdiff_t)stride] += 4096;
    p->list[0] = p->words;
    p->list[1] = p->list[2] = at;
    p->stranger[0] = (uintptr_t)p->words; /* a vector, but not of all */
    p->stranger[1] = p->stranger[2] = (uintptr_t)(p->words + stride);
}

dump *record_locked(dump *d, fake_pool *p) {
    dump book = {.length = 0};
    uint64_t in_use = p->lie, begins[REGIONS], next = UINT64_C(1) << 32;
    fake.maps++;
    *d = (dump){.table = fake.other_dump ? (const void *)&fake : dump_table + 2};
    __atomic_add_fetch(&fake.dumps, 1, __ATOMIC_RELAXED);
    put_text(d, 0x0A, p->name);
    for (size_t i = 0; i < REGIONS; i++) {
        const fake_region *r = &p->regions[i];
        const uint64_t begin_at = begins[i] = next;
        next = fake.side_by_side ? next + r->size : next + (UINT64_C(1) << 32);
        if (r->in_use > 0)
            put_chunk(d, begin_at, r->in_use, true);
        if (r->size > r->in_use)
            put_chunk(d, begin_at + r->in_use, r->size - r->in_use, false);
        in_use += r->in_use;
    }
    write_list(p, begins);
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

/* ---- growing ---------------------------------------------------------------- */

/* As the pool does where nothing is free: first more memory, then what is free as a
 * whole and more memory again. */
bool fake_grow(fake_pool *p) {
    mutex_lock(&p->locked);
    const bool grown =
        extend(p, 256, 4096) || (release_regions(p, 4096) && extend(p, 256, 4096));
    mutex_unlock(&p->locked);
    return grown;
}

bool extend(fake_pool *p, size_t alignment, size_t bytes) {
    (void)p, (void)alignment, (void)bytes;
    fake.extends++;
    return true;
}

size_t largest_free(fake_pool *p) {
    (void)p;
    return 0;
}

/* Somebody else was faster: nothing is free, and so the pool would grow. */
void *allocate_raw(fake_pool *p, size_t alignment, size_t bytes,
                   const void *attributes) {
    (void)attributes;
    fake.requests++;
    extend(p, alignment, bytes);
    return NULL;
}

void deallocate_raw(fake_pool *p, void *memory) {
    (void)p, (void)memory;
}

size_t allocated_size(const fake_pool *p, const void *memory) {
    (void)p, (void)memory;
    return 0;
}

/* The driver's functions, as TensorFlow calls them: by a word each, nought at first. */
#if defined(__x86_64__)
#define DRIVER_FUNCTION(name)                                                          \
    __asm__(".bss\n.balign 8\nword_of_" name ": .zero 8\n.text\n.globl " name "\n"     \
            ".type " name ", @function\n" name ":\n"                                   \
            "  " FAKE_DRIVER_CODE " $0, word_of_" name "(%rip)\n"                      \
            "  jmp *word_of_" name "(%rip)\n")
DRIVER_FUNCTION("cuMemAlloc_v2");
DRIVER_FUNCTION("cuMemFree_v2");
#endif

/* ---- the rest --------------------------------------------------------------- */

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
