/* terminal.h - the terminal while top is on it: its other screen, keys one by one, and
 * the way back, however top ends. Signals are read like keys, so that nothing happens
 * within a handler. */
#ifndef KRS_CLI_TERMINAL_H
#define KRS_CLI_TERMINAL_H

#include <signal.h>
#include <stddef.h>
#include <termios.h>

typedef struct {
    struct termios before;
    sigset_t blocked; /* before */
    int signals;      /* signalfd: the signals of this process */
    int entered;
} krs_terminal;

/* Whether keys can be read from stdin and a screen drawn on stdout. */
int krs_terminal_is_one(void);

/* 0 with errno where that fails; then nothing has changed. */
int krs_terminal_enter(krs_terminal *terminal);

/* As it was before. */
void krs_terminal_leave(krs_terminal *terminal);

/* Stops this process, the terminal as it was meanwhile. 0 with errno where it could not
 * be entered again. */
int krs_terminal_stop(krs_terminal *terminal);

/* Enters again after others have stopped and resumed this process. 0 with errno. */
int krs_terminal_again(krs_terminal *terminal);

/* The next signal that came; 0 where none did. */
int krs_terminal_signal(const krs_terminal *terminal);

void krs_terminal_size(size_t *lines, size_t *columns);

/* 0 with errno. */
int krs_terminal_write(const char *bytes, size_t length);

#endif
