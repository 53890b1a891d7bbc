#include "rows.h"

#include <stdlib.h>
#include <string.h>

void krs_rows_free(krs_rows *rows) {
    free(rows->models);
    free(rows->text);
    *rows = (krs_rows){0};
}

void krs_rows_clear(krs_rows *rows) {
    rows->count = rows->used = 0;
    rows->complete = 0;
    *rows->why = '\0';
}

/* 0 without memory. */
static int make_room(krs_rows *rows, size_t text) {
    if (rows->count == rows->room) {
        const size_t room = rows->room == 0 ? 16 : 2 * rows->room;
        krs_model_row *grown = realloc(rows->models, room * sizeof *grown);
        if (grown == NULL)
            return 0;
        rows->models = grown;
        rows->room = room;
    }
    if (rows->used + text > rows->text_room) {
        size_t room = rows->text_room == 0 ? 1024 : 2 * rows->text_room;
        while (room < rows->used + text)
            room *= 2;
        char *grown = realloc(rows->text, room);
        if (grown == NULL)
            return 0;
        rows->text = grown;
        rows->text_room = room;
    }
    return 1;
}

static krs_trouble take_model(krs_rows *rows, const krs_frame *frame) {
    const char *gap =
        frame->length > 0 ? memchr(frame->text, '\0', frame->length) : NULL;
    if (gap == NULL || frame->values[KRS_MODEL_RUNNING] > 1 ||
        rows->count >= KRS_ROWS_MOST || rows->used + frame->length > KRS_ROWS_TEXT_MOST)
        return KRS_TROUBLE_VERSION;
    const size_t name = (size_t)(gap - frame->text);
    if (memchr(gap + 1, '\0', frame->length - name - 1) != NULL)
        return KRS_TROUBLE_VERSION;
    if (!make_room(rows, frame->length))
        return KRS_TROUBLE_NOMEM;
    memcpy(rows->text + rows->used, frame->text, frame->length);
    rows->models[rows->count++] = (krs_model_row){
        .id = frame->values[KRS_MODEL_ID],
        .weights = frame->values[KRS_MODEL_WEIGHTS],
        .optimizer = frame->values[KRS_MODEL_OPTIMIZER],
        .metrics = frame->values[KRS_MODEL_METRICS],
        .running = (int)frame->values[KRS_MODEL_RUNNING],
        .name = rows->used,
        .name_length = name,
        .kind = rows->used + name + 1,
        .kind_length = frame->length - name - 1,
    };
    rows->used += frame->length;
    return KRS_TROUBLE_NONE;
}

/* The largest first; those of one size stay where they are from one reading to the
 * next. */
static int compare(const void *left, const void *right) {
    const krs_model_row *a = left, *b = right;
    const uint64_t bytes = krs_model_bytes(a), other = krs_model_bytes(b);
    return bytes != other ? (bytes < other) - (bytes > other)
                          : (a->id > b->id) - (a->id < b->id);
}

static krs_trouble take_process(krs_rows *rows, const krs_frame *frame) {
    if (frame->values[KRS_PROCESS_MODELS] != rows->count ||
        frame->length > KRS_ROWS_WHY)
        return KRS_TROUBLE_VERSION;
    memcpy(rows->process, frame->values, sizeof rows->process);
    if (frame->length > 0)
        memcpy(rows->why, frame->text, frame->length);
    rows->why[frame->length] = '\0';
    if (rows->count > 0)
        qsort(rows->models, rows->count, sizeof *rows->models, compare);
    rows->complete = 1;
    return KRS_TROUBLE_NONE;
}

krs_trouble krs_rows_take(krs_rows *rows, const krs_frame *frame) {
    if (!rows->complete && frame->kind == KRS_FRAME_MODEL)
        return take_model(rows, frame);
    if (!rows->complete && frame->kind == KRS_FRAME_PROCESS)
        return take_process(rows, frame);
    return KRS_TROUBLE_VERSION;
}

static uint64_t add(uint64_t a, uint64_t b) {
    return a + b < a ? UINT64_MAX : a + b;
}

uint64_t krs_model_bytes(const krs_model_row *model) {
    return add(add(model->weights, model->optimizer), model->metrics);
}

uint64_t krs_rows_bytes(const krs_rows *rows) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < rows->count; i++)
        bytes = add(bytes, krs_model_bytes(&rows->models[i]));
    return bytes;
}
