/* SPDX-License-Identifier: Apache-2.0 */

/*
 * capacity.c: an executor that accepts only so many queued tasks.
 *
 * `queued` counts them. Whoever waits for room registers under the lock and
 * looks again; a worker that makes room looks for waiters under the lock, and
 * only when `n_waiting` says that there may be some (seq_cst on both sides, so
 * one of the two sees the other).
 */

#include "thread/worker.h"

apr_status_t brood__capacity_take(brood__executor_t *executor, int n)
{
    int limit = executor->options.capacity;

    if (brood__add(&executor->queued, n, seq_cst) + n <= limit)
        return APR_SUCCESS;
    brood__capacity_give(executor, n);
    return BROOD_EFULL;
}

void brood__capacity_give(brood__executor_t *executor, int n)
{
    brood__sub(&executor->queued, n, seq_cst);
    if (!brood__load(&executor->n_waiting, seq_cst))
        return;
    brood__lock(&executor->lock);
    brood__sleepers_fire(&executor->space_waiters, n > 1);
    brood__unlock(&executor->lock);
}

apr_status_t brood__capacity_wait(brood__executor_t *executor,
                                  int64_t deadline)
{
    brood__place_t *place = brood__place();
    brood__sleeper_t sleeper;
    apr_status_t rv = APR_SUCCESS;

    if (place->ops->may_block && place->ops->may_block(place) != APR_SUCCESS)
        return BROOD_EFULL; /* a bare loop thread */
    brood__sleep_init(&sleeper.sleep);
    brood__add(&executor->n_waiting, 1, seq_cst);
    brood__lock(&executor->lock);
    brood__list_init(&sleeper.link);
    if (executor->state == BROOD__RUNS
        && brood__load(&executor->queued, seq_cst)
               >= executor->options.capacity) {
        brood__list_append(&executor->space_waiters, &sleeper.link);
        rv = BROOD_EPENDING;
    }
    brood__unlock(&executor->lock);
    if (rv == BROOD_EPENDING) {
        rv = brood__sleeper_wait(executor, &sleeper, deadline);
        if (rv == APR_TIMEUP)
            rv = BROOD_EFULL;
    }
    brood__sub(&executor->n_waiting, 1, relaxed);
    return rv;
}

void brood__capacity_close(brood__executor_t *executor)
{
    brood__lock(&executor->lock);
    brood__sleepers_fire(&executor->space_waiters, 1);
    brood__unlock(&executor->lock);
}
