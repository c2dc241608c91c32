/* SPDX-License-Identifier: Apache-2.0 */

/*
 * process_chaos.c: tasks flow while workers are killed at random. Each future
 * settles once, with its own result or because its worker died; every task that
 * may be run again succeeds.
 */

#include "process/tasks.h"

#include <pthread.h>
#include <stdio.h>

#include "base/atomic.h"
#include "process/tasks_platform.h"

enum { THREADS = 3, FLIGHT = 200, SIZES = 7 };

static const size_t g_sizes[SIZES] = { 4, 4, 80, 100, 3000, 20000, 1100000 };

static brood_process_manager_t *g_m;
static atomic_int g_go_on;
static atomic_uint g_killed, g_died, g_wrong, g_settled;

static unsigned next_random(unsigned *random)
{
    *random = *random * 1103515245u + 12345u;
    return *random >> 16;
}

/* As often as work comes back: where a process takes long to begin, time alone
 * would kill each before it has done anything. */
static void *killer(void *unused)
{
    unsigned random = 4711, wanted = 0;
    long pids[64];
    size_t n;

    (void)unused;
    while (brood__load(&g_go_on, relaxed)) {
        if (brood__load(&g_settled, relaxed) >= wanted) {
            n = process_children(pids, 64);
            if (n) {
                process_kill(pids[next_random(&random) % n]);
                brood__add(&g_killed, 1, relaxed);
            }
            wanted = brood__load(&g_settled, relaxed)
                     + (next_random(&random) & 31);
        }
        platform_nap(next_random(&random) & 4095);
    }
    return NULL;
}

static void fill(unsigned char *bytes, size_t size, unsigned seed)
{
    size_t i;

    memcpy(bytes, &seed, sizeof(seed));
    for (i = sizeof(seed); i < size; i++)
        bytes[i] = (unsigned char)(seed * 31 + i);
}

static void check(brood_future_t *future, size_t size, unsigned seed,
                  unsigned char *expected, int firm)
{
    void *value = NULL;
    apr_status_t rv = brood_future_get(future, &value, -1);

    brood__add(&g_settled, 1, relaxed);
    fill(expected, size, seed);
    if (rv == BROOD_EWORKERDIED && !firm) {
        brood__add(&g_died, 1, relaxed);
    } else if (rv != APR_SUCCESS || brood_buffer_size(value) != size
               || memcmp(brood_buffer_data(value), expected, size) != 0) {
        brood__add(&g_wrong, 1, relaxed);
    }
    (void)brood_future_release(future);
}

static void *submitter(void *baton)
{
    unsigned first = *(unsigned *)baton, rounds = test_rounds(20), round, i;
    unsigned char *bytes = malloc(g_sizes[SIZES - 1]);
    brood_future_t *futures[FLIGHT];
    brood_task_options_t again = BROOD_TASK_OPTIONS_INIT;

    again.flags = BROOD_TASK_IDEMPOTENT;
    for (round = 0; round < rounds; round++) {
        for (i = 0; i < FLIGHT; i++) {
            unsigned seed = first + round * FLIGHT + i;
            size_t size = g_sizes[seed % 97 ? seed % 6 : 6];

            fill(bytes, size, seed);
            futures[i] = NULL;
            if (brood_process_manager_submit(&futures[i], g_m, "echo", bytes,
                                             size, i % 2 ? &again : NULL)
                != APR_SUCCESS)
                brood__add(&g_wrong, 1, relaxed);
        }
        for (i = 0; i < FLIGHT; i++) {
            unsigned seed = first + round * FLIGHT + i;

            if (futures[i])
                check(futures[i], g_sizes[seed % 97 ? seed % 6 : 6], seed,
                      bytes, i % 2);
        }
    }
    free(bytes);
    return NULL;
}

static void nothing_is_lost_doubled_or_wrong(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_stats_t stats = BROOD_STATS_INIT;
    pthread_t threads[THREADS], reaper;
    unsigned firsts[THREADS], i;

    o.max_workers = o.min_workers = 3;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    o.retries = 1000000;
    g_m = process_manager(&o);
    brood__store(&g_killed, 0, relaxed);
    brood__store(&g_died, 0, relaxed);
    brood__store(&g_wrong, 0, relaxed);
    brood__store(&g_settled, 0, relaxed);
    brood__store(&g_go_on, 1, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&reaper, NULL, killer, NULL), 0);
    WAIT_UNTIL(brood__load(&g_killed, relaxed)); /* it may begin late */
    for (i = 0; i < THREADS; i++) {
        firsts[i] = i * 1000000;
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, submitter, &firsts[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    brood__store(&g_go_on, 0, relaxed);
    (void)pthread_join(reaper, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_wrong, relaxed), 0);
    CU_ASSERT_EQUAL(brood__load(&g_settled, relaxed),
                    THREADS * FLIGHT * test_rounds(20));
    CU_ASSERT_TRUE(brood__load(&g_killed, relaxed) > 0);
    process_stop(g_m);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(g_m, &stats));
    CU_ASSERT_EQUAL(stats.running, 0);
    CU_ASSERT_EQUAL(stats.queued, 0);
    printf("# %u killed, %u tasks lost their worker, %llu taken back\n",
           brood__load(&g_killed, relaxed), brood__load(&g_died, relaxed),
           (unsigned long long)stats.steals);
}

/* Payloads that are copied under no lock, and their manager's end. */
static void *submit_long_ones(void *baton)
{
    const size_t size = 300000;
    unsigned char *bytes = malloc(size), *expected = malloc(size);
    unsigned seed = *(unsigned *)baton;

    while (brood__load(&g_go_on, relaxed)) {
        brood_future_t *future;
        apr_status_t rv;
        void *value;

        fill(bytes, size, ++seed);
        memcpy(expected, bytes, size);
        rv = brood_process_manager_submit(&future, g_m, "echo", bytes, size,
                                          NULL);
        memset(bytes, 0xee, size); /* it is ours again */
        if (rv != APR_SUCCESS) {
            brood__add(&g_wrong, rv != BROOD_ESTOPPED, relaxed);
            continue;
        }
        rv = brood_future_get(future, &value, -1);
        if (rv == APR_SUCCESS
                ? memcmp(brood_buffer_data(value), expected, size) != 0
                : rv != BROOD_ECANCELED)
            brood__add(&g_wrong, 1, relaxed);
        (void)brood_future_release(future);
        brood__add(&g_settled, 1, relaxed);
    }
    free(expected);
    free(bytes);
    return NULL;
}

static void a_stop_meets_payloads_that_are_copied(void)
{
    pthread_t threads[THREADS];
    unsigned firsts[THREADS], i, round, rounds = test_rounds(60);

    brood__store(&g_wrong, 0, relaxed);
    brood__store(&g_settled, 0, relaxed);
    brood__store(&g_go_on, 1, relaxed);
    g_m = process_manager(NULL);
    for (i = 0; i < THREADS; i++) {
        firsts[i] = i * 1000000;
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, submit_long_ones, &firsts[i]), 0);
    }
    for (round = 0; round < rounds; round++) {
        const unsigned enough = brood__load(&g_settled, relaxed) + round % 5;

        WAIT_UNTIL(brood__load(&g_settled, relaxed) >= enough);
        if (round % 3 == 2)
            (void)brood_process_manager_kill(g_m);
        ASSERT_STATUS(
            APR_SUCCESS,
            brood_process_manager_stop(
                g_m, round % 3 ? BROOD_STOP_CANCEL : BROOD_STOP_DRAIN, -1));
        (void)process_manager(NULL);
    }
    brood__store(&g_go_on, 0, relaxed);
    for (i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(brood__load(&g_wrong, relaxed), 0);
    process_stop(g_m);
}

static const test_t tests[] = {
    TEST_KEEPS(nothing_is_lost_doubled_or_wrong, KEEPS_MEMORY),
    TEST_KEEPS(a_stop_meets_payloads_that_are_copied, KEEPS_MEMORY),
};

PROCESS_MAIN("process_chaos", tests)
