/* SPDX-License-Identifier: Apache-2.0 */

/* test_lock.c: locks exclude, conditions and gates let through in time. */

#include "os/lock.h"

#include <pthread.h>

#include "support/support.h"

#define MS INT64_C(1000000)

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__cond_t g_cond = BROOD__COND_INIT;
static unsigned g_count; /* under g_lock */
static unsigned g_turns; /* under g_lock */

static void *count_up(void *rounds)
{
    unsigned i;

    for (i = 0; i < *(unsigned *)rounds; i++) {
        brood__lock(&g_lock);
        g_count++;
        brood__unlock(&g_lock);
    }
    return NULL;
}

static void one_at_a_time_holds_a_lock(void)
{
    unsigned rounds = test_rounds(20000);
    pthread_t threads[4];
    int i;

    g_count = 0;
    for (i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, count_up, &rounds), 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(g_count, 4 * rounds);
}

static void locks_of_rising_rank_may_be_held_together(void)
{
    brood__lock_t low;
    brood__lock_t high;

    brood__lock_init(&low, BROOD__RANK_INIT);
    brood__lock_init(&high, BROOD__RANK_LEAF);
    brood__lock(&low);
    brood__lock(&high);
    brood__unlock(&low); /* in any order */
    brood__unlock(&high);
    brood__lock_none_held();
    brood__lock_fini(&low);
    brood__lock_fini(&high);
}

static void a_taken_lock_is_not_taken_again(void)
{
    brood__os_lock_t lock;

    brood__os_lock_init(&lock);
    CU_ASSERT(brood__os_trylock(&lock));
    CU_ASSERT_FALSE(brood__os_trylock(&lock));
    brood__os_unlock(&lock);
    brood__os_lock_fini(&lock);
}

static void a_condition_keeps_its_time(void)
{
    const int64_t start = brood__os_now();

    brood__lock(&g_lock);
    while (brood__cond_wait(&g_cond, &g_lock, 20 * MS) != APR_TIMEUP)
        ;
    brood__unlock(&g_lock);
    CU_ASSERT(brood__os_now() - start >= 20 * MS);
}

static void waking_nobody_leaves_no_trace(void)
{
    brood__cond_t cond;

    brood__cond_init(&cond);
    brood__lock(&g_lock);
    brood__cond_wake_one(&cond);
    brood__cond_wake_all(&cond);
    ASSERT_STATUS(APR_TIMEUP, brood__cond_wait(&cond, &g_lock, MS));
    brood__unlock(&g_lock);
}

/* Takes the odd turns. */
static void *other_side(void *rounds)
{
    const unsigned end = *(unsigned *)rounds;

    brood__lock(&g_lock);
    while (g_turns < end) {
        if (g_turns % 2) {
            g_turns++;
            brood__cond_wake_one(&g_cond);
        } else
            (void)brood__cond_wait(&g_cond, &g_lock, -1);
    }
    brood__unlock(&g_lock);
    return NULL;
}

static void a_condition_loses_no_signal(void)
{
    unsigned rounds = 2 * test_rounds(5000);
    pthread_t thread;

    g_turns = 0;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, other_side, &rounds),
                          0);
    brood__lock(&g_lock);
    while (g_turns < rounds) {
        if (g_turns % 2 == 0) {
            g_turns++;
            brood__cond_wake_one(&g_cond);
        } else
            (void)brood__cond_wait(&g_cond, &g_lock, -1);
    }
    brood__unlock(&g_lock);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(g_turns, rounds);
}

static void *wait_for_turn(void *unused)
{
    brood__lock(&g_lock);
    g_count++;
    while (!g_turns)
        (void)brood__cond_wait(&g_cond, &g_lock, -1);
    g_count--;
    brood__unlock(&g_lock);
    return unused;
}

static unsigned counted(void)
{
    unsigned n;

    brood__lock(&g_lock);
    n = g_count;
    brood__unlock(&g_lock);
    return n;
}

static void wake_all_wakes_all(void)
{
    pthread_t threads[6];
    int i;

    g_turns = g_count = 0;
    for (i = 0; i < 6; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, wait_for_turn, NULL), 0);
    WAIT_UNTIL(counted() == 6);
    brood__lock(&g_lock);
    g_turns = 1;
    brood__cond_wake_all(&g_cond);
    brood__unlock(&g_lock);
    for (i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(g_count, 0);
}

static brood__gate_t g_gate;
static int g_behind; /* ordered by the gate alone */
static atomic_uint g_passed;

static void *pass(void *unused)
{
    if (brood__gate_wait(&g_gate, -1) == APR_SUCCESS && g_behind == 7)
        brood__add(&g_passed, 1, relaxed);
    return unused;
}

static void who_passes_a_gate_sees_what_was_behind_it(void)
{
    const unsigned rounds = test_rounds(100);
    pthread_t threads[3];
    unsigned n;
    int i;

    brood__store(&g_passed, 0, relaxed);
    for (n = 0; n < rounds; n++) {
        brood__gate_init(&g_gate);
        g_behind = 0;
        for (i = 0; i < 3; i++)
            CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, pass, NULL),
                                  0);
        g_behind = 7;
        brood__gate_open(&g_gate);
        for (i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(brood__load(&g_passed, relaxed), 3 * rounds);
}

static void a_closed_gate_keeps_its_time(void)
{
    const int64_t start = brood__os_now();

    brood__gate_init(&g_gate);
    CU_ASSERT_FALSE(brood__gate_is_open(&g_gate));
    ASSERT_STATUS(APR_TIMEUP, brood__gate_wait(&g_gate, 0));
    ASSERT_STATUS(APR_TIMEUP, brood__gate_wait(&g_gate, 20 * MS));
    CU_ASSERT(brood__os_now() - start >= 20 * MS);
}

static void an_open_gate_stays_open(void)
{
    brood__gate_init(&g_gate);
    brood__gate_open(&g_gate);
    brood__gate_open(&g_gate);
    CU_ASSERT(brood__gate_is_open(&g_gate));
    ASSERT_STATUS(APR_SUCCESS, brood__gate_wait(&g_gate, 0));
    ASSERT_STATUS(APR_SUCCESS, brood__gate_wait(&g_gate, INT64_MAX));
    ASSERT_STATUS(APR_SUCCESS, brood__gate_wait(&g_gate, -1));
}

static const test_t tests[] = {
    TEST(one_at_a_time_holds_a_lock),
    TEST(locks_of_rising_rank_may_be_held_together),
    TEST(a_taken_lock_is_not_taken_again),
    TEST(a_condition_keeps_its_time),
    TEST(waking_nobody_leaves_no_trace),
    TEST(a_condition_loses_no_signal),
    TEST(wake_all_wakes_all),
    TEST(who_passes_a_gate_sees_what_was_behind_it),
    TEST(a_closed_gate_keeps_its_time),
    TEST(an_open_gate_stays_open),
};
HARNESS_MAIN_BARE("lock", tests)
