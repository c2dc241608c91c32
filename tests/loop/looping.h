/* SPDX-License-Identifier: Apache-2.0 */

/*
 * looping.h: what the tests of loops share. One manager for each program, made
 * before the first test, because a manager stays as long as its owner, the
 * main thread.
 */

#ifndef BROOD_TESTS_LOOPING_H
#define BROOD_TESTS_LOOPING_H

#include <brood.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "support/support.h"

static brood_loop_manager_t *loop BROOD__UNUSED;
static brood_thread_manager_t *pool BROOD__UNUSED;

BROOD__UNUSED static apr_status_t nothing(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

BROOD__UNUSED static apr_status_t count_up(void *count, void **result)
{
    (void)result;
    brood__add((atomic_uint *)count, 1, relaxed);
    return APR_SUCCESS;
}

BROOD__UNUSED static void open_door(void *door)
{
    door_open(door);
}

BROOD__UNUSED static void wait_at_door(void *door)
{
    door_wait(door);
}

/* Holds the loop, so that what is posted now is taken in one go. */
typedef struct holdup_t {
    turnstile_t arrived;
    door_t door;
} holdup_t;

BROOD__UNUSED static void stand_at_door(void *baton)
{
    holdup_t *holdup = baton;

    turnstile_pass(&holdup->arrived);
    door_wait(&holdup->door);
}

BROOD__UNUSED static void hold_loop(holdup_t *holdup)
{
    turnstile_init(&holdup->arrived);
    door_init(&holdup->door);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_loop_manager_post(loop, stand_at_door, holdup));
    turnstile_wait(&holdup->arrived, 1);
}

BROOD__UNUSED static void holdup_fini(holdup_t *holdup)
{
    door_fini(&holdup->door);
    turnstile_fini(&holdup->arrived);
}

BROOD__UNUSED static void start_loop(void)
{
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(loop, NULL));
}

BROOD__UNUSED static void stop_loop(void)
{
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
}

BROOD__UNUSED static brood_future_t *submit(brood_task_fn *fn, void *baton)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(
        APR_SUCCESS, brood_loop_manager_submit(&future, loop, fn, baton, NULL));
    return future;
}

/* Its status; the future is released. */
BROOD__UNUSED static apr_status_t outcome(brood_future_t *future)
{
    apr_status_t rv = brood_future_get(future, NULL, -1);

    brood_future_release(future);
    return rv;
}

BROOD__UNUSED static brood_stats_t stats_now(void)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    brood_loop_manager_stats(loop, &stats);
    return stats;
}

/* A task that waits for this promise's future, without and with its value. */
BROOD__UNUSED static apr_status_t await_it(void *future, void **result)
{
    return brood_await(future, result);
}

/* A promise to wait for. */
typedef struct pledge_t {
    brood_promise_t *promise;
    brood_future_t *future;
} pledge_t;

BROOD__UNUSED static pledge_t pledge(void)
{
    pledge_t p = { NULL, NULL };

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&p.promise, &p.future, NULL));
    return p;
}

BROOD__UNUSED static void keep(pledge_t *p, void *value)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(p->promise, APR_SUCCESS, value));
}

BROOD__UNUSED static void wait_blocked(unsigned n)
{
    WAIT_UNTIL(stats_now().blocked == n);
}

/* On a thread whose managers go with it. */
BROOD__UNUSED static void on_a_thread(apr_thread_start_t fn, void *baton)
{
    apr_thread_t *thread;
    apr_status_t rv;

    ASSERT_STATUS_FATAL(
        APR_SUCCESS, brood_thread_create(&thread, NULL, fn, baton, test_pool));
    apr_thread_join(&rv, thread);
}

/* Stores of futures and slots wander between threads, so a single test may keep
 * a block more (and says KEEPS_MEMORY). What is lost each time shows here: all
 * tests but the last, which calls this, run again and again. */
BROOD__UNUSED static void repeat(const test_t *tests, size_t n)
{
    enum { SETTLE = 4, ROUNDS = 8 };
    size_t settled = 0, i;
    int round;

    for (round = 0; round < SETTLE + ROUNDS; round++) {
        if (round == SETTLE)
            settled = brood__alloc_live();
        for (i = 0; i < n - 1; i++)
            tests[i].run();
    }
    /* The collector and threads that leave have to come by. */
    WAIT_UNTIL(brood__alloc_live() < settled + ROUNDS);
}

/* ---- warming up ----------------------------------------------------------- */

BROOD__UNUSED static void must(apr_status_t rv)
{
    if (rv != APR_SUCCESS)
        abort();
}

BROOD__UNUSED static apr_status_t submit_here(void *unused, void **result)
{
    (void)unused;
    (void)result;
    return brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL);
}

BROOD__UNUSED static apr_status_t await_pool(void *unused, void **result)
{
    brood_future_t *future;
    apr_status_t rv;

    (void)unused;
    rv = brood_thread_manager_submit(&future, pool, nothing, NULL, NULL);
    if (rv != APR_SUCCESS)
        return rv;
    rv = brood_await(future, result);
    brood_future_release(future);
    return rv;
}

/* Hundreds of tasks at a time: lanes get their second block, and there are
 * futures for all. */
BROOD__UNUSED static void crowd(brood_task_fn *fn)
{
    enum { CROWD = 400 };
    static brood_future_t *futures[CROWD];
    int i;

    must(brood_loop_manager_start(loop, NULL));
    for (i = 0; i < CROWD; i++)
        must(brood_loop_manager_submit(&futures[i], loop, fn, NULL, NULL));
    for (i = 0; i < CROWD; i++) {
        must(brood_future_get(futures[i], NULL, -1));
        brood_future_release(futures[i]);
    }
    must(brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
}

/* Everything that is made once: the threads for timers and collection, lanes
 * of the main thread and of the loop's own, futures. */
BROOD__UNUSED static void warm_up(void)
{
    brood_task_options_t late = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;

    late.delay = 1;
    must(brood_loop_manager_get(&loop, "test", 0));
    must(brood_loop_manager_start(loop, NULL));
    must(brood_loop_manager_submit(&future, loop, submit_here, NULL, &late));
    must(brood_future_get(future, NULL, -1));
    brood_future_release(future);
    late.delay = 0;
    late.queue_timeout = 60000000;
    must(brood_loop_manager_submit(NULL, loop, nothing, NULL, &late));
    must(brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    crowd(submit_here);
}

/* The same, and a pool of threads that runs to the end. */
BROOD__UNUSED static void warm_up_with_pool(void)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;

    warm_up();
    o.max_workers = 2;
    o.min_workers = 2;
    o.max_spares = -1;
    must(brood_thread_manager_get(&pool, "test", 0));
    must(brood_thread_manager_start(pool, &o));
    crowd(await_pool);
    crowd(await_pool);
}

#endif /* BROOD_TESTS_LOOPING_H */
