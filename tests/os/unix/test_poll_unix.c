/* SPDX-License-Identifier: Apache-2.0 */

/* test_poll_unix.c: a wait for a descriptor is not ended by signals. */

#include "os/os.h"
#include "support/support.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/atomic.h"

#define ROUNDS  100
#define AN_HOUR ((int64_t)3600 * 1000000000)

typedef struct waiting_t {
    int ends[2];
    int64_t timeout;
    apr_status_t rv;
    atomic_int ended;
} waiting_t;

static atomic_int g_signals;

static void count(int number)
{
    (void)number;
    brood__add(&g_signals, 1, relaxed);
}

static void *wait_to_read(void *baton)
{
    waiting_t *waiting = baton;

    waiting->rv = brood__os_poll(waiting->ends[0], 1, NULL, waiting->timeout);
    brood__store(&waiting->ended, 1, release);
    return NULL;
}

/* So that it is interrupted again and again, wherever it is. */
static void disturb(pthread_t thread, const waiting_t *waiting)
{
    int i;

    for (i = 0; i < ROUNDS && !brood__load(&waiting->ended, acquire); i++) {
        brood__store(&g_signals, 0, relaxed);
        CU_ASSERT_EQUAL(pthread_kill(thread, SIGUSR1), 0);
        WAIT_UNTIL(brood__load(&g_signals, relaxed) > 0);
    }
}

static void signals_do_not_end_it(void)
{
    static const int64_t timeouts[] = { -1, AN_HOUR };
    struct sigaction action = { .sa_handler = count };
    struct sigaction before;
    size_t i;

    CU_ASSERT_EQUAL_FATAL(sigaction(SIGUSR1, &action, &before), 0);
    for (i = 0; i < 2; i++) {
        waiting_t waiting = { { -1, -1 }, timeouts[i], APR_EGENERAL, 0 };
        pthread_t thread;

        CU_ASSERT_EQUAL_FATAL(pipe(waiting.ends), 0);
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&thread, NULL, wait_to_read, &waiting), 0);
        disturb(thread, &waiting);
        CU_ASSERT_FALSE(brood__load(&waiting.ended, acquire));
        CU_ASSERT_EQUAL(write(waiting.ends[1], "x", 1), 1);
        (void)pthread_join(thread, NULL);
        ASSERT_STATUS(APR_SUCCESS, waiting.rv);
        (void)close(waiting.ends[0]);
        (void)close(waiting.ends[1]);
    }
    CU_ASSERT_EQUAL(sigaction(SIGUSR1, &before, NULL), 0);
}

/* Nor do they make it longer: its time is over while they come. */
static void its_time_ends_among_signals(void)
{
    struct sigaction action = { .sa_handler = count };
    struct sigaction before;
    waiting_t waiting = { { -1, -1 }, 1000000, APR_EGENERAL, 0 };
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(sigaction(SIGUSR1, &action, &before), 0);
    CU_ASSERT_EQUAL_FATAL(pipe(waiting.ends), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, wait_to_read, &waiting),
                          0);
    while (!brood__load(&waiting.ended, acquire))
        (void)pthread_kill(thread, SIGUSR1);
    (void)pthread_join(thread, NULL);
    ASSERT_STATUS(APR_TIMEUP, waiting.rv);
    (void)close(waiting.ends[0]);
    (void)close(waiting.ends[1]);
    CU_ASSERT_EQUAL(sigaction(SIGUSR1, &before, NULL), 0);
}

static const test_t tests[] = {
    TEST(signals_do_not_end_it),
    TEST(its_time_ends_among_signals),
};
HARNESS_MAIN_BARE("poll_unix", tests)
