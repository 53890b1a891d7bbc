/* Real children that fill memory as fast as they can, watched for real: stopped in
 * time, also where most of what they touch was the parent's. Claims in bytes; how fast
 * this machine is does not matter, how late it lets us run does: the bounds leave room.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/process.h"
#include "server/watch.h"
#include "topic.h"

enum { PAGE = 4096 };
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* How many bytes the child has touched, in memory that both see. */
static atomic_ullong *touched;

static char *mapped(size_t bytes, int kind) {
    char *block =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
    assert_true(block != MAP_FAILED);
    return block;
}

static void touch(char *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i += PAGE) {
        block[i] = 2;
        atomic_fetch_add_explicit(touched, PAGE, memory_order_relaxed);
    }
}

typedef struct {
    krs__verdict verdict;
    uint64_t bytes; /* the child had touched when it had ended */
    double rate;    /* bytes a ns */
    unsigned looks;
    uint64_t close_cost;
    krs__figures figures;
} outcome;

/* Forks a child that touches `common` bytes of `block`, which are ours, and then `more`
 * new ones; watches it under a limit until there is a verdict. */
static outcome watched(uint64_t limit, char *block, size_t common, size_t more) {
    const krs__readers readers = krs__readers_of_system(NULL);
    const krs__limits limits = {.memory = limit, .wall = 60 * UINT64_C(1000000000)};
    outcome o = {.verdict = KRS__WITHIN};
    krs_process self;
    krs__watch watch;
    atomic_store(touched, 0);
    assert_int_equal(krs_process_read(&self), KRS_OK);
    const uint64_t start = readers.now(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        touch(block, common);
        touch(mapped(more, MAP_PRIVATE), more);
        pause();
    }
    uint64_t next = krs__watch_start(&watch, &limits, &readers, NULL, pid,
                                     krs__process_anonymous(&self), start);
    while (o.verdict == KRS__WITHIN && atomic_load(touched) < common + more) {
        const struct timespec until = {(time_t)(next / 1000000000),
                                       (long)(next % 1000000000)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        o.verdict = krs__watch_look(&watch, readers.now(NULL), &next);
        o.looks++;
    }
    o.rate = (double)atomic_load(touched) / (double)(readers.now(NULL) - start);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    o.bytes = atomic_load(touched);
    o.figures = watch.figures;
    o.close_cost = watch.close.cost;
    return o;
}

static void assert_stopped(uint64_t limit, uint64_t most, outcome o) {
    print_message("%.0f MiB: %.1f %% over at %.2f GB/s, %u looks, close ones %.1f ms\n",
                  (double)limit / (double)MIB,
                  100 * ((double)o.bytes / (double)limit - 1), o.rate, o.looks,
                  (double)o.close_cost / 1e6);
    assert_int_equal(o.verdict, KRS__OVER_MEMORY);
    assert_true(o.bytes >= limit - 8 * MIB); /* what the runtime touches counts, too */
    assert_true(o.bytes < most);
    assert_true(o.figures.own >= limit && o.figures.peak >= limit);
}

static void a_hog_is_stopped_in_time(void **state) {
    (void)state;
    assert_stopped(512 * MIB, 640 * MIB, watched(512 * MIB, NULL, 0, 2 * GIB));
}

static void one_that_changes_what_it_inherited_is_stopped_in_time(void **state) {
    (void)state;
    const size_t inherited = 384 * MIB;
    char *block = mapped(inherited, MAP_PRIVATE);
    memset(block, 1, inherited);
    /* Without close looks it would be certain at 640 MiB, and not before. */
    assert_stopped(256 * MIB, 512 * MIB, watched(256 * MIB, block, inherited, GIB));
    munmap(block, inherited);
}

static void one_that_has_inherited_more_than_its_limit_is_left_alone(void **state) {
    (void)state;
    const size_t inherited = 384 * MIB;
    char *block = mapped(inherited, MAP_PRIVATE);
    memset(block, 1, inherited);
    const outcome o = watched(256 * MIB, block, 64 * MIB, 64 * MIB);
    munmap(block, inherited);
    assert_int_equal(o.verdict, KRS__WITHIN);
    assert_int_equal(o.bytes, 128 * MIB);
}

/* Further ones by hand: test_hog LIMIT INHERITED, in MiB. */
int main(int argc, char **argv) {
    touched = (atomic_ullong *)(void *)mapped(PAGE, MAP_SHARED);
    if (argc > 2) {
        const uint64_t limit = strtoull(argv[1], NULL, 10) * MIB;
        const uint64_t inherited = strtoull(argv[2], NULL, 10) * MIB + PAGE;
        memset(mapped(inherited, MAP_PRIVATE), 1, inherited);
        assert_stopped(limit, 2 * limit, watched(limit, NULL, 0, 4 * limit));
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hog_is_stopped_in_time),
        cmocka_unit_test(one_that_changes_what_it_inherited_is_stopped_in_time),
        cmocka_unit_test(one_that_has_inherited_more_than_its_limit_is_left_alone),
    };
    return cmocka_run_group_tests_name("hog", tests, NULL, NULL);
}
