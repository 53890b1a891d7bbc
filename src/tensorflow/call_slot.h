/* call_slot.h - the word through which a library makes a call. */
#ifndef KRS_TENSORFLOW_CALL_SLOT_H
#define KRS_TENSORFLOW_CALL_SLOT_H

#include "keraser.h"

/* A library calls a function that others might replace through a word of its procedure
 * linkage table. Finds that word for the calls to `symbol`, in which a '*' stands for
 * anything, from the library in which `inside` lies. KRS_REFUSAL_CALLS where there is
 * none; KRS_REFUSAL_READ_ONLY where the linker closes the table once it is filled (-z
 * relro -z now). Before the first call the word may lead to the dynamic linker instead
 * of to the function. */
krs_refusal krs__call_slot_find(const void *inside, const char *symbol, void ***slot);

#endif
