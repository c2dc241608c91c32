/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_ranks.c: a debug build dies of the first lock taken out of order.
 *
 * The locks are compiled here once more, as a debug build has them; they come
 * before those of the core's archive.
 */

#ifndef BROOD_DEBUG
#define BROOD_DEBUG 1
#endif
#include "os/lock.c"

#include <string.h>

#include "support/support.h"

static char g_said[200]; /* what the last child wrote to stderr */

/* Run `fn` in a child, and keep what it says before it dies. */
static int outcome(int (*fn)(void *))
{
    return test_in_child_said(fn, NULL, g_said, sizeof(g_said));
}

static brood__lock_t g_queue = BROOD__LOCK_INIT(BROOD__RANK_SERIAL);
static brood__lock_t g_other_queue = BROOD__LOCK_INIT(BROOD__RANK_SERIAL);
static brood__lock_t g_tree = BROOD__LOCK_INIT(BROOD__RANK_REGISTRY);

static int take_downwards(void *unused) BROOD__NO_ANALYSIS
{
    (void)unused;
    brood__lock(&g_queue);
    brood__lock(&g_tree);
    return 0;
}

static int take_two_of_a_rank(void *unused) BROOD__NO_ANALYSIS
{
    (void)unused;
    brood__lock(&g_queue);
    brood__lock(&g_other_queue);
    return 0;
}

static int take_twice(void *unused) BROOD__NO_ANALYSIS
{
    (void)unused;
    brood__lock(&g_queue);
    brood__lock(&g_queue);
    return 0;
}

static int let_go_of_nothing(void *unused) BROOD__NO_ANALYSIS
{
    (void)unused;
    brood__unlock(&g_queue);
    return 0;
}

static int run_user_code_under_a_lock(void *unused) BROOD__NO_ANALYSIS
{
    (void)unused;
    brood__lock(&g_queue);
    brood__lock_none_held();
    return 0;
}

static int take_upwards(void *unused)
{
    (void)unused;
    brood__lock(&g_tree);
    brood__lock(&g_queue);
    brood__unlock(&g_queue);
    brood__unlock(&g_tree);
    brood__lock(&g_tree); /* nothing is left of what was held */
    brood__unlock(&g_tree);
    brood__lock_none_held();
    return 0;
}

static void the_wrong_order_dies_and_says_which(void)
{
    CU_ASSERT_EQUAL(outcome(take_downwards), CHILD_ABORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(g_said, "lock order: REGISTRY "));
    CU_ASSERT_PTR_NOT_NULL(strstr(g_said, " taken while SERIAL "));
}

static void two_locks_of_a_rank_die(void)
{
    CU_ASSERT_EQUAL(outcome(take_two_of_a_rank), CHILD_ABORTED);
    CU_ASSERT_EQUAL(outcome(take_twice), CHILD_ABORTED);
}

static void letting_go_of_nothing_dies(void)
{
    CU_ASSERT_EQUAL(outcome(let_go_of_nothing), CHILD_ABORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(g_said, "let go of but not held"));
}

static void user_code_under_a_lock_dies(void)
{
    CU_ASSERT_EQUAL(outcome(run_user_code_under_a_lock), CHILD_ABORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(g_said, "while user code would run"));
}

static void the_right_order_lives(void)
{
    CU_ASSERT_EQUAL(outcome(take_upwards), 0);
    CU_ASSERT_STRING_EQUAL(g_said, "");
}

static const test_t tests[] = {
    TEST(the_wrong_order_dies_and_says_which),
    TEST(two_locks_of_a_rank_die),
    TEST(letting_go_of_nothing_dies),
    TEST(user_code_under_a_lock_dies),
    TEST(the_right_order_lives),
};
HARNESS_MAIN_BARE("ranks", tests)
