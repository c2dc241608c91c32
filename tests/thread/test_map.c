/* SPDX-License-Identifier: Apache-2.0 */

/* test_map.c: one function over an array. */

#include "thread/pool.h"

#define MOST 5000

static unsigned char g_seen[MOST + 1];
static atomic_int g_calls, g_destroyed;
static void *g_base;
static stopper_t g_stopper;

static void note_destroyed(void *base)
{
    g_base = base;
    brood__add(&g_destroyed, 1, relaxed);
}

/* Each element belongs to one call. */
static apr_status_t mark(void *element, void **value)
{
    (void)value;
    ++*(unsigned char *)element;
    brood__add(&g_calls, 1, relaxed);
    return APR_SUCCESS;
}

static void zero(void)
{
    memset(g_seen, 0, sizeof(g_seen));
    brood__store(&g_calls, 0, relaxed);
    brood__store(&g_destroyed, 0, relaxed);
}

static void each_element_is_visited_once(void)
{
    static const apr_size_t sizes[] = { 1, 2, 3, 7, 64, 1000, MOST };
    static const apr_size_t chunks[] = { 0, 1, 3, 64, 999, 1000, 100000 };
    pool_t *pool = pool_of(1, 3);
    brood_future_t *future;
    unsigned i, k;
    apr_size_t at;

    for (i = 0; i < COUNT(sizes); i++)
        for (k = 0; k < COUNT(chunks); k++) {
            int wrong = 0;

            zero();
            ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_map(
                                                 &future, pool, mark, g_seen,
                                                 sizes[i], 1, chunks[k], NULL));
            ASSERT_STATUS(APR_SUCCESS, outcome(future));
            for (at = 0; at <= MOST; at++)
                wrong += g_seen[at] != (at < sizes[i]);
            CU_ASSERT_EQUAL(wrong, 0);
        }
    drain_and_leave(pool);
}

static void the_stride_is_kept(void)
{
    pool_t *pool = pool_of(2, 2);
    brood_future_t *future;
    int at, wrong = 0;

    zero();
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_thread_manager_map(&future, pool, mark, g_seen,
                                                 1000, 5, 0, NULL));
    ASSERT_STATUS(APR_SUCCESS, outcome(future));
    for (at = 0; at <= MOST; at++)
        wrong += g_seen[at] != (at % 5 == 0 && at < 5000);
    CU_ASSERT_EQUAL(wrong, 0);
    drain_and_leave(pool);
}

static void nothing_settles_at_once(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_future_t *future;

    zero();
    options.destroy = note_destroyed;
    occupy(pool, &g_stopper);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, pool, mark, g_seen, 0, 1, 0,
                                           &options));
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(future, NULL));
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 1);
    brood_future_release(future);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_map(NULL, pool, mark, NULL,
                                                        0, 1, 0, NULL));
    door_open(&g_stopper.go);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 0);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 1);
    stopper_fini(&g_stopper);
}

static apr_status_t fail_at_ten(void *element, void **value)
{
    (void)value;
    brood__add(&g_calls, 1, relaxed);
    return element == &g_seen[10] ? APR_EGENERAL : APR_SUCCESS;
}

static void the_first_failure_ends_it(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_future_t *future;

    zero();
    options.destroy = note_destroyed;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, pool, fail_at_ten, g_seen,
                                           MOST, 1, 4, &options));
    ASSERT_STATUS(APR_EGENERAL, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 11);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 1);
    CU_ASSERT_PTR_EQUAL(g_base, g_seen);
    drain_and_leave(pool);
}

static apr_status_t stop_at_ten(void *element, void **value)
{
    brood__add(&g_calls, 1, relaxed);
    return element == &g_seen[10] ? be_in_the_way(&g_stopper, value)
                                  : APR_SUCCESS;
}

static brood_future_t *map_to_ten(pool_t *pool)
{
    brood_future_t *future = NULL;

    zero();
    stopper_init(&g_stopper);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_thread_manager_map(&future, pool, stop_at_ten,
                                                 g_seen, MOST, 1, 1, NULL));
    door_wait(&g_stopper.begun);
    return future;
}

static void a_cancel_keeps_the_rest_from_running(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_future_t *future = map_to_ten(pool);

    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    CU_ASSERT(!settled(future)); /* one call is still under way */
    door_open(&g_stopper.go);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 11);
    drain_and_leave(pool);
    stopper_fini(&g_stopper);
}

static void a_stop_drains_or_cancels_it(void)
{
    static const struct {
        brood_stop_e how;
        apr_status_t expected;
        int calls;
    } rows[] = { { BROOD_STOP_DRAIN, APR_SUCCESS, MOST },
                 { BROOD_STOP_CANCEL, BROOD_ECANCELED, 11 } };
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        pool_t *pool = pool_of(1, 1);
        brood_future_t *future = map_to_ten(pool);

        ASSERT_STATUS(APR_TIMEUP,
                      brood_thread_manager_stop(pool, rows[i].how, 0));
        door_open(&g_stopper.go);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_stop(pool, rows[i].how, FOREVER));
        ASSERT_STATUS(rows[i].expected, outcome(future));
        CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), rows[i].calls);
        leave_tree();
        stopper_fini(&g_stopper);
    }
}

/* The tenth call waits for its token. */
static struct {
    apr_status_t answer; /* what it then returns */
    brood_future_t *on;  /* it waits for that, and returns how that ended */
} g_tenth;

static apr_status_t give_in_at_ten(void *element, void **value)
{
    apr_status_t rv = g_tenth.answer;

    (void)value;
    brood__add(&g_calls, 1, relaxed);
    if (element != &g_seen[10])
        return APR_SUCCESS;
    door_open(&g_stopper.begun);
    if (g_tenth.on)
        rv = brood_future_wait(g_tenth.on, FOREVER);
    while (!brood_task_canceled())
        platform_yield();
    return rv;
}

static brood_future_t *map_that_gives_in(pool_t *pool, apr_size_t n,
                                         apr_status_t answer,
                                         const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    zero();
    stopper_init(&g_stopper);
    g_tenth.answer = answer;
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_thread_manager_map(&future, pool, give_in_at_ten,
                                                 g_seen, n, 1, 1, options));
    return future;
}

/* When its time is over before the tenth call, it gets more. */
static brood_future_t *map_at_its_tenth(pool_t *pool, apr_size_t n,
                                        apr_status_t answer,
                                        apr_interval_time_t run_timeout)
{
    brood_task_options_t options = task_options();
    brood_future_t *future;

    options.flags = BROOD_TASK_QUIET;
    for (options.run_timeout = run_timeout;; options.run_timeout *= 2) {
        future = map_that_gives_in(pool, n, answer, &options);
        WAIT_UNTIL(door_is_open(&g_stopper.begun) || settled(future));
        if (door_is_open(&g_stopper.begun))
            return future;
        ASSERT_STATUS_FATAL(BROOD_EOVERRUN, outcome(future));
        stopper_fini(&g_stopper);
    }
}

static void the_token_reaches_calls_under_way(void)
{
    static const struct {
        apr_size_t n;
        int waits, overruns;
        apr_status_t answer, expected;
    } rows[] = {
        { 20, 0, 0, APR_SUCCESS, BROOD_ECANCELED },
        { 20, 0, 0, BROOD_ECANCELED, BROOD_ECANCELED },
        { 20, 0, 0, APR_EGENERAL, BROOD_ECANCELED }, /* it came later */
        { 11, 0, 0, APR_SUCCESS, APR_SUCCESS },      /* all is done */
        { 11, 0, 0, BROOD_ECANCELED, BROOD_ECANCELED },
        { 11, 0, 0, APR_EGENERAL, APR_EGENERAL },
        { 11, 1, 0, APR_SUCCESS, BROOD_ECANCELED },
        { 20, 0, 1, APR_SUCCESS, BROOD_EOVERRUN },
        { 20, 0, 1, BROOD_ECANCELED, BROOD_EOVERRUN },
        { 11, 0, 1, APR_SUCCESS, APR_SUCCESS },
        { 11, 0, 1, BROOD_ECANCELED, BROOD_EOVERRUN },
        { 11, 1, 1, APR_SUCCESS, BROOD_EOVERRUN },
    };
    pool_t *pool = pool_of(1, 1);
    brood_promise_t *promise = NULL;
    brood_future_t *never = NULL;
    unsigned i;

    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &never, NULL));
    for (i = 0; i < COUNT(rows); i++) {
        brood_future_t *future;

        g_tenth.on = rows[i].waits ? never : NULL;
        future = map_at_its_tenth(pool, rows[i].n, rows[i].answer,
                                  rows[i].overruns ? 2000 : 0);
        if (!rows[i].overruns)
            ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
        ASSERT_STATUS(rows[i].expected, outcome(future));
        CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 11);
        stopper_fini(&g_stopper);
    }
    brood_promise_release(promise);
    brood_future_release(never);
    drain_and_leave(pool);
}

static void one_that_is_queued_for_too_long_expires(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_future_t *future;

    zero();
    options.destroy = note_destroyed;
    options.queue_timeout = 1000;
    occupy(pool, &g_stopper);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, pool, mark, g_seen, 100, 1,
                                           0, &options));
    ASSERT_STATUS(BROOD_EEXPIRED, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 1);
    door_open(&g_stopper.go);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 0);
    stopper_fini(&g_stopper);
}

/* None of its runners has begun. */
static void a_queued_map_is_canceled_too(void)
{
    pool_t *pool = pool_of(1, 1);
    brood_task_options_t options = task_options();
    brood_future_t *future;

    zero();
    options.destroy = note_destroyed;
    occupy(pool, &g_stopper);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, pool, mark, g_seen, 100, 1,
                                           0, &options));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 1);
    door_open(&g_stopper.go);
    cancel(pool);
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 0);
    leave_tree();
    stopper_fini(&g_stopper);
}

static pool_t *g_pool;
static brood_context_key_t *g_key;
static atomic_int g_strange;

static apr_status_t check_place(void *element, void **value)
{
    (void)value;
    brood__add(&g_strange, brood_context_get(g_key) != (void *)g_seen, relaxed);
    return mark(element, NULL);
}

static apr_status_t wait_for_it(void *future, void **value)
{
    (void)value;
    /* Another context, and calls run in place all the same see their own. */
    (void)brood_context_set(g_key, &g_calls, NULL);
    return brood_future_get(future, NULL, FOREVER);
}

static apr_status_t map_and_wait(void *unused, void **value)
{
    brood_future_t *future = NULL;
    apr_status_t rv = brood_thread_manager_map(&future, g_pool, mark, g_seen,
                                               MOST, 1, 0, NULL);

    (void)unused;
    (void)value;
    if (rv == APR_SUCCESS)
        rv = brood_future_get(future, NULL, FOREVER);
    brood_future_release(future);
    return rv;
}

static void a_worker_that_waits_helps(void)
{
    options_t options = options_of(1, 1);

    options.max_spares = -1;
    zero();
    g_pool = pool_with(&options);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(g_pool, map_and_wait, NULL)));
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), MOST);
    drain_and_leave(g_pool);
}

static void a_call_in_place_stands_where_the_map_does(void)
{
    brood_future_t *future, *waits;
    options_t options = options_of(1, 1);

    options.max_spares = -1;
    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_key, "map"));
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, g_seen, NULL));
    zero();
    g_pool = pool_with(&options);
    occupy(g_pool, &g_stopper);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, g_pool, check_place, g_seen,
                                           MOST, 1, 0, NULL));
    {
        brood_task_options_t high = task_options();

        high.priority = BROOD_PRIORITY_HIGH; /* before the runner */
        waits = submit_with(g_pool, wait_for_it, future, &high);
    }
    door_open(&g_stopper.go);
    ASSERT_STATUS(APR_SUCCESS, outcome(waits));
    ASSERT_STATUS(APR_SUCCESS, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), MOST);
    CU_ASSERT_EQUAL(brood__load(&g_strange, relaxed), 0);
    drain_and_leave(g_pool);
    stopper_fini(&g_stopper);
}

static apr_status_t on_own_worker(void *element, void **value)
{
    (void)value;
    brood__add(&g_strange, brood__executor_current() != &g_pool->executor,
               relaxed);
    return mark(element, NULL);
}

static void another_managers_worker_does_not_help(void)
{
    pool_t *other = pool_of(1, 1);
    brood_future_t *future;

    zero();
    brood__store(&g_strange, 0, relaxed);
    g_pool = pool_of(1, 1);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, g_pool, on_own_worker,
                                           g_seen, MOST, 1, 1, NULL));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(other, wait_for_it, future)));
    ASSERT_STATUS(APR_SUCCESS, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_strange, relaxed), 0);
    drain(g_pool);
    drain_and_leave(other);
}

static void it_survives_a_lack_of_memory(void)
{
    pool_t *pool = pool_of(1, 2);
    apr_status_t rv = APR_ENOMEM;
    brood_future_t *future;
    unsigned n;

    for (n = 1; rv != APR_SUCCESS && n < 100; n++) {
        zero();
        future = (brood_future_t *)(void *)&g_calls;
        brood__fault_at(BROOD__FAULT_MEMORY, n);
        rv = brood_thread_manager_map(&future, pool, mark, g_seen, 100, 1, 0,
                                      NULL);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv != APR_SUCCESS) {
            ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT_PTR_NULL(future);
        }
    }
    CU_ASSERT(n > 4);
    ASSERT_STATUS(APR_SUCCESS, outcome(future));
    CU_ASSERT_EQUAL(brood__load(&g_calls, relaxed), 100);
    drain_and_leave(pool);
}

static void count_unread(apr_status_t status, const char *name, void *unread)
{
    if (status == APR_EGENERAL && name && !strcmp(name, "a map"))
        brood__add((atomic_int *)unread, 1, relaxed);
}

static void a_failure_that_nobody_reads_is_reported_once(void)
{
    pool_t *pool = pool_of(1, 2);
    brood_task_options_t options = task_options();
    atomic_int unread = 0;

    brood_unobserved_hook_set(count_unread, &unread);
    options.name = "a map";
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(NULL, pool, fail_at_ten, g_seen,
                                           MOST, 1, 4, &options));
    options.flags = BROOD_TASK_QUIET;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(NULL, pool, fail_at_ten, g_seen,
                                           MOST, 1, 4, &options));
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&unread, relaxed), 1);
    brood_unobserved_hook_set(NULL, NULL);
}

static const test_t tests[] = {
    TEST(each_element_is_visited_once),
    TEST(the_stride_is_kept),
    TEST(nothing_settles_at_once),
    TEST(the_first_failure_ends_it),
    TEST(a_cancel_keeps_the_rest_from_running),
    TEST(a_stop_drains_or_cancels_it),
    TEST(the_token_reaches_calls_under_way),
    TEST(one_that_is_queued_for_too_long_expires),
    TEST(a_queued_map_is_canceled_too),
    TEST(a_worker_that_waits_helps),
    TEST_KEEPS(a_call_in_place_stands_where_the_map_does, KEEPS_MEMORY),
    TEST(another_managers_worker_does_not_help),
    TEST(it_survives_a_lack_of_memory),
    TEST(a_failure_that_nobody_reads_is_reported_once),
};

HARNESS_MAIN_WARM("map", tests, warm_up)
