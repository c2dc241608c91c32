/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_cond.c: what happens between "I shall sleep" and "I sleep".
 *
 * That moment is too short to be hit by chance. So parking is replaced here by
 * a function that first does what another thread might just have done, and
 * then looks whether a sleeper would wake: whether the word has changed.
 * What is defined here comes before the archive of the core.
 */

#include "os/lock.h"

#include "support/support.h"

static void (*g_meanwhile)(void); /* what the other thread does */
static unsigned g_parked;
static unsigned g_overslept; /* times that the word was as before */
static unsigned g_woken;     /* calls of unpark */

apr_status_t brood__os_park(atomic_uint *word, unsigned seen, int64_t timeout)
{
    (void)timeout;
    g_parked++;
    if (g_meanwhile)
        g_meanwhile();
    if (brood__load(word, relaxed) != seen)
        return APR_SUCCESS;
    g_overslept++;
    return APR_TIMEUP;
}

void brood__os_unpark_one(atomic_uint *word)
{
    (void)word;
    g_woken++;
}

void brood__os_unpark_all(atomic_uint *word)
{
    (void)word;
    g_woken++;
}

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__cond_t g_cond = BROOD__COND_INIT;
static brood__gate_t g_gate;

static void reset(void (*meanwhile)(void))
{
    g_meanwhile = meanwhile;
    g_parked = g_overslept = g_woken = 0;
    brood__gate_init(&g_gate);
}

static void signal_one(void)
{
    brood__lock(&g_lock);
    brood__cond_wake_one(&g_cond);
    brood__unlock(&g_lock);
}

static void signal_all(void)
{
    brood__lock(&g_lock);
    brood__cond_wake_all(&g_cond);
    brood__unlock(&g_lock);
}

static void a_signal_just_before_sleep_is_not_lost(void)
{
    static void (*const signals[])(void) = { signal_one, signal_all };
    int i;

    for (i = 0; i < 2; i++) {
        reset(signals[i]);
        brood__lock(&g_lock);
        ASSERT_STATUS(APR_SUCCESS, brood__cond_wait(&g_cond, &g_lock, -1));
        brood__unlock(&g_lock);
        CU_ASSERT(g_parked == 1 && g_woken == 1 && !g_overslept);
    }
}

static void who_sleeps_has_let_go_of_the_lock(void)
{
    reset(signal_one); /* which takes it: else this hangs */
    brood__lock(&g_lock);
    (void)brood__cond_wait(&g_cond, &g_lock, -1);
    brood__unlock(&g_lock);
    CU_ASSERT_EQUAL(g_woken, 1);
}

static void without_sleepers_nobody_is_woken(void)
{
    reset(NULL);
    signal_one();
    signal_all();
    CU_ASSERT_EQUAL(g_woken, 0);
}

static void a_time_out_is_passed_on(void)
{
    reset(NULL);
    brood__lock(&g_lock);
    ASSERT_STATUS(APR_TIMEUP, brood__cond_wait(&g_cond, &g_lock, 1));
    brood__unlock(&g_lock);
    signal_one();
    CU_ASSERT_EQUAL(g_woken, 0); /* it no longer counts as asleep */
}

static void open_gate(void)
{
    brood__gate_open(&g_gate);
}

static void a_gate_opened_just_before_sleep_wakes(void)
{
    reset(open_gate);
    ASSERT_STATUS(APR_SUCCESS, brood__gate_wait(&g_gate, -1));
    CU_ASSERT(g_parked == 1 && g_woken == 1 && !g_overslept);
}

static void a_gate_without_sleepers_wakes_nobody(void)
{
    reset(NULL);
    brood__gate_open(&g_gate);
    ASSERT_STATUS(APR_SUCCESS, brood__gate_wait(&g_gate, -1));
    CU_ASSERT(!g_parked && !g_woken);
}

static const test_t tests[] = {
    TEST(a_signal_just_before_sleep_is_not_lost),
    TEST(who_sleeps_has_let_go_of_the_lock),
    TEST(without_sleepers_nobody_is_woken),
    TEST(a_time_out_is_passed_on),
    TEST(a_gate_opened_just_before_sleep_wakes),
    TEST(a_gate_without_sleepers_wakes_nobody),
};
HARNESS_MAIN_BARE("cond", tests)
