/* SPDX-License-Identifier: Apache-2.0 */

/* pool.h: what the tests of thread managers share. */

#ifndef BROOD_TESTS_POOL_H
#define BROOD_TESTS_POOL_H

#include <brood/context.h>
#include <brood/errors.h>
#include <brood/future.h>
#include <brood/init.h>
#include <brood/lineage.h>
#include <brood/observe.h>
#include <brood/thread_manager.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "lineage/collector.h"
#include "lineage/self.h"
#include "support/support.h"
#include "task/timer.h"
#include "thread/thread_manager.h"
#include "thread/worker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FOREVER      ((apr_interval_time_t)-1)
#define AN_HOUR      ((apr_interval_time_t)3600 * 1000000)

typedef brood_thread_manager_t pool_t;
typedef brood_thread_manager_options_t options_t;

/* ---- managers ------------------------------------------------------------- */

BROOD__UNUSED static options_t options_of(int min, int max)
{
    options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;

    options.min_workers = min;
    options.max_workers = max;
    return options;
}

BROOD__UNUSED static pool_t *pool_get(const char *id)
{
    pool_t *pool = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_get(
                                         &pool, id, BROOD_GET_FORCE_CREATE));
    return pool;
}

BROOD__UNUSED static pool_t *pool_with(const options_t *options)
{
    pool_t *pool = pool_get("test");

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_start(pool, options));
    return pool;
}

BROOD__UNUSED static pool_t *pool_of(int min, int max)
{
    options_t options = options_of(min, max);

    return pool_with(&options);
}

BROOD__UNUSED static brood_stats_t stats_of(pool_t *pool)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_stats(pool, &stats));
    return stats;
}

BROOD__UNUSED static void wait_until_asleep(brood__executor_t *executor, int n)
{
    while (brood__load(&executor->n_asleep, acquire) < n)
        brood__os_yield();
}

BROOD__UNUSED static void drain(pool_t *pool)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER));
}

BROOD__UNUSED static void cancel(pool_t *pool)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, FOREVER));
}

/* The calling thread forgets its place in the tree, as at its end, and all that
 * nobody needs any more is collected. Each test ends with it. */
BROOD__UNUSED static void leave_tree(void)
{
    brood__self_exit();
    (void)brood__collector_wait(-1);
}

BROOD__UNUSED static void drain_and_leave(pool_t *pool)
{
    drain(pool);
    leave_tree();
}

/* ---- tasks ---------------------------------------------------------------- */

BROOD__UNUSED static apr_status_t nothing(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_SUCCESS;
}

BROOD__UNUSED static apr_status_t fail(void *status, void **value)
{
    (void)value;
    return *(const apr_status_t *)status;
}

/* Counts itself in an atomic_int. */
BROOD__UNUSED static apr_status_t count(void *counter, void **value)
{
    (void)value;
    brood__add((atomic_int *)counter, 1, relaxed);
    return APR_SUCCESS;
}

BROOD__UNUSED static apr_status_t echo(void *baton, void **value)
{
    *value = baton;
    return APR_SUCCESS;
}

BROOD__UNUSED static apr_status_t open_door(void *door, void **value)
{
    (void)value;
    door_open(door);
    return APR_SUCCESS;
}

/* Blocks without telling the library. */
BROOD__UNUSED static apr_status_t wait_at_door(void *door, void **value)
{
    (void)value;
    door_wait(door);
    return APR_SUCCESS;
}

/* A task that says when it has begun and then waits to be let go. */
typedef struct stopper_t {
    door_t begun, go;
    atomic_int canceled; /* as it saw it at its end */
} stopper_t;

BROOD__UNUSED static void stopper_init(stopper_t *stopper)
{
    door_init(&stopper->begun);
    door_init(&stopper->go);
    brood__store(&stopper->canceled, 0, relaxed);
}

BROOD__UNUSED static void stopper_fini(stopper_t *stopper)
{
    door_fini(&stopper->begun);
    door_fini(&stopper->go);
}

BROOD__UNUSED static apr_status_t be_in_the_way(void *baton, void **value)
{
    stopper_t *stopper = baton;

    (void)value;
    door_open(&stopper->begun);
    door_wait(&stopper->go);
    brood__store(&stopper->canceled, brood_task_canceled(), relaxed);
    return APR_SUCCESS;
}

BROOD__UNUSED static brood_future_t *submit(pool_t *pool, brood_task_fn *fn,
                                            void *baton)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_submit(
                                         &future, pool, fn, baton, NULL));
    return future;
}

BROOD__UNUSED static brood_future_t *submit_with(
    pool_t *pool, brood_task_fn *fn, void *baton,
    const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_submit(
                                         &future, pool, fn, baton, options));
    return future;
}

BROOD__UNUSED static void submit_plain(pool_t *pool, brood_task_fn *fn,
                                       void *baton)
{
    ASSERT_STATUS_FATAL(
        APR_SUCCESS, brood_thread_manager_submit(NULL, pool, fn, baton, NULL));
}

/* Begin to occupy one worker; returns when it runs. */
BROOD__UNUSED static void occupy(pool_t *pool, stopper_t *stopper)
{
    stopper_init(stopper);
    submit_plain(pool, be_in_the_way, stopper);
    door_wait(&stopper->begun);
}

/* How it went; drops the reference. */
BROOD__UNUSED static apr_status_t outcome(brood_future_t *future)
{
    apr_status_t rv;

    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, FOREVER));
    rv = brood_future_result(future, NULL);
    brood_future_release(future);
    return rv;
}

BROOD__UNUSED static int settled(brood_future_t *future)
{
    return brood_future_result(future, NULL) != BROOD_EPENDING;
}

BROOD__UNUSED static brood_task_options_t task_options(void)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    return options;
}

/* ---- threads -------------------------------------------------------------- */

/* Run fn(baton) on a thread that brood does not know, to its end. */
BROOD__UNUSED static void on_foreign_thread(void *(*fn)(void *), void *baton)
{
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fn, baton), 0);
    pthread_join(thread, NULL);
}

#define WARM_THREADS 128

static turnstile_t g_warming;

static void make_a_future(void)
{
    brood_promise_t *promise;
    brood_future_t *future;

    if (brood_promise_make(&promise, &future, NULL) != APR_SUCCESS)
        return;
    (void)brood_promise_settle(promise, APR_SUCCESS, NULL);
    brood_future_release(future);
}

/* Nobody gets the magazines that another one has left. */
static void *have_magazines(void *unused)
{
    make_a_future();
    turnstile_pass(&g_warming);
    turnstile_wait(&g_warming, WARM_THREADS);
    return unused;
}

/* For HARNESS_MAIN_WARM: the collector, the timers and the magazines of futures
 * outlive the tests. Nothing may be asserted here. */
BROOD__UNUSED static void warm_up(void)
{
    brood_task_options_t options = task_options();
    options_t one = options_of(1, 1);
    pthread_t threads[WARM_THREADS];
    pool_t *pool = NULL;
    unsigned i;

    options.queue_timeout = AN_HOUR;
    (void)brood_thread_manager_get(&pool, NULL, 0);
    (void)brood_thread_manager_start(pool, &one);
    (void)brood_thread_manager_submit(NULL, pool, nothing, NULL, &options);
    (void)brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER);
    turnstile_init(&g_warming);
    for (i = 0; i < WARM_THREADS; i++)
        (void)pthread_create(&threads[i], NULL, have_magazines, NULL);
    for (i = 0; i < WARM_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    make_a_future();
    turnstile_fini(&g_warming);
    leave_tree();
}

#endif /* BROOD_TESTS_POOL_H */
