/* Compiles the header alone: it must bring all it needs. */
#include "keraser.h"

/* Once more: the first time must have shut the door. */
#include "keraser.h"

_Static_assert(KRS_OK == 0, "success is 0, as callers test it");
