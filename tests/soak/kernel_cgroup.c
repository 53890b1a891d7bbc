/* The first process of a machine of its own: groups of cgroup v2 as the kernel has
 * them, each step a line "ok WHAT" or "wrong WHAT". test_kernel_cgroup.py boots it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "server/watch.h"

enum { MIB = 1024 * 1024, PAGE = 4096 };
#define ROOT "/sys/fs/cgroup"

static void say(bool right, const char *what) {
    printf("%s %s (%s)\n", right ? "ok" : "wrong", what, strerror(errno));
    fflush(stdout);
}

/* The first process may not end but with its machine. */
static void stop(const char *why) {
    printf("%s\n", why);
    fflush(stdout);
    reboot(RB_POWER_OFF);
}

static void put(const char *path, const char *text) {
    const int file = open(path, O_WRONLY);
    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text))
        say(false, path);
    close(file);
}

static char *mapped(size_t bytes) {
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0);
}

static void touch(char *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i += PAGE)
        block[i] = 1;
}

/* A child in the group, of one or two processes, each of which touches the bytes. */
static pid_t started(const krs__cgroup *group, char *block, size_t bytes, bool two) {
    int go[2], done[2];
    char byte = 0;
    if (pipe(go) != 0 || pipe(done) != 0)
        stop("wrong: no pipe");
    const pid_t pid = fork();
    if (pid < 0)
        stop("wrong: no process");
    if (pid == 0) {
        close(done[0]);
        if (read(go[0], &byte, 1) != 1 || (two && fork() < 0))
            _exit(1);
        touch(block, bytes);
        byte = write(done[1], &byte, 1) == 1;
        pause();
    }
    close(done[1]);
    say(krs__cgroup_enter(group, pid) == KRS_OK, "a process enters");
    if (write(go[1], &byte, 1) != 1)
        stop("wrong: nobody listens");
    for (int i = 0; i <= two && read(done[0], &byte, 1) == 1; i++) {
    }
    close(go[0]);
    close(go[1]);
    close(done[0]);
    return pid;
}

static void reap(pid_t pid, const char *what) {
    int status = 0;
    waitpid(pid, &status, 0);
    say(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, what);
}

/* What a process leaves when it ends is given back in a moment. */
static void removed(krs__cgroup *group) {
    krs_status status;
    for (int i = 0; (status = krs__cgroup_free(group)) != KRS_OK && i < 1000; i++) {
        waitpid(-1, NULL, WNOHANG); /* orphans come to us */
        usleep(1000);
    }
    say(status == KRS_OK, "the group is removed");
}

static void a_hog_is_ended(const krs__cgroup_place *place, bool two) {
    const krs__readers readers = krs__readers_of_system(NULL);
    krs__cgroup *group;
    krs__watch watch;
    krs__limits limits = {.memory = 64 * MIB};
    krs__cgroup_figures f = {0};
    uint64_t next;
    if (krs__cgroup_new(place, "hog", limits.memory, &group) != KRS_OK)
        stop("wrong: no group");
    char *block = mapped(256 * MIB);
    const pid_t pid = started(group, block, 256 * MIB, two);
    munmap(block, 256 * MIB);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    krs__watch_start(&watch, &limits, &readers, group, pid, 0, readers.now(NULL));
    say(krs__watch_look(&watch, readers.now(NULL), &next) == KRS__OVER_MEMORY,
        "the watch says why");
    reap(pid, "the kernel ends a hog");
    say(krs__cgroup_read(group, &f) == KRS_OK && f.oom_kills > 0, "and counts it");
    printf("hog: peak %.2f MiB of 64, oom_kills %llu\n", (double)f.peak / MIB,
           (unsigned long long)f.oom_kills);
    say(f.peak == 0 || f.peak <= 64 * MIB, "no page is beyond the limit");
    removed(group);
}

static void only_changed_pages_count(const krs__cgroup_place *place) {
    krs__cgroup *group;
    krs__cgroup_figures f = {0};
    char *inherited = mapped(96 * MIB);
    touch(inherited, 96 * MIB);
    if (krs__cgroup_new(place, "heir", 64 * MIB, &group) != KRS_OK)
        stop("wrong: no group");
    const pid_t pid = started(group, inherited, 32 * MIB, false);
    say(krs__cgroup_read(group, &f) == KRS_OK && f.oom_kills == 0 &&
            f.current >= 32 * MIB && f.current < 36 * MIB,
        "of inherited pages those that were changed count");
    say(krs__cgroup_free(group) == KRS_SYSTEM && errno == EBUSY, "it is busy");
    say(krs__cgroup_kill(group) == KRS_OK, "all are killed");
    reap(pid, "by the kernel");
    removed(group);
    munmap(inherited, 96 * MIB);
}

static void all_in(const char *folder) {
    krs__cgroup_place *place;
    const char *reason = NULL;
    if (krs__cgroup_place_open(NULL, &place, &reason) != KRS_OK) {
        say(false, reason);
        return;
    }
    say(strcmp(krs__cgroup_place_folder(place), folder) == 0, folder);
    a_hog_is_ended(place, false);
    a_hog_is_ended(place, true);
    only_changed_pages_count(place);
    krs__cgroup_place_close(place);
}

static void none_since(const char *part) {
    krs__cgroup_place *place;
    const char *reason = "";
    say(krs__cgroup_place_open(NULL, &place, &reason) == KRS_UNSUPPORTED &&
            strstr(reason, part) != NULL,
        part);
}

int main(void) {
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    say(mount("proc", "/proc", "proc", 0, NULL) == 0, "/proc");
    say(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0, "/sys");
    none_since("this process is in no group");
    say(mount("none", ROOT, "cgroup2", 0, NULL) == 0, "cgroup2");
    all_in(ROOT);
    mkdir(ROOT "/user", 0755);
    mkdir(ROOT "/user/own", 0755);
    put(ROOT "/user/own/cgroup.procs", "0");
    all_in(ROOT "/user"); /* which is told to pass the controller on */
    put(ROOT "/user/own/memory.max", "100000000");
    put(ROOT "/user/cgroup.subtree_control", "-memory");
    all_in(ROOT "/user");
    put(ROOT "/user/own/memory.max", "100000000");
    mount(NULL, ROOT, NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL);
    none_since("would escape");
    say(unshare(CLONE_NEWCGROUP) == 0, "a namespace");
    none_since("without our group in it");
    say(umount(ROOT) == 0 && mount("none", ROOT, "cgroup2", 0, NULL) == 0, "within");
    none_since("since processes are beside");
    stop("end");
}
