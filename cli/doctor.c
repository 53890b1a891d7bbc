/* keraser doctor: what works in a process, or for the command line here, and why not.
 */
#include "about_model.h"
#include "doctor_here.h"
#include "tell.h"
#include "verbs.h"

enum { WAIT, JSON };

static const krs_syntax syntax = {
    "doctor [PID] [OPTIONS]",
    "Says what keraser can do in process PID, and why not the rest, as\n"
    "keraser.doctor() there would; without PID, where processes can listen on this\n"
    "machine, and which do.",
    {[WAIT] = KRS_OPTION_WAIT, [JSON] = KRS_OPTION_JSON},
    0,
    1,
};

int krs_verb_doctor(int count, char **arguments) {
    krs_given given;
    int status;
    pid_t pid;
    uint64_t wait;
    if (!krs_options_begin(&syntax, count, arguments, &given, &status))
        return status;
    if (!krs_read_seconds(given.values[WAIT], 0, KRS_WAIT_SECONDS, &wait))
        return KRS_EXIT_USAGE;
    const int json = given.values[JSON] != NULL;
    if (given.count == 0)
        return krs_doctor_here(json);
    if (!krs_read_pid(given.operands[0], &pid))
        return KRS_EXIT_USAGE;
    const krs_frame question = krs_question_of(KRS_VERB_DOCTOR, NULL);
    return krs_ask_and_tell(pid, &question, "doctor", wait, json);
}
