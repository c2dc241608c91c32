/* SPDX-License-Identifier: Apache-2.0 */

/* test_attack.c: tasks that do to their worker what tasks should not. */

#include "process/attack.h"

#include "os/process.h"
#include "process/core.h"
#include "process/tasks_platform.h"
#include "process/worker.h"

/* ---- in the worker ---------------------------------------------------------- */

/* The library's end, in the middle of its work. */
static apr_status_t terminate(const void *in, size_t len, brood_buffer_t **out)
{
    brood_terminate();
    brood_terminate();
    return brood_buffer_copy(out, in, len);
}

static apr_status_t die(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    brood__os_worker_exit(9);
}

/* Everything of a large answer but the word which says that it is there; then it
 * holds. */
static apr_status_t almost_answer(const void *in, size_t len,
                                  brood_buffer_t **out)
{
    const brood__os_message_t message = { BROOD__WIRE_BLOCK, LARGE,
                                          brood__worker.next };
    brood__up_t *all = task_up();
    brood__response_t *response;
    brood__os_block_t block;

    if (!all || brood__os_block_make(&block, LARGE) != APR_SUCCESS)
        return APR_EGENERAL;
    memset(block.base, 'x', LARGE);
    if (brood__os_block_freeze(&block) != APR_SUCCESS
        || brood__os_channel_send(brood__os_worker_handle(BROOD__HANDLE_BLOCKS),
                                  &message, block.handle)
               != APR_SUCCESS)
        return APR_EGENERAL;
    response = &all->response[BROOD__WIRE_SLOT(message.where)];
    response->status = 0;
    response->place = BROOD__WIRE_IN_BLOCK;
    response->size = LARGE;
    return task_hold(in, len, out);
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo },
    { "end_thread", task_end_thread },
    { "stop", task_stop },
    { "deafen", task_deafen },
    { "spoil", task_spoil },
    { "terminate", terminate },
    { "pid", task_pid },
    { "die", die },
    { "almost_answer", almost_answer },
    { NULL, NULL },
};

static const char *const silent[] = { "end_thread", "stop", "deafen" };

/* ---- in the host ------------------------------------------------------------ */

/* 0: one that is not stopped was too slow, or was not asked. */
static int echoes_in_time(brood_process_manager_t *m,
                          const brood_task_options_t *timed)
{
    apr_status_t rv;
    int i;

    for (i = 0; i < 4; i++) {
        rv = process_end(process_submit_with(m, "echo", "x", timed));
        if (rv == BROOD_EOVERRUN)
            return 0;
        ASSERT_STATUS(APR_SUCCESS, rv);
    }
    return 1;
}

/* It was given a task and did not even begin it: another does, as soon as the
 * time is enough for that one. */
static void who_is_stopped_while_idle_loses_nothing(void)
{
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_process_manager_t *m = workers(2);
    int i = 0;

    timed.run_timeout = 200000;
    while (i < 3) {
        long victim;

        do /* the next tasks are the victim's, then, and the other is there */
            ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
        while (stats.idle < 2);
        victim = process_number(m, "pid", "");
        CU_ASSERT_FATAL(victim > 1);
        process_suspend(victim);
        if (echoes_in_time(m, &timed))
            i++;
        else
            timed.run_timeout *= 2;
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

/* The last word of "almost_answer", which its worker cannot say any more. */
static void finish_answer(brood_process_manager_t *m)
{
    brood__child_t *child;
    uint64_t position;

    brood__lock(&m->lock);
    child = BROOD__CONTAINER(m->children.next, brood__child_t, link);
    position = brood__load(&child->answered, relaxed);
    brood__store(&child->up->response[BROOD__WIRE_SLOT(position)].full,
                 position + 1, release);
    brood__unlock(&m->lock);
}

/* To read a result takes nothing of the worker that has given it. */
static void a_large_result_of_a_stopped_worker_is_read(void)
{
    brood_process_manager_t *m = workers(1);
    const long victim = process_number(m, "pid", "");
    brood_future_t *future;
    file_door_t door;
    void *value = NULL;

    file_door_init(&door, "almost");
    future = process_submit(m, "almost_answer", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    process_suspend(victim);
    finish_answer(m);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), LARGE);
    CU_ASSERT_EQUAL(*(char *)brood_buffer_data(value), 'x');
    CU_ASSERT_EQUAL(((char *)brood_buffer_data(value))[LARGE - 1], 'x');
    (void)brood_future_release(future);
    file_door_fini(&door);
    kill_and_stop(m);
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
    o.crash_limit = 2;
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
    TEST_KEEPS(a_large_result_of_a_stopped_worker_is_read, KEEPS_MEMORY),
    TEST_KEEPS(they_can_be_killed_and_stopped, KEEPS_MEMORY),
    TEST_KEEPS(a_spoiled_process_spoils_no_other, KEEPS_MEMORY),
    TEST_KEEPS(the_librarys_end_in_a_task_is_not_the_parents, KEEPS_MEMORY),
    TEST_KEEPS(a_drain_ends_though_no_worker_begins, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("attack", tests, table)
