/* SPDX-License-Identifier: Apache-2.0 */

/*
 * slot.c: who may lease a thread now, and who waits for one.
 *
 * A waiter's record lies on its stack, in `waiters`, under the pool's lock.
 * Whoever takes it out gives it a slot by winning its sleep; the waiter does
 * not return before it has had the lock, so the record is good until then.
 */

#include <brood/errors.h>

#include "async/lease.h"
#include "async/transaction.h"

typedef struct waiter_t {
    brood__link_t link; /* under the pool's lock */
    brood__sleep_t sleep;
    apr_status_t status; /* what it was woken with; under the pool's lock */
} waiter_t;

static apr_status_t wait_turn(brood_affinity_pool_t *affinity, waiter_t *waiter,
                              int64_t deadline);
static int wake(waiter_t *waiter, apr_status_t status);
static void enlist(brood_affinity_pool_t *affinity, brood__lease_t *lease)
    BROOD__REQUIRES(affinity->lock);
static void pass_on(brood_affinity_pool_t *affinity)
    BROOD__REQUIRES(affinity->lock);

apr_status_t brood__slot_try(brood_affinity_pool_t *affinity,
                             brood__lease_t *lease)
{
    if (affinity->stopping)
        return BROOD_ESTOPPED;
    if (affinity->n_leases == affinity->limit)
        return BROOD_EFULL; /* nobody waits while a slot is free */
    affinity->n_leases++;
    enlist(affinity, lease);
    return APR_SUCCESS;
}

apr_status_t brood__slot_take(brood__lease_t *lease, int64_t deadline)
{
    brood_affinity_pool_t *affinity = lease->pool;
    waiter_t waiter;
    apr_status_t rv;

    brood__sleep_init(&waiter.sleep);
    brood__lock(&affinity->lock);
    rv = brood__slot_try(affinity, lease);
    if (rv == BROOD_EFULL && deadline)
        brood__list_append(&affinity->waiters, &waiter.link);
    brood__unlock(&affinity->lock);
    if (rv != BROOD_EFULL || !deadline)
        return rv;

    rv = wait_turn(affinity, &waiter, deadline);
    if (rv != APR_SUCCESS)
        return rv == APR_TIMEUP ? BROOD_EFULL : rv;
    brood__lock(&affinity->lock);
    if (affinity->stopping) {
        rv = BROOD_ESTOPPED;
        pass_on(affinity);
    } else {
        enlist(affinity, lease);
    }
    brood__unlock(&affinity->lock);
    return rv;
}

void brood__slot_give(brood__lease_t *lease)
{
    brood_affinity_pool_t *affinity = lease->pool;

    brood__lock(&affinity->lock);
    brood__list_remove(&lease->link);
    if (lease->thread)
        lease->thread->lease = NULL;
    lease->thread = NULL;
    pass_on(affinity);
    brood__unlock(&affinity->lock);
}

void brood__slot_refuse_all(brood_affinity_pool_t *affinity)
{
    brood__link_t *link;

    brood__lock(&affinity->lock);
    while ((link = brood__list_pop(&affinity->waiters)))
        wake(BROOD__CONTAINER(link, waiter_t, link), BROOD_ESTOPPED);
    brood__unlock(&affinity->lock);
}

static apr_status_t wait_turn(brood_affinity_pool_t *affinity, waiter_t *waiter,
                              int64_t deadline)
{
    apr_status_t rv = brood__sleep(&waiter->sleep, deadline, NULL, 0);

    brood__lock(&affinity->lock);
    brood__list_remove(&waiter->link);
    if (rv == APR_SUCCESS)
        rv = waiter->status;
    brood__unlock(&affinity->lock);
    return rv;
}

/* False: it has just given up. */
static int wake(waiter_t *waiter, apr_status_t status)
{
    waiter->status = status;
    return brood__sleep_fire(&waiter->sleep, BROOD__SLEEP_FIRED);
}

static void enlist(brood_affinity_pool_t *affinity, brood__lease_t *lease)
{
    if (lease->tx)
        brood__tx_retain(lease->tx);
    brood__list_append(&affinity->leases, &lease->link);
}

/* A slot is free: to the one that waits longest, or to nobody. */
static void pass_on(brood_affinity_pool_t *affinity)
{
    brood__link_t *link;

    while ((link = brood__list_pop(&affinity->waiters)))
        if (wake(BROOD__CONTAINER(link, waiter_t, link), APR_SUCCESS))
            return;
    affinity->n_leases--;
}
