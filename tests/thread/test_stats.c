/* SPDX-License-Identifier: Apache-2.0 */

/* test_stats.c: the counters of an idle manager are exact. */

#include "thread/pool.h"

static apr_status_t g_failure = APR_EGENERAL;

static void quiet(apr_status_t status, const char *name, void *unused)
{
    (void)status;
    (void)name;
    (void)unused;
}

/* What was accepted went one way or another, and nothing is left. */
static void assert_balanced(pool_t *pool)
{
    brood_stats_t stats = stats_of(pool);

    CU_ASSERT_EQUAL(stats.submitted,
                    stats.completed + stats.failed + stats.canceled);
    CU_ASSERT_EQUAL(stats.queued, 0);
    CU_ASSERT_EQUAL(stats.running, 0);
    CU_ASSERT_EQUAL(stats.blocked, 0);
    CU_ASSERT_EQUAL(stats.oldest_age, 0);
}

static void each_task_is_counted_once(void)
{
    pool_t *pool = pool_of(1, 3);
    brood_task_options_t options = task_options();
    atomic_int counter = 0;
    brood_stats_t stats;
    int i;

    brood_unobserved_hook_set(quiet, NULL);
    for (i = 0; i < 300; i++) {
        options.priority = i % 3 - 1;
        options.delay = i % 2;
        submit_plain(pool, count, &counter);
        submit_plain(pool, fail, &g_failure);
        brood_future_release(submit(pool, count, &counter));
        brood_future_release(submit(pool, fail, &g_failure));
        brood_future_release(submit_with(pool, count, &counter, &options));
        ASSERT_STATUS(APR_SUCCESS,
                      outcome(submit_with(pool, count, &counter, &options)));
    }
    drain(pool);
    stats = stats_of(pool);
    CU_ASSERT_EQUAL(stats.failed, 600);
    CU_ASSERT_EQUAL((int)stats.completed, brood__load(&counter, relaxed));
    CU_ASSERT_EQUAL(stats.submitted, 1800);
    CU_ASSERT_EQUAL(stats.workers, 0);
    assert_balanced(pool);
    brood_unobserved_hook_set(NULL, NULL);
    leave_tree();
}

static void queued_and_running_are_seen(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_stats_t stats;
    stopper_t stopper;
    int i;

    occupy(pool, &stopper);
    for (i = 0; i < 100; i++)
        submit_plain(pool, nothing, NULL);
    stats = stats_of(pool);
    CU_ASSERT_EQUAL(stats.running, 1);
    CU_ASSERT_EQUAL(stats.queued, 100);
    CU_ASSERT_EQUAL(stats.submitted, 101);
    CU_ASSERT_EQUAL(stats.workers, 1);
    CU_ASSERT_EQUAL(stats.idle, 0);
    door_open(&stopper.go);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool, FOREVER));
    assert_balanced(pool);
    CU_ASSERT_EQUAL(stats_of(pool).completed, 101);
    drain_and_leave(pool);
    stopper_fini(&stopper);
}

static pool_t *g_pool;

static apr_status_t submit_and_wait(void *unused, void **value)
{
    brood_future_t *future = NULL;
    apr_status_t rv = brood_thread_manager_submit(&future, g_pool, nothing,
                                                  NULL, NULL);

    (void)unused;
    (void)value;
    if (rv == APR_SUCCESS)
        rv = brood_future_wait(future, FOREVER);
    brood_future_release(future);
    return rv;
}

/* Run in place by who waits; its entry in the queue is met later. */
static void a_task_in_place_is_counted_once(void)
{
    int i;

    g_pool = pool_of(1, 1);
    for (i = 0; i < 200; i++)
        ASSERT_STATUS(APR_SUCCESS,
                      outcome(submit(g_pool, submit_and_wait, NULL)));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(g_pool, FOREVER));
    assert_balanced(g_pool);
    CU_ASSERT_EQUAL(stats_of(g_pool).completed, 400);
    CU_ASSERT_EQUAL(stats_of(g_pool).canceled, 0);
    drain_and_leave(g_pool);
}

typedef struct outer_t {
    brood_future_t *inner;
    stopper_t stopper;
} outer_t;

static apr_status_t run_inner_then_stop(void *baton, void **value)
{
    outer_t *outer = baton;
    apr_status_t rv = brood_future_wait(outer->inner, FOREVER);

    return rv == APR_SUCCESS ? be_in_the_way(&outer->stopper, value) : rv;
}

static void a_cancel_does_not_count_what_ran_in_place(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t high = task_options();
    stopper_t first;
    outer_t outer;

    occupy(pool, &first);
    stopper_init(&outer.stopper);
    outer.inner = submit(pool, nothing, NULL);
    high.priority = BROOD_PRIORITY_HIGH;
    brood_future_release(submit_with(pool, run_inner_then_stop, &outer, &high));
    door_open(&first.go);
    door_wait(&outer.stopper.begun); /* inner has run, its entry is queued */
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
    door_open(&outer.stopper.go);
    cancel(pool);
    assert_balanced(pool);
    CU_ASSERT_EQUAL(stats_of(pool).completed, 3);
    CU_ASSERT_EQUAL(stats_of(pool).canceled, 0);
    ASSERT_STATUS(APR_SUCCESS, outcome(outer.inner));
    stopper_fini(&outer.stopper);
    stopper_fini(&first);
    leave_tree();
}

static void canceled_tasks_are_counted_once(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_future_t *futures[30];
    brood_task_options_t options = task_options();
    stopper_t stopper;
    int i;

    occupy(pool, &stopper);
    for (i = 0; i < 30; i++) {
        options.priority = i % 3 - 1;
        options.delay = i % 5 ? 0 : AN_HOUR;
        futures[i] = submit_with(pool, nothing, NULL, &options);
    }
    for (i = 0; i < 30; i += 2)
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(futures[i]));
    door_open(&stopper.go);
    drain(pool);
    assert_balanced(pool);
    CU_ASSERT_EQUAL(stats_of(pool).canceled, 15 + 3); /* and three not due */
    for (i = 0; i < 30; i++)
        brood_future_release(futures[i]);
    stopper_fini(&stopper);
    leave_tree();
}

static void told(brood_future_t *future, void *counter)
{
    (void)future;
    brood__add((atomic_int *)counter, 1, relaxed);
}

/* A notice is a task of its target; also one that a stop calls. */
static void notices_are_counted(void)
{
    brood_target_t where = BROOD_TARGET_INIT;
    pool_t *pool = pool_of(1, 1);
    brood_promise_t *promises[2];
    brood_future_t *futures[2];
    atomic_int counter = 0;
    int i;

    where.threads = pool;
    for (i = 0; i < 2; i++) {
        ASSERT_STATUS_FATAL(
            APR_SUCCESS, brood_promise_make(&promises[i], &futures[i], NULL));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_future_notify(futures[i], &where, told, &counter));
    }
    brood_promise_settle(promises[0], APR_SUCCESS, NULL);
    WAIT_UNTIL(brood__load(&counter, relaxed) == 1);
    cancel(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 2);
    assert_balanced(pool);
    CU_ASSERT_EQUAL(stats_of(pool).completed, 2);
    brood_promise_release(promises[1]);
    for (i = 0; i < 2; i++)
        brood_future_release(futures[i]);
    leave_tree();
}

static void the_histograms_are_samples(void)
{
    pool_t *pool = pool_of(1, 1);
    uint64_t waited = 0, ran = 0;
    brood_stats_t stats;
    int i;

    for (i = 0; i < 64 * 20; i++)
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    stats = stats_of(pool);
    for (i = 0; i < BROOD_HISTOGRAM_BUCKETS; i++) {
        waited += stats.wait_time[i];
        ran += stats.run_time[i];
    }
    CU_ASSERT_EQUAL(waited, 20);
    CU_ASSERT_EQUAL(ran, 20);
    drain_and_leave(pool);
}

static void hook(const char *name, void *counter)
{
    if (name && !strcmp(name, "named"))
        brood__add((atomic_int *)counter, 1, relaxed);
}

static void task_hooks_see_each_task(void)
{
    brood_task_options_t options = task_options();
    atomic_int counter = 0;
    pool_t *pool;

    options.name = "named";
    pool = pool_of(1, 1);
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit_with(pool, nothing, NULL, &options)));
    brood_task_hooks_set(hook, NULL, &counter);
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit_with(pool, nothing, NULL, &options)));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    drain(pool);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, NULL));
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit_with(pool, nothing, NULL, &options)));
    brood_task_hooks_set(NULL, NULL, NULL);
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit_with(pool, nothing, NULL, &options)));
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 2);
}

static const test_t tests[] = {
    TEST(each_task_is_counted_once),
    TEST(queued_and_running_are_seen),
    TEST(a_task_in_place_is_counted_once),
    TEST(a_cancel_does_not_count_what_ran_in_place),
    TEST(canceled_tasks_are_counted_once),
    TEST(notices_are_counted),
    TEST(the_histograms_are_samples),
    TEST(task_hooks_see_each_task),
};

HARNESS_MAIN_WARM("stats", tests, warm_up)
