/* trim.h - what one trim() has done, pool by pool. */
#ifndef KRS_PY_TRIM_H
#define KRS_PY_TRIM_H

#include "python.h"

enum { KRS_TRIMS = 4 + KRS_POOLS + 2 * KRS_GPUS }; /* the last named one fits as well */

typedef struct {
    krs_pool_trim rows[KRS_TRIMS];
    size_t count;
} krs_trims;

/* `prefix` and `name` together are what the pool is called. */
void krs_trims_add(krs_trims *trims, const char *prefix, const char *name,
                   const krs_trim *trim);

/* Pools of GPUs, and those of the CPU that are made like them. Without the GIL. */
krs_status krs_trim_gpu_pools(krs_trims *trims, const char **what);

/* One dict a pool. */
PyObject *krs_trims_describe(const krs_trims *trims);

/* None, or the text of a refusal with what it concerns. */
PyObject *krs_refusal_words(krs_refusal refusal, const char *symbol);

#endif
