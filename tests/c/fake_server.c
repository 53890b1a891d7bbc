#define _GNU_SOURCE /* memfd_create */
#include "fake_server.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/process.h"

/* Under AddressSanitizer memory that was given back counts as the server's for long. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "quarantine_size_mb=1";
}

/* ---- in the server ---------------------------------------------------------- */

static void *sleep_in_thread(void *unused) {
    (void)unused;
    while (1)
        pause();
    return NULL;
}

static int hazard(void *context, char *reason, size_t room) {
    fake_board *board = context;
    pthread_t thread;
    if (atomic_exchange(&board->second_thread, 0) != 0 &&
        pthread_create(&thread, NULL, sleep_in_thread, NULL) == 0)
        pthread_setname_np(thread, "intruder");
    if (board->unsafe != 0)
        snprintf(reason, room, "%s", board->nameless != 0 ? "" : "the board says so");
    return board->unsafe;
}

static pid_t fork_for_server(void *context) {
    fake_board *board = context;
    if (board->fork_error != 0) {
        errno = board->fork_error;
        return -1;
    }
    const pid_t pid = fork();
    if (pid > 0) {
        fake_note(board, pid);
        atomic_fetch_add(&board->forks, 1);
        if (atomic_exchange(&board->unsafe_by_fork, 0) != 0)
            board->unsafe = 1;
    }
    return pid;
}

static unsigned char *make_inherited(size_t bytes) {
    unsigned char *made =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        _exit(97);
    return memset(made, 1, bytes);
}

/* What the program that runs the tests has open is not the server's. */
static void close_others(const krs_server_options *options) {
    for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
        if (fd != options->listener && fd != options->lease)
            close(fd);
}

/* cmocka's own handlers would go on with the next test, in here; a shell ignores SIGINT
 * for what it runs in the background. */
static void forget_handlers(void) {
    static const int handled[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS,
                                  SIGSYS, SIGINT, SIGHUP,  SIGTERM};
    for (size_t i = 0; i < LENGTH_OF(handled); i++)
        signal(handled[i], SIG_DFL);
}

_Noreturn static void serve(const krs_server_options *options, fake_board *board,
                            size_t inherited) {
    int channel = -2;
    forget_handlers();
    close_others(options);
    const unsigned char *memory = inherited > 0 ? make_inherited(inherited) : NULL;
    const krs_server_hooks hooks = {
        .context = board, .fork = fork_for_server, .hazard = hazard};
    const krs_status status = krs_server_run(options, &hooks, &channel);
    if (status != KRS_OK)
        board->error = channel == -2 ? errno : -1; /* and nothing was written */
    if (status == KRS_OK && channel >= 0)
        fake_worker_run(channel, board, memory);
    _exit(status == KRS_OK && channel != -1 ? 96 : (int)status);
}

/* ---- around it ------------------------------------------------------------- */

static fake_board *new_board(void) {
    fake_board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(board != MAP_FAILED);
    return board;
}

fake_server *fake_server_start(const char *broken, size_t inherited,
                               void (*prepare)(fake_board *)) {
    fake_server *server = calloc(1, sizeof *server);
    const struct rlimit no_core = {0, 0};
    int listener, lease[2];
    assert_non_null(server);
    server->board = new_board();
    assert_int_equal(krs_socket_listen(&listener, &server->address), KRS_OK);
    assert_int_equal(pipe(lease), 0);
    assert_int_equal(setrlimit(RLIMIT_CORE, &no_core), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    krs_server_options options = {
        .listener = listener, .lease = lease[0], .broken = broken};
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        close(lease[1]);
        if (prepare != NULL)
            prepare(server->board);
        options.parent = getppid();
        serve(&options, server->board, inherited);
    }
    close(listener);
    close(lease[0]);
    server->lease = lease[1];
    return server;
}

int fake_server_wait(fake_server *server) {
    int status = 0;
    if (server->lease >= 0)
        close(server->lease);
    server->lease = -1;
    while (waitpid(server->pid, &status, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
    return WIFSIGNALED(status) ? 200 + WTERMSIG(status) : WEXITSTATUS(status);
}

void fake_assert_nobody_left(int wait) {
    pid_t pid;
    int waited = 0;
    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
        if (!wait)
            fail_msg("process %ld was left, a child of the test", (long)pid);
        if (pid == 0)
            fake_pause(waited++, "no process is left");
    }
    assert_int_equal(errno, ECHILD);
}

void fake_server_free(fake_server *server) {
    const int noted = server->board->noted;
    assert_true(noted < FAKE_NOTED);
    for (int i = 0; i < noted; i++)
        if (kill(server->board->pids[i], 0) == 0)
            fail_msg("process %ld is left", (long)server->board->pids[i]);
    munmap(server->board, sizeof *server->board);
    free(server);
}

int fake_setup(void **state) {
    *state = NULL;
    *state = fake_server_start(NULL, 0, NULL);
    return 0;
}

int fake_teardown(void **state) {
    fake_server *server = *state;
    if (server == NULL) /* it could not even be started */
        return -1;
    if (server->pid != 0)
        assert_int_equal(fake_server_wait(server), 0);
    fake_assert_nobody_left(0);
    fake_server_free(server);
    return 0;
}

void fake_rest(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L},
              NULL);
}

void fake_pause(int waited, const char *condition) {
    if (waited > FAKE_PATIENCE_MS)
        fail_msg("waited too long until %s", condition);
    fake_rest(1);
}

static size_t count_descriptors(pid_t pid, const char *name) {
    char path[64], target[256];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const ssize_t length =
            readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (length < 0) /* no link, or closed meanwhile */
            continue;
        target[length] = '\0';
        count += strstr(target, name) != NULL;
    }
    closedir(folder);
    return count;
}

size_t fake_descriptors(pid_t pid) {
    return count_descriptors(pid, "");
}

size_t fake_files(pid_t pid, const char *name) {
    return count_descriptors(pid, name);
}

/* State and parent of a process, from after the last parenthesis of its stat. */
static int read_stat(const char *pid, char *state, long *parent) {
    char path[300], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *at = strrchr(text, ')');
    return at != NULL && sscanf(at, ") %c %ld", state, parent) == 2;
}

size_t fake_children(pid_t pid, size_t *zombies) {
    size_t count = 0;
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    *zombies = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char state;
        long parent;
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            !read_stat(entry->d_name, &state, &parent) || parent != (long)pid)
            continue;
        count++;
        *zombies += state == 'Z';
    }
    closedir(folder);
    return count;
}

uint64_t fake_resident(pid_t pid) {
    krs_process process;
    assert_int_equal(krs__process_read_of(pid, &process), KRS_OK);
    return krs__process_anonymous(&process);
}

uint64_t fake_busy(pid_t pid) {
    uint64_t ns;
    assert_int_equal(krs__cpu_read(pid, &ns), KRS_OK);
    return ns;
}

int fake_is_gone(pid_t pid) {
    return kill(pid, 0) != 0;
}
