/* What the driver's calls for memory in granules take, by the size of a granule: to be
 * run on a GPU. Microseconds for each granule, of `BYTES` mapped and unmapped again.
 *
 *   ./dev bench gpu            needs libcuda.so.1 and a GPU; nothing to build it */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gpu/driver.h"

enum { MIB = 1 << 20, ROUNDS = 5, MOST = 1024 };
static const size_t BYTES = (size_t)1024 * MIB;

enum { CREATE, MAP, RELEASE, ACCESS, UNMAP, STEPS };
static const char *const names[STEPS] = {"create", "map", "release", "access", "unmap"};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(int answer, const char *what) {
    if (answer == KRS__DRIVER_OK)
        return;
    fprintf(stderr, "%s: error %d of the driver\n", what, answer);
    exit(1);
}

/* One round: maps BYTES in granules and unmaps all at once; adds up what it took. */
static void map_and_unmap(const krs__driver *d, uint64_t at, size_t granule,
                          double *took) {
    const krs__memory_kind kind = {.type = KRS__MEMORY_PINNED,
                                   .where = {KRS__MEMORY_OF_DEVICE, 0}};
    const krs__memory_access access = {{KRS__MEMORY_OF_DEVICE, 0},
                                       KRS__MEMORY_READ_WRITE};
    static krs__memory_handle handles[MOST];
    const size_t count = BYTES / granule;
    double began = now();
#define STEP(step) took[step] += now() - began, began = now()
    for (size_t i = 0; i < count; i++)
        check(d->create(&handles[i], granule, &kind, 0), "cuMemCreate");
    STEP(CREATE);
    for (size_t i = 0; i < count; i++)
        check(d->map(at + i * granule, granule, 0, handles[i], 0), "cuMemMap");
    STEP(MAP);
    for (size_t i = 0; i < count; i++)
        check(d->release(handles[i]), "cuMemRelease");
    STEP(RELEASE);
    check(d->set_access(at, BYTES, &access, 1), "cuMemSetAccess");
    STEP(ACCESS);
    check(d->unmap(at, BYTES), "cuMemUnmap");
    STEP(UNMAP);
#undef STEP
}

static void measure(const krs__driver *d, size_t granule) {
    double took[STEPS] = {0};
    uint64_t at;
    check(d->reserve(&at, BYTES, granule, 0, 0), "cuMemAddressReserve");
    for (int round = 0; round < ROUNDS; round++)
        map_and_unmap(d, at, granule, took);
    check(d->unreserve(at, BYTES), "cuMemAddressFree");
    printf("%7zu MiB", granule / MIB);
    for (size_t i = 0; i < STEPS; i++)
        printf(" %9.2f", took[i] / ROUNDS / (double)(BYTES / granule));
    printf("\n");
}

int main(void) {
    static const size_t granules[] = {2, 8, 32, 64};
    int (*start)(unsigned flags);
    krs__driver driver;
    krs__context context;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    krs__driver_open(NULL, &driver);
    if (library == NULL || driver.missing != NULL || !driver.has_granules) {
        fprintf(stderr, "no GPU driver with virtual memory here: nothing measured\n");
        return 0;
    }
    *(void **)&start = dlsym(library, "cuInit");
    check(start(0), "cuInit");
    check(driver.primary_retain(&context, 0), "cuDevicePrimaryCtxRetain");
    check(driver.push(context), "cuCtxPushCurrent");
    printf("µs for each\n    granule");
    for (size_t i = 0; i < STEPS; i++)
        printf(" %9s", names[i]);
    printf("\n");
    for (size_t i = 0; i < sizeof granules / sizeof *granules; i++)
        measure(&driver, granules[i] * MIB);
    return 0;
}
