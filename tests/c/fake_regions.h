/* fake_regions.h - a library in the place of TensorFlow's, with pools of regions. It is
 * loaded, since what is tested is how it makes its own calls. */
#ifndef KRS_TESTS_FAKE_REGIONS_H
#define KRS_TESTS_FAKE_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REGIONS = 4, FAKE_FLAG = 0x4C2, ELEMENT_WORDS = 5, ELEMENTS = 6 };
enum { LIST_WORDS = REGIONS * 9 }; /* room for its list of regions */

typedef struct {
    uint64_t size, in_use; /* 0, 0: no region */
} fake_region;

/* A tsl::BFCAllocator. */
typedef struct {
    const void *table;
    const char *name;
    fake_region regions[REGIONS];
    uint64_t lie; /* added to what its book has in use */
    int locked;
    unsigned char padding[FAKE_FLAG - 92];
    unsigned char flag; /* whether it may give regions back */
    uintptr_t stranger[3];
    uintptr_t *list[3]; /* a vector: written with the map */
    uintptr_t words[LIST_WORDS];
} fake_pool;

_Static_assert(offsetof(fake_pool, flag) == FAKE_FLAG, "where the code looks");

/* A GPUProcessState: somewhere in it a vector, whose elements have pools among others.
 */
typedef struct {
    const void *table;
    uintptr_t wild[5];
    uintptr_t (*begin)[ELEMENT_WORDS], (*end)[ELEMENT_WORDS], (*room)[ELEMENT_WORDS];
    uintptr_t more[60];
} fake_gpu_state;

typedef struct {
    fake_pool cpu, gpus[2], host;
    bool cpu_is_other; /* the CPU's allocator is not a pool of regions */
    fake_gpu_state state;
    uintptr_t elements[ELEMENTS][ELEMENT_WORDS];
    unsigned dumps;            /* made, and not destroyed */
    unsigned requests;         /* of memory of a pool */
    unsigned extends;          /* calls of the function that makes a pool grow */
    unsigned releases;         /* calls of the function that gives regions back */
    unsigned unlocked;         /* those without the lock, or with the flag off */
    unsigned warnings, errors; /* lines of the log */
    bool other_dump;           /* the map is written into something else */
    bool side_by_side;         /* a region begins where the one before ends */
    size_t stride;             /* words of a region in the list; 0: 6 */
    bool joined;    /* the list has the first two as one, with what is between */
    unsigned stale; /* so many lists are of another moment than the map */
    unsigned maps;  /* recorded */
    void (*meanwhile)(void); /* in a release, under the lock */
} fake_tensorflow;

/* Exported by the library. */
typedef fake_tensorflow *fake_state_function(void);
typedef void fake_record_function(void *dump, void *pool);

#endif
