/* table.h - what top shows: processes with their models under them, the largest first.
 * Order and text only; nothing here writes to a terminal. */
#ifndef KRS_CLI_TABLE_H
#define KRS_CLI_TABLE_H

#include "lines.h"
#include "targets.h"

typedef enum { KRS_ROW_PROCESS, KRS_ROW_MODEL, KRS_ROW_NOTE } krs_row_kind;

typedef struct {
    krs_row_kind kind;
    const krs_target *target;
    const krs_model_row *model; /* of KRS_ROW_MODEL */
} krs_row;

/* Zeroed, it is empty. */
typedef struct {
    krs_row *rows;
    size_t count, room;
    size_t models;  /* of all processes */
    uint64_t bytes; /* of them */
    int failed;     /* without memory: not all are here */
} krs_table;

/* The rows of the targets as they are now: valid until these change. Sorts them. */
void krs_table_build(krs_table *table, krs_targets *targets);
void krs_table_free(krs_table *table);

/* Columns of KRS_WIDE: as many as it takes. With `colour`, ANSI colours. */
#define KRS_WIDE 4096
void krs_table_title(const krs_table *table, const krs_targets *targets, size_t columns,
                     krs_lines *lines);
enum { KRS_TABLE_HEADERS = 2 };
void krs_table_header(unsigned line, size_t columns, krs_lines *lines);
void krs_table_row(const krs_row *row, size_t columns, int colour, krs_lines *lines);

#endif
