/* SPDX-License-Identifier: Apache-2.0 */

/* test_sync_to_async.c: where a blocking call runs, and whose it is. */

#include "async/bank.h"

static brood_loop_manager_t *loop_named(const char *id)
{
    brood_loop_manager_t *loop = NULL;

    brood_loop_manager_get(&loop, id, 0);
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

/* ---- which pool ----------------------------------------------------------- */

static int busy_in(brood_affinity_pool_t *pool)
{
    return census_of(pool).busy;
}

static void the_options_pool_comes_before_the_one_in_use(void)
{
    brood_affinity_pool_t *used = pool_of(2), *named = pool_of(2);
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *a = NULL, *b = NULL;
    turnstile_t arrived;
    door_t hold;
    call_t one, two;

    turnstile_init(&arrived);
    door_init(&hold);
    one = two = (call_t){ .arrived = &arrived, .hold = &hold };
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_use(used));
    ASSERT_STATUS(APR_SUCCESS, brood_sync_to_async(&a, run_call, &one, NULL));
    turnstile_wait(&arrived, 1);
    CU_ASSERT_EQUAL(busy_in(used), 1);
    CU_ASSERT_EQUAL(busy_in(named), 0);
    options.pool = named;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_sync_to_async(&b, run_call, &two, &options));
    turnstile_wait(&arrived, 2);
    CU_ASSERT_EQUAL(busy_in(named), 1);
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(a));
    ASSERT_STATUS(APR_SUCCESS, finish(b));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_use(NULL));
    turnstile_fini(&arrived);
    door_fini(&hold);
}

static apr_status_t use_inherited(void *baton, void **result)
{
    (void)result;
    return call(run_call, baton);
}

static void the_pool_in_use_is_inherited_and_the_transactions_wins(void)
{
    brood_affinity_pool_t *used = pool_of(2), *other = pool_of(2);
    brood_thread_manager_t *manager = threads();
    brood_future_t *future = NULL;
    brood_transaction_t *tx;
    bank_t bank = { 0 };
    call_t inherited = { 0 }, inside = { 0 };

    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_use(used));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_submit(&future, manager, use_inherited,
                                              &inherited, NULL));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    CU_ASSERT_EQUAL(census_of(used).threads > 0, 1);
    CU_ASSERT_EQUAL(census_of(other).threads, 0);
    tx = begin_on(&bank, other);
    ASSERT_STATUS(APR_SUCCESS, call(run_call, &inside));
    CU_ASSERT_EQUAL(inside.thread, bank.begin_thread);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_use(NULL));
    stop_threads(manager);
}

static void there_is_a_default_pool(void)
{
    call_t one = { 0 };
    brood_transaction_t *tx = begin_with(NULL);

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, call(run_call, &one));
    CU_ASSERT(one.thread != this_thread());
}

/* ---- from a coroutine ------------------------------------------------------- */

typedef struct shop_t {
    brood_affinity_pool_t *pool;
    bank_t bank;
    int loop_thread;
    atomic_int wrong;
    apr_status_t rv;
} shop_t;

/* What a request does: a transaction with awaits between its calls. */
static apr_status_t order_something(void *baton, void **result)
{
    shop_t *shop = baton;
    bank_t bank = { 0 };
    brood_transaction_options_t options = with_bank(&bank, shop->pool);
    brood_transaction_t *tx = NULL;
    apr_status_t rv = brood_transaction_begin(&tx, &options);
    int i;

    (void)result;
    for (i = 0; i < 5 && rv == APR_SUCCESS; i++) {
        brood_future_t *future = NULL;

        rv = brood_sync_to_async(&future, bank_statement, &bank, NULL);
        if (rv == APR_SUCCESS) {
            rv = brood_await(future, NULL);
            brood_future_release(future);
        }
        if (this_thread() != shop->loop_thread)
            atomic_fetch_add(&shop->wrong, 1);
    }
    if (rv == APR_SUCCESS)
        rv = brood_transaction_end(tx, APR_SUCCESS);
    atomic_fetch_add(&shop->wrong, atomic_load(&bank.wrong));
    if (bank.begin_thread != bank.end_thread
        || atomic_load(&bank.committed) != 1)
        atomic_fetch_add(&shop->wrong, 1);
    return rv;
}

static apr_status_t note_thread(void *baton, void **result)
{
    (void)result;
    ((shop_t *)baton)->loop_thread = this_thread();
    return APR_SUCCESS;
}

static void coroutines_hold_transactions_over_their_awaits(void)
{
    brood_loop_manager_t *loop = loop_named("bridge");
    shop_t shop = { .pool = pool_of(4) };
    brood_future_t *futures[20];
    int i;

    ASSERT_STATUS(APR_SUCCESS, run_on(loop, note_thread, &shop));
    for (i = 0; i < 20; i++)
        ASSERT_STATUS_FATAL(
            APR_SUCCESS, brood_loop_manager_submit(
                             &futures[i], loop, order_something, &shop, NULL));
    for (i = 0; i < 20; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    CU_ASSERT_EQUAL(atomic_load(&shop.wrong), 0);
    CU_ASSERT_EQUAL(census_of(shop.pool).leased, 0);
    stop_loop(loop);
}

static apr_status_t leave_open(void *baton, void **result)
{
    shop_t *shop = baton;
    brood_transaction_options_t options = with_bank(&shop->bank, shop->pool);
    brood_transaction_t *tx = NULL;

    (void)result;
    return brood_transaction_begin(&tx, &options);
}

static void a_coroutine_that_forgets_it_rolls_it_back(void)
{
    brood_loop_manager_t *loop = loop_named("bridge");
    shop_t shop = { .pool = pool_of(2) };

    ASSERT_STATUS(APR_SUCCESS, run_on(loop, leave_open, &shop));
    CU_ASSERT_EQUAL(atomic_load(&shop.bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&shop.bank.wrong), 0);
    stop_loop(loop);
}

static void begin_on_a_bare_loop(void *baton)
{
    shop_t *shop = baton;
    brood_transaction_options_t options = with_bank(&shop->bank, shop->pool);
    brood_transaction_t *tx = NULL;

    shop->rv = brood_transaction_begin(&tx, &options);
    shop->loop_thread = this_thread();
}

static apr_status_t nothing(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

static void a_bare_loop_thread_may_not_begin(void)
{
    brood_loop_manager_t *loop = loop_named("bridge");
    shop_t shop = { .pool = pool_of(2) };

    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_post(loop, begin_on_a_bare_loop, &shop));
    ASSERT_STATUS(APR_SUCCESS, run_on(loop, nothing, NULL));
    ASSERT_STATUS(BROOD_EDEADLK, shop.rv);
    CU_ASSERT_EQUAL(atomic_load(&shop.bank.begun), 0);
    stop_loop(loop);
}

/* ---- one call ---------------------------------------------------------------- */

static brood_async_options_t one_call_with(
    const brood_transaction_options_t *hooks, brood_affinity_pool_t *pool)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.pool = pool;
    options.flags = BROOD_TRANSACTIONAL;
    options.transaction = hooks;
    return options;
}

static apr_status_t fail(void *baton, void **result)
{
    *result = baton;
    return APR_EINCOMPLETE;
}

static apr_status_t run_one(brood_task_fn *fn, void *baton,
                            const brood_async_options_t *options)
{
    brood_future_t *future = NULL;
    apr_status_t rv = brood_sync_to_async(&future, fn, baton, options);

    return rv == APR_SUCCESS ? finish(future) : rv;
}

static void one_call_can_be_a_transaction(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_options_t hooks = with_bank(&bank, NULL);
    brood_async_options_t options = one_call_with(&hooks, pool);

    ASSERT_STATUS(APR_SUCCESS, run_one(bank_statement, &bank, &options));
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    CU_ASSERT_EQUAL(bank.after, 1);
    ASSERT_STATUS(APR_EINCOMPLETE, run_one(fail, &bank, &options));
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.outcome), APR_EINCOMPLETE);
    bank.fail_end = APR_EGENERAL;
    ASSERT_STATUS(APR_EGENERAL, run_one(bank_statement, &bank, &options));
    bank.fail_begin = APR_ENOTIMPL;
    ASSERT_STATUS(APR_ENOTIMPL, run_one(bank_statement, &bank, &options));
    CU_ASSERT_EQUAL(atomic_load(&bank.statements), 2);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
}

static void one_call_needs_a_free_thread_at_once(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_async_options_t options = one_call_with(NULL, pool);
    brood_transaction_t *tx = begin_on(&bank, pool), *out = NULL;
    brood_future_t *future = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    ASSERT_STATUS(BROOD_EFULL,
                  brood_sync_to_async(&future, nothing, NULL, &options));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, run_one(nothing, NULL, &options));
}

static void inside_a_transaction_one_call_is_a_part_of_it(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 }, unused = { 0 };
    brood_transaction_options_t hooks = with_bank(&unused, NULL);
    brood_async_options_t options = one_call_with(&hooks, NULL);
    brood_transaction_t *tx = begin_on(&bank, pool);

    ASSERT_STATUS(APR_SUCCESS, run_one(bank_statement, &bank, &options));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    tx = begin_on(&bank, pool);
    ASSERT_STATUS(APR_EINCOMPLETE, run_one(fail, &bank, &options));
    ASSERT_STATUS(BROOD_EROLLEDBACK, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&unused.begun), 0);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
}

typedef struct inner_t {
    bank_t bank;
    apr_status_t queued, joined, left, ended;
    int had_id;
} inner_t;

static apr_status_t do_more_inside(void *baton, void **result)
{
    inner_t *inner = baton;
    brood_transaction_t *tx = NULL, *out = NULL;

    (void)result;
    inner->had_id = brood_transaction_id() != NULL;
    /* For behind this call, but before the end. */
    inner->queued = brood_sync_to_async(NULL, bank_statement, &inner->bank,
                                        NULL);
    inner->joined = brood_transaction_begin(&tx, NULL);
    inner->left = brood_transaction_end(tx, APR_SUCCESS);
    brood_transaction_suspend(&out);
    inner->ended = brood_transaction_resume(out);
    return APR_SUCCESS;
}

static void one_call_is_a_whole_transaction_inside(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    inner_t inner;
    brood_transaction_options_t hooks;
    brood_async_options_t options;

    memset(&inner, 0, sizeof(inner));
    hooks = with_bank(&inner.bank, NULL);
    options = one_call_with(&hooks, pool);
    ASSERT_STATUS(APR_SUCCESS, run_one(do_more_inside, &inner, &options));
    CU_ASSERT(inner.had_id);
    ASSERT_STATUS(APR_SUCCESS, inner.queued);
    ASSERT_STATUS(APR_SUCCESS, inner.joined);
    ASSERT_STATUS(APR_SUCCESS, inner.left);
    ASSERT_STATUS(APR_SUCCESS, inner.ended);
    CU_ASSERT_EQUAL(inner.bank.after, 1);
    CU_ASSERT_EQUAL(atomic_load(&inner.bank.committed), 1);
    CU_ASSERT_EQUAL(atomic_load(&inner.bank.wrong), 0);
}

/* ---- bad input ---------------------------------------------------------------- */

static void bad_input_queues_nothing(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_transaction_options_t hooks = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_future_t *future = (brood_future_t *)&task;

    options.pool = pool;
    ASSERT_STATUS(APR_EINVAL,
                  brood_sync_to_async(&future, NULL, NULL, &options));
    CU_ASSERT_PTR_NULL(future);
    options.flags = 0x80;
    ASSERT_STATUS(APR_EINVAL,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
    options.flags = 0;
    options.size--;
    ASSERT_STATUS(APR_EINVAL,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
    options.size++;
    task.priority = 7;
    options.task = &task;
    ASSERT_STATUS(APR_EINVAL,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
    options.flags = BROOD_TRANSACTIONAL;
    ASSERT_STATUS(APR_EINVAL,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
    task.priority = 0;
    hooks.size = 0;
    options.transaction = &hooks;
    ASSERT_STATUS(APR_EINVAL,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
    CU_ASSERT_EQUAL(census_of(pool).threads, 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    hooks.size = sizeof(hooks);
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
    options.flags = 0;
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_sync_to_async(NULL, nothing, NULL, &options));
}

static const test_t tests[] = {
    TEST(the_options_pool_comes_before_the_one_in_use),
    TEST(the_pool_in_use_is_inherited_and_the_transactions_wins),
    TEST_KEEPS(there_is_a_default_pool, KEEPS_ALL),
    /* the tables of the loop grow, and stay */
    TEST_KEEPS(coroutines_hold_transactions_over_their_awaits, KEEPS_MEMORY),
    TEST_KEEPS(a_coroutine_that_forgets_it_rolls_it_back, KEEPS_MEMORY),
    TEST(a_bare_loop_thread_may_not_begin),
    TEST(one_call_can_be_a_transaction),
    TEST(one_call_needs_a_free_thread_at_once),
    TEST(inside_a_transaction_one_call_is_a_part_of_it),
    TEST(one_call_is_a_whole_transaction_inside),
    TEST(bad_input_queues_nothing),
};

static apr_status_t nap(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return brood_sleep(10000);
}

static void warm_up_all(void)
{
    brood_loop_manager_t *loop = loop_named("bridge");
    brood_future_t *futures[30] = { NULL };
    int i;

    warm_up_threads();
    for (i = 0; i < 30; i++)
        brood_loop_manager_submit(&futures[i], loop, nap, NULL, NULL);
    for (i = 0; i < 30; i++)
        if (futures[i])
            finish(futures[i]);
    brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1);
}

HARNESS_MAIN_WARM("sync_to_async", tests, warm_up_all)
