/* SPDX-License-Identifier: Apache-2.0 */

/*
 * admit.c: may this submit in, and if not, what then?
 *
 * Called when `rare` is not 0, inside the lane's enter and leave (inbox.h, D) or
 * on an own worker. So what is settled while no submit is under way (the task
 * type) may be read here without a lock: a stop waits for us before a start can
 * change it.
 */

#include <stdio.h>
#include <string.h>

#include <brood/thread_manager.h>

#include "observe/log.h"
#include "thread/submit.h"

apr_status_t brood__admit(const brood__order_t *order, unsigned rare)
{
    brood__executor_t *executor = order->executor;
    apr_status_t rv = APR_SUCCESS;

    if (rare & BROOD__RARE_FORKED)
        return BROOD_EFORKED;
    if (rare & BROOD__RARE_CLOSED) {
        brood__lock(&executor->lock);
        rv = brood__admit_state(order);
        brood__unlock(&executor->lock);
    }
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_TYPED)
        && (!order->type
            || strcmp(order->type, executor->options.task_type) != 0))
        rv = BROOD_ETASKTYPE;
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_NOBODY)) {
        brood__lock(&executor->lock);
        if (executor->n_threads == 0)
            rv = brood__executor_spawn(executor, 0);
        else /* the last worker was about to leave, and now stays */
            brood__and(&executor->inbox.rare, ~(unsigned)BROOD__RARE_NOBODY,
                       relaxed);
        brood__unlock(&executor->lock);
    }
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_CAPACITY))
        rv = brood__capacity_take(executor, order->n);
    return rv;
}

apr_status_t brood__admit_state(const brood__order_t *order)
{
    brood__executor_t *executor = order->executor;

    if (executor->state == BROOD__RUNS)
        return APR_SUCCESS;
    if (executor->state == BROOD__STOPPING && order->own
        && !executor->cancelling)
        return APR_SUCCESS;
    return brood__executor_why_not(executor);
}

/* It may have been stopped and started with another type meanwhile. */
static void log_type(const brood__order_t *order)
{
    brood__executor_t *executor = order->executor;
    char prefix[64], accepted[256];

    brood__lock(&executor->lock);
    snprintf(prefix, sizeof(prefix), "%s",
             executor->options.prefix ? executor->options.prefix : "brood");
    snprintf(accepted, sizeof(accepted), "%s",
             executor->options.task_type ? executor->options.task_type : "");
    brood__unlock(&executor->lock);
    brood__log(BROOD_LOG_INFO,
               "'%s' accepts tasks of type '%s': one of %s%s%s was refused",
               prefix, accepted, order->type ? "type '" : "no type",
               order->type ? order->type : "", order->type ? "'" : "");
}

/* BROOD_EFULL with a manager that blocks: wait for room, then BROOD__RETRY. */
apr_status_t brood__wait_for_room(const brood__order_t *order, apr_status_t rv,
                                  int64_t *deadline)
{
    brood__executor_t *executor = order->executor;
    int64_t timeout = brood__load(&executor->full_timeout, relaxed);

    if (rv == BROOD_ETASKTYPE)
        log_type(order);
    if (rv != BROOD_EFULL || order->own
        || brood__load(&executor->when_full, relaxed) != BROOD_WHEN_FULL_BLOCK
        || order->n > brood__load(&executor->capacity, relaxed))
        return rv;
    if (*deadline == 0)
        *deadline = timeout < 0 ? -1 : brood__os_now() + timeout;
    rv = brood__capacity_wait(executor, order->n, *deadline);
    return rv == APR_SUCCESS ? BROOD__RETRY : rv;
}

int brood__runs_in_caller(const brood__order_t *order, apr_status_t rv)
{
    int when_full = brood__load(&order->executor->when_full, relaxed);

    return rv == BROOD_EFULL
           && (when_full == BROOD_WHEN_FULL_RUN
               || (when_full == BROOD_WHEN_FULL_BLOCK && order->own));
}
