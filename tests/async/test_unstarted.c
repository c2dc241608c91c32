/* SPDX-License-Identifier: Apache-2.0 */

/* test_unstarted.c: threads of a pool whose start hook fails. */

#include "async/affinity.h"
#include "async/fixture.h"
#include "thread/worker.h"

/* The pool makes a thread for a call, and one that watches. Both fail, and the
 * one that watches last; it is held up while it refuses the call. */
static struct {
    atomic_int fails;
    door_t watches; /* it is there */
    door_t refuses, go;
} g_hook;

static int is_alone(brood__executor_t *executor)
{
    int alone;

    brood__lock(&executor->lock);
    alone = executor->n_threads == 1;
    brood__unlock(&executor->lock);
    return alone;
}

static apr_status_t fail_in_turn(void *baton)
{
    brood__worker_t *worker = brood__worker_here();

    (void)baton;
    if (!atomic_load(&g_hook.fails))
        return APR_SUCCESS;
    if (worker->state == BROOD__WORKER_WATCHING) {
        door_open(&g_hook.watches);
        WAIT_UNTIL(is_alone(worker->executor));
    } else {
        door_wait(&g_hook.watches);
    }
    return APR_EGENERAL;
}

static void refused(void *unused)
{
    (void)unused;
    door_open(&g_hook.refuses);
    door_wait(&g_hook.go);
}

static void nobody_relies_on_one_that_could_not_start(void)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_task_options_t watched = BROOD_TASK_OPTIONS_INIT;
    brood_affinity_pool_t *pool;
    call_t first = { 0 }, held = { 0 }, other = { 0 };
    brood_future_t *futures[2];
    turnstile_t arrived;
    door_t hold;

    turnstile_init(&arrived);
    door_init(&hold);
    door_init(&g_hook.watches);
    door_init(&g_hook.refuses);
    door_init(&g_hook.go);
    atomic_store(&g_hook.fails, 1);
    options.max_threads = 4;
    options.on_thread_start = fail_in_turn;
    pool = pool_with(&options);
    watched.destroy = refused;
    futures[0] = submit_with(pool, NULL, &first, &watched);
    door_wait(&g_hook.refuses);
    atomic_store(&g_hook.fails, 0);

    held.hold = &hold;
    held.arrived = &arrived;
    futures[1] = submit(pool, NULL, &held);
    turnstile_wait(&arrived, 1);
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, NULL, &other)));
    door_open(&g_hook.go);
    door_open(&hold);
    ASSERT_STATUS(APR_EGENERAL, finish(futures[0]));
    ASSERT_STATUS(APR_SUCCESS, finish(futures[1]));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    CU_ASSERT_EQUAL(first.thread, 0);
    door_fini(&g_hook.go);
    door_fini(&g_hook.refuses);
    door_fini(&g_hook.watches);
    door_fini(&hold);
    turnstile_fini(&arrived);
}

static const test_t tests[] = {
    TEST(nobody_relies_on_one_that_could_not_start),
};

HARNESS_MAIN_WARM("unstarted", tests, warm_up)
