/* SPDX-License-Identifier: Apache-2.0 */

/* test_statuses.c: what a task returns is how its future ends, whoever runs it.
 * task.h has the exceptions. */

#include "async/fixture.h"

#include <stdio.h>

#include "process/tasks.h"

static brood_thread_manager_t *g_threads, *g_full;
static brood_loop_manager_t *g_loop;
static brood_process_manager_t *g_workers;
static brood_affinity_pool_t *g_affinity;
static door_t g_door;

/* ---- what runs ------------------------------------------------------------------ */

static atomic_int g_freed;

static void count_freed(void *value)
{
    (void)value;
    atomic_fetch_add(&g_freed, 1);
}

/* A value that comes with a failure is given back. */
static apr_status_t end_with(void *status, void **value)
{
    *value = &g_freed;
    return *(apr_status_t *)status;
}

static apr_status_t wait_at_door(void *door, void **value)
{
    (void)value;
    door_wait(door);
    return APR_SUCCESS;
}

static apr_status_t end_process_with(const void *in, size_t len,
                                     brood_buffer_t **out)
{
    apr_status_t status;

    if (len != sizeof(status))
        return APR_EINVAL;
    memcpy(&status, in, sizeof(status));
    (void)brood_buffer_copy(out, "value", 5);
    return status;
}

static const brood_process_entry_t table[] = {
    { "end_with", end_process_with },
    { NULL, NULL },
};

/* ---- who runs it ---------------------------------------------------------------- */

static const brood_task_options_t *counted(void)
{
    static brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.free_value = count_freed;
    return &options;
}

static apr_status_t on_a_thread(brood_future_t **future, apr_status_t *status)
{
    return brood_thread_manager_submit(future, g_threads, end_with, status,
                                       counted());
}

static apr_status_t in_the_caller(brood_future_t **future, apr_status_t *status)
{
    return brood_thread_manager_submit(future, g_full, end_with, status,
                                       counted());
}

static apr_status_t on_a_loop(brood_future_t **future, apr_status_t *status)
{
    return brood_loop_manager_submit(future, g_loop, end_with, status,
                                     counted());
}

static apr_status_t with_affinity(brood_future_t **future, apr_status_t *status)
{
    return brood_affinity_pool_submit(future, g_affinity, "context", end_with,
                                      status, counted());
}

static apr_status_t over_the_bridge(brood_future_t **future,
                                    apr_status_t *status)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.pool = g_affinity;
    options.task = counted();
    return brood_sync_to_async(future, end_with, status, &options);
}

static apr_status_t as_a_transaction(brood_future_t **future,
                                     apr_status_t *status)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.pool = g_affinity;
    options.task = counted();
    options.flags = BROOD_TRANSACTIONAL;
    return brood_sync_to_async(future, end_with, status, &options);
}

static apr_status_t in_a_process(brood_future_t **future, apr_status_t *status)
{
    return brood_process_manager_submit(future, g_workers, "end_with", status,
                                        sizeof(*status), NULL);
}

static const struct {
    const char *name;
    apr_status_t (*submit)(brood_future_t **future, apr_status_t *status);
    int frees; /* with free_value */
} ways[] = {
    { "on a thread", on_a_thread, 1 },
    { "in the caller", in_the_caller, 1 },
    { "on a loop", on_a_loop, 1 },
    { "with affinity", with_affinity, 1 },
    { "over the bridge", over_the_bridge, 1 },
    { "as a transaction", as_a_transaction, 1 },
    { "in a process", in_a_process, 0 },
};

/* ---- the tests ------------------------------------------------------------------ */

static void set_up(void)
{
    brood_affinity_pool_options_t affinity = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_process_manager_options_t processes =
        BROOD_PROCESS_MANAGER_OPTIONS_INIT;
    brood_thread_manager_options_t full = BROOD_THREAD_MANAGER_OPTIONS_INIT;

    processes.max_workers = full.max_workers = full.capacity = 1;
    affinity.max_threads = 4;
    full.when_full = BROOD_WHEN_FULL_RUN;
    door_init(&g_door);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&g_threads, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(g_threads, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&g_full, "full", 0));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(g_full, &full));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_get(&g_loop, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(g_loop, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_get(&g_workers, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_start(g_workers, &processes));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_create(
                                   &g_affinity, &affinity, test_pool));
}

/* Two tasks: one waits at the door, and one is queued behind it. */
static void fill(void)
{
    brood_stats_t stats = BROOD_STATS_INIT;
    int i;

    for (i = 0; i < 2; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_submit(NULL, g_full, wait_at_door,
                                                  &g_door, NULL));
        while (i == 0 && stats.running == 0)
            (void)brood_thread_manager_stats(g_full, &stats);
    }
}

static void what_it_returns_is_how_it_ends(void)
{
    static const struct {
        apr_status_t returned, expected;
    } rows[] = {
        { APR_SUCCESS, APR_SUCCESS },
        { APR_EGENERAL, APR_EGENERAL },
        { APR_ENOMEM, APR_ENOMEM },
        { BROOD_EPENDING, APR_EGENERAL },     /* no settled one is that */
        { BROOD_ECANCELED, BROOD_ECANCELED }, /* though nobody asked for it */
        { BROOD_EINTERRUPTED, BROOD_EINTERRUPTED },
        { BROOD_EWORKERDIED, BROOD_EWORKERDIED },
        { 70002, 70002 },
        { -1, -1 },
    };
    size_t i, k;

    set_up();
    fill();
    for (k = 0; k < sizeof(ways) / sizeof(ways[0]); k++)
        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            apr_status_t status = rows[i].returned, rv;
            brood_future_t *future = NULL;
            void *value = NULL;

            atomic_store(&g_freed, 0);
            ASSERT_STATUS(APR_SUCCESS, ways[k].submit(&future, &status));
            rv = brood_future_get(future, &value, -1);
            if (rv != rows[i].expected)
                fprintf(stderr, "%s:\n", ways[k].name);
            ASSERT_STATUS(rows[i].expected, rv);
            CU_ASSERT_EQUAL(value != NULL, rv == APR_SUCCESS);
            CU_ASSERT_EQUAL(atomic_load(&g_freed),
                            ways[k].frees && rv != APR_SUCCESS);
            (void)brood_future_release(future);
            /* Who has run it may have the last reference. */
            WAIT_UNTIL(atomic_load(&g_freed) == ways[k].frees);
        }
    door_open(&g_door);
    brood_terminate();
    door_fini(&g_door);
}

static const test_t tests[] = {
    TEST(what_it_returns_is_how_it_ends),
};

PROCESS_MAIN_BARE("statuses", tests, table)
