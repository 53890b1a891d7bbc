/* Compiles the header alone as C++, first and twice: it must bring all it needs. */
#include "keraser.h"
#include "keraser.h"

static_assert(KRS_OK == 0, "success is 0, as callers test it");
