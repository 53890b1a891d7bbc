/* keraser list-pids and list-models: what completions of shells offer. One a line;
 * nothing that a shell would have to be told how to read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "printable.h"
#include "targets.h"
#include "verbs.h"

static const krs_syntax pids_syntax = {
    "list-pids",
    "Lists the processes that listen, for completions of shells: each as its process\n"
    "id, a tab and its command line.",
    {{0}},
    0,
    0,
};

static const krs_syntax models_syntax = {
    "list-models PID",
    "Lists the models of process PID, for completions of shells: by name where that\n"
    "is plain and no other's there, else by id.",
    {{0}},
    1,
    1,
};

int krs_verb_list_pids(int count, char **arguments) {
    krs_given given;
    int status;
    if (!krs_options_begin(&pids_syntax, count, arguments, &given, &status))
        return status;
    krs_pids pids = {0};
    krs_pids_list(&pids);
    for (size_t i = 0; i < pids.count; i++) {
        char command[KRS_COMMAND];
        krs_facts_command(pids.pids[i], command);
        printf("%ld\t", (long)pids.pids[i]);
        krs_print_clean(stdout, command, strlen(command), 0);
        putchar('\n');
    }
    krs_pids_free(&pids);
    return KRS_EXIT_OK;
}

static int is_plain(const krs_rows *rows, const krs_model_row *model) {
    const char *name = rows->text + model->name;
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_.";
    if (model->name_length == 0 || (*name >= '0' && *name <= '9'))
        return 0;
    for (size_t i = 0; i < model->name_length; i++)
        if (name[i] == '\0' || strchr(plain, name[i]) == NULL)
            return 0;
    for (size_t i = 0; i < rows->count; i++)
        if (&rows->models[i] != model &&
            rows->models[i].name_length == model->name_length &&
            memcmp(rows->text + rows->models[i].name, name, model->name_length) == 0)
            return 0;
    return 1;
}

/* A process that does not answer has no models to offer, and no complaint to print in
 * the middle of a line that is being typed. */
int krs_verb_list_models(int count, char **arguments) {
    krs_given given;
    int status;
    pid_t pid;
    if (!krs_options_begin(&models_syntax, count, arguments, &given, &status))
        return status;
    if (!krs_read_pid(given.operands[0], &pid))
        return KRS_EXIT_USAGE;
    krs_targets targets = {.only = &pid, .only_count = 1};
    krs_targets_read(&targets);
    status = KRS_EXIT_SYSTEM; /* no memory for the one */
    if (targets.count == 1) {
        const krs_rows *rows = &targets.items[0]->rows;
        status = krs_trouble_status(targets.items[0]->trouble);
        for (size_t i = 0; i < rows->count; i++) {
            const krs_model_row *model = &rows->models[i];
            if (is_plain(rows, model))
                printf("%.*s\n", (int)model->name_length, rows->text + model->name);
            else
                printf("0x%" PRIx64 "\n", model->id);
        }
    }
    krs_targets_free(&targets);
    return status;
}
