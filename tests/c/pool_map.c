/* Maps of pools: chunks in their regions, with what was given back of them; what is not
 * known for sure is refused. On the library of fake_regions.c. */
#define _GNU_SOURCE /* dlsym */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "fake_regions.h"
#include "keraser.h"
#include "tensorflow/pages.h"
#include "topic.h"

enum { MIB = 1 << 20, GRANULE = 2 * MIB };
#define FIRST (UINT64_C(1) << 32) /* where the first region is */

static void *library;
static fake_tensorflow *fake;
static const char *lacks; /* this symbol is not there */

void *__real_dlsym(void *handle, const char *symbol);
void *__wrap_dlsym(void *handle, const char *symbol);

void *__wrap_dlsym(void *handle, const char *symbol) {
    return lacks != NULL && strcmp(symbol, lacks) == 0 ? NULL
                                                       : __real_dlsym(handle, symbol);
}

static void fill(fake_pool *pool) {
    static const fake_region regions[REGIONS] = {
        {64 * MIB, MIB}, {16 * MIB, 0}, {MIB, MIB}, {2 * MIB, 4096}};
    memcpy(pool->regions, regions, sizeof regions);
}

static int load(void **state) {
    (void)state;
    fake_state_function *begin;
    library = dlopen(FAKE_REGIONS_LAZY, RTLD_LAZY);
    assert_non_null(library);
    *(void **)&begin = __real_dlsym(library, "fake_regions");
    fake = begin();
    fill(&fake->cpu);
    fill(&fake->gpus[0]);
    fake->elements[0][1] = (uintptr_t)&fake->gpus[0];
    fake->state.end = fake->elements + 1;
    return 0;
}

static int unload(void **state) {
    krs__armed *a = krs__armed_state();
    (void)state;
    lacks = NULL;
    failing = 0;
    free(a->pieces);
    a->pieces = NULL;
    a->piece_count = a->capacity = 0;
    a->armed = false;
    assert_int_equal(pthread_mutex_trylock(&a->at_work), 0);
    pthread_mutex_unlock(&a->at_work);
    assert_int_equal(fake->dumps, 0);
    dlclose(library);
    return 0;
}

static size_t map(unsigned which, krs_pool_map *maps) {
    size_t count = 77;
    assert_int_equal(krs_tensorflow_map(which, maps, KRS_POOLS, &count), KRS_OK);
    return count;
}

/* Chunks fill their region, regions take all chunks. */
static void assert_adds_up(const krs_pool_map *m) {
    size_t first = 0;
    for (size_t i = 0; i < m->region_count; i++) {
        const krs_region *r = &m->regions[i];
        uint64_t size = 0, given_back = 0;
        assert_int_equal(r->first, first);
        for (size_t j = 0; j < r->count; j++) {
            assert_int_equal(m->chunks[first + j].address, r->address + size);
            size += m->chunks[first + j].size;
            given_back += m->chunks[first + j].given_back;
        }
        assert_int_equal(size, r->size);
        assert_int_equal(given_back, r->given_back);
        first += r->count;
    }
    assert_int_equal(first, m->chunk_count);
}

/* ---- what is there ---- */

static void regions_and_chunks_are_as_the_pool_has_them(void **state) {
    (void)state;
    krs_pool_map maps[KRS_POOLS];
    assert_int_equal(map(KRS_POOLS_OF_CPU | KRS_POOLS_OF_GPU, maps), 2);
    assert_string_equal(maps[0].name, "cpu");
    assert_string_equal(maps[1].name, "GPU_0_bfc");
    assert_true(maps[1].of_gpu && !maps[0].of_gpu);
    for (size_t i = 0; i < 2; i++) {
        const krs_pool_map *m = &maps[i];
        assert_int_equal(m->refusal, KRS_REFUSAL_NONE);
        assert_int_equal(m->region_count, REGIONS);
        assert_int_equal(m->chunk_count, 6);
        assert_int_equal(m->in_book, 2 * MIB + 4096);
        assert_adds_up(m);
        assert_int_equal(m->regions[0].address, FIRST);
        assert_int_equal(m->regions[0].size, 64 * MIB);
        assert_int_equal(m->regions[0].mapped, 64 * MIB);
        assert_int_equal(m->regions[0].device, -1);
        const krs_chunk *used = &m->chunks[0], *free_one = &m->chunks[1];
        assert_true(used->in_use && !used->is_piece);
        assert_int_equal(used->requested, MIB - 3);
        assert_int_equal(used->freed_at, 0);
        assert_int_equal(used->bin, -1);
        assert_int_equal(used->op_length, 6);
        assert_memory_equal(m->text + used->op, "MatMul", 6);
        assert_false(free_one->in_use);
        assert_int_equal(free_one->requested, 0);
        assert_int_equal(free_one->freed_at, 99);
        assert_int_equal(free_one->bin, 17);
        krs_pool_map_free(&maps[i]);
        assert_null(maps[i].chunks);
    }
    krs_pool_map_free(NULL);
}

static void regions_side_by_side_are_told_apart_however_they_are_listed(void **state) {
    (void)state;
    fake->side_by_side = true;
    for (fake->stride = 4; fake->stride <= 8; fake->stride++) {
        krs_pool_map m[KRS_POOLS];
        assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
        assert_int_equal(m->refusal, KRS_REFUSAL_NONE);
        assert_int_equal(m->region_count, REGIONS);
        assert_int_equal(m->regions[1].address, FIRST + 64 * MIB);
        assert_int_equal(m->regions[1].size, 16 * MIB);
        assert_adds_up(m);
        krs_pool_map_free(m);
    }
    fake->stride = 9; /* larger than any that is known */
    krs_pool_map m[KRS_POOLS];
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_BORDERS);
}

static void a_pool_that_has_nothing_yet_has_no_regions(void **state) {
    (void)state;
    krs_pool_map m[KRS_POOLS];
    memset(fake->gpus[0].regions, 0, sizeof fake->gpus[0].regions);
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_NONE);
    assert_int_equal(m->region_count, 0);
    assert_int_equal(m->chunk_count, 0);
    krs_pool_map_free(m);
}

/* ---- what was given back ---- */

static int describe(uint64_t address, uint64_t *mapped, int *device) {
    if (address != FIRST)
        return 0;
    *mapped = 64 * MIB + GRANULE - 60 * MIB; /* a granule more than was asked for */
    *device = 3;
    return 1;
}

static void what_was_given_back_is_neither_in_use_nor_free(void **state) {
    (void)state;
    krs__armed *a = krs__armed_state();
    fake_pool *pool = &fake->gpus[0];
    const uint64_t begin = FIRST + 64 * MIB + FIRST; /* not of this pool's regions */
    const krs__piece pieces[] = {
        {pool, FIRST, FIRST + MIB, 0},                /* all of the chunk */
        {pool, FIRST + 2 * MIB, begin, 7 * MIB},      /* where no chunk begins */
        {pool, 2 * FIRST, 2 * FIRST + 16 * MIB, MIB}, /* of a chunk that is free */
        {pool, 3 * FIRST, 3 * FIRST + 4096, 4096},    /* shorter than its chunk */
        {&fake->cpu, 4 * FIRST, 4 * FIRST + 4096, 1}, /* of another pool */
    };
    for (size_t i = 0; i < LENGTH_OF(pieces); i++)
        assert_true(krs__pieces_add(&pieces[i]));
    krs__piece first = pieces[0];
    first.taken = 60 * 1024;
    krs__pieces_note(&first);
    a->granules.describe = describe;
    a->armed = true;
    krs_pool_map m[KRS_POOLS];
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_NONE);
    assert_adds_up(m);
    assert_true(m->chunks[0].is_piece && !m->chunks[0].in_use);
    assert_int_equal(m->chunks[0].given_back, 60 * 1024);
    assert_int_equal(m->chunks[0].requested, 0);
    for (size_t i = 1; i < m->chunk_count; i++)
        assert_int_equal(m->chunks[i].is_piece, 0);
    assert_int_equal(m->in_book, 2 * MIB + 4096);
    assert_int_equal(m->regions[0].mapped, 6 * MIB);
    assert_int_equal(m->regions[0].device, 3);
    assert_int_equal(m->regions[1].mapped, m->regions[1].size);
    assert_int_equal(m->regions[1].device, -1);
    krs_pool_map_free(m);
}

/* ---- what moves, and what is not known ---- */

static void a_pool_that_grows_meanwhile_is_read_again_but_not_for_ever(void **state) {
    (void)state;
    krs_pool_map m[KRS_POOLS];
    fake->stale = 3;
    fake->maps = 0;
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_NONE);
    assert_int_equal(fake->maps, 4);
    assert_adds_up(m);
    krs_pool_map_free(m);
    fake->stale = 1000;
    fake->maps = 0;
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_BORDERS);
    assert_string_equal(m->name, "GPU_0_bfc");
    assert_int_equal(m->region_count, 0);
    assert_null(m->chunks);
    assert_int_equal(fake->maps, 4);
}

static void a_list_whose_regions_have_gaps_is_not_theirs(void **state) {
    (void)state;
    krs_pool_map m[KRS_POOLS];
    fake->joined = true;
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_BORDERS);
    fake->side_by_side = true; /* then it is one region, whatever it was */
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_NONE);
    assert_int_equal(m->region_count, REGIONS - 1);
    assert_adds_up(m);
    krs_pool_map_free(m);
}

static void what_is_not_understood_is_refused_by_name(void **state) {
    (void)state;
    krs_pool_map m[KRS_POOLS];
    fake->gpus[0].lie = 1;
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_MAP);
    assert_string_equal(m->name, "GPU_0_bfc");
    fake->gpus[0].lie = 0;
    fake->other_dump = true;
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_MAP);
    fake->other_dump = false;
    fake->dumps = 0; /* what it is we do not know, so it was not destroyed */
    lacks = "_ZN3tsl12BFCAllocator15RecordMemoryMapEv";
    assert_int_equal(map(KRS_POOLS_OF_CPU, m), 0);
    assert_int_equal(map(KRS_POOLS_OF_GPU, m), 1);
    assert_int_equal(m->refusal, KRS_REFUSAL_SYMBOL);
    assert_string_equal(m->symbol, lacks);
    assert_int_equal(krs_tensorflow_map(KRS_POOLS_OF_GPU, NULL, 1, NULL), KRS_INVALID);
    assert_int_equal(krs_tensorflow_map(KRS_POOLS_OF_GPU, m, 1, NULL), KRS_INVALID);
}

static void without_tensorflow_there_is_no_pool(void **state) {
    krs_pool_map m[KRS_POOLS];
    dlclose(library);
    assert_int_equal(map(KRS_POOLS_OF_CPU | KRS_POOLS_OF_GPU, m), 0);
    load(state);
}

static void memory_may_run_out(void **state) {
    (void)state;
    krs_status status = KRS_NOMEM;
    long nth = 1;
    krs__armed_state()->armed = true;
    krs__armed_state()->granules.describe = describe;
    for (; status == KRS_NOMEM && nth < 60; nth++) {
        krs_pool_map maps[KRS_POOLS];
        size_t count = 77;
        failing = nth;
        status = krs_tensorflow_map(KRS_POOLS_OF_CPU | KRS_POOLS_OF_GPU, maps,
                                    KRS_POOLS, &count);
        failing = 0;
        assert_int_equal(fake->dumps, 0);
        assert_int_equal(count, status == KRS_OK ? 2 : 77);
        for (size_t i = 0; status == KRS_OK && i < count; i++)
            krs_pool_map_free(&maps[i]);
    }
    assert_int_equal(status, KRS_OK);
    assert_true(nth > 12); /* six for each of two pools */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, load, unload)
    const struct CMUnitTest tests[] = {
        TEST(regions_and_chunks_are_as_the_pool_has_them),
        TEST(regions_side_by_side_are_told_apart_however_they_are_listed),
        TEST(a_pool_that_has_nothing_yet_has_no_regions),
        TEST(what_was_given_back_is_neither_in_use_nor_free),
        TEST(a_pool_that_grows_meanwhile_is_read_again_but_not_for_ever),
        TEST(a_list_whose_regions_have_gaps_is_not_theirs),
        TEST(what_is_not_understood_is_refused_by_name),
        TEST(without_tensorflow_there_is_no_pool),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("pool_map", tests, NULL, NULL);
}
