/* SPDX-License-Identifier: Apache-2.0 */

/* submit_cancel.c: a cancel meets the start of its task. Exactly one of the two
 * has it, and its baton is destroyed once. */

#include "stress/stress.h"

#define BATCH 50

static char g_batons[BATCH];
static atomic_int g_ran[BATCH], g_destroyed[BATCH];

static apr_status_t run_one(void *at, void **value)
{
    (void)value;
    brood__add(&g_ran[(char *)at - g_batons], 1, relaxed);
    return APR_SUCCESS;
}

static void destroy_one(void *at)
{
    brood__add(&g_destroyed[(char *)at - g_batons], 1, relaxed);
}

static void one_round(pool_t *pool, unsigned round)
{
    brood_task_options_t options = task_options();
    brood_future_t *futures[BATCH];
    int i;

    options.destroy = destroy_one;
    options.priority = (int)(round % 3) - 1;
    options.delay = round % 5 ? 0 : 1 + round % 40;
    options.queue_timeout = round % 7 ? 0 : 1 + round % 60;
    for (i = 0; i < BATCH; i++) {
        brood__store(&g_ran[i], 0, relaxed);
        brood__store(&g_destroyed[i], 0, relaxed);
        futures[i] = submit_with(pool, run_one, &g_batons[i], &options);
    }
    for (i = round % 2 ? BATCH - 1 : 0; i >= 0 && i < BATCH;
         i += round % 2 ? -1 : 1)
        (void)brood_future_cancel(futures[i]);
    for (i = 0; i < BATCH; i++) {
        apr_status_t rv = outcome(futures[i]);

        CU_ASSERT(rv == APR_SUCCESS || rv == BROOD_ECANCELED
                  || rv == BROOD_EEXPIRED);
        CU_ASSERT_EQUAL(brood__load(&g_ran[i], relaxed), rv == APR_SUCCESS);
        CU_ASSERT_EQUAL(brood__load(&g_destroyed[i], relaxed), 1);
    }
}

static void a_task_is_run_or_canceled(void)
{
    unsigned rounds = test_rounds(2000), i;
    pool_t *pool = pool_of(2, 3);

    for (i = 0; i < rounds; i++)
        one_round(pool, i);
    drain(pool);
    CU_ASSERT_EQUAL(stats_of(pool).submitted, rounds * BATCH);
    CU_ASSERT_EQUAL(stats_of(pool).completed + stats_of(pool).canceled,
                    rounds * BATCH);
    leave_tree();
}

static const test_t tests[] = {
    TEST_KEEPS(a_task_is_run_or_canceled, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("submit_cancel", tests, warm_up)
