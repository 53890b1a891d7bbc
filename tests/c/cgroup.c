/* Groups of cgroup v2, on a tree of plain files: places found or refused by name,
 * nothing left behind, limits set, processes ended. On the kernel's own as far as this
 * machine lets us. */
#include "proc/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing.h"
#include "fake_cgroup.h"
#include "topic.h"

int __real_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);

static int start(void **state) {
    (void)state;
    fake_start();
    return 0;
}

static int stop(void **state) {
    (void)state;
    fake_stop();
    return 0;
}

/* ---- places ------------------------------------------------------------------- */

static void assert_place(const char *own, const char *at) {
    krs__cgroup_place *place;
    const char *reason = NULL;
    const int groups = fake_groups();
    assert_int_equal(krs__cgroup_place_open(fake_files(own), &place, &reason), KRS_OK);
    assert_int_equal(
        strncmp(krs__cgroup_place_folder(place), fake_root(), strlen(fake_root())), 0);
    assert_string_equal(krs__cgroup_place_folder(place) + strlen(fake_root()), at);
    assert_null(reason);
    assert_int_equal(fake_groups(), groups);
    krs__cgroup_place_close(place);
}

static void assert_no_place(const char *own, const char *part) {
    krs__cgroup_place *const untouched = (krs__cgroup_place *)&fake, *place = untouched;
    const char *reason = NULL;
    const int groups = fake_groups();
    assert_int_equal(krs__cgroup_place_open(fake_files(own), &place, &reason),
                     KRS_UNSUPPORTED);
    assert_ptr_equal(place, untouched);
    if (strstr(reason, part) == NULL)
        fail_msg("\"%s\" and not \"%s\"", reason, part);
    assert_int_equal(fake_groups(), groups);
}

static void what_a_killed_process_left_is_removed_and_nothing_else(void **state) {
    (void)state;
    krs__cgroup_place *place;
    const char *reason, *left = "keraser-999999999-1"; /* above any process's number */
    char alive[64], path[4096];
    snprintf(alive, sizeof alive, "keraser-%ld-1", (long)getpid());
    const char *names[] = {left, alive, "keraser-999999999", "keraser-x-1", "other"};
    fake_group("/user", "cpu memory\n", "memory\n", "");
    fake_group("/user/own", "memory\n", "", "77\n");
    assert_int_equal(krs__cgroup_place_open(fake_files("/user/own"), &place, &reason),
                     KRS_OK);
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        snprintf(path, sizeof path, "%s/user/%s", fake_root(), names[i]);
        assert_int_equal(__real_mkdir(path, 0700), 0);
    }
    krs__cgroup_place_sweep(place, "keraser-");
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        snprintf(path, sizeof path, "%s/user/%s", fake_root(), names[i]);
        assert_int_equal(__real_rmdir(path), names[i] == left ? -1 : 0);
    }
    krs__cgroup_place_close(place);
}

static void
the_parent_of_our_group_is_the_place_where_it_passes_memory_on(void **state) {
    (void)state;
    fake_group("/user", "cpu memory\n", "memory\n", "");
    fake_group("/user/own", "memory\n", "", "77\n");
    assert_place("/user/own", "/user");
    assert_string_equal(fake_read("/user", "cgroup.subtree_control"), "memory\n");
}

static void a_group_that_holds_no_process_is_told_to_pass_memory_on(void **state) {
    (void)state;
    fake_group("/user", "cpu memory\n", "cpu\n", "");
    fake_group("/user/own", "cpu\n", "", "77\n");
    assert_place("/user/own", "/user");
    assert_string_equal(fake_read("/user", "cgroup.subtree_control"), "+memory");
}

static void the_root_passes_memory_on_whoever_is_in_it(void **state) {
    (void)state;
    fake_write("/", "cgroup.subtree_control", "\n");
    fake_group("/own", "cpu\n", "", "77\n");
    assert_place("/own", "");
    assert_string_equal(fake_read("/", "cgroup.subtree_control"), "+memory");
    assert_place("/", "");
}

static void a_group_with_processes_of_its_own_is_passed_over(void **state) {
    (void)state;
    fake_group("/a", "memory\n", "memory\n", "");
    fake_group("/a/b", "memory\n", "\n", "76\n");
    fake_group("/a/b/own", "memory\n", "\n", "77\n");
    assert_place("/a/b/own", "/a");
    assert_string_equal(fake_read("/a/b", "cgroup.subtree_control"), "\n");
}

static void a_name_that_only_begins_like_the_controller_is_not_it(void **state) {
    (void)state;
    fake_write("/", "cgroup.controllers", "cpu memory_of_old xmemory\n");
    assert_no_place("/", "memory controller");
}

static void a_hierarchy_without_the_controller_is_refused_by_name(void **state) {
    (void)state;
    fake_write("/", "cgroup.controllers", "hugetlb\n");
    fake_group("/own", "hugetlb\n", "", "77\n");
    assert_no_place("/own", "no group above ours has the memory controller");
}

static void what_is_not_writable_is_refused_by_name(void **state) {
    (void)state;
    fake_group("/own", "memory\n", "", "77\n");
    fake.read_only = true;
    assert_no_place("/own", "not writable");
    fake.read_only = false;
    fake.mkdir_error = EACCES;
    assert_no_place("/own", "no group can be made");
}

static void
a_group_without_a_limit_is_taken_back_with_what_was_passed_on(void **state) {
    (void)state;
    fake_write("/", "cgroup.subtree_control", "\n");
    fake.lacks = "memory.max";
    assert_no_place("/", "has no limit on memory");
    assert_string_equal(fake_read("/", "cgroup.subtree_control"), "-memory");
}

static void each_step_of_the_trial_may_fail_and_leaves_nothing(void **state) {
    (void)state;
    const char *const files[] = {"memory.max", "memory.swap.max", "memory.oom.group",
                                 "cgroup.subtree_control"};
    for (size_t i = 0; i < LENGTH_OF(files); i++) {
        fake_write("/", "cgroup.subtree_control", "\n");
        fake.write_fails = files[i];
        assert_no_place("/", i == 3 ? "cannot be passed on" : "no group can be made");
    }
}

static void a_limit_of_our_own_group_is_not_escaped(void **state) {
    (void)state;
    fake_group("/own", "memory\n", "", "77\n");
    assert_place("/own", "");
    fake_write("/own", "memory.max", "1073741824\n");
    assert_no_place("/own", "would escape");
    fake_write("/own", "memory.max", "max\n");
    fake_write("/own", "memory.high", "1073741824\n");
    assert_no_place("/own", "would escape");
}

static void a_limit_of_the_place_itself_is_kept_and_no_matter(void **state) {
    (void)state;
    fake_group("/user", "memory\n", "memory\n", "");
    fake_group("/user/own", "memory\n", "", "77\n");
    fake_write("/user", "memory.max", "1073741824\n");
    assert_place("/user/own", "/user");
}

static void a_group_that_is_gone_leads_to_the_one_above(void **state) {
    (void)state;
    assert_place("/own (deleted)", "");
}

/* ---- groups ------------------------------------------------------------------- */

static krs__cgroup_place *open_place(void) {
    krs__cgroup_place *place;
    const char *reason;
    fake_group("/place", "memory\n", "memory\n", "");
    fake_group("/place/own", "memory\n", "", "77\n");
    assert_int_equal(krs__cgroup_place_open(fake_files("/place/own"), &place, &reason),
                     KRS_OK);
    return place;
}

static krs__cgroup *made(uint64_t memory) {
    krs__cgroup_place *place = open_place();
    krs__cgroup *group;
    assert_int_equal(krs__cgroup_new(place, "trial", memory, &group), KRS_OK);
    krs__cgroup_place_close(place);
    return group;
}

static void a_new_group_has_its_limit_and_no_swap_and_ends_as_one(void **state) {
    (void)state;
    krs__cgroup *group = made(UINT64_C(3) << 30);
    assert_string_equal(fake_read("/place/trial", "memory.max"), "3221225472");
    assert_string_equal(fake_read("/place/trial", "memory.swap.max"), "0");
    assert_string_equal(fake_read("/place/trial", "memory.oom.group"), "1");
    fake.interruptions = 2;
    assert_int_equal(krs__cgroup_enter(group, 4711), KRS_OK);
    assert_string_equal(fake_read("/place/trial", "cgroup.procs"), "4711");
    const int groups = fake_groups();
    assert_int_equal(krs__cgroup_free(group), KRS_OK);
    assert_int_equal(fake_groups(), groups - 1);
}

static void a_kernel_without_swap_or_group_kill_will_do(void **state) {
    (void)state;
    const char *const files[] = {"memory.swap.max", "memory.oom.group"};
    krs__cgroup_place *place = open_place();
    for (size_t i = 0; i < LENGTH_OF(files); i++) {
        krs__cgroup *group;
        fake.lacks = files[i];
        assert_int_equal(krs__cgroup_new(place, "trial", 1 << 20, &group), KRS_OK);
        assert_int_equal(krs__cgroup_free(group), KRS_OK);
    }
    krs__cgroup_place_close(place);
}

static void a_group_that_cannot_be_made_whole_is_not_made(void **state) {
    (void)state;
    const char *const files[] = {"memory.max", "memory.swap.max", "memory.oom.group"};
    krs__cgroup_place *place = open_place();
    krs__cgroup *const untouched = (krs__cgroup *)&fake, *group = untouched;
    const int groups = fake_groups();
    for (size_t i = 0; i < LENGTH_OF(files); i++) {
        fake.write_fails = files[i];
        assert_int_equal(krs__cgroup_new(place, "trial", 1, &group), KRS_SYSTEM);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(fake_groups(), groups);
    }
    fake.write_fails = NULL;
    fake.mkdir_error = ENOSPC;
    assert_int_equal(krs__cgroup_new(place, "trial", 1, &group), KRS_SYSTEM);
    assert_int_equal(errno, ENOSPC);
    fake.mkdir_error = 0;
    assert_int_equal(krs__cgroup_new(place, "own", 1, &group), KRS_SYSTEM);
    assert_int_equal(errno, EEXIST);
    assert_string_equal(fake_read("/place/own", "memory.max"), "max\n");
    const char *const names[] = {"", ".", "..", ".x", "a/b", "/a", "a\n"};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        assert_int_equal(krs__cgroup_new(place, names[i], 1, &group), KRS_INVALID);
    assert_ptr_equal(group, untouched);
    assert_int_equal(fake_groups(), groups);
    krs__cgroup_place_close(place);
}

static void figures_are_read_or_refused(void **state) {
    (void)state;
    krs__cgroup_figures f;
    krs__cgroup *group = made(1 << 20);
    fake_write("/place/trial", "memory.current", "5000\n");
    fake_write("/place/trial", "memory.peak", "18446744073709551615\n");
    fake_write("/place/trial", "memory.events",
               "oom 9\noom_kill 3\noom_group_kill 7\n");
    assert_int_equal(krs__cgroup_read(group, &f), KRS_OK);
    assert_int_equal(f.current, 5000);
    assert_true(f.peak == UINT64_MAX);
    assert_int_equal(f.oom_kills, 3);
    const char *const wrong[][2] = {
        {"memory.current", "5000"},
        {"memory.current", "max\n"},
        {"memory.current", "5000\n6\n"},
        {"memory.current", ""},
        {"memory.current", "-1\n"},
        {"memory.peak", "1 \n"},
        {"memory.events", "oom_kill x\n"},
        {"memory.events", "oom 1\n"},
        {"memory.events", "oom_kill 1"},
        {"memory.events", "oom_kill 1\noom_kill 1\n"},
    };
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        char right[256];
        strcpy(right, fake_read("/place/trial", wrong[i][0]));
        fake_write("/place/trial", wrong[i][0], wrong[i][1]);
        assert_int_equal(krs__cgroup_read(group, &f), KRS_FORMAT);
        fake_write("/place/trial", wrong[i][0], right);
    }
    assert_int_equal(f.current, 5000);
    krs__cgroup_free(group);
}

static void a_kernel_that_tells_no_peak_is_understood(void **state) {
    (void)state;
    krs__cgroup_figures f = {1, 2, 3};
    fake.lacks = "memory.peak";
    krs__cgroup *group = made(1 << 20);
    assert_int_equal(krs__cgroup_read(group, &f), KRS_OK);
    assert_int_equal(f.peak, 0);
    krs__cgroup_free(group);
    fake.lacks = "memory.events";
    krs__cgroup_place *place;
    const char *reason;
    assert_int_equal(krs__cgroup_place_open(fake_files("/place/own"), &place, &reason),
                     KRS_OK);
    assert_int_equal(krs__cgroup_new(place, "trial", 1, &group), KRS_OK);
    f.peak = 2;
    assert_int_equal(krs__cgroup_read(group, &f), KRS_SYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(f.peak, 2);
    krs__cgroup_free(group);
    krs__cgroup_place_close(place);
}

static void all_are_ended_by_one_file_where_there_is_it(void **state) {
    (void)state;
    krs__cgroup *group = made(1 << 20);
    fake_write("/place/trial", "cgroup.procs", "5\n");
    assert_int_equal(krs__cgroup_kill(group), KRS_OK);
    assert_string_equal(fake_read("/place/trial", "cgroup.kill"), "1");
    assert_int_equal(fake.kills, 0);
    fake.write_fails = "cgroup.kill";
    assert_int_equal(krs__cgroup_kill(group), KRS_SYSTEM);
    assert_int_equal(fake.kills, 0);
    krs__cgroup_free(group);
}

static void else_each_is_ended_and_those_started_meanwhile(void **state) {
    (void)state;
    fake.lacks = "cgroup.kill";
    krs__cgroup *group = made(1 << 20);
    fake_write("/place/trial", "cgroup.procs", "0\n5\n4000000\n0\n99999999999\n6\n");
    fake.procs_after = (const char *const[]){"7\n", "7\n", "0\n"};
    assert_int_equal(krs__cgroup_kill(group), KRS_OK);
    assert_int_equal(fake.killed[2], 7);
    assert_int_equal(fake.kills, 3); /* never our own group, which is 0, nor a wrong */
    assert_int_equal(fake.killed[0], 5);
    assert_int_equal(fake.killed[1], 4000000);
    fake.kills = 0;
    fake.procs_after = NULL;
    fake_write("/place/trial", "cgroup.procs", "");
    assert_int_equal(krs__cgroup_kill(group), KRS_OK);
    assert_int_equal(fake.kills, 0);
    krs__cgroup_free(group);
}

static void a_group_that_is_still_busy_stays_good(void **state) {
    (void)state;
    krs__cgroup_figures f;
    krs__cgroup *group = made(1 << 20);
    fake.rmdir_error = EBUSY;
    assert_int_equal(krs__cgroup_free(group), KRS_SYSTEM);
    assert_int_equal(errno, EBUSY);
    assert_int_equal(krs__cgroup_read(group, &f), KRS_OK);
    fake.rmdir_error = 0;
    assert_int_equal(krs__cgroup_free(group), KRS_OK);
    assert_int_equal(krs__cgroup_free(NULL), KRS_OK);
    krs__cgroup_forget(NULL);
    krs__cgroup_place_close(NULL);
}

static void one_that_somebody_else_removed_is_freed(void **state) {
    (void)state;
    krs__cgroup *group = made(1 << 20);
    fake.rmdir_error = ENOENT;
    assert_int_equal(krs__cgroup_free(group), KRS_OK);
}

static void what_was_forgotten_is_still_there(void **state) {
    (void)state;
    const int groups = fake_groups();
    krs__cgroup_forget(made(1 << 20));
    assert_int_equal(fake_groups(), groups + 3); /* with those of the place */
}

/* ---- memory runs out ------------------------------------------------------------- */

static krs_status open_and_make(void) {
    krs__cgroup_place *const no_place = (krs__cgroup_place *)&fake, *place = no_place;
    krs__cgroup *const no_group = (krs__cgroup *)&fake, *group = no_group;
    const char *reason;
    krs_status status = krs__cgroup_place_open(fake_files("/own"), &place, &reason);
    if (status != KRS_OK) {
        assert_ptr_equal(place, no_place);
        return status;
    }
    status = krs__cgroup_new(place, "trial", 1 << 20, &group);
    krs__cgroup_place_close(place);
    if (status != KRS_OK) {
        assert_ptr_equal(group, no_group);
        return status;
    }
    status = krs__cgroup_kill(group);
    assert_int_equal(krs__cgroup_free(group), KRS_OK);
    return status;
}

static void every_allocation_may_fail_and_leaves_nothing(void **state) {
    (void)state;
    fake_write("/", "cgroup.subtree_control", "\n");
    fake_group("/own", "memory\n", "", "77\n");
    fake.lacks = "cgroup.kill";
    const int groups = fake_groups();
    long number = 0;
    krs_status status;
    do {
        failing = ++number;
        status = open_and_make();
        assert_int_equal(status, failing > 0 ? KRS_OK : KRS_NOMEM);
        assert_int_equal(fake_groups(), groups);
    } while (status != KRS_OK);
    failing = 0;
    assert_true(number >= 8);
}

/* ---- the kernel's own ----------------------------------------------------------- */

static void this_machine_has_a_place_or_says_why_not(void **state) {
    (void)state;
    krs__cgroup_place *place;
    const char *reason = NULL;
    const krs_status status = krs__cgroup_place_open(NULL, &place, &reason);
    if (status == KRS_OK) {
        print_message("groups are made in %s\n", krs__cgroup_place_folder(place));
        krs__cgroup_place_close(place);
    } else {
        assert_int_equal(status, KRS_UNSUPPORTED);
        print_message("no groups here: %s\n", reason);
        assert_true(strlen(reason) > 10);
    }
}

#define ON_FAKE(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_FAKE(what_a_killed_process_left_is_removed_and_nothing_else),
        ON_FAKE(the_parent_of_our_group_is_the_place_where_it_passes_memory_on),
        ON_FAKE(a_group_that_holds_no_process_is_told_to_pass_memory_on),
        ON_FAKE(the_root_passes_memory_on_whoever_is_in_it),
        ON_FAKE(a_group_with_processes_of_its_own_is_passed_over),
        ON_FAKE(a_name_that_only_begins_like_the_controller_is_not_it),
        ON_FAKE(a_hierarchy_without_the_controller_is_refused_by_name),
        ON_FAKE(what_is_not_writable_is_refused_by_name),
        ON_FAKE(a_group_without_a_limit_is_taken_back_with_what_was_passed_on),
        ON_FAKE(each_step_of_the_trial_may_fail_and_leaves_nothing),
        ON_FAKE(a_limit_of_our_own_group_is_not_escaped),
        ON_FAKE(a_limit_of_the_place_itself_is_kept_and_no_matter),
        ON_FAKE(a_group_that_is_gone_leads_to_the_one_above),
        ON_FAKE(a_new_group_has_its_limit_and_no_swap_and_ends_as_one),
        ON_FAKE(a_kernel_without_swap_or_group_kill_will_do),
        ON_FAKE(a_group_that_cannot_be_made_whole_is_not_made),
        ON_FAKE(figures_are_read_or_refused),
        ON_FAKE(a_kernel_that_tells_no_peak_is_understood),
        ON_FAKE(all_are_ended_by_one_file_where_there_is_it),
        ON_FAKE(else_each_is_ended_and_those_started_meanwhile),
        ON_FAKE(a_group_that_is_still_busy_stays_good),
        ON_FAKE(one_that_somebody_else_removed_is_freed),
        ON_FAKE(what_was_forgotten_is_still_there),
        ON_FAKE(every_allocation_may_fail_and_leaves_nothing),
        cmocka_unit_test(this_machine_has_a_place_or_says_why_not),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
