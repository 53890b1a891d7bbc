/* keraser clear: clear a model of a process, or all of them. */
#include <string.h>

#include "about_model.h"
#include "tell.h"
#include "verbs.h"

enum { ALL, HELD, FORCE, WAIT, JSON };

static const krs_syntax syntax = {
    "clear PID (MODEL | --all) [OPTIONS]",
    "Clears MODEL, a name or an id, in process PID, as keraser.clear(model) there\n"
    "would, and prints its receipt. A model that is being trained or called just\n"
    "now is refused.",
    {
        [ALL] = {"--all", NULL, "clear every model there"},
        [HELD] = {"--held", "HOW",
                  "of models that others hold: hollow, cut, keep or raise"},
        [FORCE] = {"--force", NULL, "also what is being trained or called just now"},
        [WAIT] = KRS_OPTION_WAIT,
        [JSON] = KRS_OPTION_JSON,
    },
    1,
    2,
};

static const struct {
    const char *name;
    krs_held held;
} held_words[] = {
    {"hollow", KRS_HELD_HOLLOW},
    {"cut", KRS_HELD_CUT},
    {"keep", KRS_HELD_KEEP},
    {"raise", KRS_HELD_RAISE},
};

/* 0 after saying that there is no such word. */
static int read_held(const char *word, uint64_t *held) {
    *held = KRS_HELD_HOLLOW;
    if (word == NULL)
        return 1;
    for (size_t i = 0; i < sizeof held_words / sizeof *held_words; i++)
        if (!strcmp(word, held_words[i].name)) {
            *held = held_words[i].held;
            return 1;
        }
    krs_options_refuse("--held is hollow, cut, keep or raise, not '%s'", word);
    return 0;
}

int krs_verb_clear(int count, char **arguments) {
    krs_given given;
    int status;
    pid_t pid;
    uint64_t wait, held;
    if (!krs_options_begin(&syntax, count, arguments, &given, &status))
        return status;
    const char *model = given.count > 1 ? given.operands[1] : NULL;
    const int all = given.values[ALL] != NULL;
    if (all == (model != NULL))
        return krs_options_refuse(all ? "clear takes '%s' or --all, not both"
                                      : "clear which model?",
                                  all ? model : "");
    if (!krs_read_pid(given.operands[0], &pid) ||
        !read_held(given.values[HELD], &held) ||
        !krs_read_seconds(given.values[WAIT], 0, KRS_WAIT_SECONDS, &wait) ||
        (model != NULL && !krs_check_model(model)))
        return KRS_EXIT_USAGE;
    krs_frame question = krs_question_of(KRS_VERB_CLEAR, model);
    question.values[KRS_QUESTION_HELD] = held;
    question.values[KRS_QUESTION_FLAGS] =
        (all ? KRS_FLAG_ALL : 0U) |
        (given.values[FORCE] != NULL ? (unsigned)KRS_FLAG_FORCE : 0U);
    return krs_ask_and_tell(pid, &question, "clear", wait, given.values[JSON] != NULL);
}
