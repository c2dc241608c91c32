/* SPDX-License-Identifier: Apache-2.0 */

/* loop_notify_settle.c: a notification that is accepted comes exactly once,
 * whether its future settles, its loop stops, or both. */

#include "loop/looping.h"

#include <pthread.h>

#define MANY 256

static brood_promise_t *promises[MANY];
static turnstile_t begun, done;
static atomic_uint n_told;
static atomic_int over;

static void told(brood_future_t *future, void *baton)
{
    apr_status_t rv = brood_future_result(future, NULL);

    if (baton == future && (rv == APR_SUCCESS || rv == BROOD_EPENDING))
        brood__add(&n_told, 1, relaxed);
}

static void *settle_all(void *unused)
{
    unsigned round;
    int i;

    for (round = 1;; round++) {
        turnstile_wait(&begun, round);
        if (over)
            return unused;
        for (i = 0; i < MANY; i++)
            brood_promise_settle(promises[i], APR_SUCCESS, NULL);
        turnstile_pass(&done);
    }
}

static void one_round(unsigned round)
{
    brood_target_t target = BROOD_TARGET_INIT;
    brood_future_t *futures[MANY];
    unsigned wanted = 0;
    int i;

    n_told = 0;
    target.loop = loop;
    start_loop();
    for (i = 0; i < MANY; i++)
        ASSERT_STATUS(APR_SUCCESS,
                      brood_promise_make(&promises[i], &futures[i], NULL));
    if (round % 2)
        turnstile_pass(&begun);
    for (i = 0; i < MANY; i++)
        wanted += brood_future_notify(futures[i], &target, told, futures[i])
                  == APR_SUCCESS;
    if (round % 2 == 0)
        turnstile_pass(&begun);
    ASSERT_STATUS(
        APR_SUCCESS,
        brood_loop_manager_stop(
            loop, round % 3 ? BROOD_STOP_DRAIN : BROOD_STOP_CANCEL, -1));
    CU_ASSERT_EQUAL(wanted, MANY);
    CU_ASSERT_EQUAL(n_told, MANY);
    turnstile_wait(&done, round);
    for (i = 0; i < MANY; i++)
        brood_future_release(futures[i]);
}

static void each_is_told_once(void)
{
    unsigned rounds = test_rounds(300), round;
    pthread_t settler;

    turnstile_init(&begun);
    turnstile_init(&done);
    pthread_create(&settler, NULL, settle_all, NULL);
    for (round = 1; round <= rounds; round++)
        one_round(round);
    over = 1;
    turnstile_pass(&begun);
    pthread_join(settler, NULL);
    turnstile_fini(&begun);
    turnstile_fini(&done);
}

static const test_t tests[] = {
    TEST_KEEPS(each_is_told_once, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("loop_notify_settle", tests, warm_up)
