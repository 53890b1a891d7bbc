#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "verbs.h"

enum {
    PAUSE = 50,      /* ms between two draws while answers pour in */
    KEY_PAUSE = 50,  /* ms after which an ESC is a key of its own */
    LOOK_AGAIN = 250 /* ms, at a process that is asked by a key */
};

typedef struct {
    krs_live live;
    krs_terminal terminal;
    krs_screen screen;
    krs_lines next, bytes;
    uint64_t interval;
    uint64_t look;  /* when next */
    uint64_t drawn; /* when last */
    int key_came;   /* since: then it is drawn at once */
    int asked;      /* 0 before the first screen, which waits for nobody */
    int signal;     /* that ends it */
    int error;      /* errno of what ends it */
} loop;

static void fit_size(loop *l) {
    krs_terminal_size(&l->live.lines, &l->live.columns);
    l->screen.known = 0;
    krs_live_rebuild(&l->live);
}

static void take_signals(loop *l) {
    for (int signal; (signal = krs_terminal_signal(&l->terminal)) != 0;) {
        if (signal == SIGTSTP && !krs_terminal_stop(&l->terminal))
            l->error = errno;
        /* One that others stopped finds the terminal as they left it. */
        if (signal == SIGCONT && !krs_terminal_again(&l->terminal))
            l->error = errno;
        if (signal == SIGTSTP || signal == SIGCONT || signal == SIGWINCH)
            fit_size(l);
        else
            l->signal = signal;
    }
}

static void take_keys(loop *l) {
    char bytes[64];
    const ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
    if (length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN))
        l->error = length == 0 ? EIO : errno;
    if (length <= 0)
        return;
    krs_keys_add(&l->live.keys, bytes, (size_t)length);
    l->key_came = 1;
}

static void act_on_keys(loop *l, int whole) {
    for (int key; (key = krs_keys_next(&l->live.keys, whole)) != KRS_KEY_NONE;)
        krs_live_key(&l->live, key);
}

static int sooner(int a, int b) {
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int until(uint64_t then, uint64_t now) {
    return then <= now ? 0 : (int)((then - now) / 1000000) + 1;
}

static int timeout_of(loop *l) {
    const uint64_t now = krs_now();
    int timeout = sooner(until(l->look, now), krs_targets_judge(l->live.targets));
    if (l->live.dirty)
        timeout = sooner(timeout, until(l->drawn + PAUSE * UINT64_C(1000000), now));
    if (l->live.keys.length > 0)
        timeout = sooner(timeout, KEY_PAUSE);
    if (l->live.mode == KRS_LIVE_WAITING)
        timeout = sooner(timeout, LOOK_AGAIN);
    return timeout;
}

static void wait_for_all(loop *l) {
    enum { SIGNALS, KEYS, ACTION, OTHERS };
    struct pollfd others[OTHERS] = {
        [SIGNALS] = {.fd = l->terminal.signals, .events = POLLIN},
        [KEYS] = {.fd = STDIN_FILENO, .events = POLLIN},
        [ACTION] = {.fd = l->live.mode == KRS_LIVE_WAITING ? l->live.action.socket : -1,
                    .events = POLLIN},
    };
    const int partial = l->live.keys.length > 0;
    if (krs_targets_wait(l->live.targets, others, OTHERS, timeout_of(l)))
        krs_live_rebuild(&l->live);
    if (others[SIGNALS].revents)
        take_signals(l);
    if (others[KEYS].revents)
        take_keys(l);
    act_on_keys(l, partial && !others[KEYS].revents);
    krs_live_take(&l->live);
}

static void look(loop *l) {
    krs_targets_look(l->live.targets);
    if (l->asked)
        krs_targets_ask(l->live.targets);
    l->look = krs_now() + (l->asked ? l->interval : 0);
    l->asked = 1;
    krs_live_rebuild(&l->live);
}

static void draw(loop *l) {
    krs_live_view(&l->live, &l->next);
    krs_screen_draw(&l->screen, &l->next, &l->bytes);
    if (!krs_terminal_write(l->bytes.bytes, l->bytes.used))
        l->error = errno;
    l->live.dirty = l->key_came = 0;
    l->drawn = krs_now();
}

static void run(loop *l) {
    fit_size(l);
    while (!l->live.quit && !l->signal && !l->error) {
        const uint64_t now = krs_now();
        if (now >= l->look)
            look(l);
        if (l->live.dirty && (l->key_came || l->drawn == 0 ||
                              now >= l->drawn + PAUSE * UINT64_C(1000000)))
            draw(l);
        wait_for_all(l);
    }
}

static void free_all(loop *l) {
    if (l->live.mode == KRS_LIVE_WAITING)
        krs_live_cancel(&l->live);
    krs_table_free(&l->live.table);
    krs_lines_free(&l->live.page);
    krs_verdict_free(&l->live.answer);
    krs_lines_free(&l->next);
    krs_lines_free(&l->bytes);
    krs_screen_free(&l->screen);
}

static int tell(int error) {
    krs_complain("cannot use the terminal: %s", strerror(error),
                 "keraser top --once prints without one");
    return KRS_EXIT_OUTPUT;
}

int krs_live_run(krs_targets *targets, uint64_t interval) {
    const char *no_colour = getenv("NO_COLOR");
    loop l = {.live = {.targets = targets,
                       .action = {.socket = -1},
                       .colour = no_colour == NULL || !*no_colour},
              .interval = interval};
    if (!krs_terminal_enter(&l.terminal))
        return tell(errno);
    run(&l);
    krs_terminal_leave(&l.terminal);
    free_all(&l);
    if (l.error)
        return tell(l.error);
    if (l.signal) /* whoever sent it sees that it ended this */
        raise(l.signal);
    return KRS_EXIT_OK;
}
