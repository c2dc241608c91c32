/* SPDX-License-Identifier: Apache-2.0 */

/* loop_delay_cancel.c: a delayed task of a loop becomes due, is canceled by its
 * loop, by its submitter and by another thread, and meets the loop's stop, all
 * at the same time. It runs or it does not, and its baton is destroyed once. */

#include "loop/looping.h"

#include <pthread.h>

#define BATCH 50

typedef struct late_t {
    brood_future_t *future;
    atomic_int ran, destroyed;
} late_t;

static late_t g_late[BATCH];
static turnstile_t begun, done;
static atomic_int over;

static apr_status_t run_one(void *baton, void **value)
{
    (void)value;
    brood__add(&((late_t *)baton)->ran, 1, relaxed);
    return APR_SUCCESS;
}

static void destroy_one(void *baton)
{
    brood__add(&((late_t *)baton)->destroyed, 1, relaxed);
}

/* From the first, from the last, or only a few. */
static void cancel_some(int how)
{
    int i;

    for (i = 0; i < BATCH; i++)
        if (how < 2 || i % 3 == 0)
            (void)brood_future_cancel(
                g_late[how % 2 ? BATCH - 1 - i : i].future);
}

static void *cancel_all(void *unused)
{
    unsigned round;

    for (round = 1;; round++) {
        turnstile_wait(&begun, round);
        if (over)
            return unused;
        cancel_some((int)(round % 3));
        turnstile_pass(&done);
    }
}

static apr_status_t cancel_on_the_loop(void *round, void **value)
{
    (void)value;
    cancel_some((int)((uintptr_t)round % 4));
    return APR_SUCCESS;
}

static apr_status_t submit_all(void *baton, void **value)
{
    const unsigned round = (unsigned)(uintptr_t)baton;
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    int i;

    (void)value;
    options.destroy = destroy_one;
    for (i = 0; i < BATCH; i++) {
        options.delay = 1 + (round + (unsigned)i) % 90;
        options.queue_timeout = i % 5 ? 0 : 1 + i;
        brood__store(&g_late[i].ran, 0, relaxed);
        brood__store(&g_late[i].destroyed, 0, relaxed);
        ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_submit(
                                             &g_late[i].future, loop, run_one,
                                             &g_late[i], &options));
    }
    return APR_SUCCESS;
}

static void check_all(void)
{
    int i;

    for (i = 0; i < BATCH; i++) {
        apr_status_t rv = brood_future_get(g_late[i].future, NULL, -1);

        CU_ASSERT(rv == APR_SUCCESS || rv == BROOD_ECANCELED
                  || rv == BROOD_EEXPIRED);
        CU_ASSERT_EQUAL(brood__load(&g_late[i].ran, relaxed),
                        rv == APR_SUCCESS);
        CU_ASSERT_EQUAL(brood__load(&g_late[i].destroyed, relaxed), 1);
        brood_future_release(g_late[i].future);
    }
}

static void one_round(unsigned round)
{
    void *baton = (void *)(uintptr_t)round;
    brood_future_t *task;

    if (round % 2)
        (void)submit_all(baton, NULL);
    else
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(submit_all, baton)));
    turnstile_pass(&begun);
    task = submit(cancel_on_the_loop, baton);
    if (round % 5 == 0)
        stop_loop();
    else
        cancel_some((int)(round % 2));
    turnstile_wait(&done, round);
    ASSERT_STATUS(APR_SUCCESS, outcome(task));
    check_all();
    if (round % 5 == 0)
        start_loop();
}

static void a_delayed_task_runs_or_is_canceled(void)
{
    unsigned rounds = test_rounds(1000), round;
    pthread_t canceler;
    brood_stats_t stats;

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
    stats = stats_now();
    CU_ASSERT_EQUAL(stats.submitted,
                    stats.completed + stats.failed + stats.canceled);
    CU_ASSERT_EQUAL(stats.queued, 0);
    turnstile_fini(&begun);
    turnstile_fini(&done);
}

static const test_t tests[] = {
    TEST_KEEPS(a_delayed_task_runs_or_is_canceled, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("loop_delay_cancel", tests, warm_up)
