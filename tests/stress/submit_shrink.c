/* SPDX-License-Identifier: Apache-2.0 */

/*
 * submit_shrink.c: many submit while workers come and go: by resizing, by an
 * idle timeout down to nobody at all, as spares.
 */

#include "stress/stress.h"

static void shrinking_and_growing(void)
{
    static const int sizes[][2] = { { 1, 1 },  { 3, 6 }, { -1, 2 }, { 2, 2 },
                                    { -1, 1 }, { 1, 8 }, { 5, 5 } };
    unsigned rounds = test_rounds(500), i;
    pool_t *pool = pool_of(1, 1);

    crowd_start(pool);
    for (i = 0; i < rounds; i++) {
        const int *size = sizes[i % COUNT(sizes)];
        unsigned long long next = brood__load(&g_crowd.accepted, relaxed)
                                  + i % 20;

        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_resize(pool, size[0], size[1]));
        while (brood__load(&g_crowd.accepted, relaxed) < next)
            brood__os_yield();
    }
    crowd_end();
    drain(pool);
    crowd_check();
    leave_tree();
}

/* One task at a time, and time to leave in between: the submit meets the last
 * worker at its door. If it loses, this hangs. */
static void meeting_the_last_worker(int max, apr_interval_time_t idle)
{
    unsigned rounds = test_rounds(600), i, k;
    options_t options = options_of(-1, max);
    atomic_int counter = 0;
    pool_t *pool;

    options.idle_timeout = idle;
    options.spin = BROOD_SPIN_NONE;
    pool = pool_with(&options);
    for (i = 0; i < rounds; i++) {
        for (k = 0; k < i % 300; k++)
            brood__pause();
        submit_plain(pool, count, &counter);
        if (i % 2)
            submit_plain(pool, count, &counter);
        while (brood__load(&counter, relaxed) != (int)(i + 1 + (i + 1) / 2))
            brood__os_yield();
    }
    drain_and_leave(pool);
}

static void the_last_worker_leaves_while_a_task_comes(void)
{
    meeting_the_last_worker(1, 1);
    meeting_the_last_worker(1, 40);
    meeting_the_last_worker(2, 1);
    meeting_the_last_worker(4, 30);
}

/* Tasks that wait for others, so that spares come and go. */
static pool_t *g_pool;

static apr_status_t fork_and_join(void *depth, void **value)
{
    brood_future_t *futures[2] = { NULL, NULL };
    apr_status_t rv = APR_SUCCESS;
    int i;

    (void)value;
    brood_blocking_begin();
    brood_blocking_end();
    for (i = 0; depth && i < 2 && rv == APR_SUCCESS; i++)
        rv = brood_thread_manager_submit(&futures[i], g_pool, fork_and_join,
                                         (void *)((uintptr_t)depth - 1), NULL);
    for (i = 1; depth && i >= 0 && rv == APR_SUCCESS; i--) {
        rv = brood_future_wait(futures[i], i ? 50 : FOREVER);
        if (rv == APR_TIMEUP)
            rv = brood_future_get(futures[i], NULL, FOREVER);
    }
    for (i = 0; i < 2; i++)
        brood_future_release(futures[i]);
    return rv;
}

static void spares_come_and_go(void)
{
    static const int spares[] = { -1, 1, 4, 0 };
    unsigned rounds = test_rounds(40), i, k;

    for (k = 0; k < COUNT(spares); k++) {
        options_t options = options_of(1, 2);

        options.max_spares = spares[k];
        options.idle_timeout = k % 2 ? 20 : 0;
        g_pool = pool_with(&options);
        for (i = 0; i < rounds; i++)
            ASSERT_STATUS(APR_SUCCESS,
                          outcome(submit(g_pool, fork_and_join, (void *)5)));
        drain_and_leave(g_pool);
    }
}

static const test_t tests[] = {
    TEST_KEEPS(shrinking_and_growing, KEEPS_MEMORY),
    TEST(the_last_worker_leaves_while_a_task_comes),
    TEST_KEEPS(spares_come_and_go, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("submit_shrink", tests, warm_up)
