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
 *  - Nothing here needs Python or TensorFlow, to build or to run: addresses are
 *    keys, never dereferenced, and what is called of TensorFlow is looked up in
 *    the process. */
#ifndef KERASER_H
#define KERASER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
    X(LIMIT, 3, "more than 4294967294 objects or references", "OverflowError", 70)     \
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

/* ---- copying ------------------------------------------------------------ */

/* `size` bytes from `from` to `to`, which do not overlap. */
typedef struct {
    void *to;
    const void *from;
    size_t size;
} krs_copy_job;

/* Copies all jobs, on `threads` threads with the caller's own (0: one for each CPU that
 * it may run on), but on no more than 8, nor than one for each 4 MiB. Where a thread
 * cannot be made the caller does its share, so nothing is ever half done. KRS_INVALID,
 * and nothing is copied, for a NULL address of a size above 0 and for sizes that add up
 * to more than SIZE_MAX. */
krs_status krs_copy(const krs_copy_job *jobs, size_t count, unsigned threads);

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

/* The same for `sources` nodes in a row from `first`, all of them nodes by now:
 * `counts[i]` targets of node first + i, one source's after another's in `targets`. In
 * 0.6 of the time of one by one where most have few targets, as Python objects do. */
krs_status krs_graph_expand_run(krs_graph *graph, krs_node first, size_t sources,
                                const uint32_t *counts, const void *const *targets);

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

/* Takes the in-degree of each node off `references[n]`, its reference count: what is
 * left are references that the graph does not know, negative where it shows more than
 * are counted. INT64_MAX, an immortal, stays, as does INT64_MIN. Linear in edges. */
krs_status krs_graph_unexplained(const krs_graph *graph, int64_t *references);

/* The graph read backwards: who refers to a node? Good for as long as the graph is not
 * changed. 4 bytes a node and 4 an edge. */
typedef struct krs_referrers krs_referrers;

krs_status krs_referrers_new(const krs_graph *graph, krs_referrers **referrers);
void krs_referrers_free(krs_referrers *referrers);

/* The nodes that refer to `node`, `*count` of them in rising order, one for each
 * reference. */
const krs_node *krs_referrers_of(const krs_referrers *referrers, krs_node node,
                                 size_t *count);

/* Dominators (Semi-NCA: Georgiadis, Tarjan and Werneck, "Finding dominators in
 * practice", 2006): d dominates n when every path from a root to n passes through d, so
 * that n would go if d went. `dominator[n]` becomes the closest dominator of n other
 * than itself; n where there is none; KRS_NODE_NONE where no root leads to n. `barred`
 * as in krs_graph_paths(). `retained[n]` holds the own size of n on entry and that of
 * all n dominates, itself included, on return; it stays where no root leads. NULL asks
 * for none. `members[n]` becomes how many nodes n dominates, itself included, 0 where
 * no root leads; NULL asks for none. Roots may come twice. KRS_INVALID for a root that
 * is no node, and for referrers of another graph. Near-linear, no recursion, 20 bytes a
 * node meanwhile. */
krs_status krs_graph_dominators(const krs_graph *graph, const krs_referrers *referrers,
                                const krs_node *roots, size_t root_count,
                                const uint8_t *barred, krs_node *dominator,
                                uint64_t *retained, uint32_t *members);

/* One way in which a target is held: from a root to `holder` along the parents that
 * krs_graph_paths() found, from there to `held`, and on by `next` to the target. */
typedef struct {
    krs_node holder;
    krs_node held;
    uint32_t steps; /* references from the root to the target */
} krs_way;

/* The ways in which `target` is held, the shortest first, then by rising holder and
 * held; one for each pair, however many references the holder has. `parent` is what
 * krs_graph_paths() wrote, and `barred` what it was given, `target` barred with it.
 *
 * Looks backwards from the target, breadth first, through nodes that are neither barred
 * nor unreached, and opens at most `reach` of them; not opened are roots (their own
 * parents) and popular nodes, to which more than KRS_POPULAR references lead: of what
 * refers to a node that is not opened, only its parent gives a way. A way whose path to
 * `holder` meets its own path to the target is left out: it goes in a circle.
 * `next[n]` becomes the node after n on a shortest path from n to the target over nodes
 * that were opened, for nodes that were met, and KRS_NODE_NONE for all others, the
 * target among them. The target is opened always and counts for no reach. Writes at
 * most `room` ways, the first in this order, and their number to `*count`. KRS_INVALID
 * where `target` is not barred, for parents that are no nodes and for referrers of
 * another graph. 8 bytes a node meanwhile, and 12 for each node that it can meet. */
enum { KRS_POPULAR = 16 };
krs_status krs_graph_ways(const krs_graph *graph, const krs_referrers *referrers,
                          krs_node target, const uint8_t *barred,
                          const krs_node *parent, uint32_t reach, krs_node *next,
                          krs_way *ways, size_t room, size_t *count);

/* ---- process and heap figures -------------------------------------------- */

typedef struct {
    uint64_t rss;     /* resident set: VmRSS of /proc/self/status */
    uint64_t peak;    /* its high-water mark: VmHWM; 0 where not told (gVisor) */
    uint64_t file;    /* of rss, pages of mapped files: RssFile; 0 where not told */
    uint64_t shared;  /* of rss, shared memory: RssShmem; 0 where not told */
    uint64_t swap;    /* VmSwap; 0 where not told (gVisor) */
    uint32_t threads; /* Threads */
} krs_process;

/* Reads /proc/self/status. KRS_SYSTEM where it cannot be read (errno says why),
 * KRS_FORMAT where VmRSS or Threads is missing or any of the six is not as the kernel
 * writes it. */
krs_status krs_process_read(krs_process *process);

/* The same from text already at hand; `text` need not end in a NUL. */
krs_status krs_process_parse(const char *text, size_t length, krs_process *process);

/* A mapped file, such as a library, whose static variables hold a word. */
typedef struct {
    char path[256]; /* as /proc/self/maps has it, cut where it is longer */
    uint32_t word;  /* which of those that were looked for */
    uint32_t count; /* how often it stands there */
} krs_static_hit;

/* Looks for `word_count` words, in rising order and none of them 0, at addresses that
 * are multiples of their size, in the static variables of this process: writable
 * private mappings of files, and of the memory that follows a file's mappings without a
 * gap what its program headers claim (.bss). The heap and stacks are not looked at, nor
 * what an allocator mapped right behind a file. Writes at most `room` hits, one a word
 * and file, files in order of address, and their number to `*count`. Reads by
 * process_vm_readv(), so that memory unmapped meanwhile does no harm. KRS_INVALID for
 * words out of order, KRS_SYSTEM where /proc/self/maps or memory cannot be read,
 * KRS_FORMAT where the former is not as the kernel writes it. About 0.3 ms per MiB of
 * static variables, for a few words as for a thousand. */
krs_status krs_static_find(const uintptr_t *words, size_t word_count,
                           krs_static_hit *hits, size_t room, size_t *count);

/* One line of /proc/self/maps. */
typedef struct {
    uintptr_t begin, end;
    uint8_t writable, is_private;
    const char *path; /* within the line, not NUL-terminated; length 0: none */
    size_t path_length;
} krs_mapping;

/* Reads the line of `length` bytes at `line`, without its newline. */
krs_status krs_mapping_parse(const char *line, size_t length, krs_mapping *mapping);

/* Joins small pages of this process's private anonymous memory into huge ones, where
 * more than half of one is resident, so that it is quicker to fork. Takes up to 3 ms
 * for each; nothing else changes. `*joined` is the bytes that are in huge pages now.
 * KRS_UNSUPPORTED where the kernel cannot (before Linux 6.1) or pages are not of 4 KiB,
 * KRS_SYSTEM where /proc/self/maps cannot be read. */
krs_status krs_memory_collapse(uint64_t *joined);

typedef struct {
    uint64_t in_use; /* handed out by malloc, mapped blocks too: uordblks + hblkhd */
    uint64_t free;   /* kept by malloc for later: fordblks */
} krs_heap;

/* Figures of the C heap over all arenas, by mallinfo2() (glibc 2.33 or newer, found at
 * run time). KRS_UNSUPPORTED on another libc. With jemalloc or tcmalloc loaded in
 * glibc's place the figures stay those of glibc's own, nearly unused, heap. */
krs_status krs_heap_read(krs_heap *heap);

/* ---- fork server ---------------------------------------------------------- */

/* A process that has loaded what its workers need, and does nothing but fork them, give
 * them trials, watch and end them. It has one thread. What it says to clients and
 * workers is in wire/protocol.h; the fork itself is the caller's, who knows what has to
 * be done around one. */

typedef struct {
    void *context;
    /* As fork(2), with what the caller's runtime wants done before and after. */
    pid_t (*fork)(void *context);
    /* Nonzero where a fork of this process would not work, or not any more; says why in
     * `reason`, at most `room` bytes with a NUL. Asked before and after each fork. That
     * there is one thread and no GPU in use the server sees for itself. */
    int (*hazard)(void *context, char *reason, size_t room);
} krs_server_hooks;

typedef struct {
    int listener; /* as krs_socket_listen() makes it; processes of this user may come */
    int lease;    /* the end of this file ends the server */
    pid_t parent; /* so does the end of this process, which started the server */
    const char *broken; /* why every trial is refused; NULL: none is */
} krs_server_options;

/* Serves until the lease or the parent ends, or SIGTERM comes; then ends all workers
 * and returns with `*channel` -1. Returns in each worker as well, with the socket on
 * which it takes trials; stdout and stderr lead to the server, stdin is empty, it leads
 * a process group and ends with the server. Blocks SIGCHLD, SIGTERM, SIGINT and SIGHUP
 * meanwhile; for good it resets the action of SIGCHLD, opens /dev/null for standard
 * streams that are closed, becomes the reaper of orphaned descendants, and takes in the
 * ends of all child processes. KRS_SYSTEM with errno where it cannot begin or go on. */
krs_status krs_server_run(const krs_server_options *options,
                          const krs_server_hooks *hooks, int *channel);

/* ---- listening ------------------------------------------------------------ */

/* A process that answers a command line: a thread that waits on a socket of this user's
 * (wire/protocol.h: KRS_FRAME_QUESTION, krs_place_listen()). It blocks all signals. */
typedef struct krs_listener krs_listener;

typedef struct {
    unsigned verb; /* krs_verb */
    uint64_t flags, held;
    const char *model; /* which one, "" for none; not NUL-terminated */
    size_t length;     /* of model */
} krs_listener_question;

/* Called on the listener's thread, one question at a time; sends what it has to say to
 * `socket`, which waits for two seconds at most where nobody reads, and is closed
 * afterwards. */
typedef void krs_answer(void *context, int socket,
                        const krs_listener_question *question);

/* KRS_SYSTEM with errno: EPERM where a folder for sockets may be another user's. */
krs_status krs_listener_start(krs_answer *answer, void *context,
                              krs_listener **listener);

/* The path of its socket, good until it is stopped. */
const char *krs_listener_path(const krs_listener *listener);

/* Waits for an answer that is being given, and removes the socket. In a child that was
 * forked since, where there is no such thread, only closes what the child has of it.
 * NULL is nothing. */
void krs_listener_stop(krs_listener *listener);

/* ---- giving memory back --------------------------------------------------- */

/* Why a pool is left as it is: name, value, text. One that is refused has been neither
 * changed nor, where it could not be told for what it is, looked into. */
#define KRS_REFUSAL_MAP(X)                                                             \
    X(NONE, 0, "works")                                                                \
    X(ABSENT, 1, "not loaded in this process")                                         \
    X(PLATFORM, 2, "known on x86-64 alone")                                            \
    X(SYMBOL, 3, "a symbol is missing")                                                \
    X(ALLOCATOR, 4, "the allocator in use is not the one with oneDNN's pool")          \
    X(POOL, 5, "no pool was found in the allocator")                                   \
    X(MAP, 6, "the map of the pool is not in the known form")                          \
    X(TEST, 7, "a test allocation did not show in the map of the pool")                \
    X(UNTRIED, 8, "not tried: the pool has nothing free yet")                          \
    X(FAILED, 9, "the allocator did not do it")                                        \
    X(DRIVER, 10, "the GPU driver answered with an error")                             \
    X(CAPTURE, 11, "a stream of the GPU is capturing a graph")                         \
    X(CALLS, 12, "it does not make its calls by a table that is known")                \
    X(READ_ONLY, 13, "the table of its calls cannot be written to")                    \
    X(BUSY, 14, "another thread is at it")                                             \
    X(CODE, 15, "the code that gives back is not in the known form")                   \
    X(BORDERS, 16, "the borders of the pool's regions were not found")

typedef enum {
#define X(name, value, text) KRS_REFUSAL_##name = (value),
    KRS_REFUSAL_MAP(X)
#undef X
} krs_refusal;

/* A short English text for `refusal`; never NULL, static storage. */
const char *krs_refusal_text(krs_refusal refusal);

/* What giving memory back has done to one pool. `before` and `after` are resident
 * bytes: of TensorFlow's pool its blocks in use and what of the free ones is resident;
 * of the C heaps the anonymous memory of the process, since they do not tell. With
 * other threads at work these move for other reasons too. */
typedef struct {
    krs_refusal refusal;
    const char *symbol; /* what KRS_REFUSAL_SYMBOL misses, else NULL; static storage */
    uint64_t before, after; /* 0 where refused */
    uint64_t returned; /* by this call; of TensorFlow's pool counted page by page */
    uint64_t size;     /* address space of TensorFlow's pool afterwards, else 0 */
    uint8_t grew;      /* the pool grew meanwhile, and the trim stopped early */
} krs_trim;

/* TensorFlow's CPU pool, from which it takes blocks of 256 KiB and more where oneDNN is
 * on, and which never gives one back. Each free block of which something is resident is
 * allocated, its whole pages are given to the system, and it is freed again: the pages
 * are ours meanwhile, so that other threads may allocate and compute all the time. Of
 * the largest free block one half is left to them at a time. Calls into TensorFlow by
 * symbols that are looked up and verified before anything is touched. Of two calls at
 * once each is safe, but neither gives back all. KRS_SYSTEM where memory cannot be
 * looked at or advised (errno says why). 0.3 ms where one free block has nothing to
 * give, 5 ms where a thousand have (bench/trim.py). */
krs_status krs_tensorflow_trim(krs_trim *trim);

/* The name of a pool, with its NUL; longer ones are cut. */
enum { KRS_POOL_NAME = 48 };

typedef struct {
    char name[KRS_POOL_NAME]; /* as TensorFlow has it: "GPU_0_bfc"; "" where refused */
    krs_trim trim;            /* bytes of its regions, which no kernel counts */
} krs_pool_trim;

/* Which pools: that of the CPU with TF_CPU_ALLOCATOR_USE_BFC, those of GPUs and of
 * pinned host memory; and whether they are only to be looked at. */
enum { KRS_POOLS_OF_CPU = 1, KRS_POOLS_OF_GPU = 2, KRS_POOLS_LOOK = 4 };
enum { KRS_POOLS = 64 }; /* room enough */

/* Pools that take memory in regions: each region in which nothing is in use goes back
 * to whoever gave it, the driver or the system. Such are TensorFlow's pools of GPUs,
 * where memory growth is on; without it there is one region for all, and something is
 * always in use in it. Done by TensorFlow's own code, under the pool's own lock, so
 * that other threads may allocate and free meanwhile. Of GPUs: only after
 * krs_gpu_settle() has waited for what was queued, and before krs_gpu_free().
 *
 * Writes at most `room` trims, one for each pool, and their number to `*count`: none
 * where TensorFlow is not loaded or has no such pool, and one without a name where it
 * is not known. With KRS_POOLS_LOOK nothing is given back, and of GPUs nothing has to
 * be waited for; the rest is the same. */
krs_status krs_tensorflow_release(unsigned which, krs_pool_trim *trims, size_t room,
                                  size_t *count);

typedef struct krs_gpu_granules krs_gpu_granules; /* below, at GPU memory */

/* What krs_tensorflow_arm() has done. */
typedef struct {
    krs_refusal refusal;
    const char *symbol; /* what KRS_REFUSAL_SYMBOL misses, else NULL; static storage */
    uint8_t late; /* the driver was called for memory before: what TensorFlow has by
                     now stays as it is, what it takes from now on is in granules */
} krs_arming;

/* From now on the pools of GPUs get their memory in granules, and grow back by
 * themselves into what krs_tensorflow_take_pages() has taken. Stores a few words into
 * tables of TensorFlow's own and stays until the process ends; nothing that is called
 * while a model trains is touched, but where a pool would grow. Once for a process:
 * arming again does nothing. */
krs_status krs_tensorflow_arm(const krs_gpu_granules *granules, krs_arming *arming);

/* Whether that has been done: 0 or 1. */
int krs_tensorflow_is_armed(void);

/* Takes free pages from the pools of GPUs, down to the granule, wherever they are in a
 * region. What is free is allocated, as anybody could, in pieces; work that might use
 * it is waited for; and its granules are taken. Where TensorFlow finds nothing free it
 * asks to grow, and then gets as many pieces back as it takes. Until then its own
 * figures count them as in use. Other threads may work meanwhile; one that has to grow
 * waits. Nothing where it is not armed. After krs_tensorflow_release(), as that. */
krs_status krs_tensorflow_take_pages(krs_pool_trim *trims, size_t room, size_t *count);

/* A chunk of a pool: what was handed out in one go, or is free in one. */
typedef struct {
    uintptr_t address;
    uint64_t size;
    uint64_t requested;  /* of one in use: what was asked for, at most `size` */
    uint64_t given_back; /* of it, memory that krs_tensorflow_take_pages() has taken */
    uint64_t freed_at; /* of a free one, by the pool's count of actions; 0: not told */
    uint32_t op, op_length; /* its name in the text of the map; a build of TensorFlow
                               for debugging alone writes one down */
    int32_t bin;            /* the number of free ones of like size; -1 in use */
    uint8_t in_use;         /* by the program: not while something of it is taken */
    uint8_t is_piece;       /* ours, by krs_tensorflow_take_pages() */
} krs_chunk;

/* A region: what the pool took from the driver, or the system, in one go. Its chunks
 * are `count` from `first` on, and fill it. */
typedef struct {
    uintptr_t address;
    uint64_t size;
    uint64_t mapped; /* memory behind it, in granules perhaps somewhat more than `size`;
                        less by what was given back */
    uint64_t given_back; /* of its chunks */
    size_t first, count;
    int device; /* by CUDA, where its memory is in granules; else -1 */
} krs_region;

/* What a pool has, at one moment. Where `refusal` says that it is not known, there is
 * nothing but the name, if that. */
typedef struct {
    char name[KRS_POOL_NAME];
    krs_refusal refusal;
    const char *symbol; /* what KRS_REFUSAL_SYMBOL misses, else NULL; static storage */
    uint8_t of_gpu;     /* its memory is a GPU's, and not the host's */
    uint64_t in_book;   /* what TensorFlow itself has in use, pieces of ours included */
    krs_region *regions;
    krs_chunk *chunks;
    char *text;
    size_t region_count, chunk_count;
} krs_pool_map;

/* The maps of all pools of `which`, that is KRS_POOLS_OF_CPU, KRS_POOLS_OF_GPU. Changes
 * nothing; whoever allocates waits for as long as TensorFlow writes one down (0.1 ms
 * for a hundred chunks). Writes at most `room`, and their number to `*count`; each is
 * to be freed. Those that a pool cannot be looked for are as of
 * krs_tensorflow_release(). */
krs_status krs_tensorflow_map(unsigned which, krs_pool_map *maps, size_t room,
                              size_t *count);
void krs_pool_map_free(krs_pool_map *map);

/* glibc's heap, by malloc_trim(0): all arenas, down to the single free page. */
krs_status krs_glibc_trim(krs_trim *trim);

/* jemalloc's arenas, by mallctl("arena.4096.purge"), jemalloc 5 or newer. */
krs_status krs_jemalloc_trim(krs_trim *trim);

/* tcmalloc's page heap, by MallocExtension_ReleaseFreeMemory(). */
krs_status krs_tcmalloc_trim(krs_trim *trim);

/* One line of what is known of this TensorFlow: a symbol that was looked up, or a check
 * that was made. */
typedef struct {
    const char *what;    /* static storage */
    krs_refusal refusal; /* KRS_REFUSAL_NONE: found, or true */
} krs_capability;

/* Looks up every symbol that krs_tensorflow_trim() needs and makes its checks, with one
 * test allocation where the pool has a free block for it. Writes at most `room` lines
 * and their number to `*count`; none where TensorFlow is not loaded. Behind a check
 * that fails no other is made. */
enum { KRS_CAPABILITIES = 16 }; /* room enough */
krs_status krs_tensorflow_probe(krs_capability *lines, size_t room, size_t *count);

/* ---- GPU memory ----------------------------------------------------------- */

/* One GPU on which this process has a primary context, as the driver has it. */
typedef struct {
    int device;          /* its number among those that CUDA shows to this process */
    krs_refusal refusal; /* KRS_REFUSAL_NONE, or why the last call failed for it */
    const char *call;    /* what of the driver failed then, else NULL; static storage */
    uint64_t total, used; /* of the device, by all processes: cuMemGetInfo() */
    uint64_t pool_held;   /* by its default memory pool; 0 where it has none */
    uint64_t pool_used;   /* of that, handed out */
} krs_gpu_state;

enum { KRS_GPUS = 64 }; /* room enough */

/* The driver of this process, for one thread: the one that made it must free it. In
 * between the thread may allocate and free GPU memory while another one captures a
 * graph: it is in the relaxed mode of stream capture. Loads no driver, and makes no
 * context. */
typedef struct krs_gpu krs_gpu;

krs_status krs_gpu_new(krs_gpu **gpu);
void krs_gpu_free(krs_gpu *gpu);

/* KRS_REFUSAL_NONE where the driver can be called; KRS_REFUSAL_ABSENT where none is
 * loaded; KRS_REFUSAL_SYMBOL where it is not known, with `*symbol` what it lacks. What
 * is refused has no GPUs for the functions below. */
krs_refusal krs_gpu_refusal(const krs_gpu *gpu, const char **symbol);

/* The GPUs now: writes at most `room`, and their number to `*count`. None where the
 * driver is not initialized, as in a child forked from a process in which it was. */
krs_status krs_gpu_read(const krs_gpu *gpu, krs_gpu_state *states, size_t room,
                        size_t *count);

/* The same, after waiting for all work that is queued on them: what was freed may be
 * used by it. Not to be called with a lock that this work could need. Not done, but
 * refused, where a stream is seen to capture. */
krs_status krs_gpu_settle(const krs_gpu *gpu, krs_gpu_state *states, size_t room,
                          size_t *count);

/* Gives back what the default memory pools hold and nobody uses, and reads the states
 * anew. Those refused are left as they are. Settle them before. */
krs_status krs_gpu_trim(const krs_gpu *gpu, krs_gpu_state *states, size_t count);

/* The name of a GPU, as "NVIDIA A100-SXM4-80GB", cut where it is longer. "" where the
 * driver does not say. */
enum { KRS_GPU_NAME = 64 };
void krs_gpu_name(const krs_gpu *gpu, int device, char name[KRS_GPU_NAME]);

/* On which GPU memory is that cuMemAlloc() has given; -1 where the driver does not say.
 */
int krs_gpu_of(const krs_gpu *gpu, uintptr_t address);

/* A process that has memory of a GPU. */
typedef struct {
    pid_t pid;
    uint64_t bytes; /* its context included */
} krs_gpu_user;

/* Who has memory of a GPU, by NVIDIA's management library, which is loaded and stays:
 * by rising number, at most `room`, and their number to `*count`. Numbers are as the
 * driver has them: in a container with an older driver those of the host.
 * KRS_UNSUPPORTED where the library is not there or does not tell, where the GPU is a
 * part of one (MIG), where there are more, and in a child of a process that has asked.
 */
enum { KRS_GPU_USERS = 256 }; /* room enough */
krs_status krs_gpu_users(const krs_gpu *gpu, int device, krs_gpu_user *users,
                         size_t room, size_t *count);

/* GPU memory that can be taken away and brought back granule by granule while its
 * addresses stay: functions in the place of cuMemAlloc() and cuMemFree(), and what can
 * be done with what they gave. A table, because who asks for it (TensorFlow's
 * allocators) and who makes it (the driver) do not know each other. Safe with threads.
 * There is one for the process: what is called in cuMemAlloc()'s place has no argument
 * by which to tell more apart. */
struct krs_gpu_granules {
    /* As cuMemAlloc() and cuMemFree(), with a current context, and with their answers.
     * What is small, and what cannot be had in granules, is given as ever. */
    int (*allocate)(uint64_t *address, size_t bytes);
    int (*deallocate)(uint64_t address);
    /* Bytes of a granule at `address`; 0 where memory is not in granules. */
    size_t (*granule)(uint64_t address);
    /* Waits for the work that could use it. 0, or the driver's error. */
    int (*settle)(uint64_t address);
    /* Takes the whole granules between away, and returns how many bytes that were.
     * Nobody may use the memory; what was in it is lost. */
    uint64_t (*take)(uint64_t begin, uint64_t end);
    /* Brings back what was taken between, zeros or not; false where the driver has not
     * as much: then nothing has changed. */
    int (*bring)(uint64_t begin, uint64_t end);
    /* Bytes of granules that are mapped where `address` was allocated, and on which
     * device; false where memory is not in granules. */
    int (*describe)(uint64_t address, uint64_t *mapped, int *device);
};

void krs_gpu_granules_get(krs_gpu_granules *granules);

/* The hash by which TensorFlow's resource manager knows a C++ type of this mangled
 * name: tsl::Hash64() of it. KRS_UNSUPPORTED where TensorFlow is not loaded or lacks
 * it. */
krs_status krs_tensorflow_hash(const char *type, uint64_t *hash);

/* ---- another process, read from outside ----------------------------------- */

/* The heap of a Python that need not know of keraser, read by process_vm_readv() alone:
 * nothing is stopped, traced, written or injected. It goes on meanwhile, so what it
 * changes in these tenths of a second may be missed. docs/outside.md says how sure each
 * answer is. Linux on x86-64 and AArch64; CPython 3.10 to 3.13 of 64 bits. */

/* Why a process is not read. */
typedef enum {
    KRS_OUTSIDE_READ = 0,       /* it is */
    KRS_OUTSIDE_ABSENT,         /* there is no such process */
    KRS_OUTSIDE_OTHER_USER,     /* it belongs to somebody else */
    KRS_OUTSIDE_FORBIDDEN,      /* the kernel does not let us, Yama mostly */
    KRS_OUTSIDE_ZOMBIE,         /* it has ended, and its parent has not asked how */
    KRS_OUTSIDE_ENDED,          /* it ended while it was read */
    KRS_OUTSIDE_CHANGED,        /* it became another program while it was read */
    KRS_OUTSIDE_NOT_PYTHON,     /* no CPython is loaded */
    KRS_OUTSIDE_NOT_64_BITS,    /* a program of 32 bits */
    KRS_OUTSIDE_VERSION,        /* a CPython that is not known here */
    KRS_OUTSIDE_FREE_THREADED,  /* one without the lock */
    KRS_OUTSIDE_DEBUG,          /* one built for its own developers */
    KRS_OUTSIDE_NO_INTERPRETER, /* that has not begun yet, or has ended */
    KRS_OUTSIDE_LAYOUT,         /* its structures are not as they are known here */
    KRS_OUTSIDE_TOO_LARGE,      /* more than may be copied */
    KRS_OUTSIDE_SYSTEM,         /* a system call failed for another reason */
} krs_outside_refusal;

/* The same in words, each one line without a full stop; both end in a NUL. */
typedef struct {
    krs_outside_refusal refusal;
    char cause[256];
    char cure[160]; /* "" where there is none */
} krs_outside_error;

typedef struct {
    uint64_t bytes; /* of its memory that are held as a copy, at most; 0: 4 GiB */
    unsigned tries; /* readings, where the heap changes meanwhile; 0: 4 */
} krs_outside_limits;

typedef struct krs_outside krs_outside;

/* Reads the process `pid`; `limits` may be NULL. KRS_UNSUPPORTED where it is refused,
 * and
 * `*error` says why. Takes tenths of a second, and some 250 bytes for each object. */
krs_status krs_outside_open(pid_t pid, const krs_outside_limits *limits,
                            krs_outside **outside, krs_outside_error *error);
void krs_outside_free(krs_outside *outside);

typedef struct {
    uint32_t python;     /* its sys.hexversion */
    char state;          /* as in /proc/PID/stat: 'T' stopped, 't' by a debugger */
    uint32_t tries;      /* readings that were made */
    uint32_t torn;       /* lists and chains of the last that changed meanwhile */
    uint64_t objects;    /* that its collector tracks */
    uint64_t references; /* between them */
    uint64_t copied;     /* bytes of its memory that were read, over all tries */
    uint64_t frames;     /* functions that ran */
} krs_outside_figures;

void krs_outside_figures_get(const krs_outside *outside, krs_outside_figures *figures);

/* A Keras model. Its own layers' variables, and those of its optimizer, as far as shape
 * and dtype can be read; bytes are shape times dtype. */
typedef struct {
    uint64_t address;
    char name[64];
    char type[160]; /* with its module */
    uint32_t
        part_of; /* the number of the model it is only a part of, else UINT32_MAX */
    uint32_t weights; /* variables */
    uint32_t slots;   /* variables of its optimizer */
    uint32_t unsized; /* of both, those whose bytes cannot be told */
    uint64_t weight_bytes, slot_bytes;
} krs_outside_model;

/* The models that were found, in no order; valid until _free(). */
const krs_outside_model *krs_outside_models(const krs_outside *outside, size_t *count);

/* One holder, in the words of keraser.why() in Python. */
typedef struct {
    char kind[12];   /* "variable", "module", "local", "notebook", "error", "c", ... */
    char path[512];  /* from where it begins to the model */
    char place[256]; /* where it begins */
    char fix[256];   /* what to type there */
    uint32_t steps;
} krs_outside_holder;

/* Who holds model number `model`: writes at most `room`, the ones first that a user can
 * lay hands on, then the shortest, and their number to `*count`; none where only
 * garbage does, or values in use this moment. KRS_INVALID where there is no such model.
 */
krs_status krs_outside_holders(krs_outside *outside, size_t model,
                               krs_outside_holder *holders, size_t room, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
