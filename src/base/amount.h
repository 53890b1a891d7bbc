/* Arithmetic of amounts that stops at its ends in place of wrapping round. */
#ifndef KRS_BASE_AMOUNT_H
#define KRS_BASE_AMOUNT_H

#include <stdint.h>

static inline uint64_t krs__plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t krs__minus(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static inline uint64_t krs__least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint64_t krs__most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* `value`, or the end it lies beyond; `high` counts where the ends are crossed. */
static inline uint64_t krs__clamp(uint64_t low, uint64_t value, uint64_t high) {
    return krs__least(krs__most(low, value), high);
}

#endif
