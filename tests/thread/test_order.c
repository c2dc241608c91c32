/* SPDX-License-Identifier: Apache-2.0 */

/* test_order.c: priorities, fairness, delays and time limits. */

#include "thread/pool.h"

/* What ran, in order. */
static struct {
    atomic_int n;
    char who[4096];
} g_ran;

static apr_status_t sign(void *name, void **value)
{
    int at = brood__add(&g_ran.n, 1, relaxed);

    (void)value;
    if (at < (int)sizeof(g_ran.who))
        g_ran.who[at] = *(const char *)name;
    return APR_SUCCESS;
}

static void submit_signer(pool_t *pool, const char *name, int priority)
{
    brood_task_options_t options = task_options();

    options.priority = priority;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_submit(NULL, pool, sign, (void *)name,
                                              priority ? &options : NULL));
}

static void forget(void)
{
    memset(g_ran.who, 0, sizeof(g_ran.who));
    brood__store(&g_ran.n, 0, relaxed);
}

static int position(char who)
{
    const char *at = memchr(g_ran.who, who, sizeof(g_ran.who));

    return at ? (int)(at - g_ran.who) : -1;
}

static void one_worker_runs_them_in_the_order_they_came(void)
{
    pool_t *pool = pool_of(1, 1);
    stopper_t stopper;
    char names[500];
    int i;

    forget();
    occupy(pool, &stopper);
    for (i = 0; i < 500; i++) {
        names[i] = (char)('0' + i % 64);
        submit_signer(pool, &names[i], 0);
    }
    door_open(&stopper.go);
    drain(pool);
    for (i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(g_ran.who[i], names[i]);
    stopper_fini(&stopper);
    leave_tree();
}

static void high_goes_first_and_low_last(void)
{
    pool_t *pool = pool_of(1, 1);
    stopper_t stopper;

    forget();
    occupy(pool, &stopper);
    submit_signer(pool, "l", BROOD_PRIORITY_LOW);
    submit_signer(pool, "n", BROOD_PRIORITY_NORMAL);
    submit_signer(pool, "m", BROOD_PRIORITY_NORMAL);
    submit_signer(pool, "h", BROOD_PRIORITY_HIGH);
    door_open(&stopper.go);
    drain(pool);
    CU_ASSERT_STRING_EQUAL(g_ran.who, "hnml");
    stopper_fini(&stopper);
    leave_tree();
}

/* A task that goes on submitting the next one until a door is open. */
typedef struct endless_t {
    pool_t *pool;
    int priority;
    door_t end;
} endless_t;

static apr_status_t go_on(void *baton, void **value)
{
    endless_t *endless = baton;
    brood_task_options_t options = task_options();

    (void)value;
    options.priority = endless->priority;
    if (door_is_open(&endless->end))
        return APR_SUCCESS;
    return brood_thread_manager_submit(NULL, endless->pool, go_on, endless,
                                       options.priority ? &options : NULL);
}

/* Some endless tasks of one priority; one of another runs all the same. If not,
 * this hangs. */
static void one_among_endless(int endless_priority, int priority,
                              int from_inside)
{
    endless_t endless = { .priority = endless_priority };
    brood_task_options_t options = task_options();
    stopper_t stopper;
    int i;

    endless.pool = pool_of(1, 1);
    door_init(&endless.end);
    occupy(endless.pool, &stopper);
    options.priority = endless_priority;
    for (i = 0; i < 3; i++)
        brood_future_release(
            submit_with(endless.pool, go_on, &endless, &options));
    options.priority = priority;
    if (from_inside) /* in the same batch */
        brood_future_release(
            submit_with(endless.pool, open_door, &endless.end, &options));
    door_open(&stopper.go);
    if (!from_inside)
        brood_future_release(
            submit_with(endless.pool, open_door, &endless.end, &options));
    door_wait(&endless.end);
    drain_and_leave(endless.pool);
    door_fini(&endless.end);
    stopper_fini(&stopper);
}

static void nothing_starves(void)
{
    int endless, one;

    for (endless = BROOD_PRIORITY_LOW; endless <= BROOD_PRIORITY_HIGH;
         endless++)
        for (one = BROOD_PRIORITY_LOW; one <= BROOD_PRIORITY_HIGH; one++) {
            one_among_endless(endless, one, 0);
            one_among_endless(endless, one, 1);
        }
}

/* One producer has queued very much; another one's task does not wait for all
 * of it. */
static void *submit_other(void *pool)
{
    (void)brood_thread_manager_submit(NULL, pool, sign, (void *)"b", NULL);
    return NULL;
}

static void a_long_lane_does_not_hold_up_another(void)
{
    pool_t *pool = pool_of(1, 1);
    stopper_t stopper;
    int i;

    forget();
    occupy(pool, &stopper);
    for (i = 0; i < 4000; i++)
        submit_signer(pool, "a", 0);
    on_foreign_thread(submit_other, pool);
    door_open(&stopper.go);
    drain(pool);
    CU_ASSERT(position('b') >= 0);
    CU_ASSERT(position('b') < 2500);
    stopper_fini(&stopper);
    leave_tree();
}

static void delayed_tasks_run_when_they_are_due(void)
{
    static const apr_interval_time_t delays[] = { 30000, 10000, 20000, 1 };
    static const char *const names[] = { "d", "b", "c", "a" };
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_future_t *futures[4];
    apr_time_t begun = apr_time_now();
    int i;

    forget();
    for (i = 0; i < 4; i++) {
        options.delay = delays[i];
        futures[i] = submit_with(pool, sign, (void *)names[i], &options);
    }
    for (i = 0; i < 4; i++)
        ASSERT_STATUS(APR_SUCCESS, outcome(futures[i]));
    CU_ASSERT(apr_time_now() - begun >= 29000); /* never too early */
    CU_ASSERT_EQUAL(strlen(g_ran.who), 4);
    drain_and_leave(pool);
}

static void a_delayed_task_can_be_canceled(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_future_t *future;

    options.delay = AN_HOUR;
    future = submit_with(pool, nothing, NULL, &options);
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(future, 1000));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    CU_ASSERT_EQUAL(stats_of(pool).canceled, 1);
    CU_ASSERT_EQUAL(stats_of(pool).queued, 0);
    drain_and_leave(pool);
}

static void a_task_expires_in_the_queue(void)
{
    static const int priorities[] = { 0, BROOD_PRIORITY_HIGH,
                                      BROOD_PRIORITY_LOW };
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    atomic_int counter = 0;
    stopper_t stopper;
    unsigned i;

    options.queue_timeout = 1000;
    occupy(pool, &stopper);
    for (i = 0; i < COUNT(priorities); i++) {
        options.priority = priorities[i];
        ASSERT_STATUS(BROOD_EEXPIRED,
                      outcome(submit_with(pool, count, &counter, &options)));
    }
    door_open(&stopper.go);
    options.queue_timeout = AN_HOUR;
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit_with(pool, count, &counter, &options)));
    drain(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 1);
    CU_ASSERT_EQUAL(stats_of(pool).canceled, 3);
    stopper_fini(&stopper);
    leave_tree();
}

static apr_status_t run_until_canceled(void *answer, void **value)
{
    (void)value;
    while (!brood_task_canceled())
        brood__os_yield();
    return *(const apr_status_t *)answer;
}

static apr_status_t wait_for_ever(void *future, void **value)
{
    (void)value;
    return brood_future_wait(future, FOREVER);
}

static void a_task_that_overruns_is_told(void)
{
    static apr_status_t answers[][2] = {
        { BROOD_ECANCELED, BROOD_EOVERRUN },
        { BROOD_EINTERRUPTED, BROOD_EOVERRUN },
        { APR_SUCCESS, APR_SUCCESS },
        { APR_EGENERAL, APR_EGENERAL },
    };
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_promise_t *promise;
    brood_future_t *never;
    unsigned i;

    options.run_timeout = 1000;
    for (i = 0; i < COUNT(answers); i++)
        ASSERT_STATUS(answers[i][1],
                      outcome(submit_with(pool, run_until_canceled,
                                          &answers[i][0], &options)));
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &never, NULL));
    ASSERT_STATUS(BROOD_EOVERRUN,
                  outcome(submit_with(pool, wait_for_ever, never, &options)));
    brood_promise_release(promise);
    brood_future_release(never);
    options.run_timeout = AN_HOUR;
    ASSERT_STATUS(APR_SUCCESS,
                  outcome(submit_with(pool, nothing, NULL, &options)));
    drain_and_leave(pool);
}

static const test_t tests[] = {
    TEST(one_worker_runs_them_in_the_order_they_came),
    TEST(high_goes_first_and_low_last),
    TEST(nothing_starves),
    TEST(a_long_lane_does_not_hold_up_another),
    TEST(delayed_tasks_run_when_they_are_due),
    TEST(a_delayed_task_can_be_canceled),
    TEST(a_task_expires_in_the_queue),
    TEST(a_task_that_overruns_is_told),
};

HARNESS_MAIN_WARM("order", tests, warm_up)
