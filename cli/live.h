/* live.h - keraser top on a terminal. live.c is the loop and what signals do,
 * live_keys.c what keys do, live_action.c questions that they ask, live_view.c what is
 * on the screen. */
#ifndef KRS_CLI_LIVE_H
#define KRS_CLI_LIVE_H

#include "keys.h"
#include "screen.h"
#include "table.h"
#include "terminal.h"

/* Until q; looks again every `interval` nanoseconds. KRS_EXIT_*. */
int krs_live_run(krs_targets *targets, uint64_t interval);

/* ---- shared by the files of live ------------------------------------------- */

typedef enum {
    KRS_LIVE_LIST,
    KRS_LIVE_CONFIRM, /* y or n: may the model be cleared? */
    KRS_LIVE_WAITING, /* for the answer to an action */
    KRS_LIVE_PAGE,    /* text that fills the screen */
} krs_live_mode;

enum { KRS_LIVE_MESSAGE = 640 };

/* What a key has begun. */
typedef struct {
    krs_verb verb;
    pid_t pid;
    uint64_t id;    /* of the model; 0: about none */
    char what[192]; /* the model and the process in words */
    int socket;     /* -1: not asked yet */
    uint64_t deadline;
} krs_live_action;

typedef struct {
    krs_targets *targets;
    krs_table table; /* of the targets as they are */
    krs_live_mode mode;
    size_t lines, columns; /* of the terminal */
    int colour;
    int dirty; /* something to show has changed */
    int quit;
    size_t selected; /* row; the first until one was chosen, then found by these: */
    int chosen;
    pid_t pid;
    uint64_t id;  /* 0: the process itself */
    size_t first; /* row on top of the screen */
    krs_live_action action;
    char message[KRS_LIVE_MESSAGE]; /* in the last line, until the next key */
    krs_verdict answer;             /* its text is the page; none: the help is */
    krs_lines page;
    size_t page_first;
    krs_keys keys;
} krs_live;

/* After the targets have changed, or the size. */
void krs_live_rebuild(krs_live *live);
/* Rows, or lines of a page, that there is room for. */
size_t krs_live_room(const krs_live *live);
/* The whole screen. */
void krs_live_view(krs_live *live, krs_lines *lines);
void krs_live_show_page(krs_live *live);

/* What to do with a key. */
void krs_live_key(krs_live *live, int key);

/* Begins a question about the selected row, without asking it. 0 where there is none,
 * or it is about a model and the row is not. */
int krs_live_choose(krs_live *live, krs_verb verb);
void krs_live_ask(krs_live *live);
/* Takes its answer, if it has come, or gives up. */
void krs_live_take(krs_live *live);
void krs_live_cancel(krs_live *live);

#endif
