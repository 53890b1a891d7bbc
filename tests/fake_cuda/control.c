/* What tests ask and set; the book of calls, faults and bytes. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda.h"

enum { FAULTS = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t calls_lock = PTHREAD_MUTEX_INITIALIZER;
static fake_call *calls;
static struct {
    char function[64];
    uint64_t first, end; /* counts of the call */
    int result;
} faults[FAULTS];
static uint64_t used[FAKE_DEVICES];
fake_figures fake_figure;

void fake_lock(void) {
    pthread_mutex_lock(&lock);
}

void fake_unlock(void) {
    pthread_mutex_unlock(&lock);
}

static fake_call *find_call(const char *function) {
    fake_call *call = calls;
    while (call != NULL && strcmp(call->name, function) != 0)
        call = call->next;
    return call;
}

int fake_enter(fake_call *call) {
    int result = SUCCESS;
    pthread_mutex_lock(&calls_lock);
    if (!call->known) {
        call->known = true;
        call->next = calls;
        calls = call;
    }
    call->count++;
    for (size_t i = 0; i < FAULTS; i++) {
        if (call->count >= faults[i].first && call->count < faults[i].end &&
            strcmp(faults[i].function, call->name) == 0)
            result = faults[i].result;
    }
    pthread_mutex_unlock(&calls_lock);
    return result;
}

uint64_t fake_cuda_calls(const char *function) {
    pthread_mutex_lock(&calls_lock);
    const fake_call *call = find_call(function);
    const uint64_t count = call == NULL ? 0 : call->count;
    pthread_mutex_unlock(&calls_lock);
    return count;
}

void fake_cuda_fail(const char *function, uint64_t nth, uint64_t times, int result) {
    const uint64_t now = fake_cuda_calls(function);
    pthread_mutex_lock(&calls_lock);
    size_t at = 0;
    while (strcmp(faults[at].function, function) != 0 && faults[at].function[0] != '\0')
        if (++at == FAULTS)
            abort(); /* a test wants more than there is */
    strncpy(faults[at].function, function, sizeof faults[at].function - 1);
    faults[at].first = now + nth;
    faults[at].end = now + nth + times;
    faults[at].result = result;
    pthread_mutex_unlock(&calls_lock);
}

uint64_t fake_cuda_figure(const char *name) {
    uint64_t value = UINT64_MAX;
    fake_lock();
#define X(figure)                                                                      \
    if (strcmp(name, #figure) == 0)                                                    \
        value = fake_figure.figure;
    FAKE_CUDA_FIGURES(X)
#undef X
    fake_unlock();
    return value;
}

uint64_t fake_setting(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

/* With what its context takes, if there is one, and what other processes do. */
uint64_t fake_device_used(int device) {
    const uint64_t context =
        fake_is_active(device) ? fake_setting("FAKE_CUDA_CONTEXT", 0) : 0;
    return used[device] + context + fake_setting("FAKE_CUDA_OTHERS", 0);
}

bool fake_take(int device, uint64_t *figure, uint64_t bytes) {
    if (bytes > fake_device_memory() - fake_device_used(device))
        return false;
    used[device] += bytes;
    *figure += bytes;
    return true;
}

void fake_give(int device, uint64_t *figure, uint64_t bytes) {
    if (bytes > used[device] || bytes > *figure)
        abort(); /* the book is wrong: a fault of this driver */
    used[device] -= bytes;
    *figure -= bytes;
}

int fake_device_count(void) {
    const uint64_t count = fake_setting("FAKE_CUDA_DEVICES", 1);
    return count > FAKE_DEVICES ? FAKE_DEVICES : (int)count;
}

uint64_t fake_device_memory(void) {
    return fake_setting("FAKE_CUDA_MEMORY", UINT64_C(8) << 30);
}

bool fake_has_pools(void) {
    return fake_setting("FAKE_CUDA_NO_POOLS", 0) == 0;
}
