/* Many processes asked at the same time: this one stands for them, and answers itself;
 * every allocation failing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing.h"
#include "targets.h"
#include "topic.h"

static char runtime[64], path[KRS_PLACE_PATH];
static int listener;
static pid_t pids[2]; /* this one, and one that is not there */

static int listen_here(void **state) {
    (void)state;
    strcpy(runtime, "/tmp/krs-targets-XXXXXX");
    pids[0] = getpid();
    pids[1] = 4194002;
    return mkdtemp(runtime) == NULL || setenv("XDG_RUNTIME_DIR", runtime, 1) < 0 ||
           krs_place_listen(pids[0], &listener, path) != KRS_OK;
}

static int leave(void **state) {
    char command[96];
    (void)state;
    close(listener);
    snprintf(command, sizeof command, "rm -rf '%s'", runtime);
    return system(command);
}

static krs_targets both(void) {
    return (krs_targets){.only = pids, .only_count = 2};
}

static krs_target *find(const krs_targets *targets, pid_t pid) {
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i]->pid == pid)
            return targets->items[i];
    return NULL;
}

/* Takes the question and sends `models` rows, and the process if `whole`. */
static int answer(uint64_t models, int whole) {
    static char bytes[KRS_FRAME_MOST];
    int client, descriptor;
    krs_frame frame;
    assert_int_equal(krs_socket_accept(listener, &client), KRS_OK);
    assert_int_equal(krs_frame_receive(client, bytes, &frame, &descriptor), KRS_OK);
    assert_int_equal(frame.kind, KRS_FRAME_QUESTION);
    assert_int_equal(frame.values[KRS_QUESTION_VERB], KRS_VERB_TOP);
    for (uint64_t i = 0; i < models; i++) {
        frame = (krs_frame){.kind = KRS_FRAME_MODEL,
                            .values = {i + 1, 10, 0, 0, 0},
                            .text = "name\0Class",
                            .length = 10};
        assert_int_equal(krs_frame_send(client, &frame, -1), KRS_OK);
    }
    frame = (krs_frame){.kind = KRS_FRAME_PROCESS,
                        .values = {[KRS_PROCESS_MODELS] = models},
                        .text = "",
                        .length = 0};
    if (whole)
        assert_int_equal(krs_frame_send(client, &frame, -1), KRS_OK);
    return client;
}

static void each_is_asked_once_until_it_has_answered(void **state) {
    krs_targets targets = both();
    (void)state;
    krs_targets_look(&targets);
    assert_int_equal(targets.count, 2);
    assert_int_equal(find(&targets, pids[1])->trouble, KRS_TROUBLE_ABSENT);
    krs_target *here = find(&targets, pids[0]);
    assert_true(here->facts.rss > 0);
    krs_targets_ask(&targets);
    const int first = here->socket;
    assert_true(first >= 0);
    assert_true(krs_targets_judge(&targets) > 1000);
    krs_targets_ask(&targets);
    assert_int_equal(here->socket, first);
    const int client = answer(3, 0);
    assert_int_equal(krs_targets_wait(&targets, NULL, 0, 1000), 1);
    assert_int_equal(here->rows.complete, 0); /* rows alone are no answer */
    assert_int_equal(here->rows.count, 0);
    close(client);
    assert_int_equal(krs_targets_wait(&targets, NULL, 0, 1000), 1);
    assert_int_equal(here->trouble, KRS_TROUBLE_CLOSED);
    krs_targets_ask(&targets);
    close(answer(2, 1));
    assert_int_equal(krs_targets_wait(&targets, NULL, 0, 1000), 1);
    assert_int_equal(here->trouble, KRS_TROUBLE_NONE);
    assert_int_equal(here->rows.count, 2);
    assert_int_equal(here->socket, -1);
    assert_int_equal(krs_targets_judge(&targets), -1);
    krs_targets_free(&targets);
}

static void one_that_is_late_is_busy_and_keeps_what_was_seen(void **state) {
    krs_targets targets = both();
    (void)state;
    krs_targets_look(&targets);
    krs_targets_ask(&targets);
    close(answer(2, 1));
    krs_targets_wait(&targets, NULL, 0, 1000);
    krs_targets_ask(&targets);
    krs_target *here = find(&targets, pids[0]);
    here->asked -= UINT64_C(3000000000);
    assert_int_equal(krs_targets_judge(&targets), -1);
    assert_int_equal(here->trouble, KRS_TROUBLE_BUSY);
    assert_int_equal(here->rows.count, 2);
    assert_true(here->socket >= 0);
    close(answer(1, 1)); /* late, and taken */
    krs_targets_wait(&targets, NULL, 0, 1000);
    assert_int_equal(here->trouble, KRS_TROUBLE_NONE);
    assert_int_equal(here->rows.count, 1);
    krs_targets_free(&targets);
}

/* Whatever fails, the rest is there, `failed` or the process says so, and the next look
 * is whole. */
static void without_memory_the_rest_goes_on(void **state) {
    (void)state;
    for (long nth = 1;; nth++) {
        krs_targets targets = both();
        failing = nth;
        krs_targets_look(&targets);
        krs_targets_ask(&targets);
        krs_target *here = find(&targets, pids[0]);
        int client = -1;
        if (here != NULL)
            client = answer(40, 1);
        krs_targets_wait(&targets, NULL, 0, 10);
        const int failed = failing <= 0;
        failing = 0;
        here = find(&targets, pids[0]);
        const int told =
            targets.failed || (here != NULL && here->trouble == KRS_TROUBLE_NOMEM);
        assert_int_equal(told, failed);
        if (client >= 0)
            close(client);
        krs_targets_free(&targets);
        if (!failed) {
            assert_true(nth > 6);
            return;
        }
    }
}

static void a_list_without_memory_says_so(void **state) {
    krs_pids found = {0};
    int here = 0;
    (void)state;
    failing = 1;
    krs_pids_list(&found);
    failing = 0;
    assert_int_equal(found.failed, 1);
    krs_pids_list(&found);
    assert_int_equal(found.failed, 0);
    for (size_t i = 0; i < found.count; i++) {
        here += found.pids[i] == pids[0];
        assert_true(i == 0 || found.pids[i] > found.pids[i - 1]);
    }
    assert_int_equal(here, 1);
    krs_pids_free(&found);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, listen_here, leave)
    const struct CMUnitTest tests[] = {
        TEST(each_is_asked_once_until_it_has_answered),
        TEST(one_that_is_late_is_busy_and_keeps_what_was_seen),
        TEST(without_memory_the_rest_goes_on),
        TEST(a_list_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
