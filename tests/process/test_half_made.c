/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_half_made.c: the making of a worker, or of a fork server, stops halfway:
 * nobody can watch it, or a request for it cannot be sent as a whole.
 *
 * Their making is compiled here once more, so that the n-th call of these fails;
 * it comes before that of the core's archive.
 */

#include "process/core.h"

#include "process/server.h"

static apr_status_t add_or_fail(brood__os_watcher_t *watcher,
                                brood__os_handle_t handle, int *ready);
static apr_status_t send_or_fail(brood__os_handle_t end,
                                 const brood__os_message_t *message,
                                 brood__os_handle_t handle);

#define BROOD_HELPER           "" /* no modules are loaded */
#define brood__os_watcher_add  add_or_fail
#define brood__os_channel_send send_or_fail
#include "process/child.c"
#include "process/server.c"
#undef brood__os_channel_send
#undef brood__os_watcher_add

#include "process/tasks.h"

#include "process/tasks_platform.h"

enum { MOST = 60, WORKERS = 3 };

static atomic_int g_add, g_send; /* the one that fails; 0: none, -1: it did */

static int is_due(atomic_int *left)
{
    const int n = brood__load(left, relaxed);

    if (n > 0)
        brood__store(left, n == 1 ? -1 : n - 1, relaxed);
    return n == 1;
}

static apr_status_t add_or_fail(brood__os_watcher_t *watcher,
                                brood__os_handle_t handle, int *ready)
{
    return is_due(&g_add) ? APR_ENOMEM
                          : brood__os_watcher_add(watcher, handle, ready);
}

/* Of requests for workers. */
static apr_status_t send_or_fail(brood__os_handle_t end,
                                 const brood__os_message_t *message,
                                 brood__os_handle_t handle)
{
    return message->what == BROOD__WIRE_FORK && is_due(&g_send)
               ? APR_ENOMEM
               : brood__os_channel_send(end, message, handle);
}

static void expect_all_there(brood_process_manager_t *m)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    do
        ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    while (stats.idle < WORKERS);
    process_expect(m, "echo", "x", "x");
    CU_ASSERT_EQUAL(stats.workers, WORKERS);
}

/* The first worker's failure is the start's, if it is known by then; those of
 * others are made good. What was begun has ended. */
static void fail_each(atomic_int *left)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    int n = 0, refused = 0, hit;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_get(&m, NULL, 0));
    o.max_workers = o.min_workers = WORKERS;
    o.start_method = test_variant;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    do {
        long pids[8];
        apr_status_t rv;

        brood__store(left, ++n, relaxed);
        rv = brood_process_manager_start(m, &o);
        if (rv == APR_SUCCESS) {
            expect_all_there(m);
            process_stop(m);
        } else {
            ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT_FALSE(brood_process_manager_is_running(m));
            refused++;
        }
        hit = brood__load(left, relaxed) == -1;
        brood__store(left, 0, relaxed);
        CU_ASSERT_EQUAL(process_children(pids, 8), 0);
    } while (hit && n < MOST);
    CU_ASSERT(n < MOST);
    CU_ASSERT(refused > 0 || n == 1);
}

static void what_cannot_be_watched_is_ended(void)
{
    fail_each(&g_add);
}

static void half_a_request_for_a_worker_is_sent_anew(void)
{
    if (!test_variant)
        TEST_SKIP("there is no fork server");
    fail_each(&g_send);
}

static const test_t tests[] = {
    TEST_KEEPS(what_cannot_be_watched_is_ended, KEEPS_MEMORY),
    TEST_KEEPS(half_a_request_for_a_worker_is_sent_anew, KEEPS_MEMORY),
};

PROCESS_MAIN("half_made", tests)
