/* SPDX-License-Identifier: Apache-2.0 */

/* loop_post_stop.c: what a loop accepts while it is being stopped, it runs. */

#include "loop/looping.h"

#include <pthread.h>

#define THREADS 3

static atomic_int n_rounds_left;
static atomic_uint n_accepted, n_ran, n_settled, n_destroyed;

static void ran(void *unused)
{
    (void)unused;
    brood__add(&n_ran, 1, relaxed);
}

static apr_status_t run(void *unused, void **result)
{
    (void)unused;
    (void)result;
    brood_yield();
    brood__add(&n_ran, 1, relaxed);
    return APR_SUCCESS;
}

static void destroyed(void *unused)
{
    (void)unused;
    brood__add(&n_destroyed, 1, relaxed);
}

static void *produce(void *which)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;
    unsigned i;

    o.destroy = destroyed;
    for (i = 0; brood__load(&n_rounds_left, relaxed) > 0; i++) {
        o.delay = i % 64 ? 0 : 100;
        switch ((i + (which != NULL)) % 3) {
        case 0:
            if (brood_loop_manager_post(loop, ran, NULL) == APR_SUCCESS)
                brood__add(&n_accepted, 1, relaxed);
            break;
        case 1:
            if (brood_loop_manager_submit(NULL, loop, run, NULL, NULL)
                == APR_SUCCESS)
                brood__add(&n_accepted, 1, relaxed);
            break;
        default:
            if (brood_loop_manager_submit(&future, loop, run, NULL, &o)
                != APR_SUCCESS)
                break;
            brood__add(&n_accepted, 1, relaxed);
            brood__add(&n_settled, 1, relaxed);
            if (i % 7 == 0)
                brood_future_cancel(future);
            if (i % 128 == 2)
                brood_future_wait(future, -1);
            brood_future_release(future);
        }
    }
    return NULL;
}

static void submit_and_stop(void)
{
    pthread_t threads[THREADS];
    brood_stats_t before = stats_now(), now;
    int rounds = (int)test_rounds(300), i;

    n_rounds_left = rounds;
    n_accepted = n_ran = n_settled = n_destroyed = 0;
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, produce, i ? &threads : NULL);
    while (n_rounds_left > 0) {
        start_loop();
        for (i = 0; i < n_rounds_left % 16; i++)
            test_pause(0);
        ASSERT_STATUS(
            APR_SUCCESS,
            brood_loop_manager_stop(
                loop, n_rounds_left % 2 ? BROOD_STOP_DRAIN : BROOD_STOP_CANCEL,
                -1));
        now = stats_now();
        CU_ASSERT_EQUAL(now.queued, 0);
        CU_ASSERT_EQUAL(now.running, 0);
        n_rounds_left--;
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    now = stats_now();
    CU_ASSERT_EQUAL(now.submitted - before.submitted, n_accepted);
    CU_ASSERT_EQUAL(now.completed + now.failed + now.canceled - before.completed
                        - before.failed - before.canceled,
                    n_accepted);
    CU_ASSERT_EQUAL(n_destroyed, n_settled);
}

static const test_t tests[] = {
    TEST_KEEPS(submit_and_stop, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("loop_post_stop", tests, warm_up)
