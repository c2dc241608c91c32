/* SPDX-License-Identifier: Apache-2.0 */

/* test_async_to_sync.c: on which loop a coroutine runs, and how long one waits
 * for it. */

#include "async/fixture.h"

static brood_loop_manager_t *loop_with(const char *id, unsigned flags)
{
    brood_loop_manager_t *loop = NULL;

    brood_loop_manager_get(&loop, id, flags);
    brood_loop_manager_start(loop, NULL);
    return loop;
}

static void stop_loop(brood_loop_manager_t *loop)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
}

static apr_status_t run_on(brood_loop_manager_t *loop, brood_task_fn *fn,
                           void *baton)
{
    brood_future_t *future = NULL;
    apr_status_t rv = brood_loop_manager_submit(&future, loop, fn, baton, NULL);

    return rv == APR_SUCCESS ? finish(future) : rv;
}

/* Where a coroutine ran. */
typedef struct place_t {
    int thread;
    brood_loop_manager_t *loop;
    brood_loop_manager_t *asked; /* for options.loop; may be NULL */
    brood_affinity_pool_t *pool;
    apr_status_t rv;
} place_t;

static apr_status_t look_around(void *baton, void **result)
{
    place_t *place = baton;

    place->thread = this_thread();
    brood_loop_manager_current(&place->loop);
    brood_yield();
    if (place->thread != this_thread())
        place->thread = 0;
    *result = place;
    return APR_SUCCESS;
}

static apr_status_t bridge(void *baton, void **result)
{
    place_t *place = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    void *value = NULL;

    options.loop = place->asked;
    place->rv = brood_async_to_sync(&value, look_around, place, &options);
    if (place->rv == APR_SUCCESS && value != place)
        place->rv = APR_EGENERAL;
    *result = NULL;
    return place->rv;
}

static apr_status_t bridge_by_a_call(void *baton, void **result)
{
    place_t *place = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *future = NULL;
    apr_status_t rv;

    (void)result;
    options.pool = place->pool;
    rv = brood_sync_to_async(&future, bridge, place, &options);
    return rv == APR_SUCCESS ? finish(future) : rv;
}

static void without_a_loop_it_runs_on_the_calling_thread(void)
{
    place_t place = { 0 };

    ASSERT_STATUS(APR_SUCCESS, bridge(&place, (void **)&place.pool));
    CU_ASSERT_EQUAL(place.thread, this_thread());
    CU_ASSERT_PTR_NOT_NULL(place.loop);
}

static void private_loops_one_after_the_other_are_not_mixed_up(void)
{
    place_t place = { .pool = pool_of(2) };
    int i;

    for (i = 0; i < 20; i++) {
        place.loop = NULL;
        ASSERT_STATUS(APR_SUCCESS, brood_async_to_sync(NULL, bridge_by_a_call,
                                                       &place, NULL));
        CU_ASSERT_EQUAL(place.thread, this_thread());
        CU_ASSERT_PTR_NOT_NULL(place.loop);
    }
}

static void the_loop_of_the_options_comes_first(void)
{
    brood_loop_manager_t *loop = loop_with("one", 0);
    place_t place = { .asked = loop };

    ASSERT_STATUS(APR_SUCCESS, bridge(&place, (void **)&place.pool));
    CU_ASSERT_PTR_EQUAL(place.loop, loop);
    CU_ASSERT(place.thread != this_thread());
    stop_loop(loop);
}

static void a_running_default_loop_is_found(void)
{
    brood_loop_manager_t *loop = loop_with(NULL, 0);
    place_t place = { 0 };

    ASSERT_STATUS(APR_SUCCESS, bridge(&place, (void **)&place.pool));
    CU_ASSERT_PTR_EQUAL(place.loop, loop);
    stop_loop(loop);
    ASSERT_STATUS(APR_SUCCESS, bridge(&place, (void **)&place.pool));
    CU_ASSERT_EQUAL(place.thread, this_thread());
}

static void a_blocking_call_comes_back_to_the_loop_it_descends_from(void)
{
    brood_loop_manager_t *usual = loop_with(NULL, 0);
    brood_loop_manager_t *loop = loop_with("one", 0);
    place_t place = { .pool = pool_of(2) };

    ASSERT_STATUS(APR_SUCCESS, run_on(loop, bridge_by_a_call, &place));
    CU_ASSERT_PTR_EQUAL(place.loop, loop);
    ASSERT_STATUS(APR_SUCCESS, run_on(usual, bridge_by_a_call, &place));
    CU_ASSERT_PTR_EQUAL(place.loop, usual);
    stop_loop(loop);
    stop_loop(usual);
}

static void in_a_coroutine_it_awaits(void)
{
    brood_loop_manager_t *loop = loop_with("one", 0);
    brood_loop_manager_t *other = loop_with("two", 0);
    place_t place = { 0 };

    ASSERT_STATUS(APR_SUCCESS, run_on(loop, bridge, &place));
    CU_ASSERT_PTR_EQUAL(place.loop, loop);
    place.asked = other;
    ASSERT_STATUS(APR_SUCCESS, run_on(loop, bridge, &place));
    CU_ASSERT_PTR_EQUAL(place.loop, other);
    stop_loop(loop);
    stop_loop(other);
}

static void bridge_on_a_bare_loop(void *baton)
{
    void *unused;

    bridge(baton, &unused);
}

static apr_status_t nothing(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

static void on_a_bare_loop_thread_it_is_a_deadlock(void)
{
    brood_loop_manager_t *loop = loop_with("one", 0);
    place_t place = { 0 };

    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_post(loop, bridge_on_a_bare_loop, &place));
    ASSERT_STATUS(APR_SUCCESS, run_on(loop, nothing, NULL));
    ASSERT_STATUS(BROOD_EDEADLK, place.rv);
    CU_ASSERT_EQUAL(place.thread, 0);
    stop_loop(loop);
}

/* ---- all threads wait -------------------------------------------------------- */

typedef struct crowd_t {
    brood_affinity_pool_t *pool;
    brood_loop_manager_t *loop;
    turnstile_t arrived;
    door_t go;
    atomic_int ran, left; /* left: levels to go down */
} crowd_t;

static apr_status_t descend(void *baton, void **result);

static apr_status_t at_the_end(void *baton, void **result)
{
    crowd_t *crowd = baton;

    atomic_fetch_add(&crowd->ran, 1);
    return atomic_fetch_sub(&crowd->left, 1) > 0 ? descend(baton, result)
                                                 : APR_SUCCESS;
}

static apr_status_t call_again(void *baton, void **result)
{
    crowd_t *crowd = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *future = NULL;
    apr_status_t rv;

    (void)result;
    options.pool = crowd->pool;
    rv = brood_sync_to_async(&future, at_the_end, crowd, &options);
    return rv == APR_SUCCESS ? finish(future) : rv;
}

static apr_status_t descend(void *baton, void **result)
{
    crowd_t *crowd = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    (void)result;
    options.loop = crowd->loop;
    return brood_async_to_sync(NULL, call_again, crowd, &options);
}

static apr_status_t arrive_and_descend(void *baton, void **result)
{
    crowd_t *crowd = baton;

    turnstile_pass(&crowd->arrived);
    door_wait(&crowd->go);
    return descend(baton, result);
}

static void general_calls_that_all_come_back_find_a_thread(void)
{
    brood_loop_manager_t *loop = loop_with("one", 0);
    int i, k;

    for (k = 0; k < 2; k++) { /* on a loop, and on private ones */
        crowd_t crowd;
        brood_future_t *futures[2];

        memset(&crowd, 0, sizeof(crowd));
        turnstile_init(&crowd.arrived);
        door_init(&crowd.go);
        crowd.pool = pool_of(2);
        crowd.loop = k ? NULL : loop;
        atomic_store(&crowd.left, 4);
        for (i = 0; i < 2; i++)
            ASSERT_STATUS_FATAL(
                APR_SUCCESS,
                brood_affinity_pool_submit(&futures[i], crowd.pool, NULL,
                                           arrive_and_descend, &crowd, NULL));
        turnstile_wait(&crowd.arrived, 2); /* there is no other thread */
        door_open(&crowd.go);
        for (i = 0; i < 2; i++)
            ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
        CU_ASSERT_EQUAL(atomic_load(&crowd.ran), 6);
        turnstile_fini(&crowd.arrived);
        door_fini(&crowd.go);
    }
    stop_loop(loop);
}

/* ---- time ------------------------------------------------------------------ */

typedef struct sleeper_t {
    atomic_int begun, ended;
    apr_status_t woken;
    int canceled;
    apr_status_t rv;
    apr_interval_time_t timeout;
    brood_loop_manager_t *loop;
} sleeper_t;

static apr_status_t sleep_long(void *baton, void **result)
{
    sleeper_t *sleeper = baton;

    (void)result;
    atomic_store(&sleeper->begun, 1);
    sleeper->woken = brood_sleep(600 * 1000000LL);
    sleeper->canceled = brood_task_canceled();
    brood_sleep(1000); /* cleaning up may await */
    atomic_store(&sleeper->ended, 1);
    return sleeper->woken;
}

static apr_status_t wait_for_sleeper(void *baton, void **result)
{
    sleeper_t *sleeper = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    (void)result;
    options.loop = sleeper->loop;
    options.timeout = sleeper->timeout;
    sleeper->rv = brood_async_to_sync(NULL, sleep_long, sleeper, &options);
    return sleeper->rv;
}

static void a_coroutine_that_takes_too_long_has_ended_when_it_returns(void)
{
    brood_loop_manager_t *loop = loop_with("one", 0);
    int i;

    for (i = 0; i < 2; i++) { /* on a loop, and on a private one */
        sleeper_t sleeper = { .timeout = 50000, .loop = i ? NULL : loop };

        ASSERT_STATUS(APR_TIMEUP, wait_for_sleeper(&sleeper, NULL));
        CU_ASSERT_EQUAL(atomic_load(&sleeper.ended),
                        atomic_load(&sleeper.begun));
        if (!atomic_load(&sleeper.begun))
            continue; /* the machine was too slow for it to begin at all */
        ASSERT_STATUS(BROOD_EINTERRUPTED, sleeper.woken);
        CU_ASSERT_EQUAL(sleeper.canceled, 1);
    }
    stop_loop(loop);
}

static void a_canceled_task_takes_its_coroutine_along(void)
{
    brood_loop_manager_t *loop = loop_with("one", 0);
    brood_thread_manager_t *manager = threads();
    int i;

    for (i = 0; i < 2; i++) {
        sleeper_t sleeper = { .loop = i ? NULL : loop };
        brood_future_t *future = NULL;

        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(&future, manager,
                                                               wait_for_sleeper,
                                                               &sleeper, NULL));
        WAIT_UNTIL(atomic_load(&sleeper.begun));
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
        ASSERT_STATUS(BROOD_ECANCELED, finish(future));
        ASSERT_STATUS(BROOD_EINTERRUPTED, sleeper.rv);
        CU_ASSERT_EQUAL(atomic_load(&sleeper.ended), 1);
    }
    stop_threads(manager);
    stop_loop(loop);
}

static atomic_int g_freed;

static void count_free(void *value)
{
    (void)value;
    atomic_fetch_add(&g_freed, 1);
}

static apr_status_t give_value(void *baton, void **result)
{
    *result = &g_freed;
    return *(apr_status_t *)baton;
}

static void a_value_that_nobody_wants_is_freed(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    apr_status_t status = APR_SUCCESS;
    void *value = NULL;

    task.free_value = count_free;
    options.task = &task;
    atomic_store(&g_freed, 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_async_to_sync(NULL, give_value, &status, &options));
    CU_ASSERT_EQUAL(atomic_load(&g_freed), 1);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_async_to_sync(&value, give_value, &status, &options));
    CU_ASSERT_EQUAL(atomic_load(&g_freed), 1);
    CU_ASSERT_PTR_EQUAL(value, &g_freed);
    status = APR_EGENERAL;
    ASSERT_STATUS(APR_EGENERAL,
                  brood_async_to_sync(&value, give_value, &status, &options));
    CU_ASSERT_EQUAL(atomic_load(&g_freed), 2);
    CU_ASSERT_PTR_NULL(value);
}

static void bad_input_runs_nothing(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_loop_manager_t *loop = loop_with("one", 0);
    void *value = &task;

    ASSERT_STATUS(APR_EINVAL, brood_async_to_sync(&value, NULL, NULL, NULL));
    CU_ASSERT_PTR_NULL(value);
    options.size = 3;
    ASSERT_STATUS(APR_EINVAL,
                  brood_async_to_sync(NULL, nothing, NULL, &options));
    options.size = sizeof(options);
    options.flags = 2;
    ASSERT_STATUS(APR_EINVAL,
                  brood_async_to_sync(NULL, nothing, NULL, &options));
    options.flags = 0;
    task.size = 1;
    options.task = &task;
    ASSERT_STATUS(APR_EINVAL,
                  brood_async_to_sync(NULL, nothing, NULL, &options));
    options.task = NULL;
    stop_loop(loop);
    options.loop = loop;
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_async_to_sync(NULL, nothing, NULL, &options));
}

/* KEEPS_MEMORY: what a thread that has ended had for a loop that is stopped now
 * goes when that loop runs again, or with it. */
static const test_t tests[] = {
    TEST(without_a_loop_it_runs_on_the_calling_thread),
    TEST_KEEPS(private_loops_one_after_the_other_are_not_mixed_up,
               KEEPS_MEMORY),
    TEST(the_loop_of_the_options_comes_first),
    TEST(a_running_default_loop_is_found),
    TEST_KEEPS(a_blocking_call_comes_back_to_the_loop_it_descends_from,
               KEEPS_MEMORY),
    TEST_KEEPS(in_a_coroutine_it_awaits, KEEPS_MEMORY),
    TEST(on_a_bare_loop_thread_it_is_a_deadlock),
    TEST_KEEPS(general_calls_that_all_come_back_find_a_thread, KEEPS_MEMORY),
    TEST(a_coroutine_that_takes_too_long_has_ended_when_it_returns),
    TEST(a_canceled_task_takes_its_coroutine_along),
    TEST(a_value_that_nobody_wants_is_freed),
    TEST(bad_input_runs_nothing),
};

static void warm_up_all(void)
{
    static const char *const ids[] = { NULL, "one", "two" };
    place_t place = { 0 };
    void *unused;
    int i;

    warm_up_threads();
    for (i = 0; i < 3; i++) {
        place.asked = loop_with(ids[i], 0);
        bridge(&place, &unused);
        brood_loop_manager_stop(place.asked, BROOD_STOP_DRAIN, -1);
    }
    place.asked = NULL;
    bridge(&place, &unused);
}

HARNESS_MAIN_WARM("async_to_sync", tests, warm_up_all)
