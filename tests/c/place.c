/* Where processes listen: folders of this user's alone, sockets by process id, what is
 * left of the dead. Tests that need another user need root. */
#define _GNU_SOURCE /* mkdtemp */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topic.h"
#include "wire/protocol.h"

enum { NOBODY = 65534, FREE_PID = 4194000 /* above what a machine gives away */ };

static char runtime[64], folder[KRS_PLACE_PATH];

static int make_runtime(void **state) {
    (void)state;
    strcpy(runtime, "/tmp/krs-place-XXXXXX");
    if (mkdtemp(runtime) == NULL)
        return -1;
    snprintf(folder, sizeof folder, "%s/keraser", runtime);
    return setenv("XDG_RUNTIME_DIR", runtime, 1);
}

static int remove_runtime(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", runtime);
    return system(command);
}

static void assert_refused(unsigned index, int make, int error) {
    char path[KRS_PLACE_PATH] = "untouched";
    errno = 0;
    assert_int_equal(krs_place_folder(index, make, path), KRS_SYSTEM);
    assert_int_equal(errno, error);
    assert_string_equal(path, "untouched");
}

static void a_folder_is_made_for_this_user_alone(void **state) {
    char path[KRS_PLACE_PATH];
    struct stat made;
    (void)state;
    assert_refused(0, 0, ENOENT);
    umask(0);
    assert_int_equal(krs_place_folder(0, 1, path), KRS_OK);
    assert_string_equal(path, folder);
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode, S_IFDIR | 0700);
    assert_int_equal(krs_place_folder(0, 1, path), KRS_OK); /* twice is fine */
    assert_int_equal(krs_place_folder(0, 0, path), KRS_OK);
    assert_int_equal(krs_place_folder(KRS_PLACES, 0, path), KRS_INVALID);
}

static void a_folder_that_others_can_enter_is_refused(void **state) {
    static const mode_t modes[] = {0701, 0710, 0740, 0777, 0702};
    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < LENGTH_OF(modes); i++) {
        assert_int_equal(chmod(folder, modes[i]), 0);
        assert_refused(0, 1, EPERM);
    }
}

static void what_is_no_folder_is_refused(void **state) {
    char elsewhere[96];
    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/mine", runtime);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, folder), 0);
    assert_refused(0, 1, EPERM);
    assert_int_equal(unlink(folder), 0);
    fclose(fopen(folder, "w"));
    assert_refused(0, 1, EPERM);
}

static void a_folder_of_another_user_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chown(folder, NOBODY, NOBODY), 0);
    assert_refused(0, 1, EPERM);
}

static void places_are_looked_at_once_each(void **state) {
    char path[KRS_PLACE_PATH], usual[64];
    (void)state;
    snprintf(usual, sizeof usual, "/run/user/%u", (unsigned)geteuid());
    setenv("XDG_RUNTIME_DIR", usual, 1);
    assert_refused(1, 0, ENOENT); /* the same as the first */
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    assert_refused(1, 0, ENOENT); /* not a path: as if it were not set */
    assert_int_equal(krs_place_folder(2, 1, path), KRS_OK);
    snprintf(usual, sizeof usual, "/tmp/keraser-%u", (unsigned)geteuid());
    assert_string_equal(path, usual);
}

/* A folder of each length around the longest for which a socket still fits. */
static void the_longest_path_holds_the_longest_process_id(void **state) {
    char path[KRS_PLACE_PATH], long_runtime[128], socket_path[KRS_PLACE_PATH];
    int listener, taken = 0, refused = 0;
    (void)state;
    for (size_t length = strlen(runtime) + 2; length < 110; length++) {
        memset(long_runtime, 'x', sizeof long_runtime);
        memcpy(long_runtime, runtime, strlen(runtime));
        long_runtime[strlen(runtime)] = '/';
        long_runtime[length] = '\0';
        assert_int_equal(mkdir(long_runtime, 0700), 0);
        setenv("XDG_RUNTIME_DIR", long_runtime, 1);
        if (krs_place_folder(0, 1, path) != KRS_OK) {
            assert_int_equal(errno, ENAMETOOLONG);
            refused++;
            continue;
        }
        assert_int_equal(refused, 0);
        taken++;
        assert_int_equal(krs_place_listen(2147483647, &listener, socket_path), KRS_OK);
        assert_int_equal(strncmp(socket_path, path, strlen(path)), 0);
        assert_string_equal(socket_path + strlen(path), "/2147483647");
        struct stat made;
        assert_int_equal(stat(socket_path, &made), 0);
        assert_true(S_ISSOCK(made.st_mode));
        krs_place_leave(socket_path);
        close(listener);
    }
    assert_true(taken > 10 && refused > 10);
}

static void who_listens_is_found_and_can_be_asked(void **state) {
    char path[KRS_PLACE_PATH];
    int listener, there, here;
    (void)state;
    assert_int_equal(krs_place_listen(getpid(), &listener, path), KRS_OK);
    assert_int_equal(krs_place_connect(getpid(), &here), KRS_OK);
    assert_int_equal(krs_socket_accept(listener, &there), KRS_OK);
    assert_int_equal(send(here, "x", 1, 0), 1);
    char byte;
    assert_int_equal(recv(there, &byte, 1, 0), 1);
    errno = 0;
    assert_int_equal(recv(here, &byte, 1, 0), -1); /* does not wait */
    assert_int_equal(errno, EAGAIN);
    close(here);
    close(there);
    krs_place_leave(path);
    assert_int_equal(krs_place_connect(getpid(), &here), KRS_SYSTEM);
    assert_int_equal(errno, ENOENT);
    close(listener);
}

static void count(void *context, pid_t pid) {
    *(int *)context += pid == FREE_PID;
}

static int listed(void) {
    int found = 0;
    krs_place_list(count, &found);
    return found;
}

static void a_socket_that_nobody_listens_on_is_removed(void **state) {
    char path[KRS_PLACE_PATH], other[KRS_PLACE_PATH];
    int listener, made;
    (void)state;
    assert_int_equal(krs_place_listen(FREE_PID, &listener, path), KRS_OK);
    assert_int_equal(listed(), 1);
    close(listener);
    assert_int_equal(listed(), 1); /* looking removes nothing */
    assert_int_equal(krs_place_connect(FREE_PID, &made), KRS_SYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(listed(), 0);
    /* So does the next one that listens; its own name it takes over. */
    assert_int_equal(krs_place_listen(FREE_PID, &listener, path), KRS_OK);
    close(listener);
    assert_int_equal(krs_place_listen(getpid(), &listener, other), KRS_OK);
    assert_int_equal(listed(), 0);
    int again;
    assert_int_equal(krs_place_listen(getpid(), &again, other), KRS_OK);
    krs_place_leave(other);
    close(listener);
    close(again);
}

static void one_process_under_the_number_of_another_is_refused(void **state) {
    char path[KRS_PLACE_PATH];
    int listener, made = -7;
    (void)state;
    assert_int_equal(krs_place_listen(FREE_PID, &listener, path), KRS_OK);
    assert_int_equal(krs_place_connect(FREE_PID, &made), KRS_SYSTEM);
    assert_int_equal(errno, EPERM);
    assert_int_equal(made, -7);
    close(listener);
}

static void a_process_that_became_another_user_is_refused(void **state) {
    char path[KRS_PLACE_PATH];
    int ready[2], made, status;
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        int listener;
        /* The folder is made by this user, the socket under it by the other. */
        if (krs_place_folder(0, 1, path) != KRS_OK || chown(folder, NOBODY, NOBODY) ||
            chmod(runtime, 0711) || seteuid(NOBODY) ||
            krs_place_listen(getpid(), &listener, path) != KRS_OK || seteuid(0) ||
            chown(folder, 0, 0) || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(ready[1]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_int_equal(krs_place_connect(child, &made), KRS_SYSTEM);
    assert_int_equal(errno, EPERM);
    kill(child, 9);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void files_that_are_no_process_ids_are_passed_over(void **state) {
    static const char *const names[] = {
        "0", "01", "-4194000", "4194000x", " 4194000", "99999999999", ".4194000", "x"};
    char path[KRS_PLACE_PATH + 16];
    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        fclose(fopen(path, "w"));
    }
    assert_int_equal(listed(), 0);
    snprintf(path, sizeof path, "%s/%d", folder, FREE_PID);
    fclose(fopen(path, "w"));
    assert_int_equal(listed(), 1);
    int made; /* a file that is no socket is not ours to remove... */
    assert_int_equal(krs_place_connect(FREE_PID, &made), KRS_SYSTEM);
}

static void where_the_first_place_cannot_be_used_the_next_one_is(void **state) {
    char path[KRS_PLACE_PATH];
    int listener, made;
    (void)state;
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(krs_place_listen(getpid(), &listener, path), KRS_OK);
    assert_int_not_equal(strncmp(path, folder, strlen(folder)), 0);
    assert_int_equal(krs_place_connect(getpid(), &made), KRS_OK);
    close(made);
    krs_place_leave(path);
    close(listener);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_runtime, remove_runtime)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_made_for_this_user_alone),
        TEST(a_folder_that_others_can_enter_is_refused),
        TEST(what_is_no_folder_is_refused),
        TEST(a_folder_of_another_user_is_refused),
        TEST(places_are_looked_at_once_each),
        TEST(the_longest_path_holds_the_longest_process_id),
        TEST(who_listens_is_found_and_can_be_asked),
        TEST(a_socket_that_nobody_listens_on_is_removed),
        TEST(one_process_under_the_number_of_another_is_refused),
        TEST(a_process_that_became_another_user_is_refused),
        TEST(files_that_are_no_process_ids_are_passed_over),
        TEST(where_the_first_place_cannot_be_used_the_next_one_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
