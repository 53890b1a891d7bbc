/* What the keys w, c and t ask of a process. One question at a time; the screen goes on
 * meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "live.h"

enum { ACTION_SECONDS = 10 };

int krs_live_choose(krs_live *live, krs_verb verb) {
    if (live->selected >= live->table.count)
        return 0;
    const krs_row *row = &live->table.rows[live->selected];
    krs_live_action *action = &live->action;
    *action = (krs_live_action){.verb = verb, .pid = row->target->pid, .socket = -1};
    if (row->model == NULL || verb == KRS_VERB_TRIM) {
        snprintf(action->what, sizeof action->what, "process %ld", (long)action->pid);
        return verb == KRS_VERB_TRIM;
    }
    const krs_rows *rows = &row->target->rows;
    action->id = row->model->id;
    snprintf(action->what, sizeof action->what, "%.*s (%.*s) of process %ld",
             row->model->name_length < 64 ? (int)row->model->name_length : 64,
             rows->text + row->model->name,
             row->model->kind_length < 64 ? (int)row->model->kind_length : 64,
             rows->text + row->model->kind, (long)action->pid);
    return 1;
}

static void tell(krs_live *live, krs_trouble trouble, const char *detail) {
    char cause[KRS_TROUBLE_TEXT], cure[KRS_TROUBLE_TEXT];
    krs_trouble_cause(trouble, live->action.pid, detail, cause);
    krs_trouble_cure(trouble, live->action.pid, cure);
    snprintf(live->message, sizeof live->message, "%s; %s", cause, cure);
    live->mode = KRS_LIVE_LIST;
}

static void end(krs_live *live) {
    if (live->action.socket >= 0)
        close(live->action.socket);
    live->action.socket = -1;
    live->dirty = 1;
}

/* By id, since two models can have one name. */
void krs_live_ask(krs_live *live) {
    char model[24] = "", detail[KRS_DETAIL];
    krs_live_action *action = &live->action;
    if (action->id != 0)
        snprintf(model, sizeof model, "0x%" PRIx64, action->id);
    const krs_frame question = krs_question_of(action->verb, *model ? model : NULL);
    const krs_trouble trouble =
        krs_ask_begin(action->pid, &question, &action->socket, detail);
    action->deadline = krs_now() + UINT64_C(1000000000) * ACTION_SECONDS;
    live->mode = KRS_LIVE_WAITING;
    live->dirty = 1;
    if (trouble != KRS_TROUBLE_NONE)
        tell(live, trouble, detail);
}

void krs_live_take(krs_live *live) {
    char detail[KRS_DETAIL] = "";
    krs_verdict answer = {0};
    int got = 0;
    krs_live_action *action = &live->action;
    if (live->mode != KRS_LIVE_WAITING)
        return;
    krs_trouble trouble =
        krs_ask_take(action->pid, action->socket, &answer, &got, detail);
    if (trouble == KRS_TROUBLE_NONE && !got)
        trouble = krs_ask_look(action->pid);
    if (trouble == KRS_TROUBLE_NONE && !got && krs_now() > action->deadline)
        trouble = KRS_TROUBLE_BUSY;
    if (trouble == KRS_TROUBLE_NONE && !got)
        return;
    end(live);
    if (trouble != KRS_TROUBLE_NONE) {
        tell(live, trouble, detail);
        return;
    }
    krs_verdict_free(&live->answer);
    live->answer = answer;
    krs_live_show_page(live);
}

void krs_live_cancel(krs_live *live) {
    end(live);
    live->mode = KRS_LIVE_LIST;
    snprintf(live->message, sizeof live->message,
             "no longer waited for; process %ld may still do it",
             (long)live->action.pid);
}
