/* printable.h - text from other processes on its way to a terminal, and amounts.
 *
 * A name may hold anything, such as bytes that move the cursor, write to the clipboard
 * or turn the direction of what follows. Such characters become '?', as does what is
 * not UTF-8. */
#ifndef KRS_CLI_PRINTABLE_H
#define KRS_CLI_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The character at `text`, whose `length` is above 0: bytes it takes; `*columns`, how
 * wide it is on a terminal (0 for what is combined with the one before), or -1 where it
 * may not reach one. */
size_t krs_character(const char *text, size_t length, int *columns);

/* Prints `text`; with `lines`, its newlines and tabs too, which else are '?' as well.
 */
void krs_print_clean(FILE *to, const char *text, size_t length, int lines);

enum { KRS_AMOUNT = 16 };
/* Bytes as users read them: "999 B", "1.0 KiB", "340.2 MiB"; as receipts have them. */
const char *krs_write_amount(uint64_t bytes, char amount[KRS_AMOUNT]);

#endif
