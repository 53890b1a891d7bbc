/* Copying: every byte arrives, none beside, whatever the jobs and the threads. */
#define _POSIX_C_SOURCE 200809L /* pthread_sigmask */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "keraser.h"
#include "topic.h"

enum { MIB = 1 << 20, GUARD = 16, MOST = 8 };

static int created, refused_from = MOST;
static bool idle; /* threads that are made do nothing: they get no CPU in time */
static sigset_t inherited; /* by the thread that was made last */
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                          void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                          void *);

static void *do_nothing(void *argument) {
    return argument;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*routine)(void *), void *argument) {
    if (created >= refused_from)
        return EAGAIN;
    created++;
    pthread_sigmask(SIG_SETMASK, NULL, &inherited);
    return __real_pthread_create(thread, attributes, idle ? do_nothing : routine,
                                 argument);
}

static int fresh(void **state) {
    (void)state;
    created = 0;
    refused_from = MOST;
    idle = false;
    return 0;
}

static unsigned char *pattern(size_t size, uint32_t seed) {
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(seed >> 24);
    }
    return bytes;
}

/* `count` jobs of these sizes, into one block with guards between them. */
static void assert_copies(const size_t *sizes, size_t count, unsigned threads) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += sizes[i];
    const size_t all = total + GUARD * (count + 1);
    unsigned char *from = pattern(total, (uint32_t)total), *to = malloc(all);
    unsigned char *expected = malloc(all);
    krs_copy_job *jobs = calloc(count + 1, sizeof *jobs);
    assert_true(to != NULL && expected != NULL && jobs != NULL);
    memset(to, 0xA5, all);
    memset(expected, 0xA5, all);
    size_t read = 0, write = GUARD;
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (krs_copy_job){to + write, from + read, sizes[i]};
        memcpy(expected + write, from + read, sizes[i]);
        read += sizes[i];
        write += sizes[i] + GUARD;
    }
    assert_int_equal(krs_copy(jobs, count, threads), KRS_OK);
    assert_int_equal(memcmp(to, expected, all), 0);
    free(from);
    free(to);
    free(expected);
    free(jobs);
}

static void odd_sizes_arrive_whole_on_any_number_of_threads(void **state) {
    const size_t sizes[] = {1, 0, 7 * MIB + 13, 4095, 9 * MIB + 1, 0, 3, 17 * MIB - 5};
    for (unsigned threads = 0; threads <= MOST + 1; threads++) {
        fresh(state);
        assert_copies(sizes, LENGTH_OF(sizes), threads);
    }
}

static void many_small_ones_arrive(void **state) {
    (void)state;
    enum { JOBS = 5000 };
    size_t sizes[JOBS];
    for (size_t i = 0; i < JOBS; i++)
        sizes[i] = i * 7919 % 4000;
    assert_copies(sizes, JOBS, 4);
    assert_int_equal(created, 1); /* 10 MB: two shares of at least 4 MiB */
}

static void jobs_drawn_at_random_arrive(void **state) {
    enum { JOBS = 40, ROUNDS = 20 };
    uint32_t drawn = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t sizes[JOBS];
        for (size_t i = 0; i < JOBS; i++) {
            drawn = drawn * 1664525u + 1013904223u;
            sizes[i] =
                (drawn >> 8) >> (drawn >> 27); /* of each power of two up to 24 */
        }
        fresh(state);
        refused_from = (int)(round % 3) + 1;
        assert_copies(sizes, JOBS, round % MOST + 1);
    }
}

static void helpers_take_no_signals_and_the_caller_takes_those_it_took(void **state) {
    (void)state;
    const size_t sizes[] = {9 * MIB};
    sigset_t some, after;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &some, NULL);
    assert_copies(sizes, 1, 2);
    assert_int_equal(created, 1);
    assert_true(sigismember(&inherited, SIGINT) && sigismember(&inherited, SIGTERM));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(sigismember(&after, SIGUSR1) && !sigismember(&after, SIGINT));
}

static void threads_are_made_for_4_mib_each_and_no_more_than_8(void **state) {
    const size_t small[] = {8 * MIB - 1}, big[] = {40 * MIB};
    assert_copies(small, 1, 8);
    assert_int_equal(created, 0);
    assert_copies(big, 1, 3);
    assert_int_equal(created, 2);
    fresh(state);
    assert_copies(big, 1, 1000);
    assert_int_equal(created, 7);
}

static void shares_of_threads_that_cannot_be_made_are_copied(void **state) {
    const size_t sizes[] = {15 * MIB + 1, 21 * MIB};
    for (int n = 0; n < 4; n++) {
        fresh(state);
        refused_from = n;
        assert_copies(sizes, LENGTH_OF(sizes), 5);
        assert_int_equal(created, n);
    }
}

static void nobody_waits_for_threads_that_get_no_cpu(void **state) {
    (void)state;
    const size_t sizes[] = {15 * MIB + 1, 21 * MIB};
    idle = true;
    assert_copies(sizes, LENGTH_OF(sizes), 5);
    assert_int_equal(created, 4);
}

static void nothing_to_copy_is_fine(void **state) {
    (void)state;
    const krs_copy_job empty = {NULL, NULL, 0};
    assert_int_equal(krs_copy(NULL, 0, 0), KRS_OK);
    assert_int_equal(krs_copy(&empty, 1, 0), KRS_OK);
    assert_int_equal(created, 0);
}

static void what_cannot_be_copied_is_refused_and_nothing_is_copied(void **state) {
    (void)state;
    char to[4] = "...", from[4] = "abc";
    const krs_copy_job good = {to, from, 3};
    const krs_copy_job bad[] = {
        {NULL, from, 1}, {to, NULL, 1}, {to, from, SIZE_MAX - 2}};
    assert_int_equal(krs_copy(NULL, 1, 0), KRS_INVALID);
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        const krs_copy_job jobs[] = {good, bad[i]};
        assert_int_equal(krs_copy(jobs, 2, 0), KRS_INVALID);
        assert_string_equal(to, "...");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fresh)
        TEST(odd_sizes_arrive_whole_on_any_number_of_threads),
        TEST(many_small_ones_arrive),
        TEST(jobs_drawn_at_random_arrive),
        TEST(helpers_take_no_signals_and_the_caller_takes_those_it_took),
        TEST(threads_are_made_for_4_mib_each_and_no_more_than_8),
        TEST(shares_of_threads_that_cannot_be_made_are_copied),
        TEST(nobody_waits_for_threads_that_get_no_cpu),
        TEST(nothing_to_copy_is_fine),
        TEST(what_cannot_be_copied_is_refused_and_nothing_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
