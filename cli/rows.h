/* rows.h - what a process answers to TOP: its models, then itself. */
#ifndef KRS_CLI_ROWS_H
#define KRS_CLI_ROWS_H

#include "trouble.h"
#include "wire/protocol.h"

typedef struct {
    uint64_t id;
    uint64_t weights, optimizer, metrics; /* bytes */
    int running;
    size_t name, name_length; /* within the text of the rows */
    size_t kind, kind_length; /* its class */
} krs_model_row;

enum { KRS_ROWS_MOST = 100000, KRS_ROWS_TEXT_MOST = 64 << 20, KRS_ROWS_WHY = 1024 };

/* Zeroed, it is empty. */
typedef struct {
    krs_model_row *models; /* once complete, the largest first */
    size_t count, room;
    char *text;
    size_t used, text_room;
    int complete;               /* the process has come, too */
    uint64_t process[9];        /* KRS_PROCESS_* */
    char why[KRS_ROWS_WHY + 1]; /* why there are no models, or "" */
} krs_rows;

void krs_rows_free(krs_rows *rows);
void krs_rows_clear(krs_rows *rows);

/* Takes the next frame, from which nothing is believed: VERSION where it does not fit,
 * or rows are too many. After a failure what has come so far is good for nothing but
 * clear and free. */
krs_trouble krs_rows_take(krs_rows *rows, const krs_frame *frame);

/* All bytes of a model, or of all of them; no more than UINT64_MAX. */
uint64_t krs_model_bytes(const krs_model_row *model);
uint64_t krs_rows_bytes(const krs_rows *rows);

#endif
