/* Compiles the header alone, first and twice: it must bring all it needs. */
#include "keraser.h"

_Static_assert(KRS_OK == 0, "success is 0, as callers test it");
