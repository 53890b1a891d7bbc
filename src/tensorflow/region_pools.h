/* region_pools.h - the pools whose memory comes in regions. */
#ifndef KRS_TENSORFLOW_REGION_POOLS_H
#define KRS_TENSORFLOW_REGION_POOLS_H

#include "tensorflow/symbols.h"

/* Why no pool of these can be looked for, or KRS_REFUSAL_NONE; `*symbol` is the first
 * that is missing, or NULL. */
krs_refusal krs__region_pools_refusal(const krs__tensorflow *tf, const char **symbol);

/* Finds the pools of `which` (KRS_POOLS_OF_...): writes at most `room` addresses of
 * objects of tsl::BFCAllocator, each once, and returns their number. */
size_t krs__region_pools_find(const krs__tensorflow *tf, unsigned which, void **pools,
                              size_t room);

#endif
