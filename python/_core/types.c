/* How many objects of which type there are, and their own bytes. */
#include <stdlib.h>

#include "question.h"
#include "sizes.h"

/* Up to this size the interpreter's own allocator serves, from arenas that it maps;
 * beyond it, malloc (SMALL_REQUEST_THRESHOLD of CPython's obmalloc.c). */
enum { PYMALLOC_LIMIT = 512, FETCH_AHEAD = 16 };

typedef struct {
    PyTypeObject *type;
    uint64_t objects, bytes;
} krs_type_row;

typedef struct {
    krs_graph *types; /* its nodes are types, numbered as the rows */
    krs_type_row *rows;
    size_t room;
    uint64_t objects, bytes, small;
} krs_type_table;

static krs_status add_object(krs_type_table *table, PyObject *object,
                             PyObject *sizeof_name) {
    krs_node row;
    uint64_t bytes;
    uint32_t before = krs_graph_node_count(table->types);
    krs_status status = krs_graph_node(table->types, Py_TYPE(object), &row);
    if (status != KRS_OK)
        return status;
    if (row == table->room) {
        size_t room = table->room ? table->room * 2 : 1024;
        krs_type_row *rows = realloc(table->rows, room * sizeof *rows);
        if (rows == NULL)
            return KRS_NOMEM;
        table->rows = rows;
        table->room = room;
    }
    if (krs_graph_node_count(table->types) > before)
        table->rows[row] = (krs_type_row){.type = Py_TYPE(object)};
    if (krs_size_of(object, sizeof_name, &bytes) < 0)
        return KRS_NOMEM;
    table->rows[row].objects++;
    table->rows[row].bytes += bytes;
    table->objects++;
    table->bytes += bytes;
    if (bytes <= PYMALLOC_LIMIT)
        table->small += bytes;
    return KRS_OK;
}

static int by_bytes(const void *a_, const void *b_) {
    const krs_type_row *a = a_, *b = b_;
    return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

/* (objects, bytes, bytes of small objects, [(type, objects, bytes), ...]), the largest
 * types first. */
static PyObject *as_tuple(krs_state *state, krs_type_table *table, Py_ssize_t limit) {
    Py_ssize_t count = krs_graph_node_count(table->types);
    PyObject *list = PyList_New(0);
    if (count > 0)
        qsort(table->rows, (size_t)count, sizeof *table->rows, by_bytes);
    for (Py_ssize_t i = 0; list != NULL && i < count && i < limit; i++) {
        const krs_type_row *one = &table->rows[i];
        PyObject *row = krs_tuple_of(3, krs_full_type_name(state, one->type),
                                     PyLong_FromUnsignedLongLong(one->objects),
                                     PyLong_FromUnsignedLongLong(one->bytes));
        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return krs_tuple_of(4, PyLong_FromUnsignedLongLong(table->objects),
                        PyLong_FromUnsignedLongLong(table->bytes),
                        PyLong_FromUnsignedLongLong(table->small), list);
}

PyObject *krs_answer_types(krs_reading *reading) {
    krs_type_table table = {0};
    krs_status status = krs_graph_new(&table.types);
    uint32_t count = krs_graph_node_count(reading->heap.graph);
    for (krs_node node = reading->heap.frame_count; status == KRS_OK && node < count;
         node++) {
        __builtin_prefetch(krs_graph_address(reading->heap.graph, node + FETCH_AHEAD));
        status = add_object(&table, krs_heap_object(&reading->heap, node),
                            reading->state->sizeof_name);
    }
    PyObject *answer = status == KRS_OK
                           ? as_tuple(reading->state, &table, reading->question->types)
                           : krs_raise(status, "adding up types");
    krs_graph_free(table.types);
    free(table.rows);
    return answer;
}
