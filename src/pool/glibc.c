/* The heap of glibc's malloc, as it counts it itself. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <dlfcn.h>
#include <stddef.h>

#include "keraser.h"

/* struct mallinfo2 as glibc has had it since 2.33, written out so that the core
 * compiles against older headers and runs on musl. */
typedef struct {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks,
        keepcost;
} mallinfo2_result;

krs_status krs_heap_read(krs_heap *heap) {
    if (heap == NULL)
        return KRS_INVALID;
    mallinfo2_result (*mallinfo2)(void);
    /* POSIX's way round ISO C, which has no cast from an object to a function. */
    *(void **)&mallinfo2 = dlsym(RTLD_DEFAULT, "mallinfo2");
    if (mallinfo2 == NULL)
        return KRS_UNSUPPORTED;
    const mallinfo2_result info = mallinfo2();
    *heap = (krs_heap){.in_use = (uint64_t)info.uordblks + info.hblkhd,
                       .free = info.fordblks};
    return KRS_OK;
}
