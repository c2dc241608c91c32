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

static void let_in(brood__executor_t *executor) BROOD__REQUIRES(executor->lock);

apr_status_t brood__capacity_take(brood__executor_t *executor, int n)
{
    int limit = brood__load(&executor->capacity, relaxed);

    if (n > limit)
        return BROOD_EFULL;
    if (brood__add(&executor->queued, n, seq_cst) <= limit - n)
        return APR_SUCCESS;
    brood__capacity_give(executor, n);
    return BROOD_EFULL;
}

/* Does nothing without a capacity. */
void brood__capacity_give(brood__executor_t *executor, int n)
{
    if (!brood__load(&executor->capacity, relaxed))
        return;
    brood__sub(&executor->queued, n, seq_cst);
    if (!brood__load(&executor->n_waiting, seq_cst))
        return;
    brood__lock(&executor->lock);
    let_in(executor);
    brood__unlock(&executor->lock);
}

/* In the order they came, so that who wants much is not passed by for ever. One
 * whose time is over just now does not use its turn up. */
static void let_in(brood__executor_t *executor)
{
    int room = brood__load(&executor->capacity, relaxed)
               - brood__load(&executor->queued, seq_cst);
    brood__link_t *list = &executor->space_waiters;

    while (!brood__list_empty(list)) {
        brood__sleeper_t *sleeper = BROOD__CONTAINER(list->next,
                                                     brood__sleeper_t, link);

        if (sleeper->n > room)
            return;
        brood__list_remove(&sleeper->link);
        if (brood__sleep_fire(&sleeper->sleep, BROOD__SLEEP_FIRED))
            room -= sleeper->n;
    }
}

apr_status_t brood__capacity_wait(brood__executor_t *executor, int n,
                                  int64_t deadline)
{
    brood__place_t *place = brood__place();
    brood__sleeper_t sleeper;
    apr_status_t rv = APR_SUCCESS;

    if (place->ops->may_block && place->ops->may_block(place) != APR_SUCCESS)
        return BROOD_EFULL; /* a bare loop thread */
    brood__sleep_init(&sleeper.sleep);
    sleeper.n = n;
    brood__add(&executor->n_waiting, 1, seq_cst);
    brood__lock(&executor->lock);
    brood__list_init(&sleeper.link);
    if (executor->state == BROOD__RUNS
        && brood__load(&executor->queued, seq_cst)
               > brood__load(&executor->capacity, relaxed) - n) {
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
    brood__sleepers_fire(&executor->space_waiters);
    brood__unlock(&executor->lock);
}
