/* SPDX-License-Identifier: Apache-2.0 */

/* test_scope.c: references and credits: only their sum counts. */

#include "lineage/scope.h"

#include "lineage/fake.h"
#include "lineage/values.h"

static int g_released;

static void count_release(void *value)
{
    (void)value;
    g_released++;
}

static brood__scope_t *new_scope(void)
{
    return brood__scope_make(brood__node_make(NULL, BROOD__NODE_THREAD), NULL);
}

static void a_scope_keeps_its_node_alive(void)
{
    const size_t before = brood__node_count();
    brood__scope_t *scope = new_scope();

    brood__scope_retain(scope);
    brood__scope_release(scope, 1);
    CU_ASSERT_EQUAL(brood__node_count(), before + 1);
    brood__scope_release(scope, 1);
    CU_ASSERT_EQUAL(brood__node_count(), before);
}

static void a_purse_spends_what_another_earns(void)
{
    const size_t before = brood__node_count();
    brood__scope_t *scope = new_scope();
    brood__purse_t mine = { NULL, 0 };
    brood__purse_t theirs = { NULL, 0 };
    int i;

    for (i = 0; i < 5; i++)
        brood__purse_spend(&mine, scope);
    CU_ASSERT_EQUAL(mine.n, BROOD__CREDIT - 5);
    for (i = 0; i < 5; i++)
        brood__purse_earn(&theirs, scope);
    brood__purse_empty(&mine);
    CU_ASSERT_EQUAL(brood__load(&scope->refs, relaxed), 1 + 5);
    brood__scope_release(scope, 1); /* ours */
    CU_ASSERT_EQUAL(brood__node_count(), before + 1);
    brood__purse_empty(&theirs);
    CU_ASSERT_EQUAL(brood__node_count(), before);
}

static void a_purse_that_turns_away_keeps_nothing(void)
{
    brood__scope_t *first = new_scope();
    brood__scope_t *second = new_scope();
    brood__purse_t purse = { NULL, 0 };

    brood__purse_spend(&purse, first);
    brood__purse_turn(&purse, second);
    CU_ASSERT_EQUAL(brood__load(&first->refs, relaxed), 2);
    CU_ASSERT_EQUAL(purse.n, 0);
    brood__purse_turn(&purse, second);
    brood__scope_release(first, 2);
    brood__scope_release(second, 1);
}

static apr_status_t make_with_values(void *unused)
{
    static const char key;
    int failed;
    brood__node_t *node = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__scope_t *scope;
    brood__values_t *values;

    (void)unused;
    if (!node)
        return APR_ENOMEM;
    values = brood__values_with(NULL, &key, &g_released, count_release,
                                &failed);
    if (failed) {
        brood__node_unlive(node);
        return APR_ENOMEM;
    }
    scope = brood__scope_make(node, values);
    if (!scope)
        return APR_ENOMEM; /* both are gone, as promised */
    brood__scope_release(scope, 1);
    return APR_SUCCESS;
}

static void a_scope_takes_over_node_and_values_even_when_it_fails(void)
{
    g_released = 0;
    CU_ASSERT_EQUAL(walk_failures(make_with_values, NULL), 4);
    CU_ASSERT_EQUAL(g_released, 2); /* the failed make, and the good one */
}

static const test_t tests[] = {
    TEST(a_scope_keeps_its_node_alive),
    TEST(a_purse_spends_what_another_earns),
    TEST(a_purse_that_turns_away_keeps_nothing),
    TEST(a_scope_takes_over_node_and_values_even_when_it_fails),
};
HARNESS_MAIN("scope", tests)
