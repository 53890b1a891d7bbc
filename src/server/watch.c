/* Memory first, since it is what harms others; then time, then the GPU. */
#include "server/watch.h"

#include "base/amount.h"
#include "server/watch_memory.h"

#define FIGURES_LATEST UINT64_C(1000000000)
#define GPU_FOR_LIMIT UINT64_C(200000000)

static krs__verdict watch_wall(krs__watch *w, uint64_t now, uint64_t *next) {
    w->figures.wall = krs__minus(now, w->start);
    if (w->limits.wall == 0)
        return KRS__WITHIN;
    *next = krs__least(*next, krs__plus(w->start, w->limits.wall));
    return w->figures.wall >= w->limits.wall ? KRS__OVER_WALL : KRS__WITHIN;
}

/* All threads may run at once, and there may be more of them by then. */
static krs__verdict watch_cpu(krs__watch *w, uint64_t now, uint64_t *next) {
    const uint64_t limit = w->limits.cpu;
    uint64_t used;
    if (w->readers->cpu(w->readers->context, w->pid, &used) == KRS_OK)
        w->figures.cpu = krs__minus(used, w->cpu_before);
    if (limit == 0)
        return KRS__WITHIN;
    if (w->figures.cpu >= limit)
        return KRS__OVER_CPU;
    const uint64_t gap = (limit - w->figures.cpu) / krs__most(w->threads, 1);
    *next =
        krs__least(*next, now + krs__clamp(KRS__LOOK_SOONEST, gap, KRS__LOOK_LATEST));
    return KRS__WITHIN;
}

/* Asked no more often than every 200 ms, and in 5 % of the time. */
static krs__verdict watch_gpu(krs__watch *w, uint64_t now, uint64_t *next) {
    const krs__readers *r = w->readers;
    const uint64_t limit = w->limits.gpu;
    if (r->gpu == NULL)
        return KRS__WITHIN;
    if (now >= w->gpu_due) {
        uint64_t used;
        const uint64_t begin = r->now(r->context);
        const bool told = r->gpu(r->context, w->pid, &used) == KRS_OK;
        const uint64_t cost = krs__minus(r->now(r->context), begin);
        w->gpu_due = now + (limit > 0 ? krs__most(GPU_FOR_LIMIT, 20 * cost)
                                      : krs__most(FIGURES_LATEST, 100 * cost));
        if (told)
            w->figures.gpu = used;
        if (told && limit > 0 && used >= limit)
            return KRS__OVER_GPU;
    }
    if (limit > 0)
        *next = krs__least(*next, w->gpu_due);
    return KRS__WITHIN;
}

uint64_t krs__watch_start(krs__watch *w, const krs__limits *limits,
                          const krs__readers *readers, const krs__cgroup *group,
                          pid_t pid, uint64_t inherited, uint64_t now) {
    *w = (krs__watch){.limits = *limits,
                      .readers = readers,
                      .group = group,
                      .pid = pid,
                      .start = now,
                      .inherited = inherited,
                      .threads = 1,
                      .close = {.at = now},
                      .gpu_due = now + GPU_FOR_LIMIT};
    uint64_t gap = KRS__LOOK_LATEST;
    if (group == NULL)
        gap = krs__watch_memory_first(limits);
    if (limits->cpu > 0)
        gap = krs__clamp(KRS__LOOK_SOONEST, limits->cpu, gap);
    if (readers->cpu(readers->context, pid, &w->cpu_before) != KRS_OK)
        w->cpu_before = 0;
    uint64_t next = now + gap;
    watch_wall(w, now, &next);
    return next;
}

krs__verdict krs__watch_look(krs__watch *w, uint64_t now, uint64_t *next) {
    /* Figures of a trial that is young change faster than those of an old one. */
    const uint64_t age = krs__minus(now, w->start);
    uint64_t due = now + krs__clamp(KRS__LOOK_LATEST, age / 8, FIGURES_LATEST);
    krs__verdict verdict =
        w->group == NULL ? krs__watch_memory(w, &now, &due) : krs__watch_group(w);
    if (verdict == KRS__GONE) /* and was not stopped, however late it is */
        return verdict;
    const krs__verdict wall = watch_wall(w, now, &due); /* its figure in any case */
    if (verdict == KRS__WITHIN)
        verdict = wall;
    if (verdict == KRS__WITHIN)
        verdict = watch_cpu(w, now, &due);
    if (verdict == KRS__WITHIN)
        verdict = watch_gpu(w, now, &due);
    if (verdict == KRS__WITHIN)
        *next = due;
    return verdict;
}
