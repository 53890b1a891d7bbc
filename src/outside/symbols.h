/* symbols.h - addresses of what a program or library exports, read from the tables that
 * its loader uses, in its memory: the file itself may be gone, or in another container.
 */
#ifndef KRS_OUTSIDE_SYMBOLS_H
#define KRS_OUTSIDE_SYMBOLS_H

#include "outside/memory.h"

typedef enum {
    KRS__ELF_NONE, /* no program of the kind that can be read here */
    KRS__ELF_32,   /* of 32 bits */
    KRS__ELF_64,   /* of 64 bits and this machine's order of bytes */
} krs__elf;

/* What is mapped at `base`, where its file begins. */
krs__elf krs__elf_at(krs__memory *memory, uint64_t base);

/* The address of the exported symbol `name` of the file mapped at `base`; 0 where it
 * has none. */
uint64_t krs__symbol_find(krs__memory *memory, uint64_t base, const char *name);

#endif
