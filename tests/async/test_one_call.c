/* SPDX-License-Identifier: Apache-2.0 */

/* test_one_call.c: calls that are a transaction of their own, or a part of the
 * open one: what becomes of their batons, and of their threads. */

#include "async/fixture.h"

#define AN_HOUR ((apr_interval_time_t)3600 * 1000000)

static brood_affinity_pool_t *g_pool;
static atomic_int g_begun, g_committed, g_rolled_back, g_destroyed;

typedef struct work_t {
    apr_status_t status; /* what it returns */
    char id[40];         /* of the transaction that it is in */
} work_t;

static apr_status_t do_work(void *baton, void **value)
{
    work_t *work = baton;
    const char *id = brood_transaction_id();

    (void)value;
    if (id)
        strncpy(work->id, id, sizeof(work->id) - 1);
    return work->status;
}

static void destroy(void *baton)
{
    (void)baton;
    atomic_fetch_add(&g_destroyed, 1);
}

static apr_status_t on_begin(void *unused)
{
    (void)unused;
    atomic_fetch_add(&g_begun, 1);
    return APR_SUCCESS;
}

static apr_status_t on_end(void *unused, apr_status_t outcome)
{
    (void)unused;
    atomic_fetch_add(outcome == APR_SUCCESS ? &g_committed : &g_rolled_back, 1);
    return APR_SUCCESS;
}

/* What a call is to have; `hooks` and `task` are the caller's. */
static brood_async_options_t transactional(brood_transaction_options_t *hooks,
                                           brood_task_options_t *task)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    hooks->on_begin = on_begin;
    hooks->on_end = on_end;
    task->destroy = destroy;
    options.pool = g_pool;
    options.flags = BROOD_TRANSACTIONAL;
    options.transaction = hooks;
    options.task = task;
    return options;
}

static void zero(void)
{
    atomic_store(&g_begun, 0);
    atomic_store(&g_committed, 0);
    atomic_store(&g_rolled_back, 0);
    atomic_store(&g_destroyed, 0);
}

/* Its thread is free, and its baton was given back once. */
static void expect_over(void)
{
    WAIT_UNTIL(atomic_load(&g_destroyed) > 0);
    WAIT_UNTIL(census_of(g_pool).leased == 0);
    CU_ASSERT_EQUAL(atomic_load(&g_destroyed), 1);
}

static void call(const brood_async_options_t *options, work_t *work, int wanted)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(
        APR_SUCCESS,
        brood_sync_to_async(wanted ? &future : NULL, do_work, work, options));
    if (wanted)
        ASSERT_STATUS(work->status, finish(future));
}

/* Wanted or not, it commits or rolls back. */
static void one_is_committed_or_rolled_back(void)
{
    brood_transaction_options_t hooks = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_async_options_t options;
    int i;

    g_pool = pool_of(4);
    options = transactional(&hooks, &task);
    task.flags = BROOD_TASK_QUIET;
    for (i = 0; i < 4; i++) {
        work_t work = { i & 1 ? APR_EGENERAL : APR_SUCCESS, "" };

        zero();
        call(&options, &work, i & 2);
        expect_over();
        CU_ASSERT_NOT_EQUAL(work.id[0], '\0');
        CU_ASSERT_EQUAL(atomic_load(&g_begun), 1);
        CU_ASSERT_EQUAL(atomic_load(&g_committed), !(i & 1));
        CU_ASSERT_EQUAL(atomic_load(&g_rolled_back), i & 1);
    }
}

/* It never begins, and gives its thread back. */
static void one_that_is_canceled_in_time_never_begins(void)
{
    brood_transaction_options_t hooks = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_async_options_t options;
    work_t work = { APR_SUCCESS, "" };
    brood_future_t *future = NULL;

    zero();
    g_pool = pool_of(4);
    options = transactional(&hooks, &task);
    task.delay = AN_HOUR;
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_sync_to_async(&future, do_work, &work, &options));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, finish(future));
    expect_over();
    CU_ASSERT_EQUAL(work.id[0], '\0');
    CU_ASSERT_EQUAL(atomic_load(&g_begun), 0);
}

static brood_transaction_t *begin(char id[40])
{
    brood_transaction_options_t outer = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_transaction_t *transaction = NULL;

    outer.pool = g_pool;
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_transaction_begin(&transaction, &outer));
    memset(id, 0, 40);
    strncpy(id, brood_transaction_id(), 39);
    return transaction;
}

/* One that fails, or is canceled before it begins, dooms the whole. */
static void a_part_is_in_the_open_transaction(void)
{
    brood_transaction_options_t hooks = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_async_options_t options;
    int i;

    g_pool = pool_of(4);
    options = transactional(&hooks, &task);
    task.flags = BROOD_TASK_QUIET;
    for (i = 0; i < 4; i++) {
        work_t work = { i & 1 ? APR_EGENERAL : APR_SUCCESS, "" };
        brood_transaction_t *transaction;
        char id[40];

        zero();
        transaction = begin(id);
        call(&options, &work, i & 2);
        WAIT_UNTIL(atomic_load(&g_destroyed) > 0);
        ASSERT_STATUS(i & 1 ? BROOD_EROLLEDBACK : APR_SUCCESS,
                      brood_transaction_end(transaction, APR_SUCCESS));
        expect_over();
        CU_ASSERT_STRING_EQUAL(work.id, id);
        CU_ASSERT_EQUAL(atomic_load(&g_begun), 0); /* the hooks of the whole */
    }
}

/* It has a thread and a transaction of its own, whatever becomes of either. */
static void one_that_requires_it_stays_outside(void)
{
    brood_transaction_options_t hooks = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_async_options_t options;
    int i;

    g_pool = pool_of(4);
    options = transactional(&hooks, &task);
    hooks.requires_new = 1;
    task.flags = BROOD_TASK_QUIET;
    for (i = 0; i < 2; i++) {
        work_t work = { i ? APR_EGENERAL : APR_SUCCESS, "" };
        brood_transaction_t *transaction;
        char id[40];

        zero();
        transaction = begin(id);
        call(&options, &work, 1);
        CU_ASSERT_STRING_EQUAL(brood_transaction_id(), id);
        CU_ASSERT_EQUAL(atomic_load(i ? &g_rolled_back : &g_committed), 1);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_transaction_end(transaction, APR_SUCCESS));
        expect_over();
        CU_ASSERT_NOT_EQUAL(strcmp(work.id, id), 0);
        CU_ASSERT_NOT_EQUAL(work.id[0], '\0');
    }
}

static void wrong_options_are_refused_inside_too(void)
{
    brood_transaction_options_t hooks = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_async_options_t options;
    work_t work = { APR_SUCCESS, "" };
    brood_transaction_t *transaction;
    brood_future_t *future;
    char id[40];
    int i;

    zero();
    g_pool = pool_of(4);
    options = transactional(&hooks, &task);
    transaction = begin(id);
    for (i = 0; i < 2; i++) {
        task.size = sizeof(task) - (i == 0);
        hooks.size = sizeof(hooks) - (i == 1);
        future = (brood_future_t *)(void *)&work;
        ASSERT_STATUS(APR_EINVAL,
                      brood_sync_to_async(&future, do_work, &work, &options));
        CU_ASSERT_PTR_NULL(future);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(transaction, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&g_destroyed), 0);
}

static const test_t tests[] = {
    TEST_KEEPS(one_is_committed_or_rolled_back, KEEPS_ALL),
    TEST_KEEPS(one_that_is_canceled_in_time_never_begins, KEEPS_ALL),
    TEST_KEEPS(a_part_is_in_the_open_transaction, KEEPS_ALL),
    TEST_KEEPS(one_that_requires_it_stays_outside, KEEPS_ALL),
    TEST_KEEPS(wrong_options_are_refused_inside_too, KEEPS_ALL),
};
HARNESS_MAIN("one_call", tests)
