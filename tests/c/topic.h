/* topic.h - what cmocka.h wants included before it, in the order it wants it. */
#ifndef KRS_TESTS_TOPIC_H
#define KRS_TESTS_TOPIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))

/* Drawn per topic: what holds for a thousand random graphs. */
enum { SAMPLES = 1000 };

#endif
