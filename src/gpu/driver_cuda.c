/* The true driver. By dlsym() and not by cuGetProcAddress(): a name with its suffix
 * says which version of the types is meant, and what was put before the driver is found
 * as TensorFlow, which looks up names as well, finds it. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdbool.h>

#include "gpu/driver.h"

static void find_all(krs__driver *d) {
    /* POSIX's way round ISO C, which has no cast from an object to a function. */
#define X(name, symbol, arguments)                                                     \
    *(void **)&d->name = dlsym(d->library, symbol);                                    \
    if (d->name == NULL && d->missing == NULL)                                         \
        d->missing = symbol;
    KRS__DRIVER_FUNCTIONS(X)
#undef X
}

static void find_others(krs__driver *d) {
    bool all = true;
#define X(name, symbol, arguments)                                                     \
    *(void **)&d->name = dlsym(d->library, symbol);                                    \
    all &= d->name != NULL;
    KRS__DRIVER_POOL_FUNCTIONS(X)
    if (!all)
        d->default_pool = NULL;
    all = true;
    KRS__DRIVER_GRANULE_FUNCTIONS(X)
    d->has_granules = all;
    KRS__DRIVER_NAME_FUNCTIONS(X)
#undef X
}

void krs__driver_open(const char *path, krs__driver *driver) {
    *driver = (krs__driver){.library = dlopen(path == NULL ? "libcuda.so.1" : path,
                                              RTLD_LAZY | RTLD_NOLOAD)};
    if (driver->library == NULL)
        return;
    find_all(driver);
    find_others(driver);
}

void krs__driver_close(krs__driver *driver) {
    if (driver->library != NULL)
        dlclose(driver->library);
    *driver = (krs__driver){0};
}

krs_refusal krs__driver_refusal(int error) {
    if (error == KRS__DRIVER_OK)
        return KRS_REFUSAL_NONE;
    return error >= KRS__DRIVER_CAPTURES && error <= KRS__DRIVER_CAPTURES_LAST
               ? KRS_REFUSAL_CAPTURE
               : KRS_REFUSAL_DRIVER;
}
