/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_contract.c: what every call may return is what it returns.
 *
 * Each function that returns a status is called with nothing that it could work
 * on, and once as it is meant, where that needs no other object. tests/docs
 * asks that each of the public headers' functions stands here.
 */

#include <stddef.h>
#include <stdio.h>

#include <apr_thread_proc.h>

#include <brood.h>

#include "support/support.h"

/* A call, and where it would have put what it makes: NULL afterwards. */
typedef apr_status_t call_fn(void **made);

#define NOTHING_MADE(name, ...)                                                \
    static apr_status_t name##_call(void **made)                               \
    {                                                                          \
        *made = NULL;                                                          \
        return name(__VA_ARGS__);                                              \
    }

/* `made` stands for the first argument. */
#define MAKES(name, type, ...)                                                 \
    static apr_status_t name##_call(void **made)                               \
    {                                                                          \
        type *first = (type *)(void *)&g_anything;                             \
        apr_status_t rv = name(&first, __VA_ARGS__);                           \
        *made = (void *)first;                                                 \
        return rv;                                                             \
    }

static max_align_t g_anything;
static brood_stats_t g_stats = BROOD_STATS_INIT;

static apr_status_t task(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

MAKES(brood_affinity_pool_create, brood_affinity_pool_t, NULL, NULL)
MAKES(brood_affinity_pool_submit, brood_future_t, NULL, NULL, task, NULL, NULL)
NOTHING_MADE(brood_affinity_pool_release, NULL, "a")
NOTHING_MADE(brood_affinity_pool_shutdown, NULL, BROOD_STOP_DRAIN, 0)
NOTHING_MADE(brood_affinity_pool_each, NULL, NULL, NULL)
MAKES(brood_sync_to_async, brood_future_t, NULL, NULL, NULL)
MAKES(brood_async_to_sync, void, NULL, NULL, NULL)
NOTHING_MADE(brood_await, NULL, NULL)
NOTHING_MADE(brood_await_fd, 0, 0, 0)
NOTHING_MADE(brood_buffer_make, NULL, 1)
MAKES(brood_buffer_copy, brood_buffer_t, NULL, 1)
NOTHING_MADE(brood_buffer_truncate, NULL, 0)
MAKES(brood_context_key_make, brood_context_key_t, NULL)
NOTHING_MADE(brood_context_key_cross, NULL, NULL, NULL, NULL)
NOTHING_MADE(brood_context_set, NULL, NULL, NULL)
NOTHING_MADE(brood_future_wait, NULL, -1)
NOTHING_MADE(brood_future_result, NULL, NULL)
NOTHING_MADE(brood_future_get, NULL, NULL, -1)
NOTHING_MADE(brood_future_take, NULL, NULL)
NOTHING_MADE(brood_future_wait_all, NULL, 1, -1)
NOTHING_MADE(brood_future_wait_any, NULL, 0, NULL, -1)
MAKES(brood_future_all, brood_future_t, NULL, 1)
NOTHING_MADE(brood_future_cancel, NULL)
NOTHING_MADE(brood_future_notify, NULL, NULL, NULL, NULL)
NOTHING_MADE(brood_promise_make, NULL, NULL, NULL)
NOTHING_MADE(brood_promise_settle, NULL, APR_SUCCESS, NULL)
NOTHING_MADE(brood_promise_on_cancel, NULL, NULL, NULL)
MAKES(brood_thread_create, apr_thread_t, NULL, NULL, NULL, NULL)
NOTHING_MADE(brood_lineage_capture, NULL)
NOTHING_MADE(brood_lineage_attach, NULL)
NOTHING_MADE(brood_lineage_each, NULL, NULL)
MAKES(brood_loop_manager_get, brood_loop_manager_t, NULL, ~0u)
NOTHING_MADE(brood_loop_manager_start, NULL, NULL)
NOTHING_MADE(brood_loop_manager_run, NULL, NULL)
MAKES(brood_loop_manager_submit, brood_future_t, NULL, task, NULL, NULL)
NOTHING_MADE(brood_loop_manager_post, NULL, NULL, NULL)
NOTHING_MADE(brood_loop_manager_stop, NULL, BROOD_STOP_DRAIN, -1)
NOTHING_MADE(brood_loop_manager_event_base, NULL, NULL)
NOTHING_MADE(brood_loop_manager_current, NULL)
NOTHING_MADE(brood_loop_manager_stats, NULL, &g_stats)
NOTHING_MADE(brood_loop_manager_each, NULL, NULL)
MAKES(brood_process_manager_get, brood_process_manager_t, NULL, ~0u)
NOTHING_MADE(brood_process_manager_start, NULL, NULL)
MAKES(brood_process_manager_submit, brood_future_t, NULL, "a", NULL, 0, NULL)
NOTHING_MADE(brood_process_manager_stop, NULL, BROOD_STOP_DRAIN, -1)
NOTHING_MADE(brood_process_manager_kill, NULL)
NOTHING_MADE(brood_process_manager_stats, NULL, &g_stats)
NOTHING_MADE(brood_process_manager_each, NULL, NULL)
NOTHING_MADE(brood_process_task_kill, NULL)
NOTHING_MADE(brood_future_worker_exit, NULL, NULL, NULL)
NOTHING_MADE(brood_observe_prometheus, NULL, NULL)
MAKES(brood_thread_manager_get, brood_thread_manager_t, NULL, ~0u)
NOTHING_MADE(brood_thread_manager_start, NULL, NULL)
MAKES(brood_thread_manager_submit, brood_future_t, NULL, task, NULL, NULL)
MAKES(brood_thread_manager_submit_many, brood_future_t, NULL, NULL, 1, NULL)
MAKES(brood_thread_manager_map, brood_future_t, NULL, task, NULL, 0, 0, 0, NULL)
NOTHING_MADE(brood_thread_manager_resize, NULL, 0, 0)
NOTHING_MADE(brood_thread_manager_wait_idle, NULL, -1)
NOTHING_MADE(brood_thread_manager_stop, NULL, BROOD_STOP_DRAIN, -1)
NOTHING_MADE(brood_thread_manager_stats, NULL, &g_stats)
NOTHING_MADE(brood_thread_manager_each, NULL, NULL)
NOTHING_MADE(brood_transaction_begin, NULL, NULL)
NOTHING_MADE(brood_transaction_end, NULL, APR_SUCCESS)
NOTHING_MADE(brood_transaction_suspend, NULL)

typedef struct row_t {
    const char *name;
    call_fn *call;
} row_t;

#define ROW(name)                                                              \
    {                                                                          \
#name, name##_call                                                     \
    }

/* Called with what is wrong. */
static const row_t wrong_calls[] = {
    ROW(brood_affinity_pool_create),
    ROW(brood_affinity_pool_submit),
    ROW(brood_affinity_pool_release),
    ROW(brood_affinity_pool_shutdown),
    ROW(brood_affinity_pool_each),
    ROW(brood_sync_to_async),
    ROW(brood_async_to_sync),
    ROW(brood_await),
    ROW(brood_await_fd),
    ROW(brood_buffer_make),
    ROW(brood_buffer_copy),
    ROW(brood_buffer_truncate),
    ROW(brood_context_key_make),
    ROW(brood_context_key_cross),
    ROW(brood_context_set),
    ROW(brood_future_wait),
    ROW(brood_future_result),
    ROW(brood_future_get),
    ROW(brood_future_take),
    ROW(brood_future_wait_all),
    ROW(brood_future_wait_any),
    ROW(brood_future_all),
    ROW(brood_future_cancel),
    ROW(brood_future_notify),
    ROW(brood_promise_make),
    ROW(brood_promise_settle),
    ROW(brood_promise_on_cancel),
    ROW(brood_thread_create),
    ROW(brood_lineage_capture),
    ROW(brood_lineage_attach),
    ROW(brood_lineage_each),
    ROW(brood_loop_manager_get),
    ROW(brood_loop_manager_start),
    ROW(brood_loop_manager_run),
    ROW(brood_loop_manager_submit),
    ROW(brood_loop_manager_post),
    ROW(brood_loop_manager_stop),
    ROW(brood_loop_manager_event_base),
    ROW(brood_loop_manager_current),
    ROW(brood_loop_manager_stats),
    ROW(brood_loop_manager_each),
    ROW(brood_process_manager_get),
    ROW(brood_process_manager_start),
    ROW(brood_process_manager_submit),
    ROW(brood_process_manager_stop),
    ROW(brood_process_manager_kill),
    ROW(brood_process_manager_stats),
    ROW(brood_process_manager_each),
    ROW(brood_process_task_kill),
    ROW(brood_future_worker_exit),
    ROW(brood_observe_prometheus),
    ROW(brood_thread_manager_get),
    ROW(brood_thread_manager_start),
    ROW(brood_thread_manager_submit),
    ROW(brood_thread_manager_submit_many),
    ROW(brood_thread_manager_map),
    ROW(brood_thread_manager_resize),
    ROW(brood_thread_manager_wait_idle),
    ROW(brood_thread_manager_stop),
    ROW(brood_thread_manager_stats),
    ROW(brood_thread_manager_each),
    ROW(brood_transaction_begin),
    ROW(brood_transaction_end),
    ROW(brood_transaction_suspend),
};

#define N(rows) (sizeof(rows) / sizeof(rows[0]))

/* What is not as the headers say it is, by name; NULL: nothing. */
static const char *wrong_row(apr_status_t may_be)
{
    size_t i;

    for (i = 0; i < N(wrong_calls); i++) {
        void *made = NULL;
        apr_status_t rv = wrong_calls[i].call(&made);

        if ((rv != may_be && rv != APR_EINVAL) || made)
            return wrong_calls[i].name;
    }
    return NULL;
}

/* Those whose arguments are as they should be. */
static int others(apr_status_t expected)
{
    brood_context_key_t *key = (brood_context_key_t *)(void *)&g_anything;
    brood_transaction_t *open = (brood_transaction_t *)(void *)&g_anything;
    brood_promise_t *promise = (brood_promise_t *)(void *)&g_anything;
    brood_future_t *future = (brood_future_t *)(void *)&g_anything, *all;
    brood_thread_manager_t *threads;
    brood_loop_manager_t *loop;
    brood_lineage_t *lineage;

    return brood_context_key_make(&key, "a") == expected && !key
           && brood_sleep(1) == expected && brood_sleep(0) == expected
           && brood_yield() == expected
           && brood_affinity_pool_use(NULL) == expected
           && brood_lineage_set_default(NULL) == expected
           && brood_lineage_capture(&lineage) == expected && !lineage
           && brood_transaction_suspend(&open) == expected && !open
           && brood_transaction_resume(NULL) == expected
           && brood_promise_make(&promise, &future, NULL) == expected
           && !promise && !future && brood_future_all(&all, NULL, 0) == expected
           && !all && brood_future_wait_all(NULL, 0, -1) == expected
           && brood_thread_manager_get(&threads, NULL, 0) == expected
           && !threads && brood_loop_manager_get(&loop, NULL, 0) == expected
           && !loop && brood_loop_manager_current(&loop) == expected
           && brood_sync_to_async(NULL, task, NULL, NULL) == expected
           && brood_async_to_sync(NULL, task, NULL, NULL) == expected
           && brood_transaction_begin(&open, NULL) == expected && !open;
}

static int no_status_is_nothing(void)
{
    char text[40];

    return !brood_lineage_serial() && !brood_lineage_parent_serial()
           && !brood_task_canceled() && !brood_transaction_id()
           && !brood_thread_manager_is_running(NULL)
           && !brood_thread_manager_id(NULL)
           && !brood_thread_manager_owner_serial(NULL)
           && !brood_thread_manager_task_type(NULL, text, sizeof(text))
           && !brood_thread_manager_retain(NULL)
           && !brood_thread_manager_release(NULL)
           && !brood_loop_manager_is_running(NULL)
           && !brood_loop_manager_id(NULL)
           && !brood_loop_manager_owner_serial(NULL)
           && !brood_loop_manager_task_type(NULL, text, sizeof(text))
           && !brood_loop_manager_retain(NULL)
           && !brood_loop_manager_release(NULL) && !brood_future_retain(NULL)
           && !brood_future_release(NULL) && !brood_lineage_release(NULL)
           && !brood_process_manager_is_running(NULL)
           && !brood_process_manager_id(NULL)
           && !brood_process_manager_owner_serial(NULL)
           && !brood_process_manager_task_type(NULL, text, sizeof(text))
           && !brood_process_manager_retain(NULL)
           && !brood_process_manager_release(NULL) && !brood_buffer_data(NULL)
           && !brood_buffer_size(NULL) && !brood_buffer_retain(NULL)
           && !brood_buffer_release(NULL) && !brood_context_get(NULL);
}

static void expect_all(apr_status_t status)
{
    const char *wrong = wrong_row(status);

    if (wrong)
        printf("# %s\n", wrong);
    CU_ASSERT_PTR_NULL(wrong);
    CU_ASSERT_TRUE(others(status));
    CU_ASSERT_TRUE(no_status_is_nothing());
}

static void outside_of_the_librarys_life_every_call_says_so(void)
{
    expect_all(APR_EINIT);
    ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(NULL));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
    brood_terminate();
    expect_all(APR_EINIT);
}

static void wrong_arguments_are_told_and_make_nothing(void)
{
    brood_watchdog_options_t options = { 1, 0, 0 };
    const char *wrong;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
    wrong = wrong_row(APR_EINVAL);
    if (wrong)
        printf("# %s\n", wrong);
    CU_ASSERT_PTR_NULL(wrong);
    ASSERT_STATUS(APR_EINVAL, brood_watchdog_set(&options));
    brood_terminate();
}

/* 0: as it should be. */
static int in_child(void *baton)
{
    brood_watchdog_options_t options = BROOD_WATCHDOG_OPTIONS_INIT;

    (void)baton;
    if (wrong_row(BROOD_EFORKED))
        return 1;
    if (!others(BROOD_EFORKED))
        return 2;
    if (!no_status_is_nothing())
        return 3;
    if (brood_watchdog_set(&options) != BROOD_EFORKED)
        return 4;
    return brood_initialize() == BROOD_EFORKED ? 0 : 5;
}

static void in_a_forked_child_every_call_says_so(void)
{
    TEST_NEEDS_FORK();
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
    CU_ASSERT_EQUAL(test_in_child(in_child, NULL), 0);
    brood_terminate();
}

static const test_t tests[] = {
    TEST(outside_of_the_librarys_life_every_call_says_so),
    TEST(wrong_arguments_are_told_and_make_nothing),
    TEST(in_a_forked_child_every_call_says_so),
};

HARNESS_MAIN_BARE("contract", tests)
