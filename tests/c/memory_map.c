/* The map of a pool: read right, or refused. */
#include "tensorflow/memory_map.h"

#include <string.h>

#include "topic.h"

#define CHUNK(length) 0x1A, length
#define ADDRESS(byte) 0x08, byte
#define SIZE(byte) 0x10, byte
#define IN_USE(byte) 0x40, byte

typedef struct {
    const char *what;
    uint8_t bytes[32];
    size_t length;
} text;

static krs_status parse(const text *t, krs__memory_map *map) {
    return krs__memory_map_parse(t->bytes, t->length, map);
}

static void chunks_are_read_and_all_else_is_passed_over(void **state) {
    (void)state;
    const uint8_t bytes[] = {
        0x0A,     1,           'm',                                  /* name */
        0x12,     2,           8,        3,                          /* bin summary */
        CHUNK(6), ADDRESS(16), SIZE(32), IN_USE(1),                  /* */
        CHUNK(7), ADDRESS(64), 0x10,     0x80,      2,    IN_USE(0), /* 256 bytes */
        0x35,     1,           2,        3,         4,               /* fixed32 */
        0x31,     1,           2,        3,         4,    5,
        6,        7,           8,                             /* fixed64 */
        0x80,     0x01,        5,                             /* field 16 */
        0x2A,     4,           0x08,     9,         0x10, 32, /* the book */
    };
    krs__memory_map map = {0};
    assert_int_equal(krs__memory_map_parse(bytes, sizeof bytes, &map), KRS_OK);
    assert_int_equal(map.count, 2);
    assert_int_equal(map.chunks[0].begin, 16);
    assert_int_equal(map.chunks[0].end, 48);
    assert_true(map.chunks[0].in_use);
    assert_int_equal(map.chunks[1].begin, 64);
    assert_int_equal(map.chunks[1].end, 320);
    assert_false(map.chunks[1].in_use);
    assert_int_equal(krs__memory_map_size(&map), 288);
    assert_int_equal(krs__memory_map_in_use(&map), 32);
    assert_int_equal(map.told_in_use, 32);
    assert_string_equal(map.name, "m");
    krs__memory_map_free(&map);
    assert_null(map.chunks);
}

static void what_is_told_of_a_chunk_is_read(void **state) {
    (void)state;
    const uint8_t bytes[] = {
        CHUNK(22), ADDRESS(16), SIZE(32), 0x18, 29,                    /* requested */
        0x20,      0xFF,        0xFF,     0xFF, 0xFF,                  /* bin -1 */
        0xFF,      0xFF,        0xFF,     0xFF, 0xFF, 1, 0x2A, 1, 'o', /* op */
        0x30,      7,                                                  /* freed at */
        CHUNK(9),  ADDRESS(64), SIZE(1),  0x39, 1,    2, 3,    4,
    };
    krs__memory_map map = {0};
    assert_int_equal(krs__memory_map_parse(bytes, sizeof bytes - 11, &map), KRS_OK);
    assert_int_equal(map.count, 1);
    assert_int_equal(map.chunks[0].requested, 29);
    assert_int_equal(map.chunks[0].bin, -1);
    assert_int_equal(map.chunks[0].freed_at, 7);
    assert_int_equal(map.chunks[0].op_length, 1);
    assert_int_equal(bytes[map.chunks[0].op], 'o');
    /* A fixed64 cut short; field 7 is passed over, whatever its type. */
    assert_int_equal(krs__memory_map_parse(bytes, sizeof bytes, &map), KRS_FORMAT);
    const uint8_t other[] = {CHUNK(9), ADDRESS(16), SIZE(8), 0x3D, 1, 2, 3, 4};
    assert_int_equal(krs__memory_map_parse(other, sizeof other, &map), KRS_OK);
    assert_int_equal(map.chunks[0].op_length, 0);
    krs__memory_map_free(&map);
}

static void a_long_name_is_cut(void **state) {
    (void)state;
    krs__memory_map map = {0};
    uint8_t bytes[102] = {0x0A, 100};
    memset(bytes + 2, 'x', 100);
    assert_int_equal(krs__memory_map_parse(bytes, sizeof bytes, &map), KRS_OK);
    assert_int_equal(strlen(map.name), KRS_POOL_NAME - 1);
    bytes[1] = 2;
    assert_int_equal(krs__memory_map_parse(bytes, 4, &map), KRS_OK);
    assert_string_equal(map.name, "xx");
}

static void an_address_is_found_in_its_chunk_and_in_no_other(void **state) {
    (void)state;
    const uint8_t bytes[] = {CHUNK(4), ADDRESS(16), SIZE(16),    CHUNK(4), ADDRESS(32),
                             SIZE(16), CHUNK(4),    ADDRESS(64), SIZE(1)};
    const int expected[] = {[16] = 1, [31] = 1, [32] = 2, [47] = 2, [64] = 3, [80] = 0};
    krs__memory_map map = {0};
    assert_null(krs__memory_map_find(&map, 16));
    assert_int_equal(krs__memory_map_parse(bytes, sizeof bytes, &map), KRS_OK);
    for (uintptr_t at = 0; at < LENGTH_OF(expected); at++) {
        const krs__chunk *found = krs__memory_map_find(&map, at);
        const bool inside = (at >= 16 && at < 48) || at == 64;
        assert_int_equal(found != NULL, inside);
        if (expected[at] != 0)
            assert_ptr_equal(found, &map.chunks[expected[at] - 1]);
    }
    krs__memory_map_free(&map);
}

#define TEN 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF

static const text refused[] = {
    {"a tag alone", {0x1A}, 1},
    {"a chunk longer than the text", {CHUNK(5), ADDRESS(16), SIZE(8)}, 6},
    {"a chunk that is no message", {0x18, 1}, 2},
    {"no address", {CHUNK(2), SIZE(8)}, 4},
    {"no size", {CHUNK(2), ADDRESS(8)}, 4},
    {"a size of another type", {CHUNK(7), ADDRESS(16), 0x15, 1, 0, 0, 0}, 9},
    {"a name that is no text of a chunk", {CHUNK(6), ADDRESS(16), SIZE(8), 0x28, 1}, 8},
    {"a name longer than its chunk", {CHUNK(6), ADDRESS(16), SIZE(8), 0x2A, 1, 'x'}, 8},
    {"beyond the address space", {CHUNK(13), 0x08, TEN, 1, SIZE(8)}, 15},
    {"a size below 0", {CHUNK(13), ADDRESS(8), 0x10, TEN, 1}, 15},
    {"a varint that never ends", {0x08, TEN, 0x80, 1}, 12},
    {"a varint of 65 bits", {0x08, TEN, 2}, 11},
    {"a name that is no text", {0x08, 1}, 2},
    {"a book that is no message", {0x28, 1}, 2},
    {"a book cut short", {0x2A, 1, 0x10}, 3},
    {"bytes in use of another type", {0x2A, 2, 0x12, 0}, 4},
    {"field 0", {0x00, 1}, 2},
    {"a group", {0x0B, 0x0C}, 2},
    {"fixed32 cut short", {0x2D, 1, 2, 3}, 4},
    {"fixed64 cut short", {0x31, 1, 2, 3, 4, 5, 6, 7}, 8},
    {"chunks that overlap",
     {CHUNK(4), ADDRESS(16), SIZE(16), CHUNK(4), ADDRESS(31), SIZE(16)},
     12},
    {"chunks out of order",
     {CHUNK(4), ADDRESS(64), SIZE(16), CHUNK(4), ADDRESS(16), SIZE(16)},
     12},
};

static void what_is_no_map_is_refused_and_the_old_one_stays(void **state) {
    (void)state;
    const text good = {"", {CHUNK(4), ADDRESS(16), SIZE(32)}, 6};
    krs__memory_map map = {0};
    assert_int_equal(parse(&good, &map), KRS_OK);
    for (size_t i = 0; i < LENGTH_OF(refused); i++) {
        if (parse(&refused[i], &map) != KRS_FORMAT)
            fail_msg("%s was not refused", refused[i].what);
        assert_int_equal(map.count, 1);
        assert_int_equal(map.chunks[0].end, 48);
    }
    krs__memory_map_free(&map);
}

static void a_text_cut_anywhere_is_refused_or_lacks_whole_chunks(void **state) {
    (void)state;
    const uint8_t bytes[] = {CHUNK(4),    ADDRESS(16), SIZE(16), CHUNK(6),
                             ADDRESS(32), SIZE(16),    IN_USE(1)};
    for (size_t length = 0; length <= sizeof bytes; length++) {
        krs__memory_map map = {0};
        const krs_status status = krs__memory_map_parse(bytes, length, &map);
        const bool whole = length == 0 || length == 6 || length == sizeof bytes;
        assert_int_equal(status, whole ? KRS_OK : KRS_FORMAT);
        assert_int_equal(map.count, !whole ? 0 : length == 0 ? 0 : length == 6 ? 1 : 2);
        krs__memory_map_free(&map);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_read_and_all_else_is_passed_over),
        cmocka_unit_test(what_is_told_of_a_chunk_is_read),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(an_address_is_found_in_its_chunk_and_in_no_other),
        cmocka_unit_test(what_is_no_map_is_refused_and_the_old_one_stays),
        cmocka_unit_test(a_text_cut_anywhere_is_refused_or_lacks_whole_chunks),
    };
    return cmocka_run_group_tests_name("memory_map", tests, NULL, NULL);
}
