/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_nest.c: a call on a leased thread waits for a coroutine, which comes
 * back with calls of the same context.
 */

#include "async/bank.h"

#define DEPTH 4

typedef struct nest_t {
    bank_t bank;
    brood_loop_manager_t *loop; /* NULL: a private one */
    brood_affinity_pool_t *pool;
    int by_id; /* the context is named, instead of a transaction */
    int depth; /* of calls that are still to nest */
    int on_wrong_thread;
    int ran;
    brood_transaction_t *tx;
    apr_status_t ended, joined;
    int fire_only; /* the coroutine does not wait for what it submits */
    atomic_int *order;
    int outer_end, inner_at;
    turnstile_t *inside;
    door_t *hold;
} nest_t;

static apr_status_t dive(void *baton, void **result);

/* A call that does something, and dives deeper. */
static apr_status_t blocking(void *baton, void **result)
{
    nest_t *nest = baton;

    if (nest->bank.begin_thread && this_thread() != nest->bank.begin_thread)
        nest->on_wrong_thread++;
    nest->bank.begin_thread = this_thread();
    nest->ran++;
    if (nest->order)
        nest->inner_at = atomic_fetch_add(nest->order, 1);
    if (nest->depth-- > 0) {
        brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
        apr_status_t rv;

        options.loop = nest->loop;
        if (nest->inside)
            turnstile_pass(nest->inside);
        if (nest->hold)
            door_wait(nest->hold);
        rv = brood_async_to_sync(NULL, dive, nest, &options);
        if (nest->order)
            nest->outer_end = atomic_fetch_add(nest->order, 1);
        return rv;
    }
    *result = NULL;
    return APR_SUCCESS;
}

static apr_status_t submit_same(brood_future_t **future, nest_t *nest)
{
    return nest->by_id ? brood_affinity_pool_submit(future, nest->pool, "ctx",
                                                    blocking, nest, NULL)
                       : brood_sync_to_async(future, blocking, nest, NULL);
}

/* The coroutine. */
static apr_status_t dive(void *baton, void **result)
{
    nest_t *nest = baton;
    brood_future_t *future = NULL;
    apr_status_t rv = submit_same(nest->fire_only ? NULL : &future, nest);

    (void)result;
    if (rv != APR_SUCCESS || nest->fire_only)
        return rv;
    rv = brood_await(future, NULL);
    brood_future_release(future);
    return rv;
}

static brood_loop_manager_t *loop(void)
{
    brood_loop_manager_t *made = NULL;

    brood_loop_manager_get(&made, "nest", 0);
    brood_loop_manager_start(made, NULL);
    return made;
}

static void stop_loop(brood_loop_manager_t *made)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(made, BROOD_STOP_DRAIN, -1));
}

static void nested_calls_run_on_the_parked_thread(void)
{
    brood_loop_manager_t *made = loop();
    int i;

    for (i = 0; i < 4; i++) {
        nest_t nest;
        brood_future_t *future = NULL;

        memset(&nest, 0, sizeof(nest));
        nest.loop = i % 2 ? NULL : made;
        nest.by_id = i / 2;
        nest.pool = pool_of(2);
        nest.depth = DEPTH;
        if (!nest.by_id)
            nest.tx = begin_on(&nest.bank, nest.pool);
        ASSERT_STATUS(APR_SUCCESS, submit_same(&future, &nest));
        ASSERT_STATUS(APR_SUCCESS, finish(future));
        CU_ASSERT_EQUAL(nest.ran, DEPTH + 1);
        CU_ASSERT_EQUAL(nest.on_wrong_thread, 0);
        if (nest.tx)
            ASSERT_STATUS(APR_SUCCESS,
                          brood_transaction_end(nest.tx, APR_SUCCESS));
        CU_ASSERT_EQUAL(atomic_load(&nest.bank.wrong), 0);
    }
    stop_loop(made);
}

static void what_nobody_waits_for_still_runs_inside(void)
{
    brood_loop_manager_t *made = loop();
    atomic_int order = 0;
    nest_t nest;
    brood_future_t *future = NULL;

    memset(&nest, 0, sizeof(nest));
    nest.loop = made;
    nest.pool = pool_of(2);
    nest.depth = 1;
    nest.fire_only = 1;
    nest.order = &order;
    nest.tx = begin_on(&nest.bank, nest.pool);
    ASSERT_STATUS(APR_SUCCESS, submit_same(&future, &nest));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    CU_ASSERT_EQUAL(nest.ran, 2);
    CU_ASSERT_EQUAL(nest.inner_at, 1);
    CU_ASSERT_EQUAL(nest.outer_end, 2);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(nest.tx, APR_SUCCESS));
    stop_loop(made);
}

static void queued_siblings_wait_until_the_outer_call_is_through(void)
{
    brood_loop_manager_t *made = loop();
    atomic_int order = 0;
    nest_t nest;
    call_t sibling = { .order = &order };
    brood_future_t *a = NULL, *b = NULL;
    turnstile_t inside;
    door_t hold;

    turnstile_init(&inside);
    door_init(&hold);
    memset(&nest, 0, sizeof(nest));
    nest.loop = made;
    nest.pool = pool_of(2);
    nest.depth = 1;
    nest.order = &order;
    nest.inside = &inside;
    nest.hold = &hold;
    nest.tx = begin_on(&nest.bank, nest.pool);
    ASSERT_STATUS(APR_SUCCESS, submit_same(&a, &nest));
    turnstile_wait(&inside, 1);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_sync_to_async(&b, run_call, &sibling, NULL));
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(a));
    ASSERT_STATUS(APR_SUCCESS, finish(b));
    CU_ASSERT_EQUAL(nest.outer_end, 2);
    CU_ASSERT_EQUAL(sibling.at, 3);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(nest.tx, APR_SUCCESS));
    stop_loop(made);
    turnstile_fini(&inside);
    door_fini(&hold);
}

static apr_status_t end_it(void *baton, void **result)
{
    nest_t *nest = baton;

    (void)result;
    nest->ended = brood_transaction_end(nest->tx, APR_SUCCESS);
    return nest->ended;
}

static apr_status_t no_statement(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

static void an_end_that_is_asked_for_meanwhile_comes_behind(void)
{
    brood_loop_manager_t *made = loop();
    brood_thread_manager_t *manager = threads();
    nest_t nest;
    brood_future_t *future = NULL, *ending = NULL;
    turnstile_t inside;
    door_t hold;

    turnstile_init(&inside);
    door_init(&hold);
    memset(&nest, 0, sizeof(nest));
    nest.loop = made;
    nest.pool = pool_of(2);
    nest.depth = 1;
    nest.inside = &inside;
    nest.hold = &hold;
    nest.tx = begin_on(&nest.bank, nest.pool);
    ASSERT_STATUS(APR_SUCCESS, submit_same(&future, &nest));
    turnstile_wait(&inside, 1);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   &ending, manager, end_it, &nest, NULL));
    WAIT_UNTIL(brood_sync_to_async(NULL, no_statement, NULL, NULL)
               == BROOD_ESTALE);
    /* Refused to us; but what the running call brings about is part of it. */
    CU_ASSERT_EQUAL(atomic_load(&nest.bank.committed), 0);
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    ASSERT_STATUS(APR_SUCCESS, finish(ending));
    CU_ASSERT_EQUAL(nest.ran, 2);
    CU_ASSERT_EQUAL(nest.on_wrong_thread, 0);
    CU_ASSERT_EQUAL(atomic_load(&nest.bank.committed), 1);
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_end(nest.tx, APR_SUCCESS));
    stop_threads(manager);
    stop_loop(made);
    turnstile_fini(&inside);
    door_fini(&hold);
}

static apr_status_t end_from_inside(void *baton, void **result)
{
    nest_t *nest = baton;
    brood_transaction_t *joined = NULL;

    (void)result;
    nest->ended = brood_transaction_end(nest->tx, APR_SUCCESS);
    nest->joined = brood_transaction_begin(&joined, NULL);
    if (nest->joined == APR_SUCCESS)
        nest->joined = brood_transaction_end(joined, APR_SUCCESS);
    return APR_SUCCESS;
}

static apr_status_t end_by_a_coroutine(void *baton, void **result)
{
    nest_t *nest = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    (void)result;
    options.loop = nest->loop;
    return brood_async_to_sync(NULL, end_from_inside, nest, &options);
}

static void no_call_can_wait_for_its_own_transactions_end(void)
{
    brood_loop_manager_t *made = loop();
    nest_t nest;
    int i;

    memset(&nest, 0, sizeof(nest));
    nest.loop = made;
    nest.pool = pool_of(2);
    nest.tx = begin_on(&nest.bank, nest.pool);
    for (i = 0; i < 2; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      call(i ? end_by_a_coroutine : end_from_inside, &nest));
        ASSERT_STATUS(BROOD_EDEADLK, nest.ended);
        ASSERT_STATUS(APR_SUCCESS, nest.joined);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(nest.tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&nest.bank.committed), 1);
    stop_loop(made);
}

static apr_status_t never(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return brood_sleep(600 * 1000000LL);
}

static apr_status_t wait_briefly(void *baton, void **result)
{
    nest_t *nest = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    (void)result;
    options.loop = nest->loop;
    options.timeout = 3000;
    return brood_async_to_sync(NULL, never, nest, &options);
}

static void a_nest_ends_with_the_time_limit(void)
{
    brood_loop_manager_t *made = loop();
    nest_t nest;
    int i;

    for (i = 0; i < 2; i++) {
        memset(&nest, 0, sizeof(nest));
        nest.loop = i ? NULL : made;
        nest.pool = pool_of(2);
        nest.tx = begin_on(&nest.bank, nest.pool);
        ASSERT_STATUS(APR_TIMEUP, call(wait_briefly, &nest));
        ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &nest.bank));
        ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(nest.tx, APR_SUCCESS));
        CU_ASSERT_EQUAL(atomic_load(&nest.bank.wrong), 0);
    }
    stop_loop(made);
}

static const test_t tests[] = {
    TEST_KEEPS(nested_calls_run_on_the_parked_thread, KEEPS_MEMORY),
    TEST_KEEPS(what_nobody_waits_for_still_runs_inside, KEEPS_MEMORY),
    TEST_KEEPS(queued_siblings_wait_until_the_outer_call_is_through,
               KEEPS_MEMORY),
    TEST_KEEPS(an_end_that_is_asked_for_meanwhile_comes_behind, KEEPS_MEMORY),
    TEST_KEEPS(no_call_can_wait_for_its_own_transactions_end, KEEPS_MEMORY),
    TEST_KEEPS(a_nest_ends_with_the_time_limit, KEEPS_MEMORY),
};

static void warm_up_all(void)
{
    warm_up_threads();
    brood_loop_manager_stop(loop(), BROOD_STOP_DRAIN, -1);
}

HARNESS_MAIN_WARM("nest", tests, warm_up_all)
