/* tell.h - what came of a question, on stdout and stderr. Each returns what to exit
 * with. */
#ifndef KRS_CLI_TELL_H
#define KRS_CLI_TELL_H

#include "ask.h"
#include "json.h"

int krs_tell_verdict(const krs_verdict *verdict, int json);

/* With `json`, also as an object of "error" on stdout. */
int krs_tell_trouble(krs_trouble trouble, pid_t pid, const char *detail,
                     const char *verb, int json);

/* The value of "error": null where there is none. */
void krs_tell_error(krs_json *out, krs_trouble trouble, pid_t pid, const char *detail);

/* Asks, waits and tells. */
int krs_ask_and_tell(pid_t pid, const krs_frame *question, const char *verb,
                     uint64_t wait, int json);

#endif
