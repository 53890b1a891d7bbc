/* keraser trim: have a process give free memory back to the system. */
#include "about_model.h"
#include "tell.h"
#include "verbs.h"

enum { WAIT, JSON };

static const krs_syntax syntax = {
    "trim PID [OPTIONS]",
    "Has process PID give the free memory of its pools back to the system, as\n"
    "keraser.trim() there would, and prints what went.",
    {[WAIT] = KRS_OPTION_WAIT, [JSON] = KRS_OPTION_JSON},
    1,
    1,
};

int krs_verb_trim(int count, char **arguments) {
    krs_given given;
    int status;
    pid_t pid;
    uint64_t wait;
    if (!krs_options_begin(&syntax, count, arguments, &given, &status))
        return status;
    if (!krs_read_pid(given.operands[0], &pid) ||
        !krs_read_seconds(given.values[WAIT], 0, KRS_WAIT_SECONDS, &wait))
        return KRS_EXIT_USAGE;
    const krs_frame question = krs_question_of(KRS_VERB_TRIM, NULL);
    return krs_ask_and_tell(pid, &question, "trim", wait, given.values[JSON] != NULL);
}
