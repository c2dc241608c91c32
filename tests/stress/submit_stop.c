/* SPDX-License-Identifier: Apache-2.0 */

/*
 * submit_stop.c: many submit while another stops and starts. What was accepted
 * before the stop is settled by it, and nothing is lost in between.
 */

#include "stress/stress.h"

static void stop_and_start(const options_t *rows, unsigned n, unsigned rounds)
{
    pool_t *pool = pool_with(&rows[0]);
    unsigned i;

    crowd_start(pool);
    for (i = 1; i <= rounds; i++) {
        unsigned long long next;

        if (i % 3 == 0)
            (void)brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0);
        ASSERT_STATUS(
            APR_SUCCESS,
            brood_thread_manager_stop(
                pool, i % 2 ? BROOD_STOP_DRAIN : BROOD_STOP_CANCEL, FOREVER));
        if (i == rounds)
            break;
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_start(pool, &rows[i % n]));
        next = brood__load(&g_crowd.accepted, relaxed) + i % 50;
        while (brood__load(&g_crowd.accepted, relaxed) < next)
            brood__os_yield();
    }
    crowd_end();
    crowd_check();
    leave_tree();
}

static void submitting_while_it_stops_and_starts(void)
{
    options_t rows[3];

    rows[0] = options_of(1, 2);
    rows[1] = options_of(-1, 4);
    rows[2] = options_of(2, 2);
    rows[1].idle_timeout = 50;
    stop_and_start(rows, 3, test_rounds(300));
}

static void submitting_with_a_capacity(void)
{
    options_t rows[3];
    int i;

    for (i = 0; i < 3; i++) {
        rows[i] = options_of(i ? 1 : -1, 2);
        rows[i].capacity = 3 + i;
        rows[i].when_full = i;
    }
    stop_and_start(rows, 3, test_rounds(300));
}

/* Several stop and start at once; whoever comes too late is told so. */
static void *juggle(void *pool)
{
    unsigned i, n = test_rounds(200);

    for (i = 0; i < n; i++) {
        apr_status_t rv;

        rv = brood_thread_manager_start(pool, NULL);
        if (rv != APR_SUCCESS && rv != BROOD_EALREADY && rv != BROOD_EPENDING)
            brood__add(&g_crowd.odd, 1, relaxed);
        rv = brood_thread_manager_stop(
            pool, i % 2 ? BROOD_STOP_CANCEL : BROOD_STOP_DRAIN,
            i % 3 ? FOREVER : 0);
        if (rv != APR_SUCCESS && rv != APR_TIMEUP)
            brood__add(&g_crowd.odd, 1, relaxed);
    }
    return NULL;
}

static void several_stop_and_start_at_once(void)
{
    pool_t *pool = pool_of(1, 2);
    pthread_t jugglers[2];
    int i;

    crowd_start(pool);
    for (i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&jugglers[i], NULL, juggle, pool),
                              0);
    for (i = 0; i < 2; i++)
        pthread_join(jugglers[i], NULL);
    crowd_end();
    cancel(pool);
    crowd_check();
    leave_tree();
}

static const test_t tests[] = {
    TEST_KEEPS(submitting_while_it_stops_and_starts, KEEPS_MEMORY),
    TEST_KEEPS(submitting_with_a_capacity, KEEPS_MEMORY),
    TEST_KEEPS(several_stop_and_start_at_once, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("submit_stop", tests, warm_up)
