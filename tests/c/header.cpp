/* Compiles the header alone as C++: it must bring all it needs. */
#include "keraser.h"

/* Once more: the first time must have shut the door. */
#include "keraser.h"

static_assert(KRS_OK == 0, "success is 0, as callers test it");
