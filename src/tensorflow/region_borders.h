/* region_borders.h - where in a pool's map one region ends and the next begins. */
#ifndef KRS_TENSORFLOW_REGION_BORDERS_H
#define KRS_TENSORFLOW_REGION_BORDERS_H

#include "tensorflow/memory_map.h"

/* Finds the regions of the pool whose map this is: writes address, size, first and
 * count of each to `*regions`, to be freed, and their number to `*count`. NULL where
 * they were not found, as where the pool has changed since the map was read. */
krs_status krs__region_borders_find(const void *bfc, const krs__memory_map *map,
                                    krs_region **regions, size_t *count);

#endif
