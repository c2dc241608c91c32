/* SPDX-License-Identifier: Apache-2.0 */

/* test_terminate.c: the library ends while tasks of every kind of manager run,
 * and would run for ever. */

#include <brood.h>

#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "process/tasks.h"
#include "process/tasks_platform.h"

static const brood_process_entry_t table[] = {
    { "pid", task_pid },
    { "ignore_term", task_ignore_term },
    { NULL, NULL },
};

/* ---- what runs ---------------------------------------------------------------- */

typedef struct waiter_t {
    door_t begun;
    apr_status_t seen; /* how its wait ended */
} waiter_t;

static waiter_t g_thread, g_loop, g_pool;
static atomic_int g_queued; /* tasks behind those, which must not run */

static apr_status_t await_never(void *baton, void **value)
{
    waiter_t *waiter = baton;
    brood_promise_t *promise;
    brood_future_t *never;
    apr_status_t rv = brood_promise_make(&promise, &never, NULL);

    (void)value;
    door_open(&waiter->begun);
    if (rv == APR_SUCCESS) {
        rv = brood_future_wait(never, -1);
        brood_promise_release(promise);
        (void)brood_future_release(never);
    }
    return waiter->seen = rv;
}

static apr_status_t count(void *unused, void **value)
{
    (void)unused;
    (void)value;
    brood__add(&g_queued, 1, relaxed);
    return APR_SUCCESS;
}

static void begin_on_a_thread(int daemon)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *m = NULL;

    o.max_workers = 1;
    o.max_spares = -1;
    o.daemon = daemon;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_get(&m, NULL, 0));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_start(m, &o));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(NULL, m, await_never,
                                                           &g_thread, NULL));
    door_wait(&g_thread.begun);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_submit(NULL, m, count, NULL, NULL));
}

static void begin_on_a_loop(int daemon)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    brood_loop_manager_t *m = NULL;

    o.daemon = daemon;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_get(&m, NULL, 0));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(m, &o));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(NULL, m, await_never,
                                                         &g_loop, NULL));
    door_wait(&g_loop.begun);
}

static void begin_in_a_pool(int daemon, apr_pool_t *memory)
{
    brood_affinity_pool_options_t o = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool = NULL;

    o.max_threads = 1;
    o.daemon = daemon;
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_affinity_pool_create(&pool, &o, memory));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_submit(NULL, pool, "context", await_never,
                                             &g_pool, NULL));
    door_wait(&g_pool.begun);
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_submit(NULL, pool, "context",
                                                          count, NULL, NULL));
}

/* One that no asking ends. Returns the worker. */
static long begin_in_a_process(int daemon, const file_door_t *door)
{
    brood_process_manager_options_t o = BROOD_PROCESS_MANAGER_OPTIONS_INIT;
    brood_process_manager_t *m = NULL;
    long pid;

    o.max_workers = 1;
    o.daemon = daemon;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_get(&m, NULL, 0));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_start(m, &o));
    pid = process_number(m, "pid", NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_submit(
                                   NULL, m, "ignore_term", door->path,
                                   strlen(door->path), NULL));
    WAIT_UNTIL(file_door_is_open(door->path));
    return pid;
}

/* ---- the tests ------------------------------------------------------------------ */

static char g_lines[400];

static void note_line(int level, const char *line, void *unused)
{
    (void)unused;
    if (level == BROOD_LOG_ERROR)
        (void)snprintf(g_lines + strlen(g_lines),
                       sizeof(g_lines) - strlen(g_lines), "%s\n", line);
}

static void set_up(void)
{
    g_lines[0] = '\0';
    door_init(&g_thread.begun);
    door_init(&g_loop.begun);
    door_init(&g_pool.begun);
    g_thread.seen = g_loop.seen = g_pool.seen = APR_SUCCESS;
    brood__store(&g_queued, 0, relaxed);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
    brood_log_hook_set(note_line, NULL);
}

static void tear_down(void)
{
    brood_log_hook_set(NULL, NULL);
    brood_terminate_timeout_set(30 * 1000000);
    door_fini(&g_thread.begun);
    door_fini(&g_loop.begun);
    door_fini(&g_pool.begun);
}

static void expect_interrupted(void)
{
    ASSERT_STATUS(BROOD_EINTERRUPTED, g_thread.seen);
    ASSERT_STATUS(BROOD_EINTERRUPTED, g_loop.seen);
    ASSERT_STATUS(BROOD_EINTERRUPTED, g_pool.seen);
    CU_ASSERT_EQUAL(brood__load(&g_queued, relaxed), 0);
}

/* They drain, which would take for ever. */
static void what_does_not_drain_is_canceled_or_killed(void)
{
    file_door_t door;
    long pid;

    file_door_init(&door, "deaf");
    set_up();
    begin_on_a_thread(0);
    begin_on_a_loop(0);
    begin_in_a_pool(0, test_pool);
    pid = begin_in_a_process(0, &door);
    brood_terminate_timeout_set(1000);
    brood_terminate();
    expect_interrupted();
    CU_ASSERT_TRUE(process_is_gone(pid));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(g_lines, "brood_terminate: not drained within 1 ms, canceling"));
    tear_down();
    file_door_fini(&door);
}

/* However long the others may take. */
static void daemons_are_canceled_at_once(void)
{
    set_up();
    begin_on_a_thread(1);
    begin_on_a_loop(1);
    begin_in_a_pool(1, test_pool);
    brood_terminate_timeout_set(-1);
    brood_terminate();
    expect_interrupted();
    CU_ASSERT_STRING_EQUAL(g_lines, "");
    tear_down();
}

/* It is asked, and then killed when its grace is over. */
static void a_deaf_worker_of_a_daemon_ends_too(void)
{
    file_door_t door;
    long pid;

    file_door_init(&door, "daemon");
    set_up();
    pid = begin_in_a_process(1, &door);
    brood_terminate_timeout_set(1000);
    brood_terminate();
    CU_ASSERT_TRUE(process_is_gone(pid));
    tear_down();
    file_door_fini(&door);
}

static const test_t tests[] = {
    TEST(what_does_not_drain_is_canceled_or_killed),
    TEST(daemons_are_canceled_at_once),
    TEST(a_deaf_worker_of_a_daemon_ends_too),
};

PROCESS_MAIN_BARE("terminate", tests, table)
