/* region_pools.h - the pools whose memory comes in regions. */
#ifndef KRS_TENSORFLOW_REGION_POOLS_H
#define KRS_TENSORFLOW_REGION_POOLS_H

#include "tensorflow/symbols.h"

/* Finds the pools of `which` (KRS_POOLS_OF_...): writes at most `room` addresses of
 * objects of tsl::BFCAllocator, each once, and returns their number. */
size_t krs__region_pools_find(const krs__tensorflow *tf, unsigned which, void **pools,
                              size_t room);

#endif
