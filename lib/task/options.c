/* SPDX-License-Identifier: Apache-2.0 */

/* options.c: what a caller may ask of a task. */

#include <string.h>

#include "base/versioned.h"
#include "task/future.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1 BROOD__SIZE_TO(brood_task_options_t, free_value)

#define KNOWN_FLAGS (BROOD_TASK_QUIET | BROOD_WAIT_HELP | BROOD_TASK_IDEMPOTENT)

/* Durations are converted to nanoseconds; 290 years fit. */
#define LONGEST (INT64_MAX / 4000)

apr_status_t brood__task_options(brood_task_options_t *full,
                                 const brood_task_options_t *options,
                                 int *needs)
{
    memset(full, 0, sizeof(*full));
    *needs = 0;
    if (!options)
        return APR_SUCCESS;
    if (brood__versioned_take(full, sizeof(*full), options, OPTIONS_SIZE_0_1)
        != APR_SUCCESS)
        return APR_EINVAL;
    if ((full->flags & ~KNOWN_FLAGS) || full->priority < BROOD_PRIORITY_LOW
        || full->priority > BROOD_PRIORITY_HIGH || full->delay < 0
        || full->queue_timeout < 0 || full->run_timeout < 0
        || full->delay > LONGEST || full->queue_timeout > LONGEST
        || full->run_timeout > LONGEST)
        return APR_EINVAL;
    if (full->delay)
        *needs |= BROOD__NEEDS_DELAY;
    if (full->name || full->flags || full->priority || full->queue_timeout
        || full->run_timeout || full->destroy || full->free_value)
        *needs |= BROOD__NEEDS_MORE;
    return APR_SUCCESS;
}

apr_status_t brood__task_timers(const brood_task_options_t *full,
                                int keeps_time)
{
    return brood__task_timed(full, keeps_time) ? brood__timers_ready()
                                               : APR_SUCCESS;
}
