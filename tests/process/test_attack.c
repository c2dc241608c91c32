/* SPDX-License-Identifier: Apache-2.0 */

/* test_attack.c: tasks that do to their worker what tasks should not. */

#include "process/attack.h"

#include "os/process.h"
#include "process/tasks_platform.h"

/* ---- in the worker ---------------------------------------------------------- */

/* The library's end, in the middle of its work. */
static apr_status_t terminate(const void *in, size_t len, brood_buffer_t **out)
{
    brood_terminate();
    brood_terminate();
    return brood_buffer_copy(out, in, len);
}

static apr_status_t pid(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return task_number(out, (long)brood__os_pid());
}

static apr_status_t die(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    brood__os_worker_exit(9);
}

static const brood_process_entry_t table[] = {
    { "echo", echo },        { "end_thread", task_end_thread },
    { "stop", task_stop },   { "deafen", task_deafen },
    { "spoil", task_spoil }, { "terminate", terminate },
    { "pid", pid },          { "die", die },
    { NULL, NULL },
};

static const char *const silent[] = { "end_thread", "stop", "deafen" };

/* ---- in the host ------------------------------------------------------------ */

/* It was given a task and did not even begin it: another does. */
static void who_is_stopped_while_idle_loses_nothing(void)
{
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m = workers(2);
    int i, j;

    timed.run_timeout = 200000;
    for (i = 0; i < 3; i++) {
        const long victim = process_number(m, "pid", "");

        CU_ASSERT_FATAL(victim > 1);
        process_suspend(victim);
        for (j = 0; j < 4; j++)
            ASSERT_STATUS(APR_SUCCESS, process_end(process_submit_with(
                                           m, "echo", "x", &timed)));
    }
    kill_and_stop(m);
}

/* Nothing but time tells of these. */
static void what_never_answers_ends_at_its_timeout(void)
{
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m = workers(2);
    size_t i;

    timed.run_timeout = 20000;
    for (i = 0; i < 3; i++) {
        ASSERT_STATUS(BROOD_EOVERRUN, process_end(process_submit_with(
                                          m, silent[i], "", &timed)));
        expect_all(m);
    }
    process_stop(m);
}

static void they_can_be_killed_and_stopped(void)
{
    brood_process_manager_t *m = workers(2);
    brood_future_t *future;
    size_t i;

    for (i = 0; i < 3; i++) {
        future = process_submit(m, silent[i], "");
        ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(future));
        ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    }
    expect_all(m);
    for (i = 0; i < 3; i++)
        (void)brood_future_release(process_submit(m, silent[i], ""));
    kill_and_stop(m);
}

static void a_spoiled_process_spoils_no_other(void)
{
    brood_process_manager_t *m = workers(1);
    brood_future_t *future;

    process_expect(m, "spoil", "x", "x");
    process_expect(m, "echo", "y", "y");
    future = process_submit(m, "die", "");
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(future));
    expect_all(m);
    process_stop(m);
}

static void the_librarys_end_in_a_task_is_not_the_parents(void)
{
    brood_process_manager_t *m = workers(1);

    (void)process_end(process_submit(m, "terminate", "x"));
    (void)brood_process_task_kill(NULL);
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(process_submit(m, "die", "")));
    expect_all(m);
    process_stop(m);
}

/* A worker that never gets as far as its first task. */
static void a_drain_ends_though_no_worker_begins(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future;

    o.max_workers = 1;
    o.min_workers = -1;
    o.restart_backoff = 1;
    o.initializer = "die";
    m = process_manager(&o);
    future = process_submit(m, "echo", "x");
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ECRASHLOOP, process_end(future));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_start(m, NULL));
    process_expect(m, "echo", "x", "x");
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(who_is_stopped_while_idle_loses_nothing, KEEPS_MEMORY),
    TEST_KEEPS(what_never_answers_ends_at_its_timeout, KEEPS_MEMORY),
    TEST_KEEPS(they_can_be_killed_and_stopped, KEEPS_MEMORY),
    TEST_KEEPS(a_spoiled_process_spoils_no_other, KEEPS_MEMORY),
    TEST_KEEPS(the_librarys_end_in_a_task_is_not_the_parents, KEEPS_MEMORY),
    TEST_KEEPS(a_drain_ends_though_no_worker_begins, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("attack", tests, table)
