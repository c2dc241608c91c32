/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_park.c: sleeping on a word loses no wake-up and keeps its time.
 * test_park_table.c runs the same with the other implementation.
 */

#include "os/os.h"

#include <pthread.h>

#include "support/support.h"

#define MS INT64_C(1000000)

static atomic_uint g_word;
static atomic_uint g_woken;
static atomic_uint g_asleep;
static int64_t g_timeout; /* of sleeper() */

static void reset(void)
{
    g_timeout = -1;
    brood__store(&g_word, 0, relaxed);
    brood__store(&g_woken, 0, relaxed);
    brood__store(&g_asleep, 0, relaxed);
}

/* Sleeps until the word is no longer 0. */
static void *sleeper(void *unused)
{
    brood__add(&g_asleep, 1, relaxed);
    while (brood__load(&g_word, acquire) == 0)
        (void)brood__os_park(&g_word, 0, g_timeout);
    brood__add(&g_woken, 1, relaxed);
    return unused;
}

static void a_changed_word_does_not_sleep(void)
{
    reset();
    ASSERT_STATUS(APR_SUCCESS, brood__os_park(&g_word, 1, -1));
    ASSERT_STATUS(APR_SUCCESS, brood__os_park(&g_word, 1, 0));
}

static void no_time_is_over_at_once(void)
{
    reset();
    ASSERT_STATUS(APR_TIMEUP, brood__os_park(&g_word, 0, 0));
}

static void is_not_early(int64_t timeout)
{
    const int64_t start = brood__os_now();

    reset();
    while (brood__os_park(&g_word, 0, timeout) != APR_TIMEUP)
        ;
    CU_ASSERT(brood__os_now() - start >= timeout);
}

static void a_timeout_is_not_early(void)
{
    is_not_early(20 * MS);
    is_not_early(1000 * MS); /* a second is one, not as many nanoseconds */
}

static void waking_nobody_is_harmless(void)
{
    reset();
    brood__os_unpark_one(&g_word);
    brood__os_unpark_all(&g_word);
}

static void a_huge_timeout_is_no_error(void)
{
    pthread_t thread;

    reset();
    g_timeout = INT64_MAX;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, sleeper, NULL), 0);
    WAIT_UNTIL(brood__load(&g_asleep, relaxed) == 1);
    brood__store(&g_word, 1, release);
    brood__os_unpark_one(&g_word);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_woken, relaxed), 1);
}

static void all_sleepers_wake(void)
{
    pthread_t threads[8];
    int i;

    reset();
    for (i = 0; i < 8; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, sleeper, NULL),
                              0);
    WAIT_UNTIL(brood__load(&g_asleep, relaxed) == 8);
    brood__store(&g_word, 1, release);
    brood__os_unpark_all(&g_word);
    for (i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(brood__load(&g_woken, relaxed), 8);
}

/* Each of them is owed one wake-up; if one reached nobody, the test hangs. */
static void each_single_wake_reaches_a_sleeper(void)
{
    pthread_t threads[4];
    int i;

    reset();
    for (i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, sleeper, NULL),
                              0);
    brood__store(&g_word, 1, release);
    for (i = 0; i < 4; i++)
        brood__os_unpark_one(&g_word);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(brood__load(&g_woken, relaxed), 4);
}

static atomic_uint g_other;

static void *other_sleeper(void *unused)
{
    brood__add(&g_asleep, 1, relaxed);
    while (brood__load(&g_other, acquire) == 0)
        (void)brood__os_park(&g_other, 0, -1);
    return unused;
}

static void words_do_not_wake_each_other(void)
{
    pthread_t mine;
    pthread_t others;

    reset();
    brood__store(&g_other, 0, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&others, NULL, other_sleeper, NULL),
                          0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&mine, NULL, sleeper, NULL), 0);
    WAIT_UNTIL(brood__load(&g_asleep, relaxed) == 2);
    brood__store(&g_word, 1, release);
    brood__os_unpark_one(&g_word); /* the other one is not in the way */
    pthread_join(mine, NULL);
    brood__store(&g_other, 1, release);
    brood__os_unpark_one(&g_other);
    pthread_join(others, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_woken, relaxed), 1);
}

/* Two threads hand a word to and fro, asleep in between. */
static void *pong(void *rounds)
{
    unsigned turn;

    for (turn = 1; turn < *(unsigned *)rounds; turn += 2) {
        while (brood__load(&g_word, acquire) != turn)
            (void)brood__os_park(&g_word, turn - 1, -1);
        brood__store(&g_word, turn + 1, release);
        brood__os_unpark_one(&g_word);
    }
    return NULL;
}

static void no_wake_up_is_lost_in_a_ping_pong(void)
{
    unsigned rounds = 2 * test_rounds(5000);
    pthread_t thread;
    unsigned turn;

    reset();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, pong, &rounds), 0);
    for (turn = 0; turn < rounds; turn += 2) {
        while (brood__load(&g_word, acquire) != turn)
            (void)brood__os_park(&g_word, turn - 1, -1);
        brood__store(&g_word, turn + 1, release);
        brood__os_unpark_one(&g_word);
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_word, relaxed), rounds);
}

static const test_t tests[] = {
    TEST(a_changed_word_does_not_sleep),
    TEST(no_time_is_over_at_once),
    TEST(a_timeout_is_not_early),
    TEST(waking_nobody_is_harmless),
    TEST(a_huge_timeout_is_no_error),
    TEST(all_sleepers_wake),
    TEST(each_single_wake_reaches_a_sleeper),
    TEST(words_do_not_wake_each_other),
    TEST(no_wake_up_is_lost_in_a_ping_pong),
};
HARNESS_MAIN_BARE("park", tests)
