/* Everything of TensorFlow that is called or looked at, in one list: name, symbol, and
 * for functions the type. Found by dlsym() in libraries that the process has loaded;
 * the same symbols are in TensorFlow 2.15 and 2.21. The C API is documented; of the C++
 * symbols none has a type of absl in it, whose names change from version to version.
 *
 * A C++ method is a function that takes the object first. One that returns an object
 * takes before it, on x86-64, where to put that object: the System V ABI for C++. */
#ifndef KRS_TENSORFLOW_SYMBOLS_H
#define KRS_TENSORFLOW_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keraser.h"

/* X(name, symbol, result, arguments) */
#define KRS__TENSORFLOW_FUNCTIONS(X)                                                   \
    X(cpu_allocator, "_ZN3tsl13cpu_allocatorEi", void *, (int numa_node))              \
    X(record_map, "_ZN3tsl12BFCAllocator15RecordMemoryMapEv", void,                    \
      (void *dump, void *pool))                                                        \
    X(dump_bytes, "_ZNK10tensorflow10MemoryDump12ByteSizeLongEv", size_t,              \
      (const void *dump))                                                              \
    X(serialize, "_ZNK6google8protobuf11MessageLite16SerializeToArrayEPvi", bool,      \
      (const void *dump, void *bytes, int size))                                       \
    X(destroy_dump, "_ZN10tensorflow10MemoryDumpD1Ev", void, (void *dump))             \
    X(allocate_tensor, "TF_AllocateTensor", void *,                                    \
      (int type, const int64_t *dimensions, int count, size_t bytes))                  \
    X(tensor_data, "TF_TensorData", void *, (const void *tensor))                      \
    X(delete_tensor, "TF_DeleteTensor", void, (void *tensor))

/* X(name, symbol): tables of virtual functions, by which objects are known. */
#define KRS__TENSORFLOW_TABLES(X)                                                      \
    X(mkl_table, "_ZTVN10tensorflow15MklCPUAllocatorE")                                \
    X(bfc_table, "_ZTVN3tsl12BFCAllocatorE")                                           \
    X(dump_table, "_ZTVN10tensorflow10MemoryDumpE")

/* The same for pools of regions alone (regions.c); known in 2.21. */
#define KRS__REGION_FUNCTIONS(X)                                                       \
    X(gpu_state, "_ZN10tensorflow15GPUProcessState9singletonEPS0_", void *,            \
      (void *other))                                                                   \
    X(record_locked, KRS__RECORD_LOCKED, void *, (void *dump, void *pool))             \
    X(release_regions, "_ZN3tsl12BFCAllocator21DeallocateFreeRegionsEm", bool,         \
      (void *pool, size_t wanted))
#define KRS__RECORD_LOCKED "_ZN3tsl12BFCAllocator23RecordMemoryMapInternalEv"

/* What writes a line of the log, of whatever version of absl. */
#define KRS__LOG_FLUSH "_ZN4absl*12log_internal10LogMessage5FlushEv"

#define KRS__REGION_TABLES(X) X(gpu_bfc_table, "_ZTVN10tensorflow15GPUBFCAllocatorE")

/* The hash that names types in TensorFlow's resource manager; trimming needs it not. */
#define KRS__TENSORFLOW_HASH "_ZN3tsl6Hash64EPKcmm"

typedef struct {
    bool loaded;         /* is TensorFlow in this process at all? */
    const char *missing; /* the first symbol of the lists that it does not have */
    const char *missing_for_regions; /* the same of the lists for them */
#define X(name, symbol, result, arguments) result(*name) arguments;
    KRS__TENSORFLOW_FUNCTIONS(X)
    KRS__REGION_FUNCTIONS(X)
#undef X
#define X(name, symbol) const char *name;
    KRS__TENSORFLOW_TABLES(X)
    KRS__REGION_TABLES(X)
#undef X
} krs__tensorflow;

/* Fills `tf` with what the process has loaded, NULL where it lacks something. */
void krs__tensorflow_find(krs__tensorflow *tf);

/* Why the pool cannot be looked for in this process, or KRS_REFUSAL_NONE. */
krs_refusal krs__tensorflow_refusal(const krs__tensorflow *tf);

/* The address of one symbol in the TensorFlow that is loaded, or NULL. */
void *krs__tensorflow_symbol(const char *symbol);

/* Whether `object`, of which `word` is the first word, has this table of virtual
 * functions: behind the offset to the top and the type come the functions. */
static inline bool krs__is_of(uintptr_t word, const char *table) {
    return table != NULL && word == (uintptr_t)table + 2 * sizeof(void *);
}

#endif
