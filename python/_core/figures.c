/* process() and heap(): figures of this process, as dicts of bytes and counts. */
#include "state.h"

PyObject *krs_py_process(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_process process;
    krs_status status = krs_process_read(&process);
    if (status != KRS_OK)
        return krs_raise(status, "/proc/self/status");
    return Py_BuildValue("{sKsKsKsKsKsI}", "rss", (unsigned long long)process.rss,
                         "peak", (unsigned long long)process.peak, "file",
                         (unsigned long long)process.file, "shared",
                         (unsigned long long)process.shared, "swap",
                         (unsigned long long)process.swap, "threads", process.threads);
}

PyObject *krs_py_heap(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    krs_heap heap;
    krs_status status = krs_heap_read(&heap);
    if (status != KRS_OK)
        return krs_raise(status, "mallinfo2");
    return Py_BuildValue("{sKsK}", "in_use", (unsigned long long)heap.in_use, "free",
                         (unsigned long long)heap.free);
}
