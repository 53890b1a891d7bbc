/* keraser top: models of all Python processes that listen, live. */
#include <stdlib.h>

#include "about_model.h"
#include "live.h"
#include "say.h"
#include "targets.h"
#include "terminal.h"
#include "top_print.h"
#include "verbs.h"

enum { ONCE, INTERVAL, JSON };

static const krs_syntax syntax = {
    "top [PID...] [OPTIONS]",
    "Shows the Python processes that listen, or those named, and their models, the\n"
    "largest first. On a terminal it goes on until q; keys: up and down select,\n"
    "w says who holds a model, c clears it, t trims its process, ? helps.",
    {
        [ONCE] = {"--once", NULL, "print once, as without a terminal"},
        [INTERVAL] = {"--interval", "SECONDS", "between two looks; 2 without it"},
        [JSON] = KRS_OPTION_JSON,
    },
    0,
    10000,
};

static int show(krs_targets *targets, const krs_given *given, uint64_t interval) {
    const int json = given->values[JSON] != NULL;
    if (!json && given->values[ONCE] == NULL && krs_terminal_is_one())
        return krs_live_run(targets, interval);
    krs_targets_read(targets);
    return json ? krs_top_print_json(targets) : krs_top_print(targets);
}

int krs_verb_top(int count, char **arguments) {
    krs_given given;
    int status;
    uint64_t interval;
    if (!krs_options_begin(&syntax, count, arguments, &given, &status))
        return status;
    if (!krs_read_seconds(given.values[INTERVAL], 0.1, 2, &interval))
        return KRS_EXIT_USAGE;
    pid_t *only = NULL;
    if (given.count > 0 &&
        (only = malloc((size_t)given.count * sizeof *only)) == NULL) {
        krs_complain("out of memory", "", "close something else");
        return KRS_EXIT_SYSTEM;
    }
    status = KRS_EXIT_USAGE;
    int read = 0;
    while (read < given.count && krs_read_pid(given.operands[read], &only[read]))
        read++;
    if (read == given.count) {
        krs_targets targets = {.only = only, .only_count = (size_t)given.count};
        status = show(&targets, &given, interval);
        krs_targets_free(&targets);
    }
    free(only);
    return status;
}
