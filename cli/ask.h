/* ask.h - one question to one process, on a connection of its own. Nothing waits
 * longer than it is told to, whatever the process does meanwhile. */
#ifndef KRS_CLI_ASK_H
#define KRS_CLI_ASK_H

#include "verdict.h"

enum { KRS_DETAIL = 96 };

/* Nanoseconds of a clock that nobody sets. */
uint64_t krs_now(void);

/* `model` NULL: about none. The frame borrows it; at most 1024 bytes. */
krs_frame krs_question_of(krs_verb verb, const char *model);

/* Connects and sends; `*socket` does not wait and is the caller's. Looks first whether
 * there is such a process, whose it is and whether it runs, so that what is asked of
 * one that is stopped is not done much later. `detail` goes with the trouble. */
krs_trouble krs_ask_begin(pid_t pid, const krs_frame *question, int *socket,
                          char detail[KRS_DETAIL]);

/* The next frame that has come; `*got` is 0 where there is none yet. `bytes` and
 * `*descriptor` as of krs_frame_receive(). */
krs_trouble krs_ask_receive(pid_t pid, int socket, void *bytes, krs_frame *frame,
                            int *descriptor, int *got, char detail[KRS_DETAIL]);

/* As /proc has it: NONE, or that the process is stopped or has ended. */
krs_trouble krs_ask_look(pid_t pid);

/* Takes the answer that has come on `socket`; `*got` as above. */
krs_trouble krs_ask_take(pid_t pid, int socket, krs_verdict *verdict, int *got,
                         char detail[KRS_DETAIL]);

/* Asks and waits for the answer, `wait` nanoseconds at most. */
krs_trouble krs_ask(pid_t pid, const krs_frame *question, uint64_t wait,
                    krs_verdict *verdict, char detail[KRS_DETAIL]);

#endif
