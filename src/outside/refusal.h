/* refusal.h - why a process is not read, in words. */
#ifndef KRS_OUTSIDE_REFUSAL_H
#define KRS_OUTSIDE_REFUSAL_H

#include "keraser.h"

/* Fills `error`; `detail` stands for the "%s" of the cause, if it has one. Returns
 * KRS_UNSUPPORTED, for callers to return. */
krs_status krs__refuse(krs_outside_error *error, krs_outside_refusal refusal,
                       const char *detail);

#endif
