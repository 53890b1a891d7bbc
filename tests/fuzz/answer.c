/* Any frames that a process may send to a command line are refused or understood, and
 * what is understood lies within what came. Bytes: how many follow, u16, a frame or, if
 * the first is odd, the memfd of the next ANSWER. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "facts.h"
#include "rows.h"
#include "verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

static void must_be_within(const krs_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        const krs_model_row *row = &rows->models[i];
        must(row->name + row->name_length < rows->used);
        must(row->kind + row->kind_length <= rows->used);
        must(row->running == 0 || row->running == 1);
        must(memchr(rows->text + row->name, 0, row->name_length) == NULL);
        if (rows->complete && i > 0)
            must(krs_model_bytes(row) <= krs_model_bytes(row - 1));
    }
    if (rows->complete)
        must(rows->process[KRS_PROCESS_MODELS] == rows->count);
    must(strlen(rows->why) <= KRS_ROWS_WHY);
}

static void take_answer(const krs_frame *frame, int memfd, size_t size) {
    krs_verdict verdict = {0};
    if (krs_verdict_take(&verdict, frame, memfd) != KRS_TROUBLE_NONE) {
        must(verdict.bytes == NULL);
        return;
    }
    must(verdict.text + verdict.json == size);
    must(strlen(verdict.cause) <= frame->length);
    must(strchr(verdict.cause, '\n') == NULL && strchr(verdict.cure, '\n') == NULL);
    krs_verdict_free(&verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    krs_rows rows = {0};
    const int memfd = memfd_create("fuzz", 0);
    size_t size = 0;
    must(memfd >= 0);
    while (length >= 3) {
        const int is_memfd = bytes[0] & 1;
        size_t part = bytes[1] | (size_t)bytes[2] << 8;
        bytes += 3;
        length -= 3;
        part = part < length ? part : length;
        krs_frame frame;
        if (is_memfd) {
            must(ftruncate(memfd, 0) == 0);
            must(pwrite(memfd, bytes, part, 0) == (ssize_t)part);
            size = part;
        } else {
            const size_t descriptors = part > 4 && bytes[4] == KRS_FRAME_ANSWER;
            uint8_t *exact = malloc(part > 0 ? part : 1);
            must(exact != NULL);
            memcpy(exact, bytes, part);
            if (krs_frame_decode(exact, part, descriptors, &frame) == KRS_OK) {
                if (krs_rows_take(&rows, &frame) != KRS_TROUBLE_NONE)
                    krs_rows_clear(&rows);
                must_be_within(&rows);
                take_answer(&frame, memfd, size);
            }
            free(exact);
        }
        bytes += part;
        length -= part;
    }
    krs_rows_free(&rows);
    close(memfd);
    return 0;
}
