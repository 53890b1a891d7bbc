/* keraser.h - measure, explain and give back what a Keras model holds.
 *
 * True of every function here unless its own comment says otherwise:
 *  - Sizes are bytes.
 *  - A function that can fail returns krs_status; out-parameters are written
 *    only on KRS_OK.
 *  - Pointers passed in are borrowed for the call. What *_new() hands out is
 *    the caller's until the matching *_free(), which accepts NULL.
 *  - There is no global state. Two handles may be used on two threads at once;
 *    one handle may not.
 *  - Nothing here knows Python or TensorFlow: addresses are keys, never
 *    dereferenced. */
#ifndef KERASER_H
#define KERASER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KRS_VERSION "0.1.0"

/* ---- status ------------------------------------------------------------- */

/* One list gives the enum, the text, the Python exception that _core raises and
 * the exit status of the command line (sysexits.h where one fits). */
#define KRS_STATUS_MAP(X)                                                              \
    X(OK, 0, "success", NULL, 0)                                                       \
    X(NOMEM, 1, "out of memory", "MemoryError", 71)                                    \
    X(INVALID, 2, "invalid argument", "ValueError", 64)                                \
    X(LIMIT, 3, "more than 4294967294 objects", "OverflowError", 70)                   \
    X(SYSTEM, 4, "a system call failed", "OSError", 71)                                \
    X(FORMAT, 5, "text is not in the expected form", "ValueError", 65)                 \
    X(UNSUPPORTED, 6, "not supported on this system", "keraser.UnsupportedError", 69)

typedef enum {
#define X(name, value, text, exception, exit_status) KRS_##name = (value),
    KRS_STATUS_MAP(X)
#undef X
} krs_status;

/* A short English text for `status`; never NULL, static storage. */
const char *krs_status_text(krs_status status);

/* ---- heap: objects and references as a directed graph -------------------- */

/* Nodes are objects, named by their address; edges are references, one edge for
 * each reference, so the in-degree of a node counts how often the graph refers
 * to it. Nodes are numbered from 0 in the order in which they were first seen.
 * Build: krs_graph_node() for the starting points, then krs_graph_expand() node
 * after node in rising order until every node that should be entered has been. */
typedef struct krs_graph krs_graph;
typedef uint32_t krs_node;

/* "No such node". Also bounds the size of a graph. */
#define KRS_NODE_NONE UINT32_MAX

krs_status krs_graph_new(krs_graph **graph);
void krs_graph_free(krs_graph *graph);

/* The node of `address`, made if it is new. KRS_INVALID for a NULL address. */
krs_status krs_graph_node(krs_graph *graph, const void *address, krs_node *node);

/* The node of `address`, or KRS_NODE_NONE. */
krs_node krs_graph_find(const krs_graph *graph, const void *address);

uint32_t krs_graph_node_count(const krs_graph *graph);
uint64_t krs_graph_edge_count(const krs_graph *graph);
const void *krs_graph_address(const krs_graph *graph, krs_node node);

/* Says that `source` refers to `targets`, in this order; NULL targets are passed
 * over, new ones become nodes. Sources come in rising order, each at most once; a
 * node that is passed over refers to nothing (a barrier). KRS_INVALID for a source
 * out of order. After a failure the graph is good for nothing but _free(). */
krs_status krs_graph_expand(krs_graph *graph, krs_node source,
                            const void *const *targets, size_t count);

/* The targets of `node`, `*count` of them; valid until the next expand. */
const krs_node *krs_graph_targets(const krs_graph *graph, krs_node node, size_t *count);

/* What a node is to trial deletion. */
typedef enum {
    KRS_ROLE_PLAIN = 0,
    KRS_ROLE_SEED = 1,    /* taken to be let go, whoever else refers to it */
    KRS_ROLE_BARRIER = 2, /* outlives everything: alive, and never a way in */
} krs_role;

/* Trial deletion (Christopher, "Reference count garbage collection", 1984; the
 * cycle detection of CPython's own collector): which nodes would die if the seeds
 * were let go?
 *
 * `references[n]` is the reference count of node n less what the caller itself
 * holds, `roles[n]` a krs_role. Both are indexed by node. On return `owned[n]` is 1
 * when every reference to n comes from an owned node or a seed, and `outside[n]`
 * how many of its references come from neither (never below 0): from what the graph
 * does not know, or from a node of it that lives. A seed is always owned: look at
 * outside[seed] to learn whether somebody else holds it. A reference count of
 * INT64_MAX keeps a node alive whatever refers to it.
 * Conservative: a node the graph does not fully explain is not owned, nor is
 * anything it leads to. KRS_INVALID for a role that is none of these. Linear in nodes
 * and edges; 4 bytes a node while it runs. */
krs_status krs_graph_owned(const krs_graph *graph, const int64_t *references,
                           const uint8_t *roles, uint8_t *owned, int64_t *outside);

/* Gives every node the label of the first group that leads to it. `label[n]` is 0 on
 * entry for a plain node and the group's number, from 1, for a node that starts that
 * group. Groups grow in rising order, and none enters a node that starts another. */
krs_status krs_graph_label(const krs_graph *graph, uint8_t *label);

/* Shortest paths: `parent[n]` becomes the node before n on a shortest path from one
 * of `roots` (a root is its own parent), KRS_NODE_NONE where none leads. Nodes with
 * `barred[n]` != 0 are neither entered nor left; NULL bars nothing. Roots count in
 * waves: `waves[i]` is the wave of roots[i], in rising order, and a later wave
 * explains only what no earlier one reaches; NULL puts all in one. KRS_INVALID for
 * waves out of order and for a root that is no node. */
krs_status krs_graph_paths(const krs_graph *graph, const krs_node *roots,
                           const uint8_t *waves, size_t root_count,
                           const uint8_t *barred, krs_node *parent);

/* ---- process and heap figures -------------------------------------------- */

typedef struct {
    uint64_t rss;     /* resident set: VmRSS of /proc/self/status */
    uint64_t peak;    /* its high-water mark: VmHWM; 0 where not told (gVisor) */
    uint64_t swap;    /* VmSwap; 0 where not told (gVisor) */
    uint32_t threads; /* Threads */
} krs_process;

/* Reads /proc/self/status. KRS_SYSTEM where it cannot be read (errno says why),
 * KRS_FORMAT where VmRSS or Threads is missing or any of the four is not as the kernel
 * writes it. */
krs_status krs_process_read(krs_process *process);

/* The same from text already at hand; `text` need not end in a NUL. */
krs_status krs_process_parse(const char *text, size_t length, krs_process *process);

typedef struct {
    uint64_t in_use; /* handed out by malloc, mapped blocks too: uordblks + hblkhd */
    uint64_t free;   /* kept by malloc for later: fordblks */
} krs_heap;

/* Figures of the C heap over all arenas, by mallinfo2() (glibc 2.33 or newer, found at
 * run time). KRS_UNSUPPORTED on another libc. With jemalloc or tcmalloc loaded in
 * glibc's place the figures stay those of glibc's own, nearly unused, heap. */
krs_status krs_heap_read(krs_heap *heap);

#ifdef __cplusplus
}
#endif
#endif
