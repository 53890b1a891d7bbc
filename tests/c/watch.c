/* The watch, on trials and a clock made up: what exceeds a limit is seen in time, what
 * does not is left alone, and looking costs little. */
#include "server/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "topic.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* A trial: pages it made, at a rate and up to an end; pages it has in common with the
 * server, of which it changes some; memory and files it shares. */
typedef struct {
    uint64_t inherited, shared, files;
    uint64_t shared_made; /* of what it made, memory of the kind that can be shared */
    uint64_t made, made_most, changed_most;
    double made_per_ns, changed_per_ns;
    uint64_t cpus, threads, gpu;
    krs__cgroup_figures group;
    int process_error, footprint_error, cpu_error; /* errno of each reader */
    krs_status gpu_status;
} trial;

static struct {
    trial trial;
    uint64_t now, start;
    uint64_t cheap_cost, close_cost, gpu_cost;
    uint64_t looks, closes, gpus, close_time;
} world;

/* What it made by itself, and changed of the server's, after all this time. */
static uint64_t ramp(double per_ns, uint64_t most) {
    const double grown = per_ns * (double)(world.now - world.start);
    return grown < (double)most ? (uint64_t)grown : most;
}

static uint64_t made(void) {
    return world.trial.made + ramp(world.trial.made_per_ns, world.trial.made_most);
}

static uint64_t changed(void) {
    return ramp(world.trial.changed_per_ns, world.trial.changed_most);
}

static uint64_t own(void) {
    return made() + changed();
}

static uint64_t fake_now(void *context) {
    assert_ptr_equal(context, &world);
    return world.now;
}

/* Other processes have the processor half of the time, so that all takes twice as long
 * as it costs. */
static uint64_t fake_spent(void *context) {
    assert_ptr_equal(context, &world);
    return 7 * S + world.now / 2;
}

static krs_status failed(int error) {
    errno = error;
    return error == 0 ? KRS_OK : KRS_SYSTEM;
}

static krs_status fake_process(void *context, pid_t pid, krs_process *p) {
    assert_ptr_equal(context, &world);
    assert_int_equal(pid, 4711);
    const trial *t = &world.trial;
    world.now += world.cheap_cost;
    if (t->process_error == 0)
        *p = (krs_process){.rss = made() + t->inherited + t->shared + t->files,
                           .file = t->files,
                           .shared = t->shared + t->shared_made,
                           .threads = (uint32_t)t->threads};
    return failed(t->process_error);
}

/* What was so when half of the walk was over. */
static krs_status fake_footprint(void *context, pid_t pid, krs__footprint *f) {
    assert_ptr_equal(context, &world);
    assert_int_equal(pid, 4711);
    world.closes++;
    world.close_time += world.close_cost / 2;
    world.now += world.close_cost / 2;
    if (world.trial.footprint_error == 0)
        *f = (krs__footprint){.own = own() + world.trial.files, .made = own()};
    world.now += world.close_cost / 2;
    return failed(world.trial.footprint_error);
}

static krs_status fake_cpu(void *context, pid_t pid, uint64_t *ns) {
    assert_ptr_equal(context, &world);
    assert_int_equal(pid, 4711);
    if (world.trial.cpu_error == 0) /* it had used an hour before it came to us */
        *ns = 3600 * S + (world.now - world.start) * world.trial.cpus;
    return failed(world.trial.cpu_error);
}

static krs_status fake_gpu(void *context, pid_t pid, uint64_t *bytes) {
    assert_ptr_equal(context, &world);
    assert_int_equal(pid, 4711);
    world.gpus++;
    world.now += world.gpu_cost;
    if (world.trial.gpu_status == KRS_OK)
        *bytes = world.trial.gpu;
    return world.trial.gpu_status;
}

static krs_status fake_group(void *context, const krs__cgroup *group,
                             krs__cgroup_figures *figures) {
    assert_ptr_equal(context, &world);
    assert_ptr_equal(group, &world.trial);
    *figures = world.trial.group;
    return KRS_OK;
}

static const krs__readers readers = {&world,         fake_now, fake_spent, fake_process,
                                     fake_footprint, fake_cpu, fake_gpu,   fake_group};

/* A child of a process with TensorFlow imported, with costs as measured on one. */
static uint64_t begin(krs__watch *w, krs__limits limits, trial t) {
    memset(&world, 0, sizeof world);
    world.trial = t;
    world.now = world.start = 1000 * S;
    world.cheap_cost = 11 * US;
    world.close_cost = 2500 * US;
    if (world.trial.threads == 0)
        world.trial.threads = 4;
    return krs__watch_start(w, &limits, &readers, NULL, 4711, t.inherited, world.now);
}

/* Looks whenever it is time, until there is a verdict or `until` is over. */
static krs__verdict follow(krs__watch *w, uint64_t next, uint64_t until) {
    krs__verdict verdict = KRS__WITHIN;
    while (verdict == KRS__WITHIN && next < world.start + until) {
        assert_true(next + 10 * S > world.now);
        if (next > world.now)
            world.now = next;
        world.looks++;
        const uint64_t now = world.now;
        verdict = krs__watch_look(w, now, &next);
        assert_true(verdict != KRS__WITHIN || next > now);
    }
    return verdict;
}

static krs__verdict watched(krs__watch *w, krs__limits limits, trial t,
                            uint64_t until) {
    return follow(w, begin(w, limits, t), until);
}

enum { INHERITED = 230000000 };

/* By how much it was over when that was found out, in parts of the limit. */
static double overshoot(uint64_t limit) {
    assert_true(own() >= limit);
    return (double)(own() - limit) / (double)limit;
}

/* ---- memory -------------------------------------------------------------------- */

static void a_hog_is_stopped_in_time(void **state) {
    (void)state;
    const uint64_t limits[] = {256 * MIB, 512 * MIB, GIB, 8 * GIB, 64 * GIB};
    const double rates[] = {0.3, 1, 4, 10}, most[] = {0.005, 0.01, 0.03, 0.05};
    for (size_t l = 0; l < LENGTH_OF(limits); l++) {
        for (size_t r = 0; r < LENGTH_OF(rates); r++) {
            krs__watch w;
            const trial hog = {.inherited = INHERITED,
                               .files = 5 * MIB,
                               .made_per_ns = rates[r],
                               .made_most = UINT64_MAX};
            assert_int_equal(
                watched(&w, (krs__limits){.memory = limits[l]}, hog, 3600 * S),
                KRS__OVER_MEMORY);
            if (overshoot(limits[l]) > most[r])
                fail_msg("%.3f over", overshoot(limits[l]));
            assert_true(w.figures.own >= limits[l] && w.figures.own <= own());
            assert_true(w.figures.peak == w.figures.own);
            assert_true(world.close_time < (world.now - world.start) / 10 + 10 * MS);
        }
    }
}

static void a_slow_grower_is_stopped_close_to_the_limit(void **state) {
    (void)state;
    krs__watch w;
    const trial grower = {
        .inherited = INHERITED, .made_per_ns = 0.001, .made_most = UINT64_MAX};
    assert_int_equal(watched(&w, (krs__limits){.memory = GIB}, grower, 3600 * S),
                     KRS__OVER_MEMORY);
    assert_true(overshoot(GIB) < 0.001);
}

static void pages_of_the_server_count_once_they_are_changed(void **state) {
    (void)state;
    krs__watch w;
    trial breaker = {
        .inherited = INHERITED, .changed_per_ns = 1, .changed_most = INHERITED};
    const uint64_t least = 100 * MIB, most = 200 * MIB;
    for (uint64_t limit = least; limit <= most; limit += MIB) {
        const uint64_t next = begin(&w, (krs__limits){.memory = limit}, breaker);
        world.close_cost = 6 * MS;
        assert_int_equal(follow(&w, next, S), KRS__OVER_MEMORY);
        assert_true(own() - limit < 20 * MIB); /* 2 looks of 6 ms, and 6 between */
    }
    breaker.changed_most = most - MIB;
    assert_int_equal(watched(&w, (krs__limits){.memory = most}, breaker, 60 * S),
                     KRS__WITHIN);
    assert_true(w.figures.own == most - MIB);
}

static void what_cannot_be_seen_is_allowed_for(void **state) {
    (void)state;
    krs__watch w;
    const trial idle = {.inherited = 200 * MIB};
    uint64_t next = begin(&w, (krs__limits){.memory = 216 * MIB}, idle);
    assert_int_equal(follow(&w, next, 3 * S), KRS__WITHIN);
    assert_int_equal(w.figures.own, 0);
    assert_int_equal(krs__watch_look(&w, world.now, &next), KRS__WITHIN);
    assert_true(next - world.now <= 2 * MS);
}

static void what_is_inherited_alone_is_no_reason(void **state) {
    (void)state;
    krs__watch w;
    const trial idle = {.inherited = INHERITED, .made = MIB, .files = GIB};
    const krs__limits limits = {.memory = 100 * MIB};
    assert_int_equal(watched(&w, limits, idle, 60 * S), KRS__WITHIN);
    assert_int_equal(w.figures.own, MIB);
    assert_int_equal(w.figures.rss, INHERITED + MIB + GIB);
}

static void an_idle_trial_costs_next_to_nothing(void **state) {
    (void)state;
    krs__watch w;
    const trial idle = {.inherited = INHERITED, .made = 100 * MIB};
    assert_int_equal(watched(&w, (krs__limits){.memory = 4 * GIB}, idle, 100 * S),
                     KRS__WITHIN);
    assert_true(world.looks * world.cheap_cost + world.close_time < 100 * S / 300);
    assert_int_equal(w.figures.own, 100 * MIB);
}

static void
close_looks_take_5_percent_of_the_time_where_headroom_is_large(void **state) {
    (void)state;
    krs__watch w;
    const trial steady = {.inherited = INHERITED, .made = GIB - 150 * MIB};
    const krs__limits limits = {.memory = GIB};
    assert_int_equal(watched(&w, limits, steady, 100 * S), KRS__WITHIN);
    assert_true(world.closes > 3000);
    assert_true(world.close_time <= 5 * S);
    assert_true(world.looks * world.cheap_cost <= S);
}

static void and_where_it_is_small_if_nothing_grows(void **state) {
    (void)state;
    krs__watch w;
    const trial steady = {.inherited = INHERITED, .made = GIB - MIB};
    const krs__limits limits = {.memory = GIB};
    assert_int_equal(watched(&w, limits, steady, 100 * S), KRS__WITHIN);
    assert_true(world.close_time <= 5 * S);
    assert_true(world.looks <= 101 * 1000);
}

static void memory_shared_with_others_counts_only_where_it_is_its_own(void **state) {
    (void)state;
    krs__watch w;
    trial reader = {.inherited = INHERITED, .shared = 4 * GIB, .made = 10 * MIB};
    const krs__limits limits = {.memory = GIB};
    assert_int_equal(watched(&w, limits, reader, 60 * S), KRS__WITHIN);
    assert_int_equal(w.figures.own, 10 * MIB);
    world.trial.shared = 6 * GIB; /* no reason to believe an estimate */
    assert_int_equal(follow(&w, world.now, 61 * S), KRS__WITHIN);
    /* As much by itself: mapped from 2 s on, so that there is an estimate by then. */
    reader.shared = 0;
    const uint64_t next = begin(&w, limits, reader);
    assert_int_equal(follow(&w, next, 3 * S), KRS__WITHIN);
    assert_int_equal(world.closes, 1);
    world.trial.shared_made = 4 * GIB;
    world.trial.made += 4 * GIB;
    assert_int_equal(follow(&w, world.now, 4 * S), KRS__OVER_MEMORY);
}

/* Thousands of trials of any kind: none is stopped that is within its limit, and none
 * goes far beyond it. */
static void no_trial_within_its_limit_is_stopped_and_no_other_is_left(void **state) {
    (void)state;
    srand(7);
#define UP_TO(most) ((uint64_t)rand() % (most))
    for (int i = 0; i < 20 * SAMPLES; i++) {
        krs__watch w;
        const uint64_t limit = 50 * MIB + UP_TO(2 * GIB);
        trial t = {.inherited = UP_TO(600 * MIB),
                   .shared = UP_TO(2) * UP_TO(GIB),
                   .files = UP_TO(GIB),
                   .made = UP_TO(limit),
                   .made_per_ns = (double)UP_TO(2000) / 1000,
                   .made_most = UP_TO(limit),
                   .changed_per_ns = (double)UP_TO(1000) / 1000};
        t.changed_most = t.inherited == 0 ? 0 : UP_TO(t.inherited);
        begin(&w, (krs__limits){.memory = limit}, t);
        world.close_cost = 100 * US + UP_TO(8 * MS);
        krs__verdict verdict = follow(&w, world.now, 4 * S);
        if (verdict == KRS__WITHIN && own() >= limit) /* since the last look */
            verdict = follow(&w, world.now, 4 * S + 200 * MS);
        if (verdict == KRS__OVER_MEMORY) {
            assert_true(own() >= limit);
            const uint64_t late = 2 * MS + 6 * world.close_cost; /* at 3 GB/s */
            if (own() >= limit + 3 * late + limit / 100)
                fail_msg("%ld over", (long)((own() - limit) >> 20));
        } else {
            assert_int_equal(verdict, KRS__WITHIN);
            assert_true(own() < limit);
        }
    }
}

static void without_close_looks_what_is_certain_decides(void **state) {
    (void)state;
    krs__watch w;
    trial t = {.inherited = INHERITED, .made = GIB - MIB, .footprint_error = ENOENT};
    const krs__limits limits = {.memory = GIB};
    assert_int_equal(watched(&w, limits, t, 20 * S), KRS__WITHIN);
    assert_true(world.closes >= 15 && world.closes <= 21);
    assert_int_equal(w.figures.own, GIB - MIB);
    t.made = GIB;
    assert_int_equal(watched(&w, limits, t, 20 * S), KRS__OVER_MEMORY);
    assert_int_equal(world.closes, 0);
}

static void a_close_look_that_fails_once_is_made_up_for(void **state) {
    (void)state;
    krs__watch w;
    const trial t = {.inherited = INHERITED, .made = 900 * MIB};
    uint64_t next = begin(&w, (krs__limits){.memory = GIB}, t);
    assert_int_equal(follow(&w, next, S), KRS__WITHIN);
    world.trial.footprint_error = EMFILE;
    assert_int_equal(follow(&w, world.now, 2 * S), KRS__WITHIN);
    world.trial.footprint_error = 0;
    world.trial.changed_per_ns = 1;
    world.trial.changed_most = 200 * MIB;
    assert_int_equal(follow(&w, world.now, 5 * S), KRS__OVER_MEMORY);
}

static void a_look_that_fails_is_made_again_soon_and_time_goes_on(void **state) {
    (void)state;
    krs__watch w;
    const trial t = {.inherited = INHERITED, .made = MIB, .cpus = 1};
    const krs__limits limits = {.memory = GIB, .wall = 5 * S};
    const uint64_t next = begin(&w, limits, t);
    assert_int_equal(follow(&w, next, S), KRS__WITHIN);
    const krs__figures before = w.figures;
    world.trial.process_error = EMFILE;
    world.looks = 0;
    assert_int_equal(follow(&w, world.now, 2 * S), KRS__WITHIN);
    assert_true(world.looks >= 90 && world.looks <= 110);
    assert_int_equal(w.figures.own, before.own);
    assert_int_equal(w.figures.rss, before.rss);
    assert_int_equal(follow(&w, world.now, 10 * S), KRS__OVER_WALL);
}

static void one_that_is_gone_keeps_its_figures(void **state) {
    (void)state;
    const krs__limits limits = {.memory = 400 * MIB, .wall = 5 * S, .cpu = 5 * S};
    for (int close = 0; close <= 1; close++) {
        krs__watch w;
        const trial t = {.inherited = INHERITED, .made = 300 * MIB, .cpus = 1};
        uint64_t next = begin(&w, limits, t);
        assert_int_equal(follow(&w, next, S), KRS__WITHIN);
        const krs__figures before = w.figures;
        *(close ? &world.trial.footprint_error : &world.trial.process_error) = ESRCH;
        world.now += 100 * S;
        next = 7;
        assert_int_equal(krs__watch_look(&w, world.now, &next), KRS__GONE);
        assert_int_equal(next, 7);
        assert_memory_equal(&w.figures, &before, sizeof before);
        assert_int_equal(before.own, 300 * MIB);
        assert_true(before.wall > S / 2 && before.cpu > S / 2);
    }
}

/* ---- time ---------------------------------------------------------------------- */

static void the_wall_is_met_to_the_nanosecond(void **state) {
    (void)state;
    krs__watch w;
    const uint64_t walls[] = {1, 5 * MS, 1234567891, 3600 * S};
    for (size_t i = 0; i < LENGTH_OF(walls); i++) {
        const krs__limits limits = {.wall = walls[i], .memory = GIB};
        assert_int_equal(watched(&w, limits, (trial){.made = MIB}, 4000 * S),
                         KRS__OVER_WALL);
        assert_true(w.figures.wall >= walls[i] && w.figures.wall < walls[i] + MS);
    }
    uint64_t next = begin(&w, (krs__limits){.wall = 10 * S}, (trial){.made = MIB});
    assert_int_equal(krs__watch_look(&w, world.start + 10 * S - 1, &next), KRS__WITHIN);
    assert_int_equal(next, world.start + 10 * S);
    assert_int_equal(krs__watch_look(&w, next, &next), KRS__OVER_WALL);
    /* A look that takes longer than there is time. */
    begin(&w, (krs__limits){.wall = 5 * S, .memory = GIB},
          (trial){.inherited = 2 * GIB, .made = MIB});
    world.close_cost = 10 * S;
    assert_int_equal(krs__watch_look(&w, world.now, &next), KRS__OVER_WALL);
    assert_true(w.figures.wall >= 10 * S);
}

static void a_clock_that_jumps_does_no_harm(void **state) {
    (void)state;
    krs__watch w;
    const krs__limits limits = {.wall = UINT64_MAX, .memory = GIB, .cpu = UINT64_MAX};
    uint64_t next = begin(&w, limits, (trial){.inherited = INHERITED});
    assert_int_equal(krs__watch_look(&w, world.start - 100 * S, &next), KRS__WITHIN);
    assert_int_equal(w.figures.wall, 0);
    assert_int_equal(krs__watch_look(&w, world.start + 1000000 * S, &next),
                     KRS__WITHIN);
    assert_int_equal(w.figures.wall, 1000000 * S);
    assert_true(next > world.start + 1000000 * S);
}

static void processor_time_counts_from_the_start_and_for_all_threads(void **state) {
    (void)state;
    const uint64_t cpus[] = {1, 8, 64};
    for (size_t i = 0; i < LENGTH_OF(cpus); i++) {
        krs__watch w;
        const trial t = {.cpus = cpus[i], .threads = 2 * cpus[i]};
        assert_int_equal(watched(&w, (krs__limits){.cpu = 60 * S}, t, 600 * S),
                         KRS__OVER_CPU);
        assert_true(w.figures.cpu >= 60 * S);
        assert_true(w.figures.cpu <= 60 * S + cpus[i] * 2 * MS);
        assert_true(world.looks < 2000);
    }
}

static void processor_time_that_is_not_told_stops_nobody(void **state) {
    (void)state;
    krs__watch w;
    const trial t = {.cpus = 1, .cpu_error = EINVAL};
    assert_int_equal(watched(&w, (krs__limits){.cpu = S}, t, 10 * S), KRS__WITHIN);
    assert_int_equal(w.figures.cpu, 0);
}

/* ---- GPU, groups, figures ------------------------------------------------------- */

static void the_gpu_is_asked_every_200_ms_and_less_where_that_is_dear(void **state) {
    (void)state;
    krs__watch w;
    const krs__limits limits = {.gpu = GIB};
    const trial t = {.gpu = GIB - 1};
    uint64_t next = begin(&w, limits, t);
    assert_int_equal(follow(&w, next, 20 * S), KRS__WITHIN);
    assert_true(world.gpus >= 95 && world.gpus <= 100);
    assert_int_equal(w.figures.gpu, GIB - 1);
    world.gpu_cost = 50 * MS;
    world.gpus = 0;
    assert_int_equal(follow(&w, world.now, 40 * S), KRS__WITHIN);
    assert_true(world.gpus >= 15 && world.gpus <= 21);
    world.trial.gpu = GIB;
    assert_int_equal(follow(&w, world.now, 50 * S), KRS__OVER_GPU);
}

static void a_gpu_that_does_not_tell_or_is_none_stops_nobody(void **state) {
    (void)state;
    krs__watch w;
    const krs__limits limits = {.gpu = GIB};
    const trial t = {.gpu = 2 * GIB, .gpu_status = KRS_UNSUPPORTED};
    assert_int_equal(watched(&w, limits, t, 20 * S), KRS__WITHIN);
    assert_int_equal(w.figures.gpu, 0);
    krs__readers none = readers;
    none.gpu = NULL;
    begin(&w, limits, t);
    w.readers = &none;
    assert_int_equal(follow(&w, world.now, 20 * S), KRS__WITHIN);
    assert_int_equal(world.gpus, 0);
}

static uint64_t begin_group(krs__watch *w, krs__limits limits, trial t) {
    begin(w, limits, t);
    return krs__watch_start(w, &limits, &readers, (const krs__cgroup *)&world.trial,
                            4711, t.inherited, world.now);
}

static void with_a_group_the_kernel_keeps_the_limit(void **state) {
    (void)state;
    krs__watch w;
    const trial t = {.inherited = INHERITED,
                     .made = 2 * GIB,
                     .group = {.current = 700 * MIB, .peak = 900 * MIB}};
    uint64_t next = begin_group(&w, (krs__limits){.memory = GIB}, t);
    assert_int_equal(follow(&w, next, 100 * S), KRS__WITHIN);
    assert_int_equal(world.closes, 0);
    assert_true(world.looks < 150);
    assert_int_equal(w.figures.own, 700 * MIB);
    assert_int_equal(w.figures.peak, 900 * MIB);
    assert_int_equal(w.figures.rss, INHERITED + 2 * GIB);
    world.trial.group.oom_kills = 1;
    world.trial.process_error = ESRCH; /* by the time that we look */
    assert_int_equal(krs__watch_look(&w, world.now, &next), KRS__OVER_MEMORY);
    world.trial.group.oom_kills = 0;
    assert_int_equal(krs__watch_look(&w, world.now, &next), KRS__GONE);
}

static void with_a_group_time_is_still_ours_to_keep(void **state) {
    (void)state;
    krs__watch w;
    const trial t = {.cpus = 1};
    uint64_t next = begin_group(&w, (krs__limits){.memory = GIB, .wall = 7 * S}, t);
    assert_int_equal(follow(&w, next, 100 * S), KRS__OVER_WALL);
    next = begin_group(&w, (krs__limits){.memory = GIB, .cpu = 7 * S}, t);
    assert_int_equal(follow(&w, next, 100 * S), KRS__OVER_CPU);
}

static void without_limits_there_are_figures_at_leisure(void **state) {
    (void)state;
    krs__watch w;
    trial t = {.inherited = INHERITED, .made = 50 * MIB, .gpu = MIB, .cpus = 2};
    assert_int_equal(watched(&w, (krs__limits){0}, t, 200 * S), KRS__WITHIN);
    assert_true(world.looks > 190 && world.looks < 260);
    assert_true(world.close_time < S);
    assert_int_equal(w.figures.own, 50 * MIB);
    assert_int_equal(w.figures.peak, 50 * MIB);
    assert_int_equal(w.figures.gpu, MIB);
    assert_true(w.figures.cpu > 390 * S && w.figures.wall > 195 * S);
    world.trial.made = MIB;
    assert_int_equal(follow(&w, world.now, 210 * S), KRS__WITHIN);
    assert_int_equal(w.figures.own, MIB);
    assert_int_equal(w.figures.peak, 50 * MIB);
    world.close_cost = 100 * MS;
    world.close_time = 0;
    assert_int_equal(follow(&w, world.now, 1210 * S), KRS__WITHIN);
    assert_true(world.close_time < 5 * S);
}

static void what_shares_nothing_needs_no_close_look(void **state) {
    (void)state;
    krs__watch w;
    const krs__limits limits = {.memory = GIB};
    trial t = {.made_per_ns = 1, .made_most = GIB - MIB};
    assert_int_equal(watched(&w, limits, t, 60 * S), KRS__WITHIN);
    t.made_most = GIB;
    assert_int_equal(watched(&w, limits, t, 60 * S), KRS__OVER_MEMORY);
    assert_int_equal(world.closes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hog_is_stopped_in_time),
        cmocka_unit_test(a_slow_grower_is_stopped_close_to_the_limit),
        cmocka_unit_test(pages_of_the_server_count_once_they_are_changed),
        cmocka_unit_test(what_cannot_be_seen_is_allowed_for),
        cmocka_unit_test(what_is_inherited_alone_is_no_reason),
        cmocka_unit_test(an_idle_trial_costs_next_to_nothing),
        cmocka_unit_test(
            close_looks_take_5_percent_of_the_time_where_headroom_is_large),
        cmocka_unit_test(and_where_it_is_small_if_nothing_grows),
        cmocka_unit_test(memory_shared_with_others_counts_only_where_it_is_its_own),
        cmocka_unit_test(no_trial_within_its_limit_is_stopped_and_no_other_is_left),
        cmocka_unit_test(without_close_looks_what_is_certain_decides),
        cmocka_unit_test(a_close_look_that_fails_once_is_made_up_for),
        cmocka_unit_test(a_look_that_fails_is_made_again_soon_and_time_goes_on),
        cmocka_unit_test(one_that_is_gone_keeps_its_figures),
        cmocka_unit_test(the_wall_is_met_to_the_nanosecond),
        cmocka_unit_test(a_clock_that_jumps_does_no_harm),
        cmocka_unit_test(processor_time_counts_from_the_start_and_for_all_threads),
        cmocka_unit_test(processor_time_that_is_not_told_stops_nobody),
        cmocka_unit_test(the_gpu_is_asked_every_200_ms_and_less_where_that_is_dear),
        cmocka_unit_test(a_gpu_that_does_not_tell_or_is_none_stops_nobody),
        cmocka_unit_test(with_a_group_the_kernel_keeps_the_limit),
        cmocka_unit_test(with_a_group_time_is_still_ours_to_keep),
        cmocka_unit_test(without_limits_there_are_figures_at_leisure),
        cmocka_unit_test(what_shares_nothing_needs_no_close_look),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
