/* SPDX-License-Identifier: Apache-2.0 */

/*
 * admit.c: may this submit in, and if not, what then?
 *
 * Called when `rare` is not 0, inside the lane's enter and leave (inbox.h, D) or
 * on an own worker. So what is settled while no submit is under way (the task
 * type) may be read here without a lock: a stop waits for us before a start can
 * change it.
 */

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
        && (!order->type || strcmp(order->type, executor->task_type) != 0))
        rv = BROOD_ETASKTYPE;
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_NOBODY)) {
        brood__lock(&executor->lock);
        if (executor->n_threads == 0)
            rv = brood__executor_spawn(executor, 0);
        /* or the last worker is about to leave, and now stays */
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
    return executor->ever_started ? BROOD_ESTOPPED : BROOD_ENOTSTARTED;
}

/* BROOD_EFULL with a manager that blocks: wait for room, then APR_EAGAIN. */
apr_status_t brood__wait_for_room(const brood__order_t *order, apr_status_t rv,
                                  int64_t *deadline)
{
    brood__executor_t *executor = order->executor;

    if (rv == BROOD_ETASKTYPE)
        brood__log(BROOD_LOG_INFO,
                   "'%s' accepts tasks of type '%s': one of %s%s%s was refused",
                   executor->prefix ? executor->prefix : "brood",
                   executor->task_type, order->type ? "type '" : "no type",
                   order->type ? order->type : "", order->type ? "'" : "");
    if (rv != BROOD_EFULL
        || executor->options.when_full != BROOD_WHEN_FULL_BLOCK || order->own
        || order->n > executor->options.capacity)
        return rv;
    if (*deadline == 0)
        *deadline = executor->options.full_timeout < 0
                        ? -1
                        : brood__os_now() + executor->options.full_timeout;
    rv = brood__capacity_wait(executor, *deadline);
    return rv == APR_SUCCESS ? APR_EAGAIN : rv;
}

int brood__runs_in_caller(const brood__order_t *order, apr_status_t rv)
{
    int when_full = order->executor->options.when_full;

    return rv == BROOD_EFULL
           && (when_full == BROOD_WHEN_FULL_RUN
               || (when_full == BROOD_WHEN_FULL_BLOCK && order->own));
}
