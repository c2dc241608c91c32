/* SPDX-License-Identifier: Apache-2.0 */

/* test_none.c: calls that take any number of something, given none. */

#include "thread/pool.h"

static stopper_t g_stopper;
static atomic_int g_destroyed;

static void note_destroyed(void *base)
{
    (void)base;
    brood__add(&g_destroyed, 1, relaxed);
}

/* Both calls with n of something, on a manager in some state: 0 answers `none`
 * and 1 answers `one`, or is not tried, since it would wait. Without a manager
 * `pool` is NULL. */
static void expect(pool_t *pool, const brood_task_options_t *options,
                   apr_status_t none, apr_status_t one)
{
    static const brood_task_t task = { nothing, NULL };
    brood_task_options_t with = options ? *options : task_options();
    brood_future_t *futures[2] = { NULL, NULL };
    int n;

    with.destroy = note_destroyed;
    for (n = 0; n < (one == BROOD_EPENDING ? 1 : 2); n++) {
        const apr_status_t expected = n ? one : none;

        brood__store(&g_destroyed, 0, relaxed);
        ASSERT_STATUS(expected, brood_thread_manager_submit_many(
                                    n ? futures : NULL, pool, n ? &task : NULL,
                                    (apr_size_t)n, options));
        CU_ASSERT_EQUAL(futures[0] != NULL, n && expected == APR_SUCCESS);
        ASSERT_STATUS(expected,
                      brood_thread_manager_map(&futures[1], pool, nothing,
                                               n ? &g_stopper : NULL,
                                               (apr_size_t)n, 1, 0, &with));
        CU_ASSERT_EQUAL(futures[1] != NULL, expected == APR_SUCCESS);
        if (n == 0 && futures[1])
            CU_ASSERT_TRUE(settled(futures[1])
                           && brood__load(&g_destroyed, relaxed) == 1);
        if (futures[0])
            ASSERT_STATUS(APR_SUCCESS, outcome(futures[0]));
        if (futures[1])
            ASSERT_STATUS(APR_SUCCESS, outcome(futures[1]));
        CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed),
                        expected == APR_SUCCESS);
        futures[0] = futures[1] = NULL;
    }
}

static void of_a_manager_that_does_not_run_none_is_refused_as_one(void)
{
    options_t options = options_of(1, 1);
    pool_t *pool = pool_get("test");

    expect(NULL, NULL, APR_EINVAL, APR_EINVAL);
    expect(pool, NULL, BROOD_ENOTSTARTED, BROOD_ENOTSTARTED);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &options));
    expect(pool, NULL, APR_SUCCESS, APR_SUCCESS);
    drain(pool);
    expect(pool, NULL, BROOD_ESTOPPED, BROOD_ESTOPPED);
    CU_ASSERT_EQUAL(stats_of(pool).rejected, 1 + 1 + 1 + 1);
    leave_tree();
}

static void of_another_type_none_is_refused_as_one(void)
{
    options_t options = options_of(1, 1);
    brood_task_options_t typed = task_options();
    pool_t *pool;

    options.task_type = "image";
    pool = pool_with(&options);
    typed.type = "image";
    expect(pool, NULL, BROOD_ETASKTYPE, BROOD_ETASKTYPE);
    expect(pool, &typed, APR_SUCCESS, APR_SUCCESS);
    typed.size = 1;
    expect(pool, &typed, APR_EINVAL, APR_EINVAL);
    drain_and_leave(pool);
}

static void without_a_function_nothing_is_mapped(void)
{
    pool_t *pool = pool_of(1, 1);

    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_map(NULL, pool, NULL, NULL,
                                                       0, 1, 0, NULL));
    drain_and_leave(pool);
}

/* It is neither refused, nor does it wait, nor run anything in the caller. */
static void none_needs_no_room(void)
{
    static const struct {
        int when_full;
        apr_status_t one;
    } rows[] = {
        { BROOD_WHEN_FULL_REJECT, BROOD_EFULL },
        { BROOD_WHEN_FULL_BLOCK, BROOD_EPENDING },
        { BROOD_WHEN_FULL_RUN, APR_SUCCESS },
    };
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        options_t options = options_of(1, 1);
        pool_t *pool;

        options.capacity = 1;
        options.when_full = rows[i].when_full;
        pool = pool_with(&options);
        occupy(pool, &g_stopper);
        submit_plain(pool, nothing, NULL);
        expect(pool, NULL, APR_SUCCESS, rows[i].one);
        CU_ASSERT_EQUAL(stats_of(pool).queued, 1);
        door_open(&g_stopper.go);
        drain_and_leave(pool);
        stopper_fini(&g_stopper);
    }
}

/* Where the system refuses a thread, too. */
static void none_needs_no_thread(void)
{
    pool_t *pool = pool_of(-1, 1);

    brood__fault_all(BROOD__FAULT_THREAD);
    expect(pool, NULL, APR_SUCCESS, APR_EAGAIN);
    brood__fault_at(BROOD__FAULT_THREAD, 0);
    CU_ASSERT_EQUAL(stats_of(pool).started, 0);
    drain_and_leave(pool);
}

static pool_t *g_pool;

/* A task of a manager that drains, and then of one that is canceled. */
static apr_status_t give_none(void *expected, void **value)
{
    apr_status_t rv;

    (void)be_in_the_way(&g_stopper, value);
    rv = brood_thread_manager_submit_many(NULL, g_pool, NULL, 0, NULL);
    if (rv == *(apr_status_t *)expected)
        rv = brood_thread_manager_map(NULL, g_pool, nothing, NULL, 0, 1, 0,
                                      NULL);
    return rv;
}

static void while_it_stops_none_is_accepted_from_its_own_tasks(void)
{
    static const struct {
        brood_stop_e how;
        apr_status_t expected;
    } rows[] = { { BROOD_STOP_DRAIN, APR_SUCCESS },
                 { BROOD_STOP_CANCEL, BROOD_ESTOPPED } };
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        brood_future_t *future;
        apr_status_t expected = rows[i].expected;

        stopper_init(&g_stopper);
        g_pool = pool_of(1, 1);
        future = submit(g_pool, give_none, &expected);
        door_wait(&g_stopper.begun);
        ASSERT_STATUS(APR_TIMEUP,
                      brood_thread_manager_stop(g_pool, rows[i].how, 0));
        expect(g_pool, NULL, BROOD_ESTOPPED, BROOD_ESTOPPED);
        door_open(&g_stopper.go);
        ASSERT_STATUS(rows[i].expected, outcome(future));
        drain_and_leave(g_pool);
        stopper_fini(&g_stopper);
    }
}

/* Refused for lack of memory it leaves nothing behind. */
static void every_request_for_memory_may_fail(void)
{
    pool_t *pool = pool_of(1, 1);
    unsigned n = 0;
    apr_status_t rv;

    do {
        brood_future_t *future = NULL;

        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = brood_thread_manager_map(&future, pool, nothing, NULL, 0, 1, 0,
                                      NULL);
        CU_ASSERT_EQUAL(future != NULL, rv == APR_SUCCESS);
        CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM);
        brood_future_release(future);
    } while (brood__fault_pending(BROOD__FAULT_MEMORY) == 0 && n < 20);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT(n > 1 && n < 20);
    drain_and_leave(pool);
}

static void of_no_futures_all_are_settled_and_none_is_the_first(void)
{
    brood_future_t *all = NULL;
    apr_size_t index = 7;

    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_all(NULL, 0, FOREVER));
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_all(NULL, 0, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_any(NULL, 0, &index, 0));
    CU_ASSERT_EQUAL(index, 7);
    ASSERT_STATUS(APR_SUCCESS, brood_future_all(&all, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, outcome(all));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_all(NULL, 1, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_all(&all, NULL, 1));
    CU_ASSERT_PTR_NULL(all);
}

static const test_t tests[] = {
    TEST(of_a_manager_that_does_not_run_none_is_refused_as_one),
    TEST(of_another_type_none_is_refused_as_one),
    TEST(without_a_function_nothing_is_mapped),
    TEST(none_needs_no_room),
    TEST(none_needs_no_thread),
    TEST(while_it_stops_none_is_accepted_from_its_own_tasks),
    TEST(every_request_for_memory_may_fail),
    TEST(of_no_futures_all_are_settled_and_none_is_the_first),
};
HARNESS_MAIN_WARM("none", tests, warm_up)
