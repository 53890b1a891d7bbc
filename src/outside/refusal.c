#include "outside/refusal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *cause, *cure;
} words[] = {
    [KRS_OUTSIDE_READ] = {"", ""},
    [KRS_OUTSIDE_ABSENT] = {"there is no process %s", "ps lists those there are"},
    [KRS_OUTSIDE_OTHER_USER] = {"process %s", "ask as this user, or as root"},
    [KRS_OUTSIDE_FORBIDDEN] =
        {"the kernel forbids reading process %s",
         "as root, or with /proc/sys/kernel/yama/ptrace_scope at 0, or in a container "
         "with --cap-add=SYS_PTRACE"},
    [KRS_OUTSIDE_ZOMBIE] = {"process %s has ended; its parent has not asked how yet",
                            ""},
    [KRS_OUTSIDE_ENDED] = {"process %s ended while it was read", ""},
    [KRS_OUTSIDE_CHANGED] = {"process %s became another program while it was read",
                             "ask again"},
    [KRS_OUTSIDE_NOT_PYTHON] = {"process %s is not CPython",
                                "give the number of the Python itself, not of a shell "
                                "or launcher"},
    [KRS_OUTSIDE_NOT_64_BITS] = {"process %s is a program of 32 bits, whose memory is "
                                 "not known here",
                                 ""},
    [KRS_OUTSIDE_VERSION] =
        {"process %s, which is not known here; CPython 3.10 to 3.13 "
         "are",
         "keraser.why(model) in the process itself can tell"},
    [KRS_OUTSIDE_FREE_THREADED] = {"process %s is a free-threaded Python, whose memory "
                                   "is not known here",
                                   "keraser.why(model) in the process itself can tell"},
    [KRS_OUTSIDE_DEBUG] = {"process %s is a debug build of Python, whose memory is not "
                           "known here",
                           "keraser.why(model) in the process itself can tell"},
    [KRS_OUTSIDE_NO_INTERPRETER] = {"process %s has no modules: its Python has not "
                                    "begun yet, has ended, or is laid out otherwise",
                                    "ask again in a moment"},
    [KRS_OUTSIDE_LAYOUT] = {"the memory of process %s is not laid out as that of a "
                            "CPython that is known here",
                            "keraser.why(model) in the process itself can tell"},
    [KRS_OUTSIDE_TOO_LARGE] =
        {"the heap of process %s is larger than what may be copied",
         "keraser.why(model) in the process itself can tell"},
    [KRS_OUTSIDE_SYSTEM] = {"process %s", ""},
};

krs_status krs__refuse(krs_outside_error *error, krs_outside_refusal refusal,
                       const char *detail) {
    const char *cause = words[refusal].cause, *gap = strstr(cause, "%s");
    const int before = gap != NULL ? (int)(gap - cause) : (int)strlen(cause);
    error->refusal = refusal;
    snprintf(error->cause, sizeof error->cause, "%.*s%s%s", before, cause,
             gap != NULL ? detail : "", gap != NULL ? gap + 2 : "");
    snprintf(error->cure, sizeof error->cure, "%s", words[refusal].cure);
    return KRS_UNSUPPORTED;
}
