/* Symbols by the hash tables of ELF: the GNU one, else the older one. Every number in
 * them is bounded, and chains are followed for so long. */
#include "outside/symbols.h"

#include <elf.h>
#include <string.h>

enum { MOST_SEGMENTS = 256, MOST_DYNAMIC = 1024, MOST_CHAIN = 1 << 16 };

typedef struct {
    krs__memory *memory;
    uint64_t base, bias; /* what is added to addresses of the file */
    uint64_t names, symbols, gnu_hash, hash;
} tables;

krs__elf krs__elf_at(krs__memory *memory, uint64_t base) {
    uint8_t ident[EI_NIDENT];
    if (!krs__memory_copy(memory, base, ident, sizeof ident) ||
        memcmp(ident, ELFMAG, SELFMAG) != 0)
        return KRS__ELF_NONE;
    if (ident[EI_CLASS] == ELFCLASS32)
        return KRS__ELF_32;
    return ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == ELFDATA2LSB
               ? KRS__ELF_64
               : KRS__ELF_NONE;
}

/* The loader has added the bias to some of these already. */
static uint64_t placed(const tables *t, uint64_t value) {
    return value < t->base ? value + t->bias : value;
}

static void note(tables *t, const Elf64_Dyn *entry) {
    const uint64_t at = placed(t, entry->d_un.d_ptr);
    switch (entry->d_tag) {
    case DT_STRTAB:
        t->names = at;
        break;
    case DT_SYMTAB:
        t->symbols = at;
        break;
    case DT_GNU_HASH:
        t->gnu_hash = at;
        break;
    case DT_HASH:
        t->hash = at;
        break;
    default:
        break;
    }
}

static bool open_tables(tables *t) {
    Elf64_Ehdr header;
    uint64_t dynamic = 0;
    bool biased = false;
    if (krs__elf_at(t->memory, t->base) != KRS__ELF_64 ||
        !krs__memory_copy(t->memory, t->base, &header, sizeof header) ||
        header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > MOST_SEGMENTS)
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        if (!krs__memory_copy(t->memory, t->base + header.e_phoff + i * sizeof segment,
                              &segment, sizeof segment))
            return false;
        if (segment.p_type == PT_LOAD && !biased) {
            t->bias = t->base - (segment.p_vaddr & ~UINT64_C(0xfff));
            biased = true;
        }
        if (segment.p_type == PT_DYNAMIC)
            dynamic = segment.p_vaddr;
    }
    for (int i = 0; dynamic != 0 && i < MOST_DYNAMIC; i++) {
        Elf64_Dyn entry;
        if (!krs__memory_copy(t->memory, t->bias + dynamic + (uint64_t)i * sizeof entry,
                              &entry, sizeof entry))
            return false;
        if (entry.d_tag == DT_NULL)
            break;
        note(t, &entry);
    }
    return t->names != 0 && t->symbols != 0 && (t->gnu_hash != 0 || t->hash != 0);
}

/* The value of symbol `index` if it is called `name` and defined here. */
static uint64_t value_if(const tables *t, uint64_t index, const char *name) {
    Elf64_Sym symbol;
    char found[64];
    if (!krs__memory_copy(t->memory, t->symbols + index * sizeof symbol, &symbol,
                          sizeof symbol) ||
        symbol.st_shndx == SHN_UNDEF ||
        !krs__memory_text(t->memory, t->names + symbol.st_name, found, sizeof found) ||
        strcmp(found, name) != 0)
        return 0;
    return t->bias + symbol.st_value;
}

static uint64_t find_gnu(const tables *t, const char *name) {
    uint32_t header[4]; /* buckets, first symbol, words of the filter, its shift */
    uint32_t hash = 5381, index, other;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (uint8_t)*at;
    if (!krs__memory_copy(t->memory, t->gnu_hash, header, sizeof header) ||
        header[0] == 0)
        return 0;
    const uint64_t buckets = t->gnu_hash + sizeof header + (uint64_t)header[2] * 8;
    const uint64_t chains = buckets + (uint64_t)header[0] * 4;
    if (!krs__memory_half(t->memory, buckets + (uint64_t)(hash % header[0]) * 4,
                          &index) ||
        index < header[1])
        return 0;
    for (int i = 0; i < MOST_CHAIN; i++, index++) {
        if (!krs__memory_half(t->memory, chains + (uint64_t)(index - header[1]) * 4,
                              &other))
            return 0;
        if ((other | 1) == (hash | 1)) {
            const uint64_t value = value_if(t, index, name);
            if (value != 0)
                return value;
        }
        if (other & 1)
            return 0;
    }
    return 0;
}

static uint64_t find_old(const tables *t, const char *name) {
    uint32_t header[2], hash = 0, index; /* buckets, symbols */
    for (const char *at = name; *at; at++) {
        hash = (hash << 4) + (uint8_t)*at;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    if (!krs__memory_copy(t->memory, t->hash, header, sizeof header) || header[0] == 0)
        return 0;
    uint64_t at = t->hash + sizeof header + (uint64_t)(hash % header[0]) * 4;
    for (int i = 0; i < MOST_CHAIN; i++) {
        if (!krs__memory_half(t->memory, at, &index) || index == 0)
            return 0;
        const uint64_t value = value_if(t, index, name);
        if (value != 0)
            return value;
        at = t->hash + sizeof header + ((uint64_t)header[0] + index) * 4;
    }
    return 0;
}

uint64_t krs__symbol_find(krs__memory *memory, uint64_t base, const char *name) {
    tables t = {.memory = memory, .base = base};
    if (!open_tables(&t))
        return 0;
    return t.gnu_hash != 0 ? find_gnu(&t, name) : find_old(&t, name);
}
