/* SPDX-License-Identifier: Apache-2.0 */

/* test_cancel.c: tasks of a loop that are canceled, late, or too slow. */

#include "loop/looping.h"

#include "os/os.h"

typedef struct twice_t {
    pledge_t first, second;
    apr_status_t got[2];
    int canceled[2];
} twice_t;

static apr_status_t await_twice(void *baton, void **result)
{
    twice_t *t = baton;

    (void)result;
    t->got[0] = brood_await(t->first.future, NULL);
    t->canceled[0] = brood_task_canceled();
    t->got[1] = brood_await(t->second.future, NULL);
    t->canceled[1] = brood_task_canceled();
    return t->got[0];
}

static void cancel_cuts_one_await_short(void)
{
    twice_t t = { pledge(), pledge(), { 0, 0 }, { 0, 0 } };
    brood_future_t *task;

    start_loop();
    task = submit(await_twice, &t);
    wait_blocked(1);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(task));
    keep(&t.second, NULL);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
    ASSERT_STATUS(BROOD_EINTERRUPTED, t.got[0]);
    ASSERT_STATUS(APR_SUCCESS, t.got[1]);
    CU_ASSERT_TRUE(t.canceled[0] && t.canceled[1]);
    brood_promise_release(t.first.promise);
    brood_future_release(t.first.future);
    brood_future_release(t.second.future);
    stop_loop();
}

static apr_status_t sleep_long(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return brood_sleep(apr_time_from_sec(3600));
}

static apr_status_t yield_on(void *baton, void **result)
{
    apr_status_t rv;

    (void)result;
    door_open(baton);
    do
        rv = brood_yield();
    while (rv == APR_SUCCESS);
    return rv == BROOD_EINTERRUPTED && brood_yield() == APR_SUCCESS
                   && brood_task_canceled()
               ? BROOD_EINTERRUPTED
               : APR_EGENERAL;
}

static void cancel_wakes_sleepers_and_those_who_yield(void)
{
    brood_future_t *task;
    door_t door;

    door_init(&door);
    start_loop();
    task = submit(sleep_long, NULL);
    wait_blocked(1);
    brood_future_cancel(task);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
    task = submit(yield_on, &door);
    door_wait(&door);
    brood_future_cancel(task);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
    stop_loop();
    door_fini(&door);
}

static void a_queued_task_is_canceled_unseen(void)
{
    atomic_uint ran = 0;
    brood_future_t *task;
    uint64_t canceled = stats_now().canceled;
    door_t door;

    door_init(&door);
    start_loop();
    brood_loop_manager_post(loop, wait_at_door, &door);
    task = submit(count_up, &ran);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(task));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(task, NULL));
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(task));
    door_open(&door);
    brood_future_release(task);
    stop_loop();
    CU_ASSERT_EQUAL(ran, 0);
    CU_ASSERT_EQUAL(stats_now().canceled, canceled + 1);
    door_fini(&door);
}

/* ---- options --------------------------------------------------------------- */

static void count_destroy(void *baton)
{
    brood__add((atomic_uint *)baton, 100, relaxed);
}

static brood_future_t *submit_with(const brood_task_options_t *o,
                                   brood_task_fn *fn, void *baton)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_loop_manager_submit(&future, loop, fn, baton, o));
    return future;
}

static void times_and_destroy_are_kept(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    atomic_uint count = 0;
    door_t door;
    brood_future_t *task;
    int64_t begin;

    door_init(&door);
    start_loop();
    o.destroy = count_destroy;
    o.delay = 3000;
    begin = brood__os_now();
    ASSERT_STATUS(APR_SUCCESS, outcome(submit_with(&o, count_up, &count)));
    CU_ASSERT(brood__os_now() - begin >= 3000000);
    CU_ASSERT_EQUAL(count, 101);

    o.delay = 0;
    o.queue_timeout = 1000;
    brood_loop_manager_post(loop, wait_at_door, &door);
    task = submit_with(&o, count_up, &count);
    ASSERT_STATUS(BROOD_EEXPIRED, brood_future_get(task, NULL, -1));
    door_open(&door);
    brood_future_release(task);
    CU_ASSERT_EQUAL(count, 201);

    o.queue_timeout = 0;
    o.run_timeout = 1000;
    o.destroy = NULL;
    ASSERT_STATUS(BROOD_EOVERRUN, outcome(submit_with(&o, sleep_long, NULL)));

    o.run_timeout = 0;
    o.delay = apr_time_from_sec(3600);
    o.destroy = count_destroy;
    task = submit_with(&o, count_up, &count);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(task));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
    CU_ASSERT_EQUAL(count, 301);
    stop_loop();
    door_fini(&door);
}

static void unknown_options_are_refused(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future = (brood_future_t *)&o;

    start_loop();
    o.flags = 0x8000;
    ASSERT_STATUS(APR_EINVAL,
                  brood_loop_manager_submit(&future, loop, nothing, NULL, &o));
    CU_ASSERT_PTR_NULL(future);
    stop_loop();
}

static void time_and_again_nothing_is_lost(void);

static const test_t tests[] = {
    TEST_KEEPS(cancel_cuts_one_await_short, KEEPS_MEMORY),
    TEST_KEEPS(cancel_wakes_sleepers_and_those_who_yield, KEEPS_MEMORY),
    TEST_KEEPS(a_queued_task_is_canceled_unseen, KEEPS_MEMORY),
    TEST_KEEPS(times_and_destroy_are_kept, KEEPS_MEMORY),
    TEST_KEEPS(unknown_options_are_refused, KEEPS_MEMORY),
    TEST_KEEPS(time_and_again_nothing_is_lost, KEEPS_MEMORY),
};

static void time_and_again_nothing_is_lost(void)
{
    repeat(tests, sizeof(tests) / sizeof(tests[0]));
}

HARNESS_MAIN_WARM("cancel", tests, warm_up)
