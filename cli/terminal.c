#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* xterm's other screen (1049), the cursor hidden (25). */
static const char enter_text[] = "\33[?1049h\33[?25l";
static const char leave_text[] = "\33[m\33[?25h\33[?1049l";

static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                              SIGTSTP, SIGCONT, SIGWINCH};

int krs_terminal_is_one(void) {
    const char *kind = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && kind != NULL && *kind &&
           strcmp(kind, "dumb") != 0;
}

static int set_mode(const krs_terminal *terminal) {
    struct termios mode = terminal->before;
    mode.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0 &&
           krs_terminal_write(enter_text, sizeof enter_text - 1);
}

int krs_terminal_enter(krs_terminal *terminal) {
    sigset_t wanted;
    *terminal = (krs_terminal){.signals = -1};
    if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
        return 0;
    sigemptyset(&wanted);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&wanted, signals[i]);
    sigprocmask(SIG_BLOCK, &wanted, &terminal->blocked);
    terminal->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    terminal->entered = 1;
    if (terminal->signals >= 0 && set_mode(terminal))
        return 1;
    const int error = errno;
    krs_terminal_leave(terminal);
    errno = error;
    return 0;
}

static void restore(const krs_terminal *terminal) {
    krs_terminal_write(leave_text, sizeof leave_text - 1);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
}

void krs_terminal_leave(krs_terminal *terminal) {
    if (!terminal->entered)
        return;
    terminal->entered = 0;
    restore(terminal);
    if (terminal->signals >= 0)
        close(terminal->signals);
    sigprocmask(SIG_SETMASK, &terminal->blocked, NULL);
}

int krs_terminal_stop(krs_terminal *terminal) {
    restore(terminal);
    raise(SIGSTOP);
    /* A shell may have left it in another mode, which is what to go back to. */
    return tcgetattr(STDIN_FILENO, &terminal->before) == 0 && set_mode(terminal);
}

int krs_terminal_again(krs_terminal *terminal) {
    return set_mode(terminal);
}

int krs_terminal_signal(const krs_terminal *terminal) {
    struct signalfd_siginfo came;
    return read(terminal->signals, &came, sizeof came) == sizeof came
               ? (int)came.ssi_signo
               : 0;
}

void krs_terminal_size(size_t *lines, size_t *columns) {
    struct winsize size;
    *lines = 24;
    *columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    if (size.ws_row > 0)
        *lines = size.ws_row;
    if (size.ws_col > 0)
        *columns = size.ws_col;
}

int krs_terminal_write(const char *bytes, size_t length) {
    while (length > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return 0;
        bytes += written;
        length -= (size_t)written;
    }
    return 1;
}
