/* naive.h - what the three questions mean, written as the definition reads and not for
 * speed: applied again and again until nothing changes. For graphs of SAMPLE_NODES. */
#ifndef KRS_TESTS_NAIVE_H
#define KRS_TESTS_NAIVE_H

#include <stdbool.h>

#include "sample.h"

void naive_owned(const sample *s, uint8_t *owned, int64_t *outside);

/* `label` starts out as s->label. */
void naive_label(const sample *s, uint8_t *label);

/* Whether `parent` describes shortest paths; there may be several. `waves` and `barred`
 * may be NULL. */
bool naive_paths_agree(const sample *s, const uint8_t *waves, const uint8_t *barred,
                       const krs_node *parent);

#endif
