/* Files of /proc that hold one "Name:  number unit" a line among others. Strict,
 * because a figure read wrong would be reported as truth: a field that is there must
 * look as the kernel writes it, its newline included, so text cut short in a number is
 * refused. */
#ifndef KRS_PROC_FIELDS_H
#define KRS_PROC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* with its colon */
    const char *unit; /* with the blank before it, or "" */
    uint64_t scale;
    uint64_t most; /* before scaling */
    bool required;
} krs__field;

/* A number of kB, read as bytes. */
#define KRS__FIELD_KB(name, required)                                                  \
    { (name), " kB", 1024, UINT64_MAX / 1024, (required) }

/* Reads each of `count` fields, at most 64, into `values`, 0 where it is absent, and
 * sets bit f of `*found` for each that is there. False where one is not as the kernel
 * writes it or there twice; one that is required and absent is for the caller to see
 * (krs__fields_complete()). */
bool krs__fields_read(const char *text, size_t length, const krs__field *fields,
                      size_t count, uint64_t *values, uint64_t *found);

/* Whether all that are required were found. */
bool krs__fields_complete(const krs__field *fields, size_t count, uint64_t found);

#endif
