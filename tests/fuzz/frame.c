/* Any bytes are refused as a frame or understood; what is understood says the same when
 * it is written again. The first byte is how many descriptors came. */
#include <stdlib.h>
#include <string.h>

#include "wire/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(int holds) {
    if (!holds)
        abort();
}

static void must_be_whole(const krs_frame *frame, const uint8_t *bytes, size_t length,
                          size_t descriptors) {
    static char again[KRS_FRAME_MOST];
    const int values = krs_frame_values(frame->kind);
    must(values >= 0 && values <= KRS_FRAME_VALUES && descriptors <= 1);
    must(length == KRS_FRAME_HEAD + 8 * (size_t)values + frame->length);
    must((const uint8_t *)frame->text == bytes + length - frame->length);
    for (int i = values; i < KRS_FRAME_VALUES; i++)
        must(frame->values[i] == 0);
    must(krs_frame_encode(frame, again) == length);
    must(memcmp(again, bytes, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    const size_t descriptors = length > 0 ? bytes[0] : 0;
    const size_t left = length > 0 ? length - 1 : 0;
    /* A block of its own size, so that a read past the end is one past the block. */
    uint8_t *exact = malloc(left == 0 ? 1 : left);
    must(exact != NULL);
    if (left > 0)
        memcpy(exact, bytes + 1, left);
    krs_frame frame = {.trial = 1, .length = 2};
    const krs_status status = krs_frame_decode(exact, left, descriptors, &frame);
    if (status == KRS_OK)
        must_be_whole(&frame, exact, left, descriptors);
    else
        must(status == KRS_FORMAT && frame.trial == 1 && frame.length == 2 &&
             frame.text == NULL);
    free(exact);
    return 0;
}
