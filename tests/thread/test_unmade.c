/* SPDX-License-Identifier: Apache-2.0 */

/* test_unmade.c: work that cannot be refused, when no worker lives and the
 * system makes no thread. */

#include "thread/pool.h"

static unsigned refusals(pool_t *pool)
{
    return brood__executor_refusals(&pool->executor, NULL);
}

/* From now on no thread is made; the timers' is there. */
static void refuse_threads(void)
{
    brood__fault_all(BROOD__FAULT_THREAD);
}

static void allow_threads(void)
{
    brood__fault_at(BROOD__FAULT_THREAD, 0);
}

static pool_t *pool_that_empties(void)
{
    options_t options = options_of(-1, 2);

    options.idle_timeout = 100;
    return pool_with(&options);
}

/* A task that is due, has no worker, and for which somebody has tried again to
 * get one. A submit needs a worker too, which has to be gone when it is due; if
 * it was not, once more with a longer delay. */
static brood_future_t *due_in_vain(pool_t *pool, atomic_int *counter,
                                   apr_interval_time_t queue_timeout)
{
    brood_task_options_t options = task_options();
    brood_future_t *future;
    int ran;

    options.queue_timeout = queue_timeout;
    options.delay = 2000;
    do {
        unsigned before = refusals(pool);

        options.delay *= 2;
        future = submit_with(pool, count, counter, &options);
        WAIT_UNTIL(stats_of(pool).workers == 0 || settled(future));
        refuse_threads();
        WAIT_UNTIL(refusals(pool) >= before + 3 || settled(future));
        ran = brood_future_result(future, NULL) == APR_SUCCESS;
        if (ran) {
            allow_threads();
            brood_future_release(future);
            brood__store(counter, 0, relaxed);
        }
    } while (ran);
    return future;
}

static void a_due_task_runs_as_soon_as_there_is_a_thread(void)
{
    static const apr_interval_time_t timeouts[] = { 0, AN_HOUR };
    atomic_int counter = 0;
    unsigned i;

    for (i = 0; i < COUNT(timeouts); i++) {
        pool_t *pool = pool_that_empties();
        brood_future_t *future = due_in_vain(pool, &counter, timeouts[i]);

        CU_ASSERT(!settled(future));
        allow_threads();
        ASSERT_STATUS(APR_SUCCESS, outcome(future));
        CU_ASSERT_EQUAL(brood__swap(&counter, 0, relaxed), 1);
        drain_and_leave(pool);
    }
}

static void a_due_task_expires_all_the_same(void)
{
    atomic_int counter = 0;
    pool_t *pool = pool_that_empties();
    brood_future_t *future = due_in_vain(pool, &counter, 1);

    ASSERT_STATUS(BROOD_EEXPIRED, outcome(future));
    allow_threads();
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 0);
}

static void a_due_task_can_be_canceled(void)
{
    atomic_int counter = 0;
    pool_t *pool = pool_that_empties();
    brood_future_t *future = due_in_vain(pool, &counter, 0);

    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    allow_threads();
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 0);
}

static void a_stop_does_not_wait_for_a_thread(void)
{
    static const brood_stop_e hows[] = { BROOD_STOP_DRAIN, BROOD_STOP_CANCEL };
    atomic_int counter = 0;
    unsigned i;

    for (i = 0; i < COUNT(hows); i++) {
        pool_t *pool = pool_that_empties();
        brood_future_t *future = due_in_vain(pool, &counter, 0);

        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_stop(pool, hows[i], FOREVER));
        ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
        allow_threads();
        leave_tree();
    }
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 0);
}

/* ---- notices -------------------------------------------------------------- */

typedef struct told_t {
    brood__executor_t *at;
    door_t told;
} told_t;

static void note_it(brood_future_t *future, void *baton)
{
    told_t *told = baton;

    (void)future;
    told->at = brood__executor_current();
    door_open(&told->told);
}

/* Settled while no thread can be made; the notice lies there. */
static void tell_in_vain(pool_t *pool, told_t *told)
{
    const brood_target_t where = { sizeof(where), pool, NULL };
    brood_promise_t *promise = NULL;
    brood_future_t *future = NULL;

    door_init(&told->told);
    told->at = NULL;
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &future, NULL));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(future, &where, note_it, told));
    refuse_threads();
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(promise, APR_SUCCESS, NULL));
    brood_future_release(future);
}

static void a_notice_is_called_as_soon_as_there_is_a_thread(void)
{
    pool_t *pool = pool_that_empties();
    told_t told;

    tell_in_vain(pool, &told);
    WAIT_UNTIL(refusals(pool) >= 3);
    allow_threads();
    door_wait(&told.told);
    CU_ASSERT_PTR_EQUAL(told.at, &pool->executor);
    drain_and_leave(pool);
    door_fini(&told.told);
}

/* Also by one that had workers when the notice was made. */
static void a_notice_outlasts_the_last_worker(void)
{
    options_t options = options_of(1, 2);
    pool_t *pool;
    told_t told;

    options.idle_timeout = 100;
    pool = pool_with(&options);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, -1, 0));
    WAIT_UNTIL(stats_of(pool).workers == 0);
    tell_in_vain(pool, &told);
    WAIT_UNTIL(refusals(pool) >= 3);
    allow_threads();
    door_wait(&told.told);
    CU_ASSERT_PTR_EQUAL(told.at, &pool->executor);
    drain_and_leave(pool);
    door_fini(&told.told);
}

static void a_drain_calls_notices_itself_when_no_thread_can_be_made(void)
{
    pool_t *pool = pool_of(-1, 2);
    told_t told;

    tell_in_vain(pool, &told);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER));
    CU_ASSERT(door_is_open(&told.told));
    CU_ASSERT_PTR_NULL(told.at);
    CU_ASSERT_EQUAL(stats_of(pool).workers, 0);
    allow_threads();
    leave_tree();
    door_fini(&told.told);
}

/* ---- what has to be there before ------------------------------------------ */

static void without_the_timers_thread_a_notice_is_refused(void)
{
    pool_t *pool = pool_of(-1, 2);
    const brood_target_t where = { sizeof(where), pool, NULL };
    brood_promise_t *promise = NULL;
    brood_future_t *future = NULL;
    told_t told;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &future, NULL));
    brood__timers_stop();
    refuse_threads();
    ASSERT_STATUS(APR_EAGAIN,
                  brood_future_notify(future, &where, note_it, &told));
    allow_threads();
    brood_promise_release(promise);
    brood_future_release(future);
    drain_and_leave(pool);
}

static void without_the_timers_thread_one_worker_stays(void)
{
    options_t options = options_of(1, 2);
    pool_t *pool;

    options.idle_timeout = 100;
    pool = pool_with(&options);
    brood__timers_stop();
    refuse_threads();
    ASSERT_STATUS(APR_EAGAIN, brood_thread_manager_resize(pool, -1, 0));
    allow_threads();
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(pool, 3, 0));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    CU_ASSERT_EQUAL(pool->executor.options.min_workers, 1);
    drain_and_leave(pool);
}

static const test_t tests[] = {
    TEST(a_due_task_runs_as_soon_as_there_is_a_thread),
    TEST(a_due_task_expires_all_the_same),
    TEST(a_due_task_can_be_canceled),
    TEST(a_stop_does_not_wait_for_a_thread),
    TEST(a_notice_is_called_as_soon_as_there_is_a_thread),
    TEST(a_notice_outlasts_the_last_worker),
    TEST(a_drain_calls_notices_itself_when_no_thread_can_be_made),
    TEST_KEEPS(without_the_timers_thread_a_notice_is_refused, KEEPS_ALL),
    TEST_KEEPS(without_the_timers_thread_one_worker_stays, KEEPS_ALL),
};

HARNESS_MAIN_WARM("unmade", tests, warm_up)
