/* trouble.h - why a process gave no answer: one list of name in JSON, exit status,
 * cause and cure. In both texts PID stands for its id. */
#ifndef KRS_CLI_TROUBLE_H
#define KRS_CLI_TROUBLE_H

#include <stddef.h>
#include <sys/types.h>

#define KRS_TROUBLE_MAP(X)                                                             \
    X(NONE, "none", OK, "", "")                                                        \
    X(ABSENT, "absent", ABSENT, "there is no process PID",                             \
      "keraser top lists those that listen")                                           \
    X(FOREIGN, "another_user", DENIED, "process PID is another user's",                \
      "ask as that user: sudo -u USER keraser ...")                                    \
    X(MUTE, "not_listening", UNAVAILABLE, "process PID does not listen",               \
      "it does once it has imported keraser and Keras, unless KERASER_LISTEN=off; "    \
      "keraser doctor lists where")                                                    \
    X(STOPPED, "stopped", LATER, "process PID is stopped",                             \
      "resume it with kill -CONT PID")                                                 \
    X(ZOMBIE, "zombie", ABSENT,                                                        \
      "process PID has ended, and its parent has not noticed yet",                     \
      "nothing is left to do: its memory is free")                                     \
    X(ENDED, "ended", LATER, "process PID ended before it answered",                   \
      "nothing is left to do: its memory is free")                                     \
    X(CLOSED, "closed", LATER, "process PID closed the connection without an answer",  \
      "it has too many to answer, or is about to end: ask again")                      \
    X(BUSY, "busy", LATER, "process PID has not answered in time",                     \
      "it is in a long call, and may still do what it was asked: keraser top PID "     \
      "shows; --wait SECONDS waits longer")                                            \
    X(VERSION, "another_version", PROTOCOL,                                            \
      "process PID speaks another version of keraser",                                 \
      "install the same version here and there, and start the process again")          \
    X(OTHER, "another_process", DENIED,                                                \
      "what listens as process PID is another process",                                \
      "keraser doctor lists the folders: remove the file PID there")                   \
    X(NOMEM, "memory", SYSTEM, "out of memory for what process PID answered",          \
      "close something else, and ask again")                                           \
    X(SYSTEM, "system", SYSTEM, "cannot ask process PID",                              \
      "keraser doctor says what works here")

typedef enum {
#define X(name, word, status, cause, cure) KRS_TROUBLE_##name,
    KRS_TROUBLE_MAP(X)
#undef X
} krs_trouble;

enum { KRS_TROUBLE_TEXT = 256 };

/* Its name in JSON. */
const char *krs_trouble_name(krs_trouble trouble);
int krs_trouble_status(krs_trouble trouble);

/* `detail`, unless it is "", stands behind the cause. */
void krs_trouble_cause(krs_trouble trouble, pid_t pid, const char *detail,
                       char cause[KRS_TROUBLE_TEXT]);
void krs_trouble_cure(krs_trouble trouble, pid_t pid, char cure[KRS_TROUBLE_TEXT]);

#endif
