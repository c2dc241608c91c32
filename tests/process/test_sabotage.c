/* SPDX-License-Identifier: Apache-2.0 */

/* test_sabotage.c: tasks that attack what their worker shares with the parent. */

#include "process/attack.h"

#include <pthread.h>

#include "os/process.h"
#include "process/tasks_platform.h"
#include "process/wire.h"

/* ---- in the worker ---------------------------------------------------------- */

/* The way of large payloads and results. */
static apr_status_t close_blocks(const void *in, size_t len,
                                 brood_buffer_t **out)
{
    process_spoil_handle(BROOD__HANDLE_BLOCKS);
    return brood_buffer_copy(out, in, len);
}

static apr_status_t close_bell(const void *in, size_t len, brood_buffer_t **out)
{
    process_spoil_handle(BROOD__HANDLE_BELL);
    return brood_buffer_copy(out, in, len);
}

static void *send_for_ever(void *baton)
{
    brood__os_message_t message;

    memset(&message, 0, sizeof(message));
    message.what = BROOD__WIRE_BLOCK;
    message.where = ~(uint64_t)0;
    for (;;)
        process_scrawl(BROOD__HANDLE_BLOCKS, &message, sizeof(message));
    return baton;
}

/* "It is in a block", which never comes; but others do, and no end of them. */
static apr_status_t flood_blocks(const void *in, size_t len,
                                 brood_buffer_t **out)
{
    brood__up_t *all = task_up();
    pthread_t threads[4];
    uint64_t i;

    (void)in;
    (void)len;
    (void)out;
    for (i = 0; i < 4; i++)
        (void)pthread_create(&threads[i], NULL, send_for_ever, NULL);
    for (i = 0; all && i < BROOD__WIRE_SLOTS; i++) {
        all->response[i].status = 0;
        all->response[i].place = BROOD__WIRE_IN_BLOCK;
        all->response[i].size = LARGE;
        brood__store(&all->response[i].full, i + 1, release);
    }
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    return task_linger();
}

/* A result of its own that is read slowly, and taken back meanwhile. */
static apr_status_t reopen(const void *in, size_t len, brood_buffer_t **out)
{
    brood__up_t *all = task_up();
    uint64_t i;

    (void)in;
    (void)len;
    (void)out;
    for (i = 0; all && i < BROOD__WIRE_SLOTS; i++) {
        all->response[i].status = 0;
        all->response[i].place = BROOD__WIRE_IN_ARENA;
        all->response[i].where = 0;
        all->response[i].size = (uint32_t)BROOD__WIRE_ARENA;
        brood__store(&all->response[i].full, i + 1, release);
    }
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    while (all)
        for (i = 0; i < BROOD__WIRE_SLOTS; i++)
            brood__store(&all->response[i].claim,
                         brood__wire_claim(i, BROOD__WIRE_OPEN), release);
    return APR_SUCCESS;
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo },        { "close_blocks", close_blocks },
    { "close_bell", close_bell }, { "flood_blocks", flood_blocks },
    { "reopen", reopen },         { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------ */

/* Whoever cannot be given what is large must not keep it from others. */
static void who_closes_the_way_of_blocks_is_passed_by(void)
{
    brood_process_manager_t *m = workers(2);
    int i;

    for (i = 0; i < 5; i++) {
        process_expect(m, "close_blocks", "x", "x");
        expect_all(m);
    }
    process_stop(m);
}

/* When that is noticed it may run the next task already. */
static void who_closes_its_bell_is_replaced(void)
{
    brood_task_options_t again = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m = workers(2);
    int i, j;

    again.flags = BROOD_TASK_IDEMPOTENT;
    for (i = 0; i < 5; i++) {
        (void)process_end(process_submit(m, "close_bell", "x"));
        for (j = 0; j < 50; j++)
            ASSERT_STATUS(APR_SUCCESS, process_end(process_submit_with(
                                           m, "echo", "x", &again)));
    }
    process_stop(m);
}

/* Reading them must have an end. */
static void a_flood_of_messages_ends_with_its_task(void)
{
    brood_process_manager_t *m = workers(2);
    brood_future_t *future = process_submit(m, "flood_blocks", "");
    apr_status_t rv = process_end(future);

    CU_ASSERT_NOT_EQUAL(rv, APR_SUCCESS);
    expect_all(m);
    kill_and_stop(m);
}

/* What is being read cannot be taken back, whatever the worker says. */
static void a_result_that_is_read_is_not_taken_back(void)
{
    brood_process_manager_t *m = workers(2);
    unsigned round, rounds = test_rounds(60);

    for (round = 0; round < rounds; round++) {
        brood_future_t *future = process_submit(m, "reopen", "");
        apr_status_t rv;

        test_pause(round % 3);
        (void)brood_future_cancel(future);
        (void)brood_process_task_kill(future);
        rv = process_end(future);
        CU_ASSERT(rv == APR_SUCCESS || rv == BROOD_ECANCELED
                  || rv == BROOD_EWORKERDIED);
    }
    kill_and_stop(m); /* what such a worker says of others is wrong, too */
    m = workers(2);
    expect_all(m);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(who_closes_the_way_of_blocks_is_passed_by, KEEPS_MEMORY),
    TEST_KEEPS(who_closes_its_bell_is_replaced, KEEPS_MEMORY),
    TEST_KEEPS(a_flood_of_messages_ends_with_its_task, KEEPS_MEMORY),
    TEST_KEEPS(a_result_that_is_read_is_not_taken_back, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("sabotage", tests, table)
