/* SPDX-License-Identifier: Apache-2.0 */

/* test_values.c: context variables: chains that share and never change. */

#include "lineage/values.h"

#include "lineage/fake.h"

static const char key[4];
static int value[4];
static int g_released[4]; /* how often each value was */

static void released(void *v)
{
    g_released[(int *)v - value]++;
}

static brood__values_t *with(brood__values_t *values, int k, void *v)
{
    int failed;

    return brood__values_with(values, &key[k], v, released, &failed);
}

/* The old chain is dropped. */
static brood__values_t *replace(brood__values_t *values, int k, void *v)
{
    brood__values_t *next = with(values, k, v);

    brood__values_release(values);
    return next;
}

static brood__values_t *three(void)
{
    memset(g_released, 0, sizeof(g_released));
    return replace(replace(with(NULL, 0, &value[0]), 1, &value[1]), 2,
                   &value[2]);
}

static void a_chain_finds_what_was_set(void)
{
    brood__values_t *values = three();

    CU_ASSERT_PTR_EQUAL(brood__values_get(values, &key[0]), &value[0]);
    CU_ASSERT_PTR_EQUAL(brood__values_get(values, &key[2]), &value[2]);
    CU_ASSERT_PTR_NULL(brood__values_get(values, &key[3]));
    CU_ASSERT_PTR_NULL(brood__values_get(NULL, &key[0]));
    brood__values_release(values);
    CU_ASSERT_EQUAL(g_released[0] + g_released[1] + g_released[2], 3);
}

static void who_holds_the_old_chain_sees_the_old_values(void)
{
    brood__values_t *old = three();
    brood__values_t *new = with(old, 1, &value[3]);

    CU_ASSERT_PTR_EQUAL(brood__values_get(old, &key[1]), &value[1]);
    CU_ASSERT_PTR_EQUAL(brood__values_get(new, &key[1]), &value[3]);
    brood__values_release(old);
    CU_ASSERT_EQUAL(g_released[1], 1); /* nobody can see it any more */
    CU_ASSERT_EQUAL(g_released[2], 0);
    brood__values_release(new);
    CU_ASSERT_EQUAL(g_released[2], 1);
    CU_ASSERT_EQUAL(g_released[3], 1);
}

static void a_null_value_takes_a_variable_out(void)
{
    brood__values_t *values = replace(three(), 1, NULL);

    CU_ASSERT_PTR_NULL(brood__values_get(values, &key[1]));
    CU_ASSERT_PTR_EQUAL(brood__values_get(values, &key[0]), &value[0]);
    CU_ASSERT_EQUAL(g_released[1], 1);
    values = replace(values, 3, NULL); /* was not there */
    values = replace(replace(values, 0, NULL), 2, NULL);
    CU_ASSERT_PTR_NULL(values);
    CU_ASSERT_EQUAL(g_released[0] + g_released[2], 2);
}

static void setting_a_million_times_keeps_the_chain_short(void)
{
    brood__values_t *values = three();
    const size_t before = brood__alloc_live();
    int i;

    for (i = 0; i < 1000000; i++)
        values = replace(values, i % 3, &value[i % 3]);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
    brood__values_release(values);
}

static apr_status_t replace_first(void *baton)
{
    int failed;
    brood__values_t *values = brood__values_with(baton, &key[0], &value[3],
                                                 released, &failed);

    if (failed) {
        CU_ASSERT_PTR_NULL(values);
        return APR_ENOMEM;
    }
    brood__values_release(values);
    return APR_SUCCESS;
}

static void without_memory_nothing_is_released(void)
{
    brood__values_t *values = three();

    /* Two copies, the value, its entry. */
    CU_ASSERT_EQUAL(walk_failures(replace_first, values), 4);
    CU_ASSERT_EQUAL(g_released[3], 1);
    CU_ASSERT_EQUAL(g_released[0], 0);
    brood__values_release(values);
}

static const test_t tests[] = {
    TEST(a_chain_finds_what_was_set),
    TEST(who_holds_the_old_chain_sees_the_old_values),
    TEST(a_null_value_takes_a_variable_out),
    TEST(setting_a_million_times_keeps_the_chain_short),
    TEST(without_memory_nothing_is_released),
};
HARNESS_MAIN("values", tests)
