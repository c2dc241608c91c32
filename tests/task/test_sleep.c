/* SPDX-License-Identifier: Apache-2.0 */

/* test_sleep.c: one wait: who ends it, and when it speaks up. */

#include <string.h>

#include <brood/observe.h>

#include "task/tools.h"

static atomic_int g_lines;
static char g_line[160];
static brood_promise_t *g_promise; /* settled by the first line */

static void hear(int level, const char *line, void *baton)
{
    (void)level;
    (void)baton;
    strncpy(g_line, line, sizeof(g_line) - 1);
    if (brood__add(&g_lines, 1, release) == 0)
        brood_promise_settle(g_promise, APR_SUCCESS, NULL);
}

static void warn_after(apr_interval_time_t us)
{
    brood_watchdog_options_t o = BROOD_WATCHDOG_OPTIONS_INIT;

    o.wait_warning = us;
    ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(&o));
    if (us)
        brood__store(&g_lines, 0, relaxed);
    brood_log_hook_set(us ? hear : NULL, NULL);
}

static apr_status_t waits(void *future, void **result)
{
    (void)result;
    return brood_future_wait(future, -1);
}

static void a_long_wait_is_named_once(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    pledge_t p = pledge();
    brood_future_t *task;

    warn_after(2000);
    g_promise = p.promise;
    o.name = "sleepyhead";
    task = submit(pool(), waits, p.future, &o);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_get(task, NULL, apr_time_from_sec(3600)));
    warn_after(0);
    CU_ASSERT_EQUAL(brood__load(&g_lines, acquire), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(g_line, "sleepyhead"));
    brood_future_release(task);
    brood_future_release(p.future);

    p = pledge(); /* a thread, in no task */
    warn_after(2000);
    g_promise = p.promise;
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(p.future, -1));
    warn_after(0);
    CU_ASSERT_EQUAL(brood__load(&g_lines, acquire), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(g_line, "thread"));
    brood_future_release(p.future);
}

static void the_first_to_end_it_wins(void)
{
    static const unsigned states[] = { BROOD__SLEEP_FIRED | 5u << 2,
                                       BROOD__SLEEP_TIMEUP,
                                       BROOD__SLEEP_INTERRUPTED };
    static const apr_status_t expected[] = { APR_SUCCESS, APR_TIMEUP,
                                             BROOD_EINTERRUPTED };
    size_t i, j;

    for (i = 0; i < N_OF(states); i++) {
        brood__sleep_t sleep;

        brood__sleep_init(&sleep);
        CU_ASSERT(brood__sleep_fire(&sleep, states[i]));
        for (j = 0; j < N_OF(states); j++)
            CU_ASSERT_FALSE(brood__sleep_fire(&sleep, states[j]));
        ASSERT_STATUS(expected[i], brood__sleep(&sleep, -1, NULL, 0));
        CU_ASSERT_EQUAL(brood__load(&sleep.state, relaxed), states[i]);
    }
}

static void a_time_of_the_api_becomes_a_deadline(void)
{
    int64_t now = brood__os_now();

    CU_ASSERT_EQUAL(brood__deadline(-1), -1);
    CU_ASSERT_EQUAL(brood__deadline(INT64_MIN), -1);
    CU_ASSERT_EQUAL(brood__deadline(INT64_MAX), -1);
    CU_ASSERT(brood__deadline(0) >= now);
    CU_ASSERT(brood__deadline(1000) >= now + 1000000);
}

/* ---- a wait that no cancel cuts short ------------------------------------ */

static apr_status_t waits_firmly(void *future, void **result)
{
    (void)result;
    return brood__future_wait_until(future, -1, 1);
}

static void a_firm_wait_leaves_the_interruption_for_later(void)
{
    pledge_t p = pledge();
    brood_future_t *task = submit(pool(), waits_firmly, p.future, NULL);

    WAIT_UNTIL((brood__load(&task->state, acquire) & BROOD__PHASE)
               == BROOD__RUNNING);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(task));
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(task, 2000));
    brood_promise_settle(p.promise, APR_SUCCESS, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(task, NULL, -1));
    brood_future_release(task);
    brood_future_release(p.future);
}

static const test_t tests[] = {
    TEST_KEEPS(a_long_wait_is_named_once, KEEPS_MEMORY),
    TEST(the_first_to_end_it_wins),
    TEST(a_time_of_the_api_becomes_a_deadline),
    TEST(a_firm_wait_leaves_the_interruption_for_later),
};

HARNESS_MAIN_WARM("sleep", tests, warm_up)
