/* naive.h - what the questions mean, written as the definition reads and not for
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

/* `references` starts out as s->references. */
void naive_unexplained(const sample *s, int64_t *references);

/* Writes what refers to `node` in rising order; at most SAMPLE_EDGES. */
size_t naive_referrers(const sample *s, krs_node node, krs_node *referrers);

/* What the roots lead to where the node `without`, if any, and those barred are not. */
void naive_reach(const sample *s, krs_node without, const uint8_t *barred,
                 bool *reached);

/* d dominates n if n is reached, and is not where d is not there. `retained` starts out
 * as the own sizes. */
void naive_dominators(const sample *s, const uint8_t *barred, krs_node *dominator,
                      uint64_t *retained, uint32_t *members);

/* Writes every way, in order, and how they go on; at most SAMPLE_WAYS. */
size_t naive_ways(const sample *s, krs_node target, const uint8_t *barred,
                  const krs_node *parent, uint32_t reach, krs_node *next,
                  krs_way *ways);

#endif
