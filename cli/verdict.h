/* verdict.h - what a process answers to all but TOP: how it went, text for people and
 * JSON. */
#ifndef KRS_CLI_VERDICT_H
#define KRS_CLI_VERDICT_H

#include "trouble.h"
#include "wire/protocol.h"

enum { KRS_VERDICT_MOST = 256 << 20, KRS_VERDICT_LINE = 1024 };

/* Zeroed, it is empty. */
typedef struct {
    krs_outcome outcome;
    char cause[KRS_VERDICT_LINE + 1], cure[KRS_VERDICT_LINE + 1]; /* "" where OK */
    char *bytes; /* text, and JSON behind it */
    size_t text, json;
} krs_verdict;

void krs_verdict_free(krs_verdict *verdict);

/* Reads an ANSWER and the memfd that came with it, which stays the caller's. Nothing is
 * believed: VERSION where something does not fit to the last byte, and for what is no
 * memfd, reading which might never end. */
krs_trouble krs_verdict_take(krs_verdict *verdict, const krs_frame *frame, int memfd);

/* KRS_EXIT_* */
int krs_verdict_status(const krs_verdict *verdict);

#endif
