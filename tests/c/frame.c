/* Frames are read as they were written; what differs from a frame in anything is
 * refused, and then nothing has been written. */
#include <stdbool.h>
#include <string.h>

#include "topic.h"
#include "wire/protocol.h"

typedef struct {
    krs_frame_kind kind;
    int values;
    size_t text, descriptors;
} row;

static const row rows[] = {
#define X(name, number, values, text, descriptors)                                     \
    {KRS_FRAME_##name, values, text, descriptors},
    KRS_FRAME_MAP(X)
#undef X
};

/* Where the fields of the head are. */
enum { MAGIC = 0, KIND = 4, VALUES = 6, LENGTH = 8, ZERO = 12, TRIAL = 16 };

static char text[KRS_FRAME_TEXT + 1];

static krs_frame frame_of(const row *r, size_t length) {
    krs_frame frame = {.kind = r->kind,
                       .trial = UINT64_C(0x0123456789abcdef) + (uint64_t)r->kind,
                       .text = text,
                       .length = length};
    for (int i = 0; i < r->values; i++)
        frame.values[i] = UINT64_MAX / 3 * (uint64_t)i + (uint64_t)r->kind;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 37 + i / 256);
    return frame;
}

static void assert_refused(const void *bytes, size_t length, size_t descriptors) {
    krs_frame frame, untouched;
    memset(&frame, 0x5A, sizeof frame);
    memset(&untouched, 0x5A, sizeof untouched);
    assert_int_equal(krs_frame_decode(bytes, length, descriptors, &frame), KRS_FORMAT);
    assert_memory_equal(&frame, &untouched, sizeof frame);
}

static void assert_same_frame(const krs_frame *a, const krs_frame *b, int values) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->trial, b->trial);
    assert_int_equal(a->length, b->length);
    for (int i = 0; i < KRS_FRAME_VALUES; i++)
        assert_int_equal(a->values[i], i < values ? b->values[i] : 0);
    assert_memory_equal(a->text, b->text, b->length);
}

static void every_kind_is_read_as_it_was_written(void **state) {
    static char bytes[KRS_FRAME_MOST + 1], again[KRS_FRAME_MOST];
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const size_t lengths[] = {0, 1, rows[i].text / 2, rows[i].text};
        assert_int_equal(krs_frame_values(rows[i].kind), rows[i].values);
        for (size_t j = 0; j < LENGTH_OF(lengths) && lengths[j] <= rows[i].text; j++) {
            const krs_frame frame = frame_of(&rows[i], lengths[j]);
            krs_frame read;
            bytes[KRS_FRAME_MOST] = 0x5A;
            const size_t length = krs_frame_encode(&frame, bytes);
            assert_int_equal(length,
                             KRS_FRAME_HEAD + 8 * (size_t)rows[i].values + lengths[j]);
            assert_int_equal(bytes[KRS_FRAME_MOST], 0x5A);
            assert_int_equal(
                krs_frame_decode(bytes, length, rows[i].descriptors, &read), KRS_OK);
            assert_same_frame(&read, &frame, rows[i].values);
            assert_true(read.length == 0 ||
                        (read.text > bytes && read.text < bytes + KRS_FRAME_MOST));
            assert_int_equal(krs_frame_encode(&read, again), length);
            assert_memory_equal(again, bytes, length);
        }
    }
}

static void a_frame_cut_short_or_too_long_is_refused(void **state) {
    static char bytes[KRS_FRAME_MOST + 1];
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const krs_frame frame = frame_of(&rows[i], rows[i].text < 9 ? 0 : 9);
        const size_t length = krs_frame_encode(&frame, bytes);
        for (size_t cut = 0; cut < length; cut++)
            assert_refused(bytes, cut, rows[i].descriptors);
        assert_refused(bytes, length + 1, rows[i].descriptors);
        assert_refused(bytes, sizeof bytes, rows[i].descriptors);
    }
}

static void change(char *bytes, size_t at, size_t size, uint32_t by) {
    uint32_t value = 0;
    memcpy(&value, bytes + at, size);
    value += by;
    memcpy(bytes + at, &value, size);
}

/* Each with a text of three bytes, where the kind has one. */
static void a_field_that_is_wrong_by_any_bit_is_refused(void **state) {
    static const struct {
        size_t at, size;
    } fields[] = {{MAGIC, 4}, {VALUES, 2}, {LENGTH, 4}, {ZERO, 4}};
    char bytes[KRS_FRAME_MOST];
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const krs_frame frame = frame_of(&rows[i], rows[i].text < 3 ? 0 : 3);
        const size_t length = krs_frame_encode(&frame, bytes);
        for (size_t f = 0; f < LENGTH_OF(fields); f++)
            for (size_t bit = 0; bit < 8 * fields[f].size; bit++) {
                change(bytes, fields[f].at, fields[f].size, UINT32_C(1) << bit);
                assert_refused(bytes, length, rows[i].descriptors);
                change(bytes, fields[f].at, fields[f].size, -(UINT32_C(1) << bit));
            }
        for (size_t descriptors = 0; descriptors < 4; descriptors++)
            if (descriptors != rows[i].descriptors)
                assert_refused(bytes, length, descriptors);
        assert_refused(bytes, length, SIZE_MAX);
    }
}

static bool is_kind(unsigned kind) {
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if ((unsigned)rows[i].kind == kind)
            return true;
    return false;
}

static void a_kind_that_there_is_not_is_neither_read_nor_written(void **state) {
    char bytes[KRS_FRAME_MOST];
    (void)state;
    krs_frame frame = frame_of(&rows[0], 0);
    const size_t length = krs_frame_encode(&frame, bytes);
    for (unsigned kind = 0; kind <= UINT16_MAX; kind++) {
        if (is_kind(kind))
            continue;
        const uint16_t written = (uint16_t)kind;
        memcpy(bytes + KIND, &written, sizeof written);
        assert_refused(bytes, length, 0);
        assert_int_equal(krs_frame_values(kind), -1);
        frame.kind = (krs_frame_kind)kind;
        assert_int_equal(krs_frame_encode(&frame, bytes + length), 0);
    }
    assert_int_equal(krs_frame_values(UINT16_MAX + 1 + KRS_FRAME_HELLO), -1);
}

static void a_text_longer_than_its_kind_allows_is_neither_read_nor_written(void **s) {
    static char bytes[KRS_FRAME_MOST + 1];
    (void)s;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        krs_frame frame = frame_of(&rows[i], rows[i].text);
        const size_t length = krs_frame_encode(&frame, bytes);
        assert_int_equal(length,
                         KRS_FRAME_HEAD + 8 * (size_t)rows[i].values + rows[i].text);
        change(bytes, LENGTH, 4, 1);
        assert_refused(bytes, length + 1, rows[i].descriptors);
        frame.length++;
        assert_int_equal(krs_frame_encode(&frame, bytes), 0);
        frame.length = (size_t)UINT32_MAX + 1 + rows[i].text;
        assert_int_equal(krs_frame_encode(&frame, bytes), 0);
    }
}

static void nothing_to_read_or_to_write_to_is_invalid(void **state) {
    (void)state;
    krs_frame frame = frame_of(&rows[0], 0);
    char bytes[KRS_FRAME_HEAD] = {0};
    assert_int_equal(krs_frame_decode(NULL, 0, 0, &frame), KRS_INVALID);
    assert_int_equal(krs_frame_decode(bytes, sizeof bytes, 0, NULL), KRS_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_as_it_was_written),
        cmocka_unit_test(a_frame_cut_short_or_too_long_is_refused),
        cmocka_unit_test(a_field_that_is_wrong_by_any_bit_is_refused),
        cmocka_unit_test(a_kind_that_there_is_not_is_neither_read_nor_written),
        cmocka_unit_test(
            a_text_longer_than_its_kind_allows_is_neither_read_nor_written),
        cmocka_unit_test(nothing_to_read_or_to_write_to_is_invalid),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
