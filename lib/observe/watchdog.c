/* SPDX-License-Identifier: Apache-2.0 */

/* watchdog.c: when the watchdog speaks. */

#include "observe/watchdog.h"

#include <brood/errors.h>
#include <brood/observe.h>

#include "base/versioned.h"
#include "os/os.h"

/* What brood 0.1 callers pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1 BROOD__SIZE_TO(brood_watchdog_options_t, wait_warning)

#define NEVER             (-1)
#define WAIT_WARNING_USEC (30 * (apr_interval_time_t)1000000)

/* Relaxed: each is a number of its own. */
static atomic_llong g_task_warning = NEVER;
static atomic_llong g_wait_warning = WAIT_WARNING_USEC * 1000;

static long long nanoseconds(apr_interval_time_t time,
                             apr_interval_time_t usual);

apr_status_t brood_watchdog_set(const brood_watchdog_options_t *options)
{
    brood_watchdog_options_t o = BROOD_WATCHDOG_OPTIONS_INIT;

    if (brood__os_forked())
        return BROOD_EFORKED;
    if (brood__versioned_take(&o, sizeof(o), options, OPTIONS_SIZE_0_1)
        != APR_SUCCESS)
        return APR_EINVAL;
    brood__store(&g_task_warning, nanoseconds(o.task_warning, NEVER), relaxed);
    brood__store(&g_wait_warning,
                 nanoseconds(o.wait_warning, WAIT_WARNING_USEC), relaxed);
    return APR_SUCCESS;
}

int64_t brood__watchdog_task_warning(void)
{
    return brood__load(&g_task_warning, relaxed);
}

int64_t brood__watchdog_wait_warning(void)
{
    return brood__load(&g_wait_warning, relaxed);
}

static long long nanoseconds(apr_interval_time_t time,
                             apr_interval_time_t usual)
{
    if (time == 0)
        time = usual;
    return time < 0 || time > INT64_MAX / 1000 ? NEVER : time * 1000;
}
