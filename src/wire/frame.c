/* Frames to bytes and back: pure, without a system call. What is read comes from
 * another process, so nothing is believed: magic, kind, count of values, lengths to the
 * last byte, descriptors. */
#include <string.h>

#include "wire/protocol.h"

/* As protocol.h draws it. */
typedef struct {
    uint32_t magic;
    uint16_t kind;
    uint16_t values;
    uint32_t length;
    uint32_t zero;
    uint64_t trial;
} head;

_Static_assert(sizeof(head) == KRS_FRAME_HEAD, "the head of a frame has no gaps");

typedef struct {
    int values;
    size_t text;
    size_t descriptors;
} shape;

#define X(name, number, values, text, descriptors)                                     \
    _Static_assert((values) <= KRS_FRAME_VALUES && (text) <= KRS_FRAME_TEXT, #name);
KRS_FRAME_MAP(X)
#undef X

static shape shape_of(unsigned kind) {
    switch (kind) {
#define X(name, number, values, text, descriptors)                                     \
    case number:                                                                       \
        return (shape){values, text, descriptors};
        KRS_FRAME_MAP(X)
#undef X
    }
    return (shape){-1, 0, 0};
}

int krs_frame_values(unsigned kind) {
    return shape_of(kind).values;
}

size_t krs_frame_descriptors(unsigned kind) {
    return shape_of(kind).descriptors;
}

krs_status krs_frame_decode(const void *bytes, size_t length, size_t descriptors,
                            krs_frame *frame) {
    head h;
    if (bytes == NULL || frame == NULL)
        return KRS_INVALID;
    if (length < sizeof h)
        return KRS_FORMAT;
    memcpy(&h, bytes, sizeof h);
    const shape s = shape_of(h.kind);
    if (h.magic != KRS_FRAME_MAGIC || s.values < 0 || h.values != s.values ||
        h.zero != 0 || h.length > s.text || descriptors != s.descriptors)
        return KRS_FORMAT;
    const size_t values = 8 * (size_t)s.values;
    if (length != sizeof h + values + h.length)
        return KRS_FORMAT;
    const char *at = (const char *)bytes + sizeof h;
    *frame = (krs_frame){.kind = (krs_frame_kind)h.kind,
                         .trial = h.trial,
                         .text = at + values,
                         .length = h.length};
    memcpy(frame->values, at, values);
    return KRS_OK;
}

size_t krs_frame_encode(const krs_frame *frame, void *bytes) {
    const shape s = shape_of(frame->kind);
    if (s.values < 0 || frame->length > s.text)
        return 0;
    const head h = {.magic = KRS_FRAME_MAGIC,
                    .kind = (uint16_t)frame->kind,
                    .values = (uint16_t)s.values,
                    .length = (uint32_t)frame->length,
                    .trial = frame->trial};
    const size_t values = 8 * (size_t)s.values;
    char *at = bytes;
    memcpy(at, &h, sizeof h);
    memcpy(at + sizeof h, frame->values, values);
    if (frame->length > 0)
        memcpy(at + sizeof h + values, frame->text, frame->length);
    return sizeof h + values + frame->length;
}
