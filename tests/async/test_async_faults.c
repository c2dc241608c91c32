/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_async_faults.c: the n-th allocation or thread start fails, for every n
 * that an operation needs. It then says so or succeeds all the same, changes
 * nothing or everything, and loses nothing.
 */

#include "async/bank.h"

typedef struct world_t {
    brood_affinity_pool_t *pool;
    brood_loop_manager_t *loop;
    bank_t bank;
    int opened; /* successful operations */
} world_t;

/* Does one operation, and undoes it when it succeeded. */
typedef apr_status_t operation_fn(world_t *world);

static int may_fail_with(apr_status_t rv, brood__fault_e kind)
{
    return rv == APR_SUCCESS || rv == APR_ENOMEM
           || (kind == BROOD__FAULT_THREAD && rv == APR_EAGAIN);
}

/* Each n from 1, until nothing of that kind is asked for any more. */
static void fail_each(operation_fn *operation, world_t *world,
                      brood__fault_e kind)
{
    int hit = 1, odd = 0;
    unsigned n;

    for (n = 1; hit && n < 200; n++) {
        apr_status_t rv;

        brood__fault_at(kind, n);
        rv = operation(world);
        hit = !brood__fault_pending(kind);
        brood__fault_at(kind, 0);
        if (!may_fail_with(rv, kind)) {
            ASSERT_STATUS(APR_ENOMEM, rv);
            odd++;
        }
        if (rv == APR_SUCCESS)
            world->opened++;
        CU_ASSERT_PTR_NULL(brood_transaction_id());
    }
    CU_ASSERT(n < 200);
    CU_ASSERT_EQUAL(odd, 0);
    /* Unhurt. */
    ASSERT_STATUS(APR_SUCCESS, operation(world));
    CU_ASSERT_EQUAL(atomic_load(&world->bank.wrong), 0);
}

/* Also while a failure is armed, which may then be the look's own. */
static int is_vacant(brood_affinity_pool_t *pool)
{
    census_t census = { 0, 0, 0, 0 };

    return brood_affinity_pool_each(pool, count_thread, &census) == APR_SUCCESS
           && census.leased == 0;
}

static apr_status_t make_a_pool(world_t *world)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool = NULL;
    apr_pool_t *memory;
    apr_status_t rv;

    (void)world;
    apr_pool_create(&memory, NULL);
    options.max_threads = 2;
    rv = brood_affinity_pool_create(&pool, &options, memory);
    if (rv != APR_SUCCESS)
        CU_ASSERT_PTR_NULL(pool);
    apr_pool_destroy(memory);
    return rv;
}

static apr_status_t submit_to(world_t *world, const char *context)
{
    call_t call = { 0 };
    brood_future_t *future = NULL;
    apr_status_t rv = brood_affinity_pool_submit(&future, world->pool, context,
                                                 run_call, &call, NULL);

    if (rv != APR_SUCCESS) {
        CU_ASSERT_PTR_NULL(future);
        CU_ASSERT_EQUAL(call.thread, 0);
        return rv;
    }
    return finish(future);
}

static apr_status_t submit_general(world_t *world)
{
    return submit_to(world, NULL);
}

static apr_status_t open_a_context(world_t *world)
{
    apr_status_t rv = submit_to(world, "ctx");
    apr_status_t released = brood_affinity_pool_release(world->pool, "ctx");

    /* What failed has not left a context open, and what worked has. */
    WAIT_UNTIL(is_vacant(world->pool));
    return rv == APR_SUCCESS ? released : rv;
}

static apr_status_t do_a_transaction(world_t *world)
{
    brood_transaction_options_t options = with_bank(&world->bank, world->pool);
    brood_transaction_t *tx = NULL;
    apr_status_t rv = brood_transaction_begin(&tx, &options);

    if (rv != APR_SUCCESS) {
        CU_ASSERT_PTR_NULL(tx);
        WAIT_UNTIL(is_vacant(world->pool));
        return rv;
    }
    rv = call(bank_statement, &world->bank);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    return rv;
}

static apr_status_t do_a_nested_transaction(world_t *world)
{
    brood_transaction_options_t options = with_bank(&world->bank, world->pool);
    brood_transaction_t *tx = NULL, *joined = NULL, *inner = NULL;
    apr_status_t rv = brood_transaction_begin(&tx, &options), nested;

    if (rv != APR_SUCCESS)
        return rv;
    rv = brood_transaction_begin(&joined, &options);
    if (rv == APR_SUCCESS)
        ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(joined, APR_SUCCESS));
    options.requires_new = 1;
    nested = brood_transaction_begin(&inner, &options);
    if (nested == APR_SUCCESS)
        ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(inner, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    return rv == APR_SUCCESS ? nested : rv;
}

static apr_status_t step_out_and_in(world_t *world)
{
    brood_transaction_options_t options = with_bank(&world->bank, world->pool);
    brood_transaction_t *tx = NULL, *out = NULL;
    apr_status_t rv = brood_transaction_begin(&tx, &options);
    apr_status_t again;

    if (rv != APR_SUCCESS)
        return rv;
    rv = brood_transaction_suspend(&out);
    if (rv == APR_SUCCESS) {
        CU_ASSERT_PTR_NULL(brood_transaction_id());
        do {
            again = brood_transaction_resume(out);
            if (again != APR_SUCCESS)
                rv = again;
        } while (again == APR_ENOMEM);
    }
    CU_ASSERT_PTR_NOT_NULL(brood_transaction_id());
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    return rv;
}

static apr_status_t do_one_call(world_t *world)
{
    brood_transaction_options_t hooks = with_bank(&world->bank, NULL);
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *future = NULL;
    apr_status_t rv;

    options.pool = world->pool;
    options.flags = BROOD_TRANSACTIONAL;
    options.transaction = &hooks;
    rv = brood_sync_to_async(&future, bank_statement, &world->bank, &options);
    if (rv == APR_SUCCESS)
        rv = finish(future);
    else
        CU_ASSERT_PTR_NULL(future);
    WAIT_UNTIL(is_vacant(world->pool));
    return rv;
}

static apr_status_t come_back(void *baton, void **result)
{
    world_t *world = baton;

    (void)result;
    return call(bank_statement, &world->bank);
}

static apr_status_t go_and_come_back(void *baton, void **result)
{
    world_t *world = baton;
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    (void)result;
    options.loop = world->loop;
    return brood_async_to_sync(NULL, come_back, world, &options);
}

static apr_status_t bridge_in_a_transaction(world_t *world)
{
    brood_transaction_options_t options = with_bank(&world->bank, world->pool);
    brood_transaction_t *tx = NULL;
    apr_status_t rv = brood_transaction_begin(&tx, &options);

    if (rv != APR_SUCCESS)
        return rv;
    rv = call(go_and_come_back, world);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    return rv;
}

static void walk(operation_fn *operation, brood__fault_e kind)
{
    world_t world;

    memset(&world, 0, sizeof(world));
    world.pool = pool_of(4);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_get(&world.loop, "faults", 0));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(world.loop, NULL));
    fail_each(operation, &world, kind);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(world.loop, BROOD_STOP_DRAIN, -1));
    CU_ASSERT_EQUAL(atomic_load(&world.bank.begun),
                    atomic_load(&world.bank.committed)
                        + atomic_load(&world.bank.rolled_back));
}

#define WALK(sentence, operation)                                              \
    static void sentence(void)                                                 \
    {                                                                          \
        walk(operation, BROOD__FAULT_MEMORY);                                  \
        walk(operation, BROOD__FAULT_THREAD);                                  \
    }

WALK(a_pool_is_made_or_not, make_a_pool)
WALK(a_general_call_is_queued_or_not, submit_general)
WALK(a_context_is_opened_or_not, open_a_context)
WALK(a_transaction_is_begun_or_not, do_a_transaction)
WALK(a_nested_transaction_is_begun_or_not, do_a_nested_transaction)
WALK(one_steps_out_and_in_or_not, step_out_and_in)
WALK(one_call_is_made_or_not, do_one_call)
WALK(the_bridge_is_crossed_or_not, bridge_in_a_transaction)

/* KEEPS_MEMORY: the loop's tables grow, and stay. */
static const test_t tests[] = {
    TEST(a_pool_is_made_or_not),
    TEST(a_general_call_is_queued_or_not),
    TEST(a_context_is_opened_or_not),
    TEST(a_transaction_is_begun_or_not),
    TEST(a_nested_transaction_is_begun_or_not),
    TEST(one_steps_out_and_in_or_not),
    TEST(one_call_is_made_or_not),
    TEST_KEEPS(the_bridge_is_crossed_or_not, KEEPS_MEMORY),
};

static void warm_up_all(void)
{
    brood_loop_manager_t *loop = NULL;

    warm_up_threads();
    brood_loop_manager_get(&loop, "faults", 0);
    brood_loop_manager_start(loop, NULL);
    brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1);
}

HARNESS_MAIN_WARM("async_faults", tests, warm_up_all)
