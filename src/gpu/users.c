/* Which GPU is which, and who has memory of it. The management library is opened once
 * for the process: to start it takes longer than all that is asked of it. */
#define _POSIX_C_SOURCE 200809L
#include "gpu/users.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "gpu/memory.h"
#include "gpu/nvml.h"

enum { BUS = 32 }; /* "0000:01:00.0" */

/* One for the process, and not for a child that it forks: there the library's state is
 * a copy of what the parent goes on using. */
static struct {
    pthread_mutex_t lock;
    const char *path; /* NULL but in tests */
    krs__nvml *nvml;
    pid_t opened_by; /* 0: nobody has tried */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

void krs__gpu_users_use(const char *path) {
    krs__nvml_close(all.nvml);
    all.nvml = NULL;
    all.opened_by = 0;
    all.path = path;
}

/* With the lock. Where it cannot be had, it is not tried again. */
static krs_status open_once(void) {
    krs_status status = KRS_OK;
    if (all.opened_by == 0) {
        status = krs__nvml_open(all.path, &all.nvml);
        if (status != KRS_NOMEM)
            all.opened_by = getpid();
    }
    if (status == KRS_OK && (all.nvml == NULL || all.opened_by != getpid()))
        status = KRS_UNSUPPORTED;
    return status;
}

krs_status krs_gpu_users(const krs_gpu *gpu, int device, krs_gpu_user *users,
                         size_t room, size_t *count) {
    char bus[BUS];
    krs__device d;
    if (gpu == NULL || (users == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    if (gpu->refusal != KRS_REFUSAL_NONE || gpu->driver.device_bus == NULL ||
        gpu->driver.device(&d, device) != KRS__DRIVER_OK ||
        gpu->driver.device_bus(bus, sizeof bus, d) != KRS__DRIVER_OK)
        return KRS_UNSUPPORTED;
    pthread_mutex_lock(&all.lock);
    krs_status status = open_once();
    if (status == KRS_OK)
        status = krs__nvml_users(all.nvml, bus, users, room, count);
    pthread_mutex_unlock(&all.lock);
    return status;
}

void krs_gpu_name(const krs_gpu *gpu, int device, char name[KRS_GPU_NAME]) {
    krs__device d;
    memset(name, 0, KRS_GPU_NAME);
    if (gpu->refusal != KRS_REFUSAL_NONE || gpu->driver.device_name == NULL ||
        gpu->driver.device(&d, device) != KRS__DRIVER_OK ||
        gpu->driver.device_name(name, KRS_GPU_NAME - 1, d) != KRS__DRIVER_OK)
        name[0] = '\0';
}

/* By the context of any GPU: addresses of all are in one space. */
int krs_gpu_of(const krs_gpu *gpu, uintptr_t address) {
    const krs__driver *driver = &gpu->driver;
    krs__context context;
    krs__device device;
    int number = -1, devices, value;
    if (gpu->refusal != KRS_REFUSAL_NONE || driver->pointer_attribute == NULL ||
        driver->count(&devices) != KRS__DRIVER_OK)
        return -1;
    for (int i = 0; i < devices && number < 0; i++) {
        if (!krs__gpu_is_active(driver, i, &device) ||
            driver->primary_retain(&context, device) != KRS__DRIVER_OK)
            continue;
        if (driver->push(context) == KRS__DRIVER_OK) {
            if (driver->pointer_attribute(&value, KRS__POINTER_DEVICE, address) ==
                KRS__DRIVER_OK)
                number = value;
            driver->pop(&context);
        }
        driver->primary_release(device);
    }
    return number;
}
