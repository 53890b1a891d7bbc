/* Copying at the speed of memory: the bytes of all jobs are laid end to end and cut
 * into stretches, and each thread takes the next one until none is left. So nobody
 * waits for a thread that cannot be made, and for one that gets no CPU only for its
 * stretch.
 *
 * The destination's pages are taken as they are. New ones are bounded by the kernel's
 * faults, and huge ones are several times as fast (bench/copy.c); but that advice
 * cannot be taken back, and lets the kernel fill up again what a trim has given back of
 * a pool. It is for whoever makes the memory, as NumPy does. MADV_POPULATE_WRITE helps
 * new pages a little, and takes half the speed from those that are there. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "keraser.h"

/* More threads do not help: 8 saturate the memory of a socket, and to make one costs as
 * much as to copy some hundred KiB. A stretch is as long as a huge page: two threads
 * that start side by side then never fault in the same one. */
enum { MOST_THREADS = 8, LEAST_SHARE = 4 << 20, STRETCH = 2 << 20 };

typedef struct {
    const krs_copy_job *jobs;
    size_t total;
    atomic_size_t next; /* of the bytes of all jobs, the first that nobody has taken */
} work;

static void *copy_stretches(void *argument) {
    work *all = argument;
    const krs_copy_job *job = all->jobs;
    size_t begin = 0; /* of job */
    for (;;) {
        size_t at = atomic_fetch_add(&all->next, STRETCH);
        if (at >= all->total)
            return NULL;
        size_t left = all->total - at < STRETCH ? all->total - at : STRETCH;
        while (left > 0) {
            while (at - begin >= job->size)
                begin += job++->size;
            const size_t within = at - begin, rest = job->size - within;
            const size_t size = rest < left ? rest : left;
            memcpy((char *)job->to + within, (const char *)job->from + within, size);
            at += size;
            left -= size;
        }
    }
}

static bool total_of(const krs_copy_job *jobs, size_t count, size_t *total) {
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].size > 0 && (jobs[i].to == NULL || jobs[i].from == NULL))
            return false;
        if (jobs[i].size > SIZE_MAX - *total)
            return false;
        *total += jobs[i].size;
    }
    return true;
}

static size_t thread_count(unsigned asked, size_t total) {
    size_t threads = asked;
    cpu_set_t cpus;
    if (asked == 0)
        threads = sched_getaffinity(0, sizeof cpus, &cpus) == 0
                      ? (size_t)CPU_COUNT(&cpus)
                      : 1;
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    const size_t shares = total / LEAST_SHARE;
    if (threads > shares)
        threads = shares;
    return threads > 0 ? threads : 1;
}

/* Signals of the program are none of a helper's business. How many could be made. */
static size_t start_helpers(pthread_t *helpers, size_t count, work *all) {
    sigset_t every, before;
    size_t started = 0;
    sigfillset(&every);
    if (count == 0 || pthread_sigmask(SIG_SETMASK, &every, &before) != 0)
        return 0;
    while (started < count &&
           pthread_create(&helpers[started], NULL, copy_stretches, all) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

krs_status krs_copy(const krs_copy_job *jobs, size_t count, unsigned threads) {
    size_t total;
    if ((jobs == NULL && count > 0) || !total_of(jobs, count, &total))
        return KRS_INVALID;
    work all = {.jobs = jobs, .total = total};
    atomic_init(&all.next, 0);
    pthread_t helpers[MOST_THREADS];
    const size_t started =
        start_helpers(helpers, thread_count(threads, total) - 1, &all);
    copy_stretches(&all);
    for (size_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    return KRS_OK;
}
