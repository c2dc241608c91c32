/* SPDX-License-Identifier: Apache-2.0 */

/* test_options.c: what a caller may ask of a task, and what not. */

#include "task/tools.h"

static void nothing(void *unused)
{
    (void)unused;
}

static const brood_task_options_t init = BROOD_TASK_OPTIONS_INIT;

static void no_options_are_all_defaults(void)
{
    brood_task_options_t full;
    int needs = 7;

    ASSERT_STATUS(APR_SUCCESS, brood__task_options(&full, NULL, &needs));
    CU_ASSERT_EQUAL(needs, 0);
    ASSERT_STATUS(APR_SUCCESS, brood__task_options(&full, &init, &needs));
    CU_ASSERT_EQUAL(needs, 0);
    CU_ASSERT_PTR_NULL(full.name);
    CU_ASSERT_EQUAL(full.delay + full.queue_timeout + full.run_timeout, 0);
}

static void what_makes_no_sense_is_refused(void)
{
    brood_task_options_t rows[14], full;
    apr_size_t i, n = 0;
    int needs;

    for (i = 0; i < N_OF(rows); i++)
        rows[i] = init;
    rows[n++].size = 0;
    rows[n++].size = sizeof(init) - 1;
    rows[n++].size = sizeof(init) + 1;
    rows[n++].size = (apr_size_t)-1;
    rows[n++].flags = 0x8;
    rows[n++].flags = 0x80000000u | BROOD_TASK_QUIET;
    rows[n++].priority = BROOD_PRIORITY_LOW - 1;
    rows[n++].priority = BROOD_PRIORITY_HIGH + 1;
    rows[n++].delay = -1;
    rows[n++].queue_timeout = -1;
    rows[n++].run_timeout = INT64_MIN;
    rows[n++].delay = INT64_MAX;
    rows[n++].queue_timeout = INT64_MAX;
    rows[n++].run_timeout = INT64_MAX;
    CU_ASSERT_EQUAL(n, N_OF(rows));
    for (i = 0; i < n; i++) {
        brood_future_t *future = (brood_future_t *)(void *)&full;

        ASSERT_STATUS(APR_EINVAL, brood__task_options(&full, &rows[i], &needs));
        ASSERT_STATUS(APR_EINVAL, brood_thread_manager_submit(&future, pool(),
                                                              returns_baton,
                                                              NULL, &rows[i]));
        CU_ASSERT_PTR_NULL(future);
    }
}

/* The type is looked at during the submit; all else needs a future. */
static void what_lasts_needs_a_future(void)
{
    brood_task_options_t rows[10], full;
    apr_size_t i, n = 0;
    int needs;

    for (i = 0; i < N_OF(rows); i++)
        rows[i] = init;
    rows[n++].name = "name";
    rows[n++].flags = BROOD_TASK_QUIET;
    rows[n++].flags = BROOD_WAIT_HELP;
    rows[n++].priority = BROOD_PRIORITY_HIGH;
    rows[n++].priority = BROOD_PRIORITY_LOW;
    rows[n++].delay = 1;
    rows[n++].queue_timeout = 1;
    rows[n++].run_timeout = 1;
    rows[n++].destroy = nothing;
    rows[n++].free_value = nothing;
    CU_ASSERT_EQUAL(n, N_OF(rows));
    for (i = 0; i < n; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      brood__task_options(&full, &rows[i], &needs));
        CU_ASSERT(needs);
    }
    rows[0] = init;
    rows[0].type = "type";
    ASSERT_STATUS(APR_SUCCESS, brood__task_options(&full, &rows[0], &needs));
    CU_ASSERT_EQUAL(needs, 0);
}

static const test_t tests[] = {
    TEST(no_options_are_all_defaults),
    TEST(what_makes_no_sense_is_refused),
    TEST(what_lasts_needs_a_future),
};

HARNESS_MAIN_WARM("options", tests, warm_up)
