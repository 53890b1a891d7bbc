/* Our own group is found in what the kernel says, or it is said why not. */
#include <stdio.h>
#include <string.h>

#include "proc/cgroup.h"
#include "topic.h"

enum { ROOM = 128 };

#define MOUNT(root, point)                                                             \
    "30 23 0:26 " root " " point " rw,nosuid shared:4 master:1 - cgroup2 cgroup rw\n"
#define TMPFS "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
#define VERSION_1 "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

static void assert_found(const char *group, const char *mounts, const char *folder,
                         const char *mount) {
    char found[ROOM], mounted[ROOM];
    const char *reason = NULL;
    assert_int_equal(krs__cgroup_find(group, mounts, found, mounted, ROOM, &reason),
                     KRS_OK);
    assert_string_equal(found, folder);
    assert_string_equal(mounted, mount);
    assert_null(reason);
}

static void assert_none(const char *group, const char *mounts, const char *part) {
    char found[ROOM] = "f", mounted[ROOM] = "m";
    const char *reason = NULL;
    const krs_status status =
        krs__cgroup_find(group, mounts, found, mounted, ROOM, &reason);
    assert_int_equal(status, part == NULL ? KRS_FORMAT : KRS_UNSUPPORTED);
    if (part == NULL)
        assert_null(reason);
    else
        assert_non_null(strstr(reason, part));
    assert_string_equal(found, "f");
    assert_string_equal(mounted, "m");
}

static void the_group_is_a_folder_below_the_mount(void **state) {
    (void)state;
    const char *const fs = "/sys/fs/cgroup";
    assert_found("0::/user.slice/a b\n", TMPFS MOUNT("/", "/sys/fs/cgroup"),
                 "/sys/fs/cgroup/user.slice/a b", fs);
    assert_found("0::/\n", MOUNT("/", "/sys/fs/cgroup"), fs, fs);
    assert_found("12:cpu,cpuacct:/x\n1:name=systemd:/y\n0::/z\n",
                 VERSION_1 MOUNT("/", "/sys/fs/cgroup/unified"),
                 "/sys/fs/cgroup/unified/z", "/sys/fs/cgroup/unified");
}

static void where_a_part_is_mounted_the_rest_of_the_path_counts(void **state) {
    (void)state;
    const char *const mounts = MOUNT("/docker/a", "/c");
    assert_found("0::/docker/a\n", mounts, "/c", "/c");
    assert_found("0::/docker/a/b\n", mounts, "/c/b", "/c");
    assert_none("0::/docker/ab\n", mounts, "without our group");
    assert_none("0::/docker\n", mounts, "without our group");
}

static void a_path_with_blanks_is_read_as_it_is(void **state) {
    (void)state;
    assert_found("0::/g\n", MOUNT("/", "/a\\040b\\134\\011"), "/a b\\\t/g", "/a b\\\t");
    assert_found("0::/x y/g\n", MOUNT("/x\\040y", "/c"), "/c/g", "/c");
    const char *const wrong[] = {MOUNT("/", "/a\\04"),  MOUNT("/", "/a\\948"),
                                 MOUNT("/", "/a\\000"), MOUNT("/", "/a\\777"),
                                 MOUNT("/", "a"),       MOUNT("x", "/c")};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        assert_none("0::/g\n", wrong[i], NULL);
}

static void of_several_mounts_the_last_that_shows_the_group_counts(void **state) {
    (void)state;
    assert_found("0::/g\n", MOUNT("/", "/a") MOUNT("/", "/b") MOUNT("/other", "/c"),
                 "/b/g", "/b");
}

static void what_a_namespace_hides_is_refused_by_name(void **state) {
    (void)state;
    assert_none("0::/../x\n", MOUNT("/", "/c"), "outside of the cgroup namespace");
    assert_none("0::/..\n", MOUNT("/..", "/c"), "outside of the cgroup namespace");
    assert_none("0::/\n", MOUNT("/..", "/c"), "without our group");
}

static void version_1_alone_is_refused_by_name(void **state) {
    (void)state;
    assert_none("4:memory:/x\n", VERSION_1, "no group of cgroup v2");
    assert_none("4:memory:/x\n0::/\n", TMPFS VERSION_1, "v2 is not mounted");
    assert_none("0::/\n", "", "v2 is not mounted");
    assert_none("0::x\n", MOUNT("/", "/c"), "no group of cgroup v2");
    assert_none("0::/no newline", MOUNT("/", "/c"), "no group of cgroup v2");
}

static void a_path_that_does_not_fit_is_refused(void **state) {
    (void)state;
    char group[ROOM + 8], folder[ROOM], longest[6000];
    memset(folder, 'g', sizeof folder);
    memcpy(folder, "/c/", 3);
    folder[ROOM - 1] = '\0';
    snprintf(group, sizeof group, "0::%s\n", folder + 2);
    assert_found(group, MOUNT("/", "/c"), folder, "/c");
    assert_none(group, MOUNT("/", "/cc"), "too long");
    memset(longest, 'g', sizeof longest);
    memcpy(longest, "0::/", 4);
    memcpy(longest + sizeof longest - 2, "\n", 2);
    assert_none(longest, MOUNT("/", "/c"), "too long");
}

static void a_mount_not_as_the_kernel_writes_it_is_refused(void **state) {
    (void)state;
    const char *const wrong[] = {"\n", "30\n", "30 23 0:26 / /c rw shared:1\n",
                                 "30 23 0:26 / /c rw -\n"};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        assert_none("0::/\n", wrong[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_group_is_a_folder_below_the_mount),
        cmocka_unit_test(where_a_part_is_mounted_the_rest_of_the_path_counts),
        cmocka_unit_test(a_path_with_blanks_is_read_as_it_is),
        cmocka_unit_test(of_several_mounts_the_last_that_shows_the_group_counts),
        cmocka_unit_test(what_a_namespace_hides_is_refused_by_name),
        cmocka_unit_test(version_1_alone_is_refused_by_name),
        cmocka_unit_test(a_path_that_does_not_fit_is_refused),
        cmocka_unit_test(a_mount_not_as_the_kernel_writes_it_is_refused),
    };
    return cmocka_run_group_tests_name("cgroup_find", tests, NULL, NULL);
}
