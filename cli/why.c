/* keraser why: who holds a model of a process, or all that is alive there. */
#include "about_model.h"
#include "outside_report.h"
#include "tell.h"
#include "verbs.h"

enum { WAIT, JSON };

static const krs_syntax syntax = {
    "why PID [MODEL] [OPTIONS]",
    "Says who holds MODEL, a name or an id, in process PID; without MODEL, which\n"
    "models are alive there, what they hold, and who holds them. A process that does\n"
    "not listen is read from outside.",
    {[WAIT] = KRS_OPTION_WAIT, [JSON] = KRS_OPTION_JSON},
    1,
    2,
};

int krs_verb_why(int count, char **arguments) {
    krs_given given;
    int status;
    pid_t pid;
    uint64_t wait;
    if (!krs_options_begin(&syntax, count, arguments, &given, &status))
        return status;
    const char *model = given.count > 1 ? given.operands[1] : NULL;
    if (!krs_read_pid(given.operands[0], &pid) ||
        !krs_read_seconds(given.values[WAIT], 0, KRS_WAIT_SECONDS, &wait) ||
        (model != NULL && !krs_check_model(model)))
        return KRS_EXIT_USAGE;
    const int json = given.values[JSON] != NULL;
    const krs_frame question =
        krs_question_of(model != NULL ? KRS_VERB_WHY : KRS_VERB_CENSUS, model);
    krs_verdict verdict = {0};
    char detail[KRS_DETAIL];
    const krs_trouble trouble = krs_ask(pid, &question, wait, &verdict, detail);
    if (trouble == KRS_TROUBLE_MUTE || trouble == KRS_TROUBLE_STOPPED)
        return krs_report_outside(pid, model, json); /* it cannot be asked */
    if (trouble != KRS_TROUBLE_NONE)
        return krs_tell_trouble(trouble, pid, detail, "why", json);
    status = krs_tell_verdict(&verdict, json);
    krs_verdict_free(&verdict);
    return status;
}
