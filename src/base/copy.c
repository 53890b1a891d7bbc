/* Copying at the speed of memory: the bytes of all jobs are laid end to end, and each
 * thread copies one stretch of them. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "keraser.h"

/* More threads do not help: 8 saturate the memory of a socket, and to make one costs as
 * much as to copy some hundred KiB. */
enum { MOST_THREADS = 8, LEAST_SHARE = 4 << 20 };

typedef struct {
    const krs_copy_job *jobs;
    size_t count;
    size_t from, to; /* of the bytes of all jobs */
} share;

static void *copy_share(void *argument) {
    const share *mine = argument;
    size_t start = 0;
    for (size_t i = 0; i < mine->count && start < mine->to; i++) {
        const krs_copy_job *job = &mine->jobs[i];
        const size_t end = start + job->size;
        const size_t first = mine->from > start ? mine->from : start;
        const size_t last = mine->to < end ? mine->to : end;
        if (first < last)
            memcpy((char *)job->to + (first - start),
                   (const char *)job->from + (first - start), last - first);
        start = end;
    }
    return NULL;
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

/* Signals of the program are none of a helper's business. */
static bool start(pthread_t *thread, share *argument) {
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    const bool started = pthread_create(thread, NULL, copy_share, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

krs_status krs_copy(const krs_copy_job *jobs, size_t count, unsigned threads) {
    size_t total;
    if ((jobs == NULL && count > 0) || !total_of(jobs, count, &total))
        return KRS_INVALID;
    const size_t shares = thread_count(threads, total);
    share parts[MOST_THREADS];
    pthread_t helpers[MOST_THREADS];
    bool started[MOST_THREADS] = {false};
    for (size_t i = 0; i < shares; i++)
        parts[i] = (share){jobs, count, total / shares * i,
                           i + 1 == shares ? total : total / shares * (i + 1)};
    for (size_t i = 1; i < shares; i++)
        started[i] = start(&helpers[i], &parts[i]);
    copy_share(&parts[0]);
    for (size_t i = 1; i < shares; i++) {
        if (started[i])
            pthread_join(helpers[i], NULL);
        else
            copy_share(&parts[i]); /* so that it cannot end half done */
    }
    return KRS_OK;
}
