/* How much of its memory is a trial's own? /proc/PID/status, which costs 11 us, bounds
 * it: what belongs to no file is at most its own (upper), and of what is anonymous all
 * but what the server had as it forked is so for certain (lower). Between the two lie
 * the pages in common with the server; only a close look at smaps_rollup tells, which
 * costs 2.5 ms for a child of a process with TensorFlow imported, and more as it grows.
 *
 * upper < limit: within. lower >= limit: over. Else a close look decides, and from then
 * on what it found to be in common is taken off the upper bound as an estimate, so that
 * the next one is made when there is reason to: never is a trial stopped by an
 * estimate. What an estimate cannot see is a page in common being changed; so close
 * looks also follow each other, in 5 % of the time, and more often where they show
 * growth that would meet the limit before. */
#include "server/watch_memory.h"

#include <errno.h>

#include "base/amount.h"
#include "proc/process.h"

/* Bytes, at most: a thread fills small pages at 1 to 3 GB/s, huge ones faster. The next
 * cheap look comes before the headroom can have been used up. */
enum { ALLOCATED_PER_NS = 16 };

#define CLOSE_FOR_FIGURES UINT64_C(2000000000)
#define CLOSE_AFTER_FAILURE UINT64_C(1000000000)

typedef enum { SEEN, UNKNOWN, GONE } sight;

static sight sight_of(krs_status status) {
    if (status == KRS_OK)
        return SEEN;
    return status == KRS_SYSTEM && errno == ESRCH ? GONE : UNKNOWN;
}

static void note_own(krs__watch *w, uint64_t own) {
    w->figures.own = own;
    w->figures.peak = krs__most(w->figures.peak, own);
}

typedef struct {
    uint64_t lower, estimate, upper;
} bounds;

static sight look_cheaply(krs__watch *w, bounds *b) {
    krs_process p;
    const sight seen = sight_of(w->readers->process(w->readers->context, w->pid, &p));
    if (seen != SEEN)
        return seen;
    const uint64_t anonymous = krs__process_anonymous(&p);
    w->figures.rss = p.rss;
    w->threads = p.threads;
    b->upper = krs__plus(anonymous, p.shared);
    b->lower = krs__minus(anonymous, w->inherited);
    b->estimate = b->lower;
    if (w->close.made)
        b->estimate = krs__most(b->lower, krs__minus(b->upper, w->common));
    return SEEN;
}

/* Growth as the last two close looks saw it may use up half of the headroom. */
static uint64_t close_gap(const krs__watch *w, uint64_t headroom) {
    const uint64_t least = 2 * w->close.cost, most = 20 * w->close.cost;
    if ((double)headroom >= 2 * w->rate * (double)most)
        return most;
    return krs__most(least, (uint64_t)((double)headroom / (2 * w->rate)));
}

/* When a close look is due. */
static uint64_t close_due(const krs__watch *w, const bounds *b) {
    const uint64_t limit = w->limits.memory, cost = w->close.cost;
    uint64_t gap;
    if (b->lower == b->upper)
        return UINT64_MAX;
    if (limit == 0 || b->upper < limit)
        gap = krs__most(CLOSE_FOR_FIGURES, 500 * cost);
    else if (w->close.failed)
        gap = CLOSE_AFTER_FAILURE;
    else if (!w->close.made)
        gap = 0;
    else if (b->estimate >= limit)
        gap = 2 * cost;
    else
        gap = close_gap(w, limit - b->estimate);
    return krs__plus(w->close.at, gap);
}

/* A look at smaps_rollup between two at status: the walk takes its time, and a trial
 * that allocates goes on meanwhile. Of the two the higher bound is taken, which makes
 * the more common and the estimate the lower. */
static sight look_closely(krs__watch *w, uint64_t *now, bounds *b) {
    const krs__readers *r = w->readers;
    krs__footprint f;
    bounds after;
    const uint64_t before = r->spent(r->context);
    const sight close = sight_of(r->footprint(r->context, w->pid, &f));
    const sight seen = close == GONE ? GONE : look_cheaply(w, &after);
    const uint64_t end = r->now(r->context), spent = r->spent(r->context);
    const uint64_t elapsed = krs__minus(end, w->close.at);
    w->close = (krs__dear){.at = end,
                           .cost = krs__minus(spent, before),
                           .made = close == SEEN,
                           .failed = close == UNKNOWN};
    *now = krs__most(*now, end);
    if (seen != SEEN)
        return seen;
    b->upper = krs__most(b->upper, after.upper);
    b->lower = b->estimate = after.lower;
    if (close == SEEN) { /* changed pages of a mapped file are among those made */
        b->estimate = krs__clamp(b->lower, f.made, b->upper);
        w->common = b->upper - b->estimate;
        w->rate = (double)krs__minus(b->estimate, w->exact) / (double)(elapsed + 1);
        w->exact = b->estimate;
    }
    return SEEN;
}

/* When to look again at one that is within its limit. */
static uint64_t next_look(const krs__watch *w, uint64_t now, const bounds *b) {
    const uint64_t limit = w->limits.memory;
    const bool safe = b->upper < limit;
    const uint64_t headroom = limit - (safe ? b->upper : b->estimate);
    const uint64_t gap =
        krs__clamp(KRS__LOOK_SOONEST, headroom / ALLOCATED_PER_NS, KRS__LOOK_LATEST);
    if (safe)
        return now + gap;
    return krs__clamp(now + KRS__LOOK_SOONEST, close_due(w, b), now + gap);
}

krs__verdict krs__watch_memory(krs__watch *w, uint64_t *now, uint64_t *next) {
    const uint64_t limit = w->limits.memory;
    bounds b;
    sight seen = look_cheaply(w, &b);
    bool over = seen == SEEN && limit > 0 && b.lower >= limit;
    if (seen == SEEN && !over && *now >= close_due(w, &b)) {
        seen = look_closely(w, now, &b);
        over = seen == SEEN && limit > 0 && b.estimate >= limit;
    }
    if (seen == GONE)
        return KRS__GONE;
    if (seen == UNKNOWN) { /* too many open files, say: soon again */
        *next = krs__least(*next, *now + 10 * KRS__LOOK_SOONEST);
        return KRS__WITHIN;
    }
    note_own(w, b.estimate);
    if (over)
        return KRS__OVER_MEMORY;
    if (limit > 0)
        *next = krs__least(*next, next_look(w, *now, &b));
    return KRS__WITHIN;
}

krs__verdict krs__watch_group(krs__watch *w) {
    const krs__readers *r = w->readers;
    krs__cgroup_figures g;
    bounds unused;
    const sight seen = look_cheaply(w, &unused);
    if (r->group(r->context, w->group, &g) == KRS_OK) {
        note_own(w, g.current);
        w->figures.peak = krs__most(w->figures.peak, g.peak);
        if (g.oom_kills > 0)
            return KRS__OVER_MEMORY;
    }
    return seen == GONE ? KRS__GONE : KRS__WITHIN;
}

uint64_t krs__watch_memory_first(const krs__limits *limits) {
    if (limits->memory == 0)
        return KRS__LOOK_LATEST;
    return krs__clamp(KRS__LOOK_SOONEST, limits->memory / ALLOCATED_PER_NS,
                      KRS__LOOK_LATEST);
}
