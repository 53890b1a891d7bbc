/* made.h - a reading of memory that is no process, for tests and the fuzzer. */
#ifndef KRS_OUTSIDE_MADE_H
#define KRS_OUTSIDE_MADE_H

#include "outside/memory.h"

typedef struct {
    krs__mapper *map;
    krs__reader *read;
    void *context;    /* of both */
    uint64_t runtime; /* where _PyRuntime is */
    unsigned minor;   /* of CPython 3, one that is known */
    unsigned tries;   /* 1 or more */
} krs__made_memory;

/* krs_outside_open() from there on where the Python has been found. */
krs_status krs__outside_open_memory(const krs__made_memory *memory,
                                    krs_outside **outside, krs_outside_error *error);

#endif
