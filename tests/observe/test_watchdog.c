/* SPDX-License-Identifier: Apache-2.0 */

/* test_watchdog.c: when the watchdog speaks. */

#include "observe/watchdog.h"

#include <brood/errors.h>
#include <brood/observe.h>

#include "support/support.h"

#define DEFAULT_WAIT (30 * INT64_C(1000000000))

static void times_are_what_was_set(void)
{
    static const struct {
        apr_interval_time_t task, wait;
        int64_t task_ns, wait_ns;
    } rows[] = {
        { 0, 0, -1, DEFAULT_WAIT },
        { 5, 7, 5000, 7000 },
        { -1, -1, -1, -1 },
        { INT64_MAX, INT64_MAX, -1, -1 },
        { INT64_MAX / 1000, 1, INT64_MAX / 1000 * 1000, 1000 },
    };
    brood_watchdog_options_t options = BROOD_WATCHDOG_OPTIONS_INIT;
    size_t i;

    CU_ASSERT_EQUAL(brood__watchdog_task_warning(), -1);
    CU_ASSERT_EQUAL(brood__watchdog_wait_warning(), DEFAULT_WAIT);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        options.task_warning = rows[i].task;
        options.wait_warning = rows[i].wait;
        ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(&options));
        CU_ASSERT_EQUAL(brood__watchdog_task_warning(), rows[i].task_ns);
        CU_ASSERT_EQUAL(brood__watchdog_wait_warning(), rows[i].wait_ns);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(NULL));
    CU_ASSERT_EQUAL(brood__watchdog_wait_warning(), DEFAULT_WAIT);
}

static void unknown_sizes_change_nothing(void)
{
    static const apr_size_t sizes[] = { 0, 1,
                                        sizeof(brood_watchdog_options_t) - 1,
                                        sizeof(brood_watchdog_options_t) + 1 };
    brood_watchdog_options_t options = { 0, 5, 5 };
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        options.size = sizes[i];
        ASSERT_STATUS(APR_EINVAL, brood_watchdog_set(&options));
    }
    CU_ASSERT_EQUAL(brood__watchdog_task_warning(), -1);
}

static const test_t tests[] = {
    TEST(times_are_what_was_set),
    TEST(unknown_sizes_change_nothing),
};
HARNESS_MAIN_BARE("watchdog", tests)
