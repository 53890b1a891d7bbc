/* Static variables of this process that hold words, such as addresses of objects:
 * a holder that no walk of the heap can see. /proc/self/maps says where they are.
 *
 * Memory without a name behind a library is more often not its .bss: the kernel joins
 * what malloc or an interpreter mapped there with it, and with TensorFlow imported 112
 * of 116 MiB of such memory are arenas of Python objects. So of it only what the
 * library's own program headers claim is looked at.
 *
 * Memory is read by process_vm_readv(), which fails where a load would raise SIGSEGV or
 * SIGBUS. */
#define _GNU_SOURCE /* dl_iterate_phdr, process_vm_readv */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/array.h"
#include "keraser.h"
#include "proc/text.h"

enum {
    TEXT_BYTES = 16384,  /* holds the line of any path that open() takes */
    CHUNK_BYTES = 65536, /* of memory, read at once */
    PAGE_BYTES = 4096,   /* no page is smaller, and any is a multiple */
    WORD_BYTES = sizeof(uintptr_t),
    MARKS = 1 << 16, /* far more than words are looked for, and in the nearest cache */
};

/* ---- one line ------------------------------------------------------------- */

static bool read_address(const char **at, const char *end, uintptr_t *address) {
    uint64_t number;
    if (!krs__text_number(at, end, 16, UINTPTR_MAX, &number) ||
        number % PAGE_BYTES != 0)
        return false;
    *address = (uintptr_t)number;
    return true;
}

/* Reads one letter of the permissions; `*is` says whether it is `yes`. */
static bool read_flag(const char **at, const char *end, char yes, char no,
                      uint8_t *is) {
    if (*at == end || (**at != yes && **at != no))
        return false;
    *is = *(*at)++ == yes;
    return true;
}

static bool read_permissions(const char **at, const char *end, krs_mapping *mapping) {
    uint8_t ignored;
    return read_flag(at, end, 'r', '-', &ignored) &&
           read_flag(at, end, 'w', '-', &mapping->writable) &&
           read_flag(at, end, 'x', '-', &ignored) &&
           read_flag(at, end, 'p', 's', &mapping->is_private);
}

/* Offset, device and inode: nobody asks for them, but they must be there. */
static bool skip_place(const char **at, const char *end) {
    uint64_t ignored;
    return krs__text_number(at, end, 16, UINT64_MAX, &ignored) &&
           krs__text_skip(at, end, " ") &&
           krs__text_number(at, end, 16, UINT64_MAX, &ignored) &&
           krs__text_skip(at, end, ":") &&
           krs__text_number(at, end, 16, UINT64_MAX, &ignored) &&
           krs__text_skip(at, end, " ") &&
           krs__text_number(at, end, 10, UINT64_MAX, &ignored) &&
           krs__text_skip(at, end, " ");
}

krs_status krs_mapping_parse(const char *line, size_t length, krs_mapping *mapping) {
    if (line == NULL || mapping == NULL)
        return KRS_INVALID;
    const char *at = line, *const end = line + length;
    krs_mapping parsed;
    if (!read_address(&at, end, &parsed.begin) || !krs__text_skip(&at, end, "-") ||
        !read_address(&at, end, &parsed.end) || parsed.begin >= parsed.end ||
        !krs__text_skip(&at, end, " ") || !read_permissions(&at, end, &parsed) ||
        !krs__text_skip(&at, end, " ") || !skip_place(&at, end))
        return KRS_FORMAT;
    while (krs__text_skip(&at, end, " ")) {
    }
    parsed.path = at;
    parsed.path_length = (size_t)(end - at);
    if (memchr(at, '\n', parsed.path_length) || memchr(at, '\0', parsed.path_length))
        return KRS_FORMAT;
    *mapping = parsed;
    return KRS_OK;
}

/* ---- the search ------------------------------------------------------------ */

typedef struct {
    const uintptr_t *wanted; /* in rising order */
    size_t wanted_count;
    uint32_t *seen;           /* of each, in the mapping at hand */
    uint8_t marks[MARKS / 8]; /* a bit for what a wanted word hashes to */
    int file;                 /* /proc/self/maps */
    uintptr_t end; /* of the last mapping, and the file of which it, or what is
                      before it without a gap, is a mapping; "" for none */
    char path[sizeof((krs_static_hit *)NULL)->path];
    krs_static_hit *hits;
    size_t room, count, capacity;
    size_t text_begin, text_end; /* of what is read of the file and not yet taken */
    char text[TEXT_BYTES];
    uintptr_t words[CHUNK_BYTES / WORD_BYTES];
} search;

/* The end of the writable segment of a loaded file that `at` lies in, or `at`. */
typedef struct {
    uintptr_t at, end;
} segment;

static int enter_segment(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    segment *s = context;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        const uintptr_t begin = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) != 0 &&
            s->at - begin < part->p_memsz) {
            s->end = begin + part->p_memsz;
            return 1;
        }
    }
    return 0;
}

static uintptr_t segment_end(uintptr_t at) {
    segment s = {at, at};
    dl_iterate_phdr(enter_segment, &s);
    return s.end;
}

/* Adds `count` places of a word in the file at hand. */
static krs_status add_hit(search *s, uint32_t word, uint32_t count) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->hits[i].word == word && strcmp(s->hits[i].path, s->path) == 0) {
            s->hits[i].count += count;
            return KRS_OK;
        }
    }
    if (s->count == s->room)
        return KRS_OK;
    if (s->count == s->capacity) {
        const size_t capacity =
            krs__array_capacity(s->capacity, s->count + 1, sizeof *s->hits);
        krs_static_hit *hits = krs__array_resize(s->hits, capacity, sizeof *s->hits);
        if (hits == NULL)
            return KRS_NOMEM;
        s->hits = hits;
        s->capacity = capacity;
    }
    krs_static_hit *hit = &s->hits[s->count++];
    memcpy(hit->path, s->path, sizeof hit->path);
    hit->word = word;
    hit->count = count;
    return KRS_OK;
}

/* What was seen in the mapping at hand. */
static krs_status add_hits(search *s) {
    krs_status status = KRS_OK;
    for (size_t i = 0; status == KRS_OK && i < s->wanted_count; i++) {
        if (s->seen[i] > 0)
            status = add_hit(s, (uint32_t)i, s->seen[i]);
        s->seen[i] = 0;
    }
    return status;
}

/* Objects lie at multiples of 8 or 16. */
static size_t mark_of(uintptr_t word) {
    return (word >> 3 ^ word >> 19) % MARKS;
}

static void mark_wanted(search *s) {
    for (size_t i = 0; i < s->wanted_count; i++) {
        const size_t mark = mark_of(s->wanted[i]);
        s->marks[mark / 8] |= (uint8_t)(1U << mark % 8);
    }
}

static int compare(const void *one, const void *other) {
    const uintptr_t a = *(const uintptr_t *)one, b = *(const uintptr_t *)other;
    return (a > b) - (a < b);
}

/* Nearly all words of memory are let go by one look at the marks. */
static void look_at(search *s, uintptr_t word) {
    const size_t mark = mark_of(word);
    if (!(s->marks[mark / 8] & 1U << mark % 8))
        return;
    const uintptr_t *found =
        bsearch(&word, s->wanted, s->wanted_count, sizeof word, compare);
    if (found != NULL)
        s->seen[found - s->wanted]++;
}

/* Counts from `at` to `end`; passes over pages that cannot be read. */
static krs_status scan(search *s, uintptr_t at, uintptr_t end) {
    while (at < end) {
        const size_t left = end - at;
        const struct iovec here = {s->words, left < CHUNK_BYTES ? left : CHUNK_BYTES};
        const struct iovec there = {(void *)at, here.iov_len};
        const ssize_t length = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
        if (length < 0 && errno != EFAULT)
            return KRS_SYSTEM;
        const size_t words = length < 0 ? 0 : (size_t)length / WORD_BYTES;
        for (size_t i = 0; i < words; i++)
            look_at(s, s->words[i]);
        const size_t page = PAGE_BYTES - at % PAGE_BYTES;
        if (words > 0)
            at += words * WORD_BYTES;
        else
            at += left < page ? left : page;
    }
    return KRS_OK;
}

/* Keeps the path of `mapping`, if it is a file: a name such as [heap] is none. */
static bool take_path(search *s, const krs_mapping *mapping) {
    if (mapping->path_length == 0 || mapping->path[0] != '/')
        return false;
    const size_t most = sizeof s->path - 1, length = mapping->path_length;
    memset(s->path, 0, sizeof s->path);
    memcpy(s->path, mapping->path, length < most ? length : most);
    return true;
}

static krs_status take_mapping(search *s, const krs_mapping *mapping) {
    const bool follows = mapping->begin == s->end;
    uintptr_t end = s->end = mapping->end;
    if (!take_path(s, mapping)) {
        if (!follows)
            s->path[0] = '\0';
        /* Without address randomization .bss and heap are one mapping: [heap]. */
        end = s->path[0] == '\0' ? mapping->begin : segment_end(mapping->begin);
        end = end < mapping->end ? end : mapping->end;
    }
    if (!mapping->writable || !mapping->is_private)
        return KRS_OK;
    const krs_status status = scan(s, mapping->begin, end);
    return status != KRS_OK ? status : add_hits(s);
}

/* Reads on behind what is not yet taken; `*more` says whether there was anything. A
 * line that does not fit leaves no room to read to: it is refused as one cut short. */
static krs_status read_on(search *s, bool *more) {
    s->text_end -= s->text_begin;
    memmove(s->text, s->text + s->text_begin, s->text_end);
    s->text_begin = 0;
    ssize_t length;
    do
        length = read(s->file, s->text + s->text_end, sizeof s->text - s->text_end);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return KRS_SYSTEM;
    *more = length > 0;
    s->text_end += (size_t)length;
    return *more || s->text_end == 0 ? KRS_OK : KRS_FORMAT;
}

static krs_status take_all(search *s) {
    krs_status status = KRS_OK;
    for (bool more = true; status == KRS_OK && more;) {
        const char *line = s->text + s->text_begin;
        const char *newline = memchr(line, '\n', s->text_end - s->text_begin);
        krs_mapping mapping;
        if (newline == NULL) {
            status = read_on(s, &more);
            continue;
        }
        status = krs_mapping_parse(line, (size_t)(newline - line), &mapping);
        if (status == KRS_OK)
            status = take_mapping(s, &mapping);
        s->text_begin = (size_t)(newline + 1 - s->text);
    }
    return status;
}

static bool are_in_order(const uintptr_t *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (words[i] <= (i == 0 ? 0 : words[i - 1]))
            return false;
    return count <= UINT32_MAX;
}

krs_status krs_static_find(const uintptr_t *words, size_t word_count,
                           krs_static_hit *hits, size_t room, size_t *count) {
    if (words == NULL || word_count == 0 || !are_in_order(words, word_count) ||
        (hits == NULL && room > 0) || count == NULL)
        return KRS_INVALID;
    /* Too large for the stack of a thread; the words in it are no static variables. */
    search *s = calloc(1, sizeof *s);
    uint32_t *seen = calloc(word_count, sizeof *seen);
    if (s == NULL || seen == NULL) {
        free(s);
        free(seen);
        return KRS_NOMEM;
    }
    s->wanted = words;
    s->wanted_count = word_count;
    s->seen = seen;
    s->room = room;
    mark_wanted(s);
    s->file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    krs_status status = s->file < 0 ? KRS_SYSTEM : take_all(s);
    const int error = errno;
    if (s->file >= 0)
        close(s->file);
    if (status == KRS_OK && s->count > 0)
        memcpy(hits, s->hits, s->count * sizeof *hits);
    if (status == KRS_OK)
        *count = s->count;
    free(s->hits);
    free(s);
    free(seen);
    errno = error;
    return status;
}
