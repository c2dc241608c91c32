/* SPDX-License-Identifier: Apache-2.0 */

/* test_death.c: workers die; only what they ran dies with them. */

#include "process/tasks.h"

#include <signal.h>
#include <stdio.h>

#include "os/process.h"
#include "process/tasks_platform.h"

/* One worker that is replaced at once, and no crash loop. */
static brood_process_manager_t *one_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    return process_manager(&o);
}

static void expect_death(brood_future_t *future, apr_status_t status,
                         const death_t *death)
{
    int c = -9, s = -9;

    ASSERT_STATUS(status, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, brood_future_worker_exit(future, &c, &s));
    CU_ASSERT_EQUAL(c, death->code);
    CU_ASSERT_EQUAL(s, death->signal);
    (void)brood_future_release(future);
}

/* A signal, or an exception. */
static void a_crash_kills_only_its_task(void)
{
    brood_process_manager_t *m = one_worker();
    const death_t *death;

    for (death = process_deaths; death->what; death++) {
        expect_death(process_submit(m, "raise", death->what), BROOD_EWORKERDIED,
                     death);
        process_expect(m, "echo", "still here", "still here");
    }
    process_stop(m);
}

static void sigint_is_the_parents_business(void)
{
    brood_process_manager_t *m;
    char text[16];

    if (!brood__os_can_fork())
        TEST_SKIP("there are no signals");
    m = one_worker();
    (void)snprintf(text, sizeof(text), "%d", SIGINT);
    ASSERT_STATUS(APR_SUCCESS, process_end(process_submit(m, "raise", text)));
    process_stop(m);
}

static void every_exit_code_is_told(void)
{
    static const death_t exits[] = {
        { "0", 0, 0 },     { "1", 1, 0 },     { "2", 2, 0 },
        { "127", 127, 0 }, { "255", 255, 0 },
    };
    brood_process_manager_t *m = one_worker();
    size_t i;

    for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
        expect_death(process_submit(m, "exit", exits[i].what),
                     BROOD_EWORKERDIED, &exits[i]);
    process_stop(m);
}

static void who_had_no_death_has_no_exit_code(void)
{
    brood_process_manager_t *m = one_worker();
    brood_future_t *future = process_submit(m, "echo", "x");
    int code, number;

    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, -1));
    ASSERT_STATUS(BROOD_ENOTFOUND,
                  brood_future_worker_exit(future, &code, &number));
    ASSERT_STATUS(APR_EINVAL, brood_future_worker_exit(future, &code, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_future_worker_exit(NULL, &code, &number));
    (void)brood_future_release(future);
    process_stop(m);
}

/* All are handed to the one worker while the first one runs. */
static void what_had_not_begun_goes_to_another_worker(void)
{
    enum { N = 20 };
    brood_process_manager_t *m = one_worker();
    brood_future_t *first, *rest[N];
    file_door_t door;
    int i;

    file_door_init(&door, "begun");
    first = process_submit(m, "hold", door.path);
    for (i = 0; i < N; i++)
        rest[i] = process_submit(m, "echo", "later");
    WAIT_UNTIL(file_door_is_open(door.path));
    ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(first));
    expect_death(first, BROOD_ECANCELED, &process_killed);
    for (i = 0; i < N; i++)
        ASSERT_STATUS(APR_SUCCESS, process_end(rest[i]));
    file_door_fini(&door);
    process_stop(m);
}

/* The first run leaves a door open, the second goes through. */
static void an_idempotent_task_is_run_again(void)
{
    brood_process_manager_t *m = one_worker();
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;
    file_door_t door;
    char go[220];
    long worker = process_number(m, "pid", NULL);

    options.flags = BROOD_TASK_IDEMPOTENT;
    file_door_init(&door, "again");
    future = process_submit_with(m, "hold", door.path, &options);
    WAIT_UNTIL(file_door_is_open(door.path));
    process_kill(worker);
    (void)snprintf(go, sizeof(go), "%s.go", door.path);
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(future));
    file_door_fini(&door);
    process_stop(m);
}

static void retries_are_bounded(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_stats_t before = BROOD_STATS_INIT, after = BROOD_STATS_INIT;
    brood_process_manager_t *m;

    o.max_workers = 1;
    o.retries = 3;
    o.crash_limit = -1;
    o.restart_backoff = 1;
    options.flags = BROOD_TASK_IDEMPOTENT;
    m = process_manager(&o);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &before));
    expect_death(
        process_submit_with(m, "raise", process_deaths[0].what, &options),
        BROOD_EWORKERDIED, &process_deaths[0]);
    process_expect(m, "echo", "x", "x");
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &after));
    CU_ASSERT_EQUAL(after.started - before.started, 4);
    process_stop(m);
}

static void a_crash_loop_trips_the_brake_and_start_recovers(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future = NULL;
    int i;

    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = 3;
    m = process_manager(&o);
    process_listen();
    for (i = 0; i < 3; i++)
        ASSERT_STATUS(BROOD_EWORKERDIED,
                      process_end(process_submit(m, "exit", "1")));
    process_heard("; the last one exited with 1; it takes no more tasks");
    CU_ASSERT_FALSE(brood_process_manager_is_running(m));
    ASSERT_STATUS(BROOD_ECRASHLOOP, brood_process_manager_submit(
                                        &future, m, "echo", "x", 1, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ECRASHLOOP, brood_process_manager_submit(
                                        &future, m, "echo", "x", 1, NULL));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_start(m, &o));
    process_expect(m, "echo", "again", "again");
    process_stop(m);
}

static void queued_tasks_of_a_crash_loop_are_told(void)
{
    enum { N = 10 };
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *futures[N];
    int i;

    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = 3;
    m = process_manager(&o);
    process_listen();
    for (i = 0; i < N; i++)
        if (brood_process_manager_submit(&futures[i], m, "exit", "9", 1, NULL)
            != APR_SUCCESS)
            futures[i] = NULL;
    for (i = 0; i < N; i++) {
        apr_status_t rv = futures[i] ? process_end(futures[i])
                                     : BROOD_ECRASHLOOP;

        ASSERT_STATUS(i < 3 ? BROOD_EWORKERDIED : BROOD_ECRASHLOOP, rv);
    }
    process_heard("; the last one exited with 9; ");
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
}

/* No number of doublings makes it short. */
static void the_longest_backoff_is_never_over(void)
{
    enum { N = 4 };
    brood_process_manager_options_t o = OPTIONS;
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_process_manager_t *m;
    brood_future_t *future;
    int i;

    o.max_workers = o.min_workers = N;
    o.crash_limit = -1;
    o.restart_backoff = INT64_MAX / 4000;
    m = process_manager(&o);
    do
        (void)brood_process_manager_stats(m, &stats);
    while (stats.idle < N);
    for (i = 0; i < N; i++)
        ASSERT_STATUS(BROOD_EWORKERDIED,
                      process_end(process_submit(m, "exit", "1")));
    future = process_submit(m, "echo", "x");
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(future, 1000));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    CU_ASSERT_EQUAL(stats.workers, 0);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_kill(m));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    process_stop(m);
}

static void a_run_timeout_ends_the_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m;
    brood_future_t *future;
    file_door_t door;

    o.max_workers = 1;
    if (brood__os_can_fork()) /* else nobody can be asked */
        o.grace = 3600 * (apr_interval_time_t)1000000;
    m = process_manager(&o);
    options.run_timeout = 50000;
    file_door_init(&door, "overrun");
    future = process_submit_with(m, "hold", door.path, &options);
    expect_death(future, BROOD_EOVERRUN, &process_asked);
    process_expect(m, "echo", "next", "next");
    file_door_fini(&door);
    process_stop(m);
}

/* What ended before it ignored anything is done again, with more time. */
static void who_ignores_the_request_is_killed_after_the_grace(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m;
    brood_future_t *future;
    file_door_t door;

    o.max_workers = 1;
    o.crash_limit = -1;
    o.grace = 50000;
    options.run_timeout = 50000;
    file_door_init(&door, "ignored");
    m = process_manager(&o);
    for (;;) {
        future = process_submit_with(m, "ignore_term", door.path, &options);
        (void)brood_future_wait(future, -1);
        if (file_door_is_open(door.path))
            break;
        ASSERT_STATUS(BROOD_EOVERRUN, process_end(future));
        options.run_timeout *= 2;
    }
    expect_death(future, BROOD_EOVERRUN, &process_killed);
    process_expect(m, "echo", "next", "next");
    file_door_fini(&door);
    process_stop(m);
}

/* Whether the worker ends in a task or is asked to. */
static void what_a_worker_started_dies_with_it(void)
{
    brood_process_manager_t *m = one_worker();
    long first = process_number(m, "fork_some", NULL), second;

    CU_ASSERT_FALSE(process_is_gone(first));
    ASSERT_STATUS(BROOD_EWORKERDIED,
                  process_end(process_submit(m, "exit", "0")));
    WAIT_UNTIL(process_is_gone(first));
    second = process_number(m, "fork_some", NULL);
    CU_ASSERT_FALSE(process_is_gone(second));
    process_stop(m);
    WAIT_UNTIL(process_is_gone(second));
}

static void an_idle_worker_that_is_killed_is_replaced(void)
{
    brood_process_manager_t *m = one_worker();
    long worker = process_number(m, "pid", NULL);

    process_kill(worker);
    WAIT_UNTIL(process_is_gone(worker));
    CU_ASSERT_NOT_EQUAL(process_number(m, "pid", NULL), worker);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(a_crash_kills_only_its_task, KEEPS_MEMORY),
    TEST_KEEPS(sigint_is_the_parents_business, KEEPS_MEMORY),
    TEST_KEEPS(every_exit_code_is_told, KEEPS_MEMORY),
    TEST_KEEPS(who_had_no_death_has_no_exit_code, KEEPS_MEMORY),
    TEST_KEEPS(what_had_not_begun_goes_to_another_worker, KEEPS_MEMORY),
    TEST_KEEPS(an_idempotent_task_is_run_again, KEEPS_MEMORY),
    TEST_KEEPS(retries_are_bounded, KEEPS_MEMORY),
    TEST_KEEPS(a_crash_loop_trips_the_brake_and_start_recovers, KEEPS_MEMORY),
    TEST_KEEPS(queued_tasks_of_a_crash_loop_are_told, KEEPS_MEMORY),
    TEST_KEEPS(the_longest_backoff_is_never_over, KEEPS_MEMORY),
    TEST_KEEPS(a_run_timeout_ends_the_worker, KEEPS_MEMORY),
    TEST_KEEPS(who_ignores_the_request_is_killed_after_the_grace, KEEPS_MEMORY),
    TEST_KEEPS(what_a_worker_started_dies_with_it, KEEPS_MEMORY),
    TEST_KEEPS(an_idle_worker_that_is_killed_is_replaced, KEEPS_MEMORY),
};

PROCESS_MAIN("death", tests)
