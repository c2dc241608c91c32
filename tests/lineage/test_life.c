/* SPDX-License-Identifier: Apache-2.0 */

/* test_life.c: initialize, terminate, and what is left in a forked child. */

#include "lineage/life.h"

#include <brood/context.h>
#include <brood/observe.h>

#include <stdio.h>

#include "lineage/fake.h"
#include "lineage/values.h"

static char g_lines[500];
static char g_order[20];
static apr_status_t g_status;
static brood__manager_t *g_manager;
static int g_holds; /* what the part's wait() answers until it is canceled */

static void note_line(int level, const char *line, void *baton)
{
    const size_t n = strlen(g_lines);

    (void)baton;
    snprintf(g_lines + n, sizeof(g_lines) - n, "%d %s\n", level, line);
}

static void mark(char letter)
{
    const size_t n = strlen(g_order);

    if (n + 1 < sizeof(g_order)) {
        g_order[n] = letter;
        g_order[n + 1] = '\0';
    }
}

static void part_stop(int cancel)
{
    mark(cancel ? 'c' : 's');
    if (cancel)
        g_holds = 0;
}

static apr_status_t part_wait(int64_t deadline)
{
    mark('w');
    if (g_holds)
        CU_ASSERT(deadline >= 0);
    return g_holds ? APR_TIMEUP : APR_SUCCESS;
}

static void part_free(void)
{
    mark('f');
}

static void part_child(void)
{
    mark('!');
}

static brood__part_t g_part = { .stop = part_stop,
                                .wait = part_wait,
                                .free = part_free,
                                .child = part_child };

static void begin(void)
{
    memset(&fakes, 0, sizeof(fakes));
    g_lines[0] = '\0';
    g_holds = 0;
    ASSERT_STATUS(APR_SUCCESS, brood_initialize());
    brood__life_add(&g_part);
    g_order[0] = '\0';
}

static void calls_before_initialize_are_refused(void)
{
    brood_lineage_t *lineage;
    brood_context_key_t *key;
    apr_thread_t *thread;

    ASSERT_STATUS(APR_EINIT, brood_lineage_capture(&lineage));
    ASSERT_STATUS(APR_EINIT, brood_lineage_set_default(NULL));
    ASSERT_STATUS(APR_EINIT, brood_context_key_make(&key, "key"));
    ASSERT_STATUS(APR_EINIT,
                  brood_thread_create(&thread, NULL, NULL, NULL, NULL));
    ASSERT_STATUS(APR_EINIT,
                  brood__manager_get(&g_manager, &fake_kind, "a", 0));
    CU_ASSERT_EQUAL(brood_lineage_serial(), 0);
    CU_ASSERT_PTR_NULL(brood__manager_find(&fake_kind, "a", NULL));
    brood_terminate(); /* nothing to end */
    brood_lineage_detach();
}

static void the_library_is_counted_and_begins_anew(void)
{
    uint64_t serial;
    int i;

    begin();
    ASSERT_STATUS(APR_SUCCESS, brood_initialize());
    serial = brood_lineage_serial();
    brood_terminate();
    CU_ASSERT_EQUAL(brood_lineage_serial(), serial);
    brood_terminate();
    CU_ASSERT_EQUAL(brood_lineage_serial(), 0);
    for (i = 0; i < 100; i++) {
        ASSERT_STATUS(APR_SUCCESS, brood_initialize());
        CU_ASSERT(brood_lineage_serial() > serial);
        CU_ASSERT(get("a", 0) != NULL);
        brood_terminate();
    }
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static void terminate_finishes_every_manager(void)
{
    begin();
    (void)get("a", 0);
    (void)get("a", BROOD_GET_FORCE_CREATE);
    (void)get("b", 0);
    brood_terminate();
    CU_ASSERT_EQUAL(brood__load(&fakes.retired, relaxed), 3);
    CU_ASSERT_EQUAL(brood__load(&fakes.freed, relaxed), 3);
    CU_ASSERT_EQUAL(brood__load(&fakes.canceled, relaxed), 0);
    CU_ASSERT_EQUAL(brood__load(&fakes.on_other, relaxed), 0);
    CU_ASSERT_STRING_EQUAL(g_order, "swf");
}

static void what_does_not_drain_in_time_is_canceled_and_logged(void)
{
    begin();
    brood_log_hook_set(note_line, NULL);
    brood_terminate_timeout_set(1000);
    brood__store(&fakes.holds, 1, relaxed);
    (void)get("a", 0);
    brood_terminate();
    CU_ASSERT_EQUAL(brood__load(&fakes.canceled, relaxed), 1);
    CU_ASSERT_EQUAL(brood__load(&fakes.freed, relaxed), 1);
    CU_ASSERT_STRING_EQUAL(g_order, "swcwf");
    CU_ASSERT_STRING_EQUAL(g_lines,
                           "0 brood_terminate: not drained within 1 ms,"
                           " canceling (managers: 1)\n");

    begin();
    g_holds = 1;
    brood_terminate();
    CU_ASSERT_STRING_EQUAL(g_order, "swcwf");
    CU_ASSERT(strstr(g_lines, "(managers: ") != NULL);
    brood_terminate_timeout_set(30 * 1000000);
    brood_log_hook_set(NULL, NULL);
}

/* On the collector, as a task of a manager that is drained would. */
static void get_in_finish(brood__manager_t *manager)
{
    brood__frame_t saved;

    brood__frame_begin(&saved, manager->service, NULL);
    g_manager = get("a", 0);
    g_status = brood__manager_get(&(brood__manager_t *){ NULL }, &fake_kind,
                                  "new", 0);
    brood__frame_end(&saved);
}

static void while_it_ends_old_managers_are_found_and_no_new_ones_made(void)
{
    brood__manager_t *manager;

    begin();
    fakes.in_finish = get_in_finish;
    manager = get("a", 0);
    brood_terminate();
    CU_ASSERT_PTR_EQUAL(g_manager, manager);
    ASSERT_STATUS(BROOD_ESTOPPED, g_status);
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
}

typedef struct resting_t {
    door_t ready;
    door_t go;
} resting_t;

static void *rest(void *baton)
{
    resting_t *resting = baton;

    (void)get("of a resting thread", 0);
    door_open(&resting->ready);
    door_wait(&resting->go);
    return NULL;
}

static void terminate_cleans_up_behind_threads_that_are_still_there(void)
{
    resting_t resting;
    pthread_t thread;

    begin();
    door_init(&resting.ready);
    door_init(&resting.go);
    pthread_create(&thread, NULL, rest, &resting);
    door_wait(&resting.ready);
    brood_terminate();
    CU_ASSERT_EQUAL(brood__node_count(), 0);
    CU_ASSERT_EQUAL(brood__load(&fakes.freed, relaxed), 1);
    door_open(&resting.go);
    pthread_join(thread, NULL);
    door_fini(&resting.ready);
    door_fini(&resting.go);
}

static void end_within(void *unused)
{
    (void)unused;
    brood_terminate();
    g_status = brood_initialize();
}

static void within_a_task_terminate_cancels_and_does_not_join(void)
{
    begin();
    brood__store(&fakes.holds, 1, relaxed);
    (void)get("a", 0);
    in_task(end_within, NULL);
    ASSERT_STATUS(BROOD_ESTOPPED, g_status);
    ASSERT_STATUS(BROOD_ESTOPPED, brood_initialize());
    CU_ASSERT_STRING_EQUAL(g_order, "sc");
    WAIT_UNTIL(brood__load(&fakes.finished, acquire) == 1);
    brood_terminate(); /* here it can be waited for */
    CU_ASSERT_EQUAL(brood__load(&fakes.freed, relaxed), 1);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
    brood_terminate(); /* once too often: harmless */
    begin();
    brood_terminate();
}

/* ---- forks ---------------------------------------------------------------- */

static int show(const brood_lineage_info_t *info, void *baton)
{
    (void)info;
    (void)baton;
    return 1;
}

/* Returns the number of the first call that did not do what it should. */
static int child_is_refused(void *baton)
{
    brood_lineage_t *lineage = baton;
    brood_context_key_t *key = NULL;
    apr_thread_t *thread = NULL;
    const brood_watchdog_options_t options = BROOD_WATCHDOG_OPTIONS_INIT;
    const apr_status_t seen[] = {
        brood_initialize(),
        brood_lineage_capture(&lineage),
        brood_lineage_attach(baton),
        brood_lineage_set_default(baton),
        brood_lineage_each(show, NULL),
        brood_context_key_make(&key, "key"),
        brood_context_set(key, &key, NULL),
        brood_thread_create(&thread, NULL, NULL, NULL, NULL),
        brood__manager_get(&g_manager, &fake_kind, "a", 0),
        brood__manager_get(&g_manager, &fake_kind, "b", 0),
        brood_watchdog_set(&options),
    };
    size_t i;

    for (i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
        if (seen[i] != BROOD_EFORKED)
            return 1 + (int)i;
    if (brood_lineage_serial() || brood_lineage_parent_serial()
        || brood_lineage_release(baton) || brood_context_get(key)
        || brood__manager_find(&fake_kind, "a", NULL))
        return 50;
    brood_lineage_detach();
    brood_log_hook_set(note_line, NULL);
    brood_task_hooks_set(NULL, NULL, NULL);
    brood_terminate();
    brood_terminate();
    brood__self_exit(); /* as the exit hook would */
    return strcmp(g_order, "!") == 0 ? 0 : 51;
}

static void *make_managers(void *go_on)
{
    while (brood__load((atomic_int *)go_on, relaxed)) {
        (void)get("busy", 0);
        brood__self_exit();
    }
    return NULL;
}

/* Other threads hold locks at the moment of the fork. */
static void in_a_child_every_call_is_refused_and_none_hangs(void)
{
    brood_lineage_t *lineage = NULL;
    atomic_int go_on = 1;
    pthread_t thread;
    unsigned i;

    TEST_NEEDS_FORK();
    begin();
    (void)get("a", 0);
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_capture(&lineage));
    pthread_create(&thread, NULL, make_managers, &go_on);
    for (i = 0; i < test_rounds(20); i++)
        CU_ASSERT_EQUAL(test_in_child(child_is_refused, lineage), 0);
    brood__store(&go_on, 0, relaxed);
    pthread_join(thread, NULL);
    CU_ASSERT(is_there("a")); /* the parent does not mind */
    CU_ASSERT_STRING_EQUAL(g_order, "");
    brood_lineage_release(lineage);
    brood_terminate();
}

static int child_begins(void *unused)
{
    (void)unused;
    if (brood_initialize() != APR_SUCCESS || !get("a", 0))
        return 1;
    brood_terminate();
    return brood__manager_count() ? 2 : 0;
}

static void a_child_forked_before_may_initialize(void)
{
    CU_ASSERT_EQUAL(test_in_child(child_begins, NULL), 0);
    begin();
    brood_terminate();
    CU_ASSERT_EQUAL(test_in_child(child_begins, NULL), 0);
}

static const test_t tests[] = {
    TEST(calls_before_initialize_are_refused),
    TEST(a_child_forked_before_may_initialize),
    TEST(the_library_is_counted_and_begins_anew),
    TEST(terminate_finishes_every_manager),
    TEST(what_does_not_drain_in_time_is_canceled_and_logged),
    TEST(while_it_ends_old_managers_are_found_and_no_new_ones_made),
    TEST(terminate_cleans_up_behind_threads_that_are_still_there),
    TEST(within_a_task_terminate_cancels_and_does_not_join),
    TEST(in_a_child_every_call_is_refused_and_none_hangs),
};
HARNESS_MAIN_BARE("life", tests)
