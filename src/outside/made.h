/* made.h - a reading of memory that is no process, for tests and the fuzzer. */
#ifndef KRS_OUTSIDE_MADE_H
#define KRS_OUTSIDE_MADE_H

#include "outside/memory.h"

typedef struct {
    krs__reader *read;
    void *context;
    uint64_t begin, end; /* what can be read, whole pages */
    uint64_t runtime;    /* where _PyRuntime is */
    unsigned minor;      /* of CPython 3, one that is known */
} krs__made_memory;

/* krs_outside_open() from there on where the Python has been found; one try. */
krs_status krs__outside_open_memory(const krs__made_memory *memory,
                                    krs_outside **outside, krs_outside_error *error);

#endif
