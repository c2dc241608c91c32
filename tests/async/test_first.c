/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_first.c: the first call of each kind after brood_initialize(), which makes
 * what the library keeps for the others: threads, tables, watchers. The n-th
 * request of a kind fails, for every n; the call then says so or succeeds, what
 * was accepted is settled, and brood_terminate() takes everything back.
 */

#include "async/fixture.h"

#include <stdio.h>

#include "process/tasks.h"

#define MOST 300 /* requests of one call */

static const brood_process_entry_t table[] = { { "echo", task_echo },
                                               { NULL, NULL } };

static apr_status_t nothing(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_SUCCESS;
}

/* How the task ended, if it was accepted. */
static apr_status_t end_of(apr_status_t rv, brood_future_t *future)
{
    if (rv == APR_SUCCESS)
        rv = brood_future_get(future, NULL, -1);
    else
        CU_ASSERT_PTR_NULL(future);
    (void)brood_future_release(future);
    return rv;
}

/* ---- the calls ------------------------------------------------------------------ */

static apr_status_t initialize(void)
{
    return APR_SUCCESS; /* the library's own is what is tried */
}

static apr_status_t run_on_threads(const brood_task_options_t *options)
{
    brood_thread_manager_t *m;
    brood_future_t *future = NULL;
    apr_status_t rv = brood_thread_manager_get(&m, NULL, 0);

    if (rv == APR_SUCCESS)
        rv = brood_thread_manager_start(m, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_thread_manager_submit(&future, m, nothing, NULL, options);
    return end_of(rv, future);
}

static apr_status_t run_on_a_thread(void)
{
    return run_on_threads(NULL);
}

static apr_status_t run_later(void)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.delay = 100;
    options.queue_timeout = (apr_interval_time_t)3600 * 1000000;
    options.run_timeout = options.queue_timeout;
    return run_on_threads(&options);
}

static apr_status_t run_on_a_loop(void)
{
    brood_loop_manager_t *m;
    brood_future_t *future = NULL;
    apr_status_t rv = brood_loop_manager_get(&m, NULL, 0);

    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_start(m, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_submit(&future, m, nothing, NULL, NULL);
    return end_of(rv, future);
}

/* Several workers, so that the watcher's table grows. */
static apr_status_t run_in_a_process(void)
{
    brood_process_manager_options_t o = BROOD_PROCESS_MANAGER_OPTIONS_INIT;
    brood_process_manager_t *m;
    brood_future_t *future = NULL;
    apr_status_t rv = brood_process_manager_get(&m, NULL, 0);

    o.min_workers = o.max_workers = 4;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_start(m, &o);
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_submit(&future, m, "echo", "x", 1, NULL);
    return end_of(rv, future);
}

/* With the pool, and the loop, that brood makes itself. */
static apr_status_t bridge_to_a_thread(void)
{
    brood_future_t *future = NULL;
    apr_status_t rv = brood_sync_to_async(&future, nothing, NULL, NULL);

    return end_of(rv, future);
}

static apr_status_t bridge_to_a_loop(void)
{
    return brood_async_to_sync(NULL, nothing, NULL, NULL);
}

static apr_status_t one_transaction(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *future = NULL;
    apr_status_t rv;

    options.flags = BROOD_TRANSACTIONAL;
    rv = brood_sync_to_async(&future, nothing, NULL, &options);
    return end_of(rv, future);
}

static apr_status_t transaction(void)
{
    brood_transaction_t *made = NULL;
    apr_status_t rv = brood_transaction_begin(&made, NULL);

    if (rv != APR_SUCCESS)
        CU_ASSERT_PTR_NULL(made);
    return rv == APR_SUCCESS ? brood_transaction_end(made, rv) : rv;
}

static apr_status_t set_a_variable(void)
{
    brood_context_key_t *key;
    apr_status_t rv = brood_context_key_make(&key, "key");

    if (rv == APR_SUCCESS)
        rv = brood_context_set(key, &key, NULL);
    return rv;
}

static apr_status_t watch(void)
{
    brood_watchdog_options_t options = BROOD_WATCHDOG_OPTIONS_INIT;
    apr_status_t rv;

    options.task_warning = (apr_interval_time_t)3600 * 1000000;
    rv = brood_watchdog_set(&options);
    if (rv == APR_SUCCESS)
        rv = run_on_threads(NULL);
    (void)brood_watchdog_set(NULL);
    return rv;
}

/* ---- every one of them ------------------------------------------------------------ */

/* How what is refused is told. Of libevent it is not known why it has no base. */
static const struct {
    brood__fault_e kind;
    apr_status_t why, of_a_loop;
} faults[] = {
    { BROOD__FAULT_MEMORY, APR_ENOMEM, APR_ENOMEM },
    { BROOD__FAULT_THREAD, APR_EAGAIN, APR_EAGAIN },
    { BROOD__FAULT_STACK, APR_ENOMEM, APR_ENOMEM },
    { BROOD__FAULT_PROCESS, APR_EAGAIN, APR_EAGAIN },
    { BROOD__FAULT_DESCRIPTOR, APR_EMFILE, APR_EGENERAL },
};

enum { KINDS = sizeof(faults) / sizeof(faults[0]) };

/* Until no request of that kind is made any more. */
static void walk(apr_status_t (*call)(void), brood__fault_e fault,
                 apr_status_t why)
{
    int hit = 1, odd = 0;
    unsigned n = 0;

    while (hit && n++ < MOST) {
        apr_status_t rv;

        brood__fault_at(fault, n);
        rv = brood_initialize();
        if (rv == APR_SUCCESS) {
            rv = call();
            hit = !brood__fault_pending(fault);
            brood__fault_at(fault, 0);
            brood_terminate();
        }
        brood__fault_at(fault, 0);
        if (rv != APR_SUCCESS && rv != why) {
            fprintf(stderr, "# request %u of kind %d\n", n, (int)fault);
            ASSERT_STATUS(why, rv);
            odd++;
        }
    }
    CU_ASSERT(n <= MOST);
    CU_ASSERT_EQUAL(odd, 0);
}

static void walk_all(apr_status_t (*call)(void), int of_a_loop)
{
    size_t i;

    for (i = 0; i < KINDS; i++)
        walk(call, faults[i].kind,
             of_a_loop ? faults[i].of_a_loop : faults[i].why);
}

#define FIRST(name, call, of_a_loop)                                           \
    static void name(void)                                                     \
    {                                                                          \
        walk_all(call, of_a_loop);                                             \
    }

FIRST(brood_is_initialized_or_not, initialize, 0)
FIRST(a_first_task_runs_or_not, run_on_a_thread, 0)
FIRST(a_first_delayed_task_runs_or_not, run_later, 0)
FIRST(a_first_coroutine_runs_or_not, run_on_a_loop, 1)
FIRST(a_first_process_runs_a_task_or_not, run_in_a_process, 0)
FIRST(a_first_blocking_call_is_made_or_not, bridge_to_a_thread, 0)
FIRST(a_first_coroutine_is_waited_for_or_not, bridge_to_a_loop, 1)
FIRST(a_first_call_is_a_transaction_or_not, one_transaction, 0)
FIRST(a_first_transaction_is_begun_or_not, transaction, 0)
FIRST(a_first_variable_is_set_or_not, set_a_variable, 0)
FIRST(a_first_task_is_watched_or_not, watch, 0)

static const test_t tests[] = {
    TEST(brood_is_initialized_or_not),
    TEST(a_first_task_runs_or_not),
    TEST(a_first_delayed_task_runs_or_not),
    TEST(a_first_coroutine_runs_or_not),
    TEST(a_first_process_runs_a_task_or_not),
    TEST(a_first_blocking_call_is_made_or_not),
    TEST(a_first_coroutine_is_waited_for_or_not),
    TEST(a_first_call_is_a_transaction_or_not),
    TEST(a_first_transaction_is_begun_or_not),
    TEST(a_first_variable_is_set_or_not),
    TEST(a_first_task_is_watched_or_not),
};

PROCESS_MAIN_BARE("first", tests, table)
