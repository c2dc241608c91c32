/* SPDX-License-Identifier: Apache-2.0 */

/* test_private.c: a loop for one coroutine, on the calling thread. */

#include "loop/loop.h"

#include "base/fault.h"
#include "lineage/self.h"
#include "loop/looping.h"

static brood_loop_manager_t *seen, *found;
static int canceled;
static int value;

static apr_status_t look(void *baton, void **result)
{
    apr_status_t rv = brood_sleep(1000);

    brood_loop_manager_current(&seen);
    found = brood__loop_nearest();
    *result = baton;
    return rv;
}

static void it_runs_here_and_is_found_from_within(void)
{
    void *got = NULL;
    int i;

    for (i = 0; i < 20; i++) {
        seen = found = NULL;
        ASSERT_STATUS(APR_SUCCESS,
                      brood__loop_run_private(&got, look, &value, NULL));
        CU_ASSERT_PTR_EQUAL(got, &value);
        CU_ASSERT_PTR_NOT_NULL(seen);
        CU_ASSERT_PTR_EQUAL(seen, found);
        CU_ASSERT_PTR_NULL(brood__loop_nearest());
        CU_ASSERT_PTR_NULL(brood__loop_current());
        ASSERT_STATUS(APR_SUCCESS,
                      brood__loop_run_private(NULL, nothing, NULL, NULL));
    }
}

static apr_status_t fail(void *unused, void **result)
{
    (void)unused;
    (void)result;
    return 77;
}

static void its_failure_is_the_callers(void)
{
    void *got = &value;

    ASSERT_STATUS(77, brood__loop_run_private(&got, fail, NULL, NULL));
    CU_ASSERT_PTR_NULL(got);
}

static apr_status_t sleep_long(void *unused, void **result)
{
    (void)unused;
    (void)result;
    return brood_sleep(apr_time_from_sec(3600));
}

static brood_future_t *sibling;

static apr_status_t leave_sibling(void *unused, void **result)
{
    brood_loop_manager_t *here;

    (void)unused;
    (void)result;
    brood_loop_manager_current(&here);
    brood_loop_manager_submit(&sibling, here, sleep_long, NULL, NULL);
    return brood_yield();
}

static void what_else_runs_there_is_canceled(void)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood__loop_run_private(NULL, leave_sibling, NULL, NULL));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(sibling, NULL));
    brood_future_release(sibling);
}

static apr_status_t run_private(void *fn, void **result)
{
    apr_status_t rv = brood__loop_run_private(result, *(brood_task_fn **)fn,
                                              NULL, NULL);

    canceled = brood_task_canceled();
    return rv;
}

static door_t arrived;

static apr_status_t arrive(void *unused, void **result)
{
    door_open(&arrived);
    return sleep_long(unused, result);
}

static void the_callers_end_reaches_it(void)
{
    brood_task_fn *fn = arrive;
    brood_future_t *task;
    int i;

    for (i = 0; i < 20; i++) {
        door_init(&arrived);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                       &task, pool, run_private, &fn, NULL));
        door_wait(&arrived);
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(task));
        ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
        CU_ASSERT_TRUE(canceled);
        door_fini(&arrived);
    }
}

static void on_a_loops_thread_it_is_refused(void)
{
    brood_task_fn *fn = nothing;

    start_loop();
    ASSERT_STATUS(BROOD_EDEADLK, outcome(submit(run_private, &fn)));
    stop_loop();
}

static void every_failure_leaves_no_trace(void)
{
    static const brood__fault_e kinds[] = { BROOD__FAULT_MEMORY,
                                            BROOD__FAULT_STACK,
                                            BROOD__FAULT_DESCRIPTOR };
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        apr_status_t rv;
        unsigned n = 0;

        do {
            brood__fault_at(kinds[i], ++n);
            rv = brood__loop_run_private(NULL, nothing, NULL, NULL);
            CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM
                      || rv == APR_EGENERAL);
        } while (!brood__fault_pending(kinds[i]) && n < 100);
        brood__fault_at(kinds[i], 0);
        ASSERT_STATUS(APR_SUCCESS, rv);
    }
}

static void time_and_again_nothing_is_lost(void);

static const test_t tests[] = {
    TEST_KEEPS(it_runs_here_and_is_found_from_within, KEEPS_MEMORY),
    TEST_KEEPS(its_failure_is_the_callers, KEEPS_MEMORY),
    TEST_KEEPS(what_else_runs_there_is_canceled, KEEPS_MEMORY),
    TEST_KEEPS(the_callers_end_reaches_it, KEEPS_MEMORY),
    TEST_KEEPS(on_a_loops_thread_it_is_refused, KEEPS_MEMORY),
    TEST_KEEPS(every_failure_leaves_no_trace, KEEPS_MEMORY),
    TEST_KEEPS(time_and_again_nothing_is_lost, KEEPS_ALL),
};

static void time_and_again_nothing_is_lost(void)
{
    repeat(tests, sizeof(tests) / sizeof(tests[0]));
}

HARNESS_MAIN_WARM("private", tests, warm_up_with_pool)
