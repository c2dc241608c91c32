/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_retry.c: a block that the system refuses to send is sent again, and
 * meanwhile the supervisor sleeps.
 *
 * The sending and the supervisor are compiled here once more: sends of blocks
 * fail as often as a test says, and the supervisor's sleeps are counted. They
 * come before those of the core's archive.
 */

#include "process/core.h"

static apr_status_t send_or_fail(brood__os_handle_t end,
                                 const brood__os_message_t *message,
                                 brood__os_handle_t handle);
static void sleep_counted(brood__os_watcher_t *watcher, int64_t timeout);

#define brood__os_channel_send send_or_fail
#include "process/channel.c"
#undef brood__os_channel_send

#define brood__os_watcher_wait sleep_counted
#include "process/supervisor.c"
#undef brood__os_watcher_wait

#include "process/tasks.h"

#include <limits.h>
#include <stdio.h>

#define SIZE     2000000
#define FAILURES 20
#define AWAKE    0 /* instead of how long it sleeps */

static atomic_int g_failures; /* sends of blocks that are still to fail */
static atomic_int g_failed;
static atomic_llong g_failed_at; /* the last one */
static atomic_int g_naps;     /* sleeps of the supervisor that end by the clock,
                                  after the first failure and before the last */
static atomic_llong g_sleeps; /* how long it is to sleep; -1: for ever */
static atomic_int g_n_sleeps;
static char g_bytes[SIZE];

static apr_status_t send_or_fail(brood__os_handle_t end,
                                 const brood__os_message_t *message,
                                 brood__os_handle_t handle)
{
    if (message->what != BROOD__WIRE_BLOCK
        || brood__load(&g_failures, relaxed) <= 0)
        return brood__os_channel_send(end, message, handle);
    brood__sub(&g_failures, 1, relaxed);
    brood__store(&g_failed_at, brood__os_now(), relaxed);
    brood__add(&g_failed, 1, relaxed);
    return APR_ENOMEM;
}

/* As long as it has to; not at all, if that time is over already. */
static int is_nap(int64_t timeout)
{
    return timeout
               ? timeout > 0 && timeout <= RETRY
               : brood__os_now() - brood__load(&g_failed_at, relaxed) >= RETRY;
}

static void sleep_counted(brood__os_watcher_t *watcher, int64_t timeout)
{
    if (brood__load(&g_failed, relaxed) && brood__load(&g_failures, relaxed)
        && is_nap(timeout))
        brood__add(&g_naps, 1, relaxed);
    brood__store(&g_sleeps, timeout, relaxed);
    brood__add(&g_n_sleeps, 1, release);
    brood__os_watcher_wait(watcher, timeout);
    brood__store(&g_sleeps, AWAKE, release);
}

static brood_process_manager_t *one_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;

    brood__store(&g_failed, 0, relaxed);
    brood__store(&g_naps, 0, relaxed);
    o.max_workers = 1;
    m = process_manager(&o);
    process_expect(m, "echo", "x", "x"); /* it has said hello */
    return m;
}

static brood_future_t *submit_block(brood_process_manager_t *m)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(
        APR_SUCCESS,
        brood_process_manager_submit(&future, m, "empty", g_bytes, SIZE, NULL));
    return future;
}

/* Nobody rings: it looks again by itself. The first look may come twice, since
 * the submit wakes it; after that there is a sleep before each. */
static void before_each_retry_the_supervisor_sleeps(void)
{
    brood_process_manager_t *m = one_worker();

    brood__store(&g_failures, FAILURES, relaxed);
    ASSERT_STATUS(APR_SUCCESS, process_end(submit_block(m)));
    CU_ASSERT_EQUAL(brood__load(&g_failed, relaxed), FAILURES);
    CU_ASSERT(brood__load(&g_naps, relaxed) >= FAILURES - 3);
    process_stop(m);
}

/* It looks, and then sleeps for ever. */
static void wait_for_a_long_sleep(void)
{
    const int n = brood__load(&g_n_sleeps, relaxed);

    brood__supervisor_wake();
    WAIT_UNTIL(brood__load(&g_n_sleeps, acquire) > n
               && brood__load(&g_sleeps, relaxed) == -1);
}

/* Its next result rings, so there is nothing to look for until then. */
static void for_a_busy_worker_it_sleeps_until_that_rings(void)
{
    brood_process_manager_t *m = one_worker();
    brood_future_t *busy, *block;
    file_door_t door;
    char go[220];

    file_door_init(&door, "busy");
    (void)snprintf(go, sizeof(go), "%s.go", door.path);
    busy = process_submit(m, "hold", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    brood__store(&g_failures, INT_MAX, relaxed);
    block = submit_block(m);
    wait_for_a_long_sleep();
    CU_ASSERT(brood__load(&g_failed, relaxed) >= 2); /* it has tried, too */
    brood__store(&g_failures, 0, relaxed);
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(busy));
    ASSERT_STATUS(APR_SUCCESS, process_end(block));
    file_door_fini(&door);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(before_each_retry_the_supervisor_sleeps, KEEPS_MEMORY),
    TEST_KEEPS(for_a_busy_worker_it_sleeps_until_that_rings, KEEPS_MEMORY),
};

PROCESS_MAIN("retry", tests)
