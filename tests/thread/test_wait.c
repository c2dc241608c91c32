/* SPDX-License-Identifier: Apache-2.0 */

/* test_wait.c: a worker that waits: in place, with a spare in its place, or not
 * at all. */

#include "thread/pool.h"

static pool_t *g_pool;

static pool_t *narrow(int max, int spares)
{
    options_t options = options_of(1, max);

    options.max_spares = spares;
    return pool_with(&options);
}

static void *before(void *n, unsigned less)
{
    return (void *)((uintptr_t)n - less);
}

static apr_status_t fib(void *n, void **value)
{
    brood_future_t *futures[2] = { NULL, NULL };
    void *values[2] = { NULL, NULL };
    apr_status_t rv = APR_SUCCESS;
    int i;

    *value = (void *)1;
    if ((uintptr_t)n < 2)
        return APR_SUCCESS;
    for (i = 0; i < 2 && rv == APR_SUCCESS; i++)
        rv = brood_thread_manager_submit(&futures[i], g_pool, fib,
                                         before(n, (unsigned)i + 1), NULL);
    for (i = 0; i < 2 && rv == APR_SUCCESS; i++)
        rv = brood_future_get(futures[i], &values[i], FOREVER);
    for (i = 0; i < 2; i++)
        brood_future_release(futures[i]);
    *value = (void *)((uintptr_t)values[0] + (uintptr_t)values[1]);
    return rv;
}

static void fork_and_join_need_no_more_threads(void)
{
    static const int rows[][2] = { { 1, -1 }, { 1, 0 }, { 2, -1 }, { 3, 2 } };
    brood_future_t *future;
    void *value = NULL;
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        g_pool = narrow(rows[i][0], rows[i][1]);
        future = submit(g_pool, fib, (void *)16);
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, FOREVER));
        CU_ASSERT_EQUAL((uintptr_t)value, 1597);
        brood_future_release(future);
        drain_and_leave(g_pool);
    }
}

/* Each waits for the next one, in place, as deep as the stack goes; then spares
 * come in, and when there are none it says so instead of hanging. */
static apr_status_t nest(void *n, void **value)
{
    brood_future_t *future = NULL;
    apr_status_t rv = APR_SUCCESS;

    (void)value;
    if (n)
        rv = brood_thread_manager_submit(&future, g_pool, nest, before(n, 1),
                                         NULL);
    if (n && rv == APR_SUCCESS)
        rv = brood_future_get(future, NULL, FOREVER);
    brood_future_release(future);
    return rv;
}

static void nesting_goes_as_deep_as_the_stack(void)
{
    g_pool = narrow(1, -1);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(g_pool, nest, (void *)1000)));
    drain_and_leave(g_pool);
}

static void quiet(apr_status_t status, const char *name, void *unused)
{
    (void)status;
    (void)name;
    (void)unused;
}

static void beyond_the_stack_spares_help(void)
{
    options_t options = options_of(1, 1);
    static const int spares[] = { -1, 300 };
    static const apr_status_t expected[] = { BROOD_EDEADLK, APR_SUCCESS };
    unsigned i;

    brood_unobserved_hook_set(quiet, NULL);
    options.stack_size = 256 * 1024;
    for (i = 0; i < COUNT(spares); i++) {
        options.max_spares = spares[i];
        g_pool = pool_with(&options);
        ASSERT_STATUS(expected[i], outcome(submit(g_pool, nest, (void *)2000)));
        drain_and_leave(g_pool);
    }
    brood_unobserved_hook_set(NULL, NULL);
}

static apr_status_t wait_for(void *future, void **value)
{
    (void)value;
    return brood_future_wait(future, FOREVER);
}

static apr_status_t wait_a_little(void *future, void **value)
{
    (void)value;
    return brood_future_wait(future, 1000);
}

static void a_spare_takes_the_place_of_who_waits(void)
{
    brood_promise_t *promise;
    brood_future_t *later, *waits[4];
    int i;

    g_pool = narrow(2, 0); /* as many spares as workers */
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &later, NULL));
    for (i = 0; i < 3; i++)
        waits[i] = submit(g_pool, wait_for, later);
    WAIT_UNTIL(stats_of(g_pool).blocked == 3);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(g_pool, nothing, NULL)));
    /* The fourth was the last thread that may be: now nobody is left. */
    waits[3] = submit(g_pool, wait_for, later);
    WAIT_UNTIL(stats_of(g_pool).blocked == 4);
    CU_ASSERT_EQUAL(stats_of(g_pool).workers, 4);
    brood_promise_settle(promise, APR_SUCCESS, NULL);
    for (i = 0; i < 4; i++)
        ASSERT_STATUS(APR_SUCCESS, outcome(waits[i]));
    brood_future_release(later);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(g_pool, FOREVER));
    CU_ASSERT_EQUAL(stats_of(g_pool).blocked, 0);
    drain_and_leave(g_pool);
}

/* `delay` points to the microseconds. */
static apr_status_t wait_for_delayed(void *delay, void **value)
{
    brood_task_options_t options = task_options();
    brood_future_t *future = NULL;
    apr_status_t rv;

    (void)value;
    options.delay = *(apr_interval_time_t *)delay;
    rv = brood_thread_manager_submit(&future, g_pool, nothing, NULL, &options);
    if (rv == APR_SUCCESS)
        rv = brood_future_wait(future, FOREVER);
    (void)brood_future_cancel(future);
    brood_future_release(future);
    return rv;
}

/* It cannot run in place before it is due, and afterwards nobody is there. */
static void without_anybody_left_a_wait_is_refused(void)
{
    apr_interval_time_t hour = AN_HOUR, soon = 2000;

    g_pool = narrow(1, -1);
    ASSERT_STATUS(BROOD_EDEADLK,
                  outcome(submit(g_pool, wait_for_delayed, &hour)));
    drain_and_leave(g_pool);
    g_pool = narrow(1, 1);
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit(g_pool, wait_for_delayed, &soon)));
    drain_and_leave(g_pool);
}

static apr_status_t wait_for_itself(void *future, void **value)
{
    (void)value;
    return brood_future_wait(*(brood_future_t **)future, FOREVER);
}

static void a_task_that_waits_for_itself_is_told(void)
{
    brood_future_t *future = NULL;
    stopper_t stopper;

    g_pool = narrow(1, 0);
    occupy(g_pool, &stopper);
    future = submit(g_pool, wait_for_itself, &future);
    door_open(&stopper.go);
    ASSERT_STATUS(BROOD_EDEADLK, outcome(future));
    drain_and_leave(g_pool);
    stopper_fini(&stopper);
}

/* ---- whose tasks run in place --------------------------------------------- */

typedef struct helper_t {
    door_t submitted;
    atomic_int own, strange;
    brood_promise_t *promise;
    brood_future_t *later;
} helper_t;

static helper_t g_helper;

static BROOD__THREAD_LOCAL int tl_waits; /* a task of ours is on this stack */

static apr_status_t be_own(void *unused, void **value)
{
    (void)unused;
    (void)value;
    brood__add(&g_helper.own, tl_waits, relaxed);
    return brood_promise_settle(g_helper.promise, APR_SUCCESS, NULL);
}

static apr_status_t be_strange(void *unused, void **value)
{
    (void)unused;
    (void)value;
    brood__add(&g_helper.strange, tl_waits, relaxed);
    return APR_SUCCESS;
}

static apr_status_t submit_own_and_wait(void *unused, void **value)
{
    apr_status_t rv;

    (void)unused;
    (void)value;
    rv = brood_thread_manager_submit(NULL, g_pool, be_own, NULL, NULL);
    door_wait(&g_helper.submitted); /* strangers are queued, too */
    tl_waits = 1;
    if (rv == APR_SUCCESS)
        rv = brood_future_wait(g_helper.later, FOREVER);
    tl_waits = 0;
    return rv;
}

static void help_with(int spares, unsigned flags)
{
    static const int priorities[] = { 0, BROOD_PRIORITY_HIGH,
                                      BROOD_PRIORITY_LOW };
    brood_task_options_t options = task_options();
    brood_future_t *future;
    unsigned i;

    brood__store(&g_helper.own, 0, relaxed);
    brood__store(&g_helper.strange, 0, relaxed);
    door_init(&g_helper.submitted);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_promise_make(&g_helper.promise,
                                                        &g_helper.later, NULL));
    g_pool = narrow(1, spares);
    options.flags = flags;
    future = submit_with(g_pool, submit_own_and_wait, NULL, &options);
    options.flags = 0;
    for (i = 0; i < COUNT(priorities); i++) {
        options.priority = priorities[i];
        brood_future_release(submit_with(g_pool, be_strange, NULL, &options));
    }
    door_open(&g_helper.submitted);
    ASSERT_STATUS(APR_SUCCESS, outcome(future));
    drain_and_leave(g_pool);
    CU_ASSERT_EQUAL(brood__load(&g_helper.own, relaxed),
                    (flags & BROOD_WAIT_HELP) != 0);
    CU_ASSERT_EQUAL(brood__load(&g_helper.strange, relaxed), 0);
    brood_future_release(g_helper.later);
    door_fini(&g_helper.submitted);
}

static void a_waiting_task_runs_its_own_only_when_it_says_so(void)
{
    help_with(-1, BROOD_WAIT_HELP);
    help_with(1, 0);
}

static void a_timed_wait_ends(void)
{
    brood_promise_t *promise;
    brood_future_t *never;

    g_pool = narrow(1, -1);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &never, NULL));
    ASSERT_STATUS(APR_TIMEUP, outcome(submit(g_pool, wait_a_little, never)));
    brood_promise_release(promise);
    brood_future_release(never);
    drain_and_leave(g_pool);
}

/* ---- telling that one blocks ---------------------------------------------- */

static apr_status_t block_and_tell(void *baton, void **value)
{
    apr_status_t rv;

    brood_blocking_begin();
    brood_blocking_begin();
    brood_blocking_end();
    rv = be_in_the_way(baton, value); /* still one level deep */
    brood_blocking_end();
    brood_blocking_end(); /* one too many does nothing */
    return rv;
}

static void who_tells_that_it_blocks_is_replaced(void)
{
    stopper_t stoppers[2];
    unsigned round;

    g_pool = narrow(1, 1);
    for (round = 0; round < 50; round++) {
        stopper_init(&stoppers[0]);
        submit_plain(g_pool, block_and_tell, &stoppers[0]);
        door_wait(&stoppers[0].begun);
        CU_ASSERT_EQUAL(stats_of(g_pool).blocked, 1);
        ASSERT_STATUS(APR_SUCCESS,
                      outcome(submit(g_pool, open_door, &stoppers[0].go)));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(g_pool, FOREVER));
        CU_ASSERT_EQUAL(stats_of(g_pool).blocked, 0);
        stopper_fini(&stoppers[0]);
    }
    drain_and_leave(g_pool);
    brood_blocking_begin(); /* outside of any task: nothing */
    brood_blocking_end();
}

static const test_t tests[] = {
    TEST(fork_and_join_need_no_more_threads),
    TEST(nesting_goes_as_deep_as_the_stack),
    TEST(beyond_the_stack_spares_help),
    TEST(a_spare_takes_the_place_of_who_waits),
    TEST(without_anybody_left_a_wait_is_refused),
    TEST(a_task_that_waits_for_itself_is_told),
    TEST(a_waiting_task_runs_its_own_only_when_it_says_so),
    TEST(a_timed_wait_ends),
    TEST(who_tells_that_it_blocks_is_replaced),
};

HARNESS_MAIN_WARM("wait", tests, warm_up)
