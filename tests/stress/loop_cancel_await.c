/* SPDX-License-Identifier: Apache-2.0 */

/* loop_cancel_await.c: a wait that is canceled, settled and timed out at the
 * same time ends once, for one of the three reasons. */

#include "loop/looping.h"

#include <pthread.h>

#define MANY 64

typedef struct pair_t {
    brood_promise_t *promise;
    brood_future_t *awaited, *task;
    apr_interval_time_t timeout;
} pair_t;

static pair_t pairs[MANY];
static turnstile_t begun, done;
static atomic_int over;

static apr_status_t wait_for_it(void *baton, void **result)
{
    pair_t *pair = baton;
    apr_status_t rv = brood_future_wait(pair->awaited, pair->timeout);

    (void)result;
    if (rv == BROOD_EINTERRUPTED || brood_task_canceled())
        brood_yield(); /* an interruption may still be due */
    return rv;
}

/* Cancels while the main thread settles. */
static void *cancel_all(void *unused)
{
    unsigned round;
    int i;

    for (round = 1;; round++) {
        turnstile_wait(&begun, round);
        if (over)
            return unused;
        for (i = MANY - 1; i >= 0; i--)
            if (i % 4)
                brood_future_cancel(pairs[i].task);
        turnstile_pass(&done);
    }
}

static void one_round(unsigned round)
{
    int i;

    for (i = 0; i < MANY; i++) {
        pairs[i].timeout = i % 3 ? -1 : 50 + i;
        ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&pairs[i].promise,
                                                      &pairs[i].awaited, NULL));
        pairs[i].task = submit(wait_for_it, &pairs[i]);
    }
    if (round % 4 == 0)
        WAIT_UNTIL(stats_now().blocked >= MANY / 2);
    turnstile_pass(&begun);
    for (i = 0; i < MANY; i++)
        brood_promise_settle(pairs[i].promise, APR_SUCCESS, NULL);
    for (i = 0; i < MANY; i++) {
        apr_status_t rv = brood_future_get(pairs[i].task, NULL, -1);

        CU_ASSERT(rv == APR_SUCCESS || (rv == APR_TIMEUP && i % 3 == 0)
                  || (rv == BROOD_ECANCELED && i % 4));
    }
    turnstile_wait(&done, round);
    for (i = 0; i < MANY; i++) {
        brood_future_release(pairs[i].task);
        brood_future_release(pairs[i].awaited);
    }
}

static void a_wait_ends_once(void)
{
    unsigned rounds = test_rounds(400), round;
    pthread_t canceler;

    turnstile_init(&begun);
    turnstile_init(&done);
    start_loop();
    pthread_create(&canceler, NULL, cancel_all, NULL);
    for (round = 1; round <= rounds; round++)
        one_round(round);
    over = 1;
    turnstile_pass(&begun);
    pthread_join(canceler, NULL);
    stop_loop();
    turnstile_fini(&begun);
    turnstile_fini(&done);
}

static const test_t tests[] = {
    TEST_KEEPS(a_wait_ends_once, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("loop_cancel_await", tests, warm_up)
