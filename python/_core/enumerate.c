/* The heads of the generations are not in any public struct, but a freshly tracked
 * object is the last of generation 0, so its next link is that generation's head. In
 * CPython 3.10 to 3.13 the heads of generations 1 and 2 follow 24 bytes apart, a
 * pointer back to the first head stands 72 bytes after it, and the frozen generation's
 * head at 80 (struct _gc_runtime_state). All of that is checked before it is trusted:
 * each head must be the previous of its next and the next of its previous. */
#include "enumerate.h"

enum { HEAD_STRIDE = 24, BACK_POINTER = 72, FROZEN_HEAD = 80 };
enum { FROZEN = 3, HEAD_COUNT }; /* generations by their place */
enum { GC_HEAD_BYTES = 16, NEXT = 0, PREVIOUS = 1 };
#define LINK_FLAGS ((uintptr_t)3)

static uintptr_t link_of(uintptr_t head, int which) {
    return ((const uintptr_t *)head)[which] & ~LINK_FLAGS;
}

static int head_is_sound(uintptr_t head) {
    uintptr_t next = link_of(head, NEXT), previous = link_of(head, PREVIOUS);
    return next != 0 && previous != 0 && link_of(next, PREVIOUS) == head &&
           link_of(previous, NEXT) == head;
}

/* Fills `heads` and returns 1, or returns 0 where the layout is not the known one. */
static int find_heads(uintptr_t heads[HEAD_COUNT]) {
    if (PY_VERSION_HEX >= 0x030E0000)
        return 0;
    PyObject *probe = PyList_New(0);
    if (probe == NULL) {
        PyErr_Clear();
        return 0;
    }
    uintptr_t first = link_of((uintptr_t)probe - GC_HEAD_BYTES, NEXT);
    Py_DECREF(probe);
    if (*(const uintptr_t *)(first + BACK_POINTER) != first)
        return 0;
    for (int i = 0; i < HEAD_COUNT; i++) {
        heads[i] = first + (i < FROZEN ? (uintptr_t)i * HEAD_STRIDE : FROZEN_HEAD);
        if (!head_is_sound(heads[i]))
            return 0;
    }
    return 1;
}

/* Walks one generation in the direction of `link`, at most `*left` objects of it. */
static int visit_generation(uintptr_t head, int link, size_t *left,
                            krs_object_visitor visit, void *context) {
    uintptr_t at = link_of(head, link);
    while (at != head && *left > 0) {
        uintptr_t next = link_of(at, link);
        __builtin_prefetch((const void *)next);
        int stop = visit((PyObject *)(at + GC_HEAD_BYTES), context);
        if (stop)
            return stop;
        at = next;
        (*left)--;
    }
    return 0;
}

static int visit_heads(int link, size_t limit, krs_object_visitor visit,
                       void *context) {
    uintptr_t heads[HEAD_COUNT];
    if (!find_heads(heads)) {
        PyErr_SetString(PyExc_RuntimeError, "the collector's lists are not as known");
        return -1;
    }
    int stop = 0;
    for (int i = 0; i < HEAD_COUNT && !stop; i++)
        stop = visit_generation(heads[i], link, &limit, visit, context);
    return stop;
}

#if PY_VERSION_HEX >= 0x030C0000

typedef struct {
    krs_object_visitor visit;
    void *context;
    int stop;
} krs_visit_call;

static int visit_one(PyObject *object, void *call_) {
    krs_visit_call *call = call_;
    call->stop = call->visit(object, call->context);
    return call->stop == 0; /* 1 goes on */
}

static int visit_objects(krs_object_visitor visit, void *context) {
    krs_visit_call call = {visit, context, 0};
    PyUnstable_GC_VisitObjects(visit_one, &call);
    return call.stop;
}

#endif

enum { ALL_GENERATIONS = -1 };

/* The list refers to every object of the heap, half-made tuples of other threads too,
 * whose makers fail when they are seen referred to (cpython gh-101855): the last
 * resort. */
static int visit_list(int generation, krs_object_visitor visit, void *context) {
    PyObject *gc = PyImport_ImportModule("gc");
    if (gc == NULL)
        return -1;
    PyObject *objects = generation == ALL_GENERATIONS
                            ? PyObject_CallMethod(gc, "get_objects", NULL)
                            : PyObject_CallMethod(gc, "get_objects", "i", generation);
    Py_DECREF(gc);
    if (objects == NULL)
        return -1;
    int stop = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects) && !stop; i++)
        stop = visit(PyList_GET_ITEM(objects, i), context);
    Py_DECREF(objects);
    return stop;
}

krs_enumeration krs_enumerate_choose(void) {
    uintptr_t heads[HEAD_COUNT];
    if (find_heads(heads))
        return KRS_ENUMERATE_HEADS;
    return PY_VERSION_HEX >= 0x030C0000 ? KRS_ENUMERATE_VISIT : KRS_ENUMERATE_LIST;
}

const char *krs_enumeration_name(krs_enumeration way) {
    static const char *const names[] = {"heads", "visit", "list"};
    return names[way];
}

int krs_enumerate(krs_enumeration way, krs_object_visitor visit, void *context) {
    switch (way) {
    case KRS_ENUMERATE_HEADS:
        return visit_heads(NEXT, SIZE_MAX, visit, context);
#if PY_VERSION_HEX >= 0x030C0000
    case KRS_ENUMERATE_VISIT:
        return visit_objects(visit, context);
#endif
    default:
        return visit_list(ALL_GENERATIONS, visit, context);
    }
}

/* Of the frozen generation, the last, only the lists themselves tell. */
static int visit_generations(krs_enumeration way, int first, int last,
                             krs_object_visitor visit, void *context) {
    uintptr_t heads[HEAD_COUNT];
    size_t left = SIZE_MAX;
    const int known = way == KRS_ENUMERATE_HEADS && find_heads(heads);
    int stop = 0;
    for (int i = first; i <= last && !stop; i++) {
        if (known)
            stop = visit_generation(heads[i], NEXT, &left, visit, context);
        else if (i < FROZEN)
            stop = visit_list(i, visit, context);
    }
    return stop;
}

int krs_enumerate_generation(krs_enumeration way, int generation,
                             krs_object_visitor visit, void *context) {
    return visit_generations(way, generation, generation, visit, context);
}

int krs_enumerate_old(krs_enumeration way, int generation, krs_object_visitor visit,
                      void *context) {
    return visit_generations(way, generation, FROZEN, visit, context);
}

int krs_enumerate_recent(krs_enumeration way, size_t limit, krs_object_visitor visit,
                         void *context) {
    if (way == KRS_ENUMERATE_HEADS)
        return visit_heads(PREVIOUS, limit, visit, context);
    return krs_enumerate(way, visit, context);
}
