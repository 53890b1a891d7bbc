/* What the targets keep: that which is reached from them and from nowhere else. */
#include <stdlib.h>

#include "question.h"
#include "sizes.h"

int krs_find_inner(const krs_reading *reading, krs_node *inner) {
    uint32_t count = krs_graph_node_count(reading->heap.graph);
    krs_node *roots = malloc((size_t)count * sizeof *roots);
    uint8_t *reached = malloc(count);
    krs_status status = KRS_NOMEM;
    size_t root_count = 0;
    if (roots != NULL && reached != NULL) {
        for (krs_node node = 0; node < count; node++) {
            reached[node] = reading->parent[node] != KRS_NODE_NONE ||
                            (reading->barred[node] && !reading->asked[node]);
            if (reading->asked[node])
                roots[root_count++] = node;
        }
        status = krs_graph_paths(reading->heap.graph, roots, NULL, root_count, reached,
                                 inner);
    }
    free(roots);
    free(reached);
    if (status == KRS_OK)
        return 0;
    krs_raise(status, "searching what would go");
    return -1;
}

/* (objects, bytes); plain values that a lean reading leaves out are not among them. */
PyObject *krs_answer_keeps(krs_reading *reading) {
    uint32_t count = krs_graph_node_count(reading->heap.graph);
    krs_node *inner = malloc((size_t)count * sizeof *inner);
    if (inner == NULL)
        return PyErr_NoMemory();
    uint64_t objects = 0, bytes = 0, size = 0;
    int failed = krs_find_inner(reading, inner);
    for (krs_node node = 0; !failed && node < count; node++) {
        if (inner[node] == KRS_NODE_NONE || krs_heap_is_frame(&reading->heap, node))
            continue;
        failed = krs_size_of(krs_heap_object(&reading->heap, node),
                             reading->state->sizeof_name, &size);
        if (failed)
            PyErr_NoMemory();
        objects++;
        bytes += size;
    }
    free(inner);
    if (failed)
        return NULL;
    return Py_BuildValue("(KK)", (unsigned long long)objects,
                         (unsigned long long)bytes);
}
