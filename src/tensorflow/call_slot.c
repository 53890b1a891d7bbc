/* Reads what the dynamic linker reads: the program headers of the library, its dynamic
 * section, and there the relocations of its procedure linkage table (System V ABI,
 * AMD64 supplement). */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "tensorflow/call_slot.h"

#include <link.h>
#include <stdbool.h>
#include <string.h>

typedef struct {
    uintptr_t inside;
    const char *symbol;
    void **slot;
    krs_refusal refusal;
} search;

static uintptr_t begin_of(const struct dl_phdr_info *library, const ElfW(Phdr) * part) {
    return library->dlpi_addr + part->p_vaddr;
}

static bool covers(const struct dl_phdr_info *library, ElfW(Word) type,
                   uintptr_t address) {
    for (size_t i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        const uintptr_t begin = begin_of(library, part);
        if (part->p_type == type && address >= begin && address - begin < part->p_memsz)
            return true;
    }
    return false;
}

static const ElfW(Dyn) * dynamic_of(const struct dl_phdr_info *library) {
    for (size_t i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        if (part->p_type == PT_DYNAMIC)
            return (const ElfW(Dyn) *)begin_of(library, part);
    }
    return NULL;
}

/* glibc has made addresses of what are offsets in the file. */
static uintptr_t entry(const struct dl_phdr_info *library, ElfW(Sxword) tag) {
    const ElfW(Dyn) *d = dynamic_of(library);
    while (d != NULL && d->d_tag != DT_NULL && d->d_tag != tag)
        d++;
    return d == NULL || d->d_tag == DT_NULL ? 0 : d->d_un.d_val;
}

/* `pattern` has at most one '*'. */
static bool is_like(const char *name, const char *pattern) {
    const char *star = strchr(pattern, '*');
    if (star == NULL)
        return strcmp(name, pattern) == 0;
    const size_t length = strlen(name), before = (size_t)(star - pattern);
    const size_t after = strlen(star + 1);
    return length >= before + after && strncmp(name, pattern, before) == 0 &&
           strcmp(name + length - after, star + 1) == 0;
}

static void **slot_in(const struct dl_phdr_info *library, const char *symbol) {
    const ElfW(Rela) *relocations = (const void *)entry(library, DT_JMPREL);
    const ElfW(Sym) *symbols = (const void *)entry(library, DT_SYMTAB);
    const char *names = (const void *)entry(library, DT_STRTAB);
    if (relocations == NULL || symbols == NULL || names == NULL)
        return NULL;
    const size_t count = entry(library, DT_PLTRELSZ) / sizeof *relocations;
    for (size_t i = 0; i < count; i++) {
        const size_t at = ELF64_R_SYM(relocations[i].r_info);
        if (is_like(names + symbols[at].st_name, symbol))
            return (void **)(library->dlpi_addr + relocations[i].r_offset);
    }
    return NULL;
}

static int look(struct dl_phdr_info *library, size_t size, void *data) {
    search *s = data;
    (void)size;
    if (!covers(library, PT_LOAD, s->inside))
        return 0;
    s->slot = slot_in(library, s->symbol);
    if (s->slot == NULL)
        s->refusal = KRS_REFUSAL_CALLS;
    else if (covers(library, PT_GNU_RELRO, (uintptr_t)s->slot))
        s->refusal = KRS_REFUSAL_READ_ONLY;
    else
        s->refusal = KRS_REFUSAL_NONE;
    return 1;
}

krs_refusal krs__call_slot_find(const void *inside, const char *symbol, void ***slot) {
    search s = {(uintptr_t)inside, symbol, NULL, KRS_REFUSAL_CALLS};
    dl_iterate_phdr(look, &s);
    if (s.refusal == KRS_REFUSAL_NONE)
        *slot = s.slot;
    return s.refusal;
}
