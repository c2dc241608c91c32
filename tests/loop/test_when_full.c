/* SPDX-License-Identifier: Apache-2.0 */

/* test_when_full.c: what a loop's tasks meet when a thread manager is full: a
 * coroutine waits for room and holds nobody up, a handler is refused. */

#include "loop/looping.h"

#define ROOM 1

static brood_thread_manager_t *g_full; /* one worker, at a door, and a task */
static door_t g_hold, g_begun;
static atomic_uint g_ran;

static apr_status_t stand(void *unused, void **result)
{
    (void)unused;
    (void)result;
    door_open(&g_begun);
    door_wait(&g_hold);
    return APR_SUCCESS;
}

static void fill_up(int when_full, apr_interval_time_t full_timeout)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;

    o.max_workers = o.capacity = ROOM;
    o.when_full = when_full;
    o.full_timeout = full_timeout;
    g_ran = 0;
    door_init(&g_hold);
    door_init(&g_begun);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_thread_manager_get(&g_full, "full", 0));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_start(g_full, &o));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_submit(NULL, g_full, stand, NULL, NULL));
    door_wait(&g_begun);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   NULL, g_full, count_up, &g_ran, NULL));
}

static void empty(void)
{
    door_open(&g_hold);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(g_full, BROOD_STOP_DRAIN, -1));
    door_fini(&g_hold);
    door_fini(&g_begun);
}

/* Ends with what the submit returned. */
static apr_status_t submit_one_more(void *unused, void **result)
{
    (void)unused;
    (void)result;
    return brood_thread_manager_submit(NULL, g_full, count_up, &g_ran, NULL);
}

static void a_coroutine_waits_for_room(void)
{
    brood_future_t *waits;

    start_loop();
    fill_up(BROOD_WHEN_FULL_BLOCK, 0);
    waits = submit(submit_one_more, NULL);
    /* The loop goes on. */
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
    WAIT_UNTIL(stats_now().blocked == 1);
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(waits, NULL));
    door_open(&g_hold);
    ASSERT_STATUS(APR_SUCCESS, outcome(waits));
    empty();
    CU_ASSERT_EQUAL(g_ran, 2);
    stop_loop();
}

static void its_wait_ends_in_other_ways_too(void)
{
    brood_future_t *waits;

    start_loop();
    fill_up(BROOD_WHEN_FULL_BLOCK, 1000);
    ASSERT_STATUS(BROOD_EFULL, outcome(submit(submit_one_more, NULL)));
    empty();

    fill_up(BROOD_WHEN_FULL_BLOCK, 0);
    waits = submit(submit_one_more, NULL);
    WAIT_UNTIL(stats_now().blocked == 1);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(waits));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(waits));
    waits = submit(submit_one_more, NULL);
    WAIT_UNTIL(stats_now().blocked == 1);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(g_full, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(BROOD_ESTOPPED, outcome(waits));
    empty();
    CU_ASSERT_EQUAL(g_ran, 1);
    stop_loop();
}

static void one_that_does_not_wait_is_answered_at_once(void)
{
    start_loop();
    fill_up(BROOD_WHEN_FULL_REJECT, 0);
    ASSERT_STATUS(BROOD_EFULL, outcome(submit(submit_one_more, NULL)));
    empty();
    CU_ASSERT_EQUAL(g_ran, 1);
    fill_up(BROOD_WHEN_FULL_RUN, 0);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(submit_one_more, NULL)));
    CU_ASSERT_EQUAL(g_ran, 1); /* on the loop; the queued one waits */
    empty();
    CU_ASSERT_EQUAL(g_ran, 2);
    stop_loop();
}

typedef struct handler_t {
    door_t done;
    apr_status_t status;
} handler_t;

static void submit_in_handler(void *baton)
{
    handler_t *handler = baton;

    handler->status = submit_one_more(NULL, NULL);
    door_open(&handler->done);
}

static void on_the_loops_own_stack_it_is_refused(void)
{
    handler_t handler;

    door_init(&handler.done);
    start_loop();
    fill_up(BROOD_WHEN_FULL_BLOCK, 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_post(loop, submit_in_handler, &handler));
    door_wait(&handler.done);
    ASSERT_STATUS(BROOD_EFULL, handler.status);
    empty();
    CU_ASSERT_EQUAL(g_ran, 1);
    stop_loop();
    door_fini(&handler.done);
}

/* Some keep memory: futures and slots that the next task will use. */
static const test_t tests[] = {
    TEST_KEEPS(a_coroutine_waits_for_room, KEEPS_MEMORY),
    TEST_KEEPS(its_wait_ends_in_other_ways_too, KEEPS_MEMORY),
    TEST_KEEPS(one_that_does_not_wait_is_answered_at_once, KEEPS_MEMORY),
    TEST_KEEPS(on_the_loops_own_stack_it_is_refused, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("when_full", tests, warm_up)
