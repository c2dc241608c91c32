/* SPDX-License-Identifier: Apache-2.0 */

/* test_stop.c: draining, canceling, and what may still happen meanwhile. */

#include "thread/pool.h"

#include <limits.h>

static atomic_int g_destroyed;

static void note_destroyed(void *unused)
{
    (void)unused;
    brood__add(&g_destroyed, 1, relaxed);
}

/* n tasks that count themselves, behind one that is in the way. */
static void fill(pool_t *pool, brood_future_t **futures, unsigned n,
                 atomic_int *counter)
{
    brood_task_options_t options = task_options();
    unsigned i;

    options.destroy = note_destroyed;
    for (i = 0; i < n; i++) {
        options.priority = (int)(i % 3) - 1;
        futures[i] = submit_with(pool, count, counter, &options);
    }
}

static void drain_runs_all_that_is_queued(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_future_t *futures[300];
    atomic_int counter = 0;
    stopper_t stopper;
    unsigned i;

    brood__store(&g_destroyed, 0, relaxed);
    occupy(pool, &stopper);
    fill(pool, futures, 300, &counter);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 1000));
    CU_ASSERT(!brood_thread_manager_is_running(pool));
    ASSERT_STATUS(BROOD_EPENDING, brood_thread_manager_start(pool, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_resize(pool, 1, 2));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_thread_manager_submit(NULL, pool, nothing, NULL, NULL));
    door_open(&stopper.go);
    drain(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 300);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 300);
    CU_ASSERT(!brood__load(&stopper.canceled, relaxed));
    for (i = 0; i < 300; i++)
        ASSERT_STATUS(APR_SUCCESS, outcome(futures[i]));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, NULL));
    stopper_fini(&stopper);
    drain_and_leave(pool);
}

static void cancel_settles_what_is_queued_at_once(void)
{
    static const brood_stop_e before[] = { BROOD_STOP_CANCEL,
                                           BROOD_STOP_DRAIN };
    brood_future_t *futures[300];
    atomic_int counter = 0;
    stopper_t stopper;
    unsigned i, k;

    for (k = 0; k < COUNT(before); k++) {
        pool_t *pool = pool_of(1, 1);

        brood__store(&g_destroyed, 0, relaxed);
        occupy(pool, &stopper);
        fill(pool, futures, 300, &counter);
        ASSERT_STATUS(APR_TIMEUP,
                      brood_thread_manager_stop(pool, before[k], 0));
        ASSERT_STATUS(APR_TIMEUP,
                      brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
        CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 300);
        for (i = 0; i < 300; i++) {
            ASSERT_STATUS(BROOD_ECANCELED,
                          brood_future_result(futures[i], NULL));
            brood_future_release(futures[i]);
        }
        door_open(&stopper.go);
        cancel(pool);
        CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 0);
        CU_ASSERT(brood__load(&stopper.canceled, relaxed));
        CU_ASSERT_EQUAL(stats_of(pool).canceled, 300);
        stopper_fini(&stopper);
        leave_tree();
    }
}

static void listen_nothing(brood_future_t *future, void *counter)
{
    (void)future;
    brood__add((atomic_int *)counter, 1, relaxed);
}

/* Who waits and who listens is told under no lock of ours. */
static void a_canceled_task_tells_its_listeners(void)
{
    pool_t *pool = pool_of(1, 1);
    atomic_int told = 0;
    brood_future_t *future;
    stopper_t stopper;

    occupy(pool, &stopper);
    future = submit(pool, nothing, NULL);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(future, NULL, listen_nothing, &told));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
    CU_ASSERT_EQUAL(brood__load(&told, relaxed), 1);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    door_open(&stopper.go);
    cancel(pool);
    stopper_fini(&stopper);
    leave_tree();
}

static pool_t *g_pool;
static apr_status_t g_from_destroy;

static void stop_once_more(void *unused)
{
    (void)unused;
    g_from_destroy = brood_thread_manager_stop(g_pool, BROOD_STOP_DRAIN, 0);
}

static void destroy_may_call_stop(void)
{
    brood_task_options_t options = task_options();
    brood_future_t *future;
    stopper_t stopper;

    g_pool = pool_of(1, 1);
    occupy(g_pool, &stopper);
    options.destroy = stop_once_more;
    future = submit_with(g_pool, nothing, NULL, &options);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(g_pool, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(APR_TIMEUP, g_from_destroy);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    door_open(&stopper.go);
    cancel(g_pool);
    stopper_fini(&stopper);
    leave_tree();
}

static apr_status_t stop_oneself(void *unused, void **value)
{
    apr_status_t rv = brood_thread_manager_stop(g_pool, BROOD_STOP_DRAIN,
                                                FOREVER);

    (void)unused;
    (void)value;
    if (rv == BROOD_EDEADLK)
        rv = brood_thread_manager_stop(g_pool, BROOD_STOP_CANCEL, 0);
    if (rv == BROOD_EDEADLK)
        rv = brood_thread_manager_wait_idle(g_pool, 0);
    return rv;
}

static void a_task_cannot_stop_its_own_manager(void)
{
    g_pool = pool_of(1, 2);
    ASSERT_STATUS(BROOD_EDEADLK, outcome(submit(g_pool, stop_oneself, NULL)));
    CU_ASSERT(brood_thread_manager_is_running(g_pool));
    drain_and_leave(g_pool);
}

static apr_status_t stop_another(void *pool, void **value)
{
    (void)value;
    return brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER);
}

static void a_task_may_stop_another_manager(void)
{
    pool_t *pool = pool_of(1, 1), *other = pool_of(1, 1);

    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, stop_another, other)));
    CU_ASSERT(!brood_thread_manager_is_running(other));
    drain_and_leave(pool);
}

/* While it drains, own tasks may submit; each of these three generations. */
typedef struct family_t {
    door_t begun, go;
    atomic_int born, refused;
    apr_status_t delayed; /* how a delayed child went */
    brood_future_t *child;
} family_t;

static family_t g_family;

static apr_status_t have_children(void *generation, void **value)
{
    void *next = (void *)((uintptr_t)generation - 1);
    int i;

    (void)value;
    if (generation == (void *)3) {
        door_open(&g_family.begun);
        door_wait(&g_family.go);
    }
    brood__add(&g_family.born, 1, relaxed);
    for (i = 0; i < 3 && generation; i++)
        if (brood_thread_manager_submit(NULL, g_pool, have_children, next, NULL)
            != APR_SUCCESS)
            brood__add(&g_family.refused, 1, relaxed);
    return APR_SUCCESS;
}

static void start_family(void)
{
    g_pool = pool_of(1, 2);
    door_init(&g_family.begun);
    door_init(&g_family.go);
    brood__store(&g_family.born, 0, relaxed);
    brood__store(&g_family.refused, 0, relaxed);
}

static void end_family(void)
{
    door_fini(&g_family.begun);
    door_fini(&g_family.go);
    leave_tree();
}

static void while_it_drains_own_tasks_may_submit(void)
{
    start_family();
    submit_plain(g_pool, have_children, (void *)3);
    door_wait(&g_family.begun);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(g_pool, BROOD_STOP_DRAIN, 0));
    door_open(&g_family.go);
    drain(g_pool);
    CU_ASSERT_EQUAL(brood__load(&g_family.born, relaxed), 1 + 3 + 9 + 27);
    CU_ASSERT_EQUAL(brood__load(&g_family.refused, relaxed), 0);
    end_family();
}

static void while_it_cancels_nobody_may(void)
{
    start_family();
    submit_plain(g_pool, have_children, (void *)3);
    door_wait(&g_family.begun);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(g_pool, BROOD_STOP_CANCEL, 0));
    door_open(&g_family.go);
    cancel(g_pool);
    CU_ASSERT_EQUAL(brood__load(&g_family.born, relaxed), 1);
    CU_ASSERT_EQUAL(brood__load(&g_family.refused, relaxed), 3);
    end_family();
}

static void delayed_tasks_that_are_not_due_are_canceled(void)
{
    static const brood_stop_e hows[] = { BROOD_STOP_DRAIN, BROOD_STOP_CANCEL };
    brood_task_options_t options = task_options();
    atomic_int counter = 0;
    brood_future_t *futures[10];
    unsigned i, k;

    options.delay = AN_HOUR;
    options.destroy = note_destroyed;
    for (k = 0; k < COUNT(hows); k++) {
        pool_t *pool = pool_of(1, 1);

        brood__store(&g_destroyed, 0, relaxed);
        for (i = 0; i < COUNT(futures); i++)
            futures[i] = submit_with(pool, count, &counter, &options);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_stop(pool, hows[k], FOREVER));
        for (i = 0; i < COUNT(futures); i++)
            ASSERT_STATUS(BROOD_ECANCELED, outcome(futures[i]));
        CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 10);
        leave_tree();
    }
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 0);
}

static apr_status_t have_a_late_child(void *unused, void **value)
{
    brood_task_options_t options = task_options();

    (void)unused;
    (void)value;
    door_open(&g_family.begun);
    door_wait(&g_family.go);
    options.delay = AN_HOUR;
    return brood_thread_manager_submit(&g_family.child, g_pool, nothing, NULL,
                                       &options);
}

/* Accepted, but its time will not come any more. */
static void a_delayed_task_of_an_own_task_does_not_outlive_the_drain(void)
{
    start_family();
    submit_plain(g_pool, have_a_late_child, NULL);
    door_wait(&g_family.begun);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(g_pool, BROOD_STOP_DRAIN, 0));
    door_open(&g_family.go);
    drain(g_pool);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(g_family.child));
    end_family();
}

static apr_status_t wait_twice(void *future, void **value)
{
    apr_status_t first = brood_future_wait(future, FOREVER);

    *value = NULL;
    if (first != BROOD_EINTERRUPTED || !brood_task_canceled())
        return APR_EGENERAL;
    /* Clean-up may wait. */
    return brood_future_wait(future, 1000) == APR_TIMEUP ? BROOD_EINTERRUPTED
                                                         : APR_EGENERAL;
}

static void cancel_interrupts_one_wait_of_each_task(void)
{
    pool_t *pool = pool_of(2, 2);
    brood_promise_t *promise;
    brood_future_t *never, *waits[2];
    int i;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &never, NULL));
    for (i = 0; i < 2; i++)
        waits[i] = submit(pool, wait_twice, never);
    WAIT_UNTIL(stats_of(pool).blocked == 2);
    cancel(pool);
    for (i = 0; i < 2; i++)
        ASSERT_STATUS(BROOD_ECANCELED, outcome(waits[i]));
    brood_promise_release(promise);
    brood_future_release(never);
    leave_tree();
}

/* Nor a wait for it to be idle: who polls looks whether somebody waits. */
static void a_worker_that_polls_does_not_hold_up_a_stop(void)
{
    options_t options = options_of(1, 1);
    pool_t *pool;

    options.spin = INT_MAX; /* half an hour */
    pool = pool_with(&options);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool, FOREVER));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    drain_and_leave(pool);
}

static const test_t tests[] = {
    TEST(drain_runs_all_that_is_queued),
    TEST(cancel_settles_what_is_queued_at_once),
    TEST(a_canceled_task_tells_its_listeners),
    TEST(destroy_may_call_stop),
    TEST(a_task_cannot_stop_its_own_manager),
    TEST(a_task_may_stop_another_manager),
    TEST(while_it_drains_own_tasks_may_submit),
    TEST(while_it_cancels_nobody_may),
    TEST(delayed_tasks_that_are_not_due_are_canceled),
    TEST(a_delayed_task_of_an_own_task_does_not_outlive_the_drain),
    TEST(cancel_interrupts_one_wait_of_each_task),
    TEST(a_worker_that_polls_does_not_hold_up_a_stop),
};

HARNESS_MAIN_WARM("stop", tests, warm_up)
