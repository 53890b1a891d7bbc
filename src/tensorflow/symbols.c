/* Looking up, never loading: a process without TensorFlow stays one without. */
#include <dlfcn.h>

#include "tensorflow/symbols.h"

/* The first has all in TensorFlow 2.15 and 2.21; in between, symbols have moved. */
static const char *const libraries[] = {"libtensorflow_framework.so.2",
                                        "libtensorflow_cc.so.2"};

enum { LIBRARIES = sizeof libraries / sizeof *libraries };

typedef struct {
    void *handles[LIBRARIES];
} loaded;

static bool open_loaded(loaded *l) {
    bool any = false;
    for (size_t i = 0; i < LIBRARIES; i++) {
        l->handles[i] = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        any |= l->handles[i] != NULL;
    }
    return any;
}

static void *find(const loaded *l, const char *symbol) {
    void *address = NULL;
    for (size_t i = 0; i < LIBRARIES && address == NULL; i++)
        address = l->handles[i] == NULL ? NULL : dlsym(l->handles[i], symbol);
    return address;
}

/* TensorFlow itself is never unloaded: addresses stay good. */
static void close_loaded(const loaded *l) {
    for (size_t i = 0; i < LIBRARIES; i++) {
        if (l->handles[i] != NULL)
            dlclose(l->handles[i]);
    }
}

/* Notes the first symbol that is missing. */
static void *find_or_note(const loaded *l, const char *symbol, const char **missing) {
    void *address = find(l, symbol);
    if (address == NULL && *missing == NULL)
        *missing = symbol;
    return address;
}

void krs__tensorflow_find(krs__tensorflow *tf) {
    loaded l;
    const char **missing = &tf->missing;
    *tf = (krs__tensorflow){.loaded = open_loaded(&l)};
    /* POSIX's way round ISO C, which has no cast from an object to a function. */
#define X(name, symbol, result, arguments)                                             \
    *(void **)&tf->name = find_or_note(&l, symbol, missing);
#define Y(name, symbol) tf->name = find_or_note(&l, symbol, missing);
    KRS__TENSORFLOW_FUNCTIONS(X)
    KRS__TENSORFLOW_TABLES(Y)
    missing = &tf->missing_for_regions;
    KRS__REGION_FUNCTIONS(X)
    KRS__REGION_TABLES(Y)
#undef X
#undef Y
    close_loaded(&l);
}

void *krs__tensorflow_symbol(const char *symbol) {
    loaded l;
    void *address = open_loaded(&l) ? find(&l, symbol) : NULL;
    close_loaded(&l);
    return address;
}
