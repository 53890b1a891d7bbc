/* Allocators in malloc's place: found by their symbols, called in their way. */
#include <string.h>

#include "keraser.h"
#include "topic.h"

/* A process of choice, which has the one symbol that is named. */
static struct {
    const char *has;
    int trims, flushes, purges, releases, purge_result;
} process;

static int malloc_trim(size_t pad) {
    assert_int_equal(pad, 0);
    process.trims++;
    return 0;
}

static int mallctl(const char *name, void *old, size_t *old_length, void *new_value,
                   size_t new_length) {
    assert_true(old == NULL && old_length == NULL && new_value == NULL);
    assert_int_equal(new_length, 0);
    const int flush = strcmp(name, "thread.tcache.flush") == 0;
    assert_true(flush || strcmp(name, "arena.4096.purge") == 0);
    process.flushes += flush;
    process.purges += !flush;
    return flush ? 14 : process.purge_result;
}

static void release(void) {
    process.releases++;
}

typedef void function(void);

void *__wrap_dlsym(void *handle, const char *name);

void *__wrap_dlsym(void *handle, const char *name) {
    (void)handle;
    function *code = NULL;
    void *address;
    if (process.has == NULL || strcmp(name, process.has) != 0)
        return NULL;
    if (strcmp(name, "malloc_trim") == 0)
        code = (function *)malloc_trim;
    else if (strcmp(name, "mallctl") == 0)
        code = (function *)mallctl;
    else if (strcmp(name, "MallocExtension_ReleaseFreeMemory") == 0)
        code = release;
    memcpy(&address, &code, sizeof address);
    return address;
}

static int reset(void **state) {
    (void)state;
    memset(&process, 0, sizeof process);
    return 0;
}

static krs_trim trimmed(krs_status (*trim)(krs_trim *), const char *has) {
    krs_trim done;
    process.has = has;
    assert_int_equal(trim(&done), KRS_OK);
    assert_null(done.symbol);
    return done;
}

static void assert_measured(krs_trim trim) {
    assert_int_equal(trim.refusal, KRS_REFUSAL_NONE);
    assert_true(trim.before > 0 && trim.after > 0);
    assert_int_equal(trim.returned,
                     trim.before > trim.after ? trim.before - trim.after : 0);
}

static void each_is_asked_in_its_own_way_and_measured(void **state) {
    (void)state;
    assert_measured(trimmed(krs_glibc_trim, "malloc_trim"));
    assert_measured(trimmed(krs_jemalloc_trim, "mallctl"));
    assert_measured(trimmed(krs_tcmalloc_trim, "MallocExtension_ReleaseFreeMemory"));
    assert_int_equal(process.trims, 1);
    assert_int_equal(process.flushes, 1);
    assert_int_equal(process.purges, 1);
    assert_int_equal(process.releases, 1);
}

static void one_that_is_not_loaded_is_refused(void **state) {
    (void)state;
    krs_status (*const trims[])(krs_trim *) = {krs_glibc_trim, krs_jemalloc_trim,
                                               krs_tcmalloc_trim};
    for (size_t i = 0; i < LENGTH_OF(trims); i++) {
        const krs_trim trim = trimmed(trims[i], NULL);
        assert_int_equal(trim.refusal, KRS_REFUSAL_ABSENT);
        assert_int_equal(trim.before + trim.after + trim.returned, 0);
        assert_int_equal(trims[i](NULL), KRS_INVALID);
    }
}

static void a_jemalloc_that_knows_no_such_arena_has_failed(void **state) {
    (void)state;
    process.purge_result = 2;
    const krs_trim trim = trimmed(krs_jemalloc_trim, "mallctl");
    assert_int_equal(trim.refusal, KRS_REFUSAL_FAILED);
    assert_int_equal(trim.before + trim.after + trim.returned, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_is_asked_in_its_own_way_and_measured, reset),
        cmocka_unit_test_setup(one_that_is_not_loaded_is_refused, reset),
        cmocka_unit_test_setup(a_jemalloc_that_knows_no_such_arena_has_failed, reset),
    };
    return cmocka_run_group_tests_name("heaps", tests, NULL, NULL);
}
