/* SPDX-License-Identifier: Apache-2.0 */

/* nest.c: what a waiting call runs meanwhile. See nest.h. */

#include "async/nest.h"

#include "async/variable.h"
#include "base/alloc.h"

/* A general call, queued with the executor, that the waiting one may run. */
typedef struct offer_t {
    brood__link_t link;
    brood_future_t *call; /* a reference */
} offer_t;

static const int g_key; /* of the context variable: its address */

static void coroutine_ended(brood__waiter_t *waiter, brood_future_t *future);
static brood__sleep_t *ring(brood__nest_t *nest, brood__place_t **place);
static void run(brood__nest_t *nest, brood__link_t *link);

brood__nest_t *brood__nest_make(brood__lease_t *lease,
                                const brood_affinity_pool_t *affinity,
                                brood__scope_t **scope)
{
    brood__nest_t *nest = brood__alloc(sizeof(*nest));

    if (!nest)
        return NULL;
    atomic_init(&nest->refs, 2); /* the caller's, the variable's */
    nest->lease = lease;
    if (lease)
        brood__lease_retain(lease);
    nest->pool = affinity;
    brood__lock_init(&nest->own, BROOD__RANK_SERIAL);
    nest->lock = lease ? &lease->lock : &nest->own;
    nest->outer = brood__variable(&g_key);
    if (nest->outer)
        brood__add(&nest->outer->refs, 1, relaxed);
    nest->waiter.fire = coroutine_ended;
    brood__list_init(&nest->queue);
    nest->open = 1;
    *scope = brood__scope_with(brood__self.now.scope, &g_key, nest,
                               brood__nest_release);
    if (*scope)
        return nest;
    atomic_init(&nest->refs, 1);
    brood__nest_release(nest);
    return NULL;
}

void brood__nest_release(void *data)
{
    brood__nest_t *nest = data;

    while (nest && brood__sub(&nest->refs, 1, acq_rel) == 1) {
        brood__nest_t *outer = nest->outer;

        if (nest->lease)
            brood__lease_release(nest->lease);
        brood__lock_fini(&nest->own);
        brood__free(nest);
        nest = outer;
    }
}

brood__nest_t *brood__nest_of(brood__lease_t *lease,
                              const brood__scope_t *scope)
{
    brood__nest_t *nest = scope->values
                              ? brood__values_get(scope->values, &g_key)
                              : NULL;

    while (nest && !(nest->lease == lease && nest->open))
        nest = nest->outer;
    return nest;
}

int brood__nest_inside(brood__lease_t *lease)
{
    int inside;

    if (brood__lease_current() == lease)
        return 1;
    if (!brood__self.now.scope)
        return 0;
    brood__lock(&lease->lock);
    inside = brood__nest_of(lease, brood__self.now.scope) != NULL;
    brood__unlock(&lease->lock);
    return inside;
}

brood__sleep_t *brood__nest_push(brood__lease_t *lease, brood__nest_t *nest,
                                 brood__errand_t *errand,
                                 brood__place_t **place)
{
    (void)lease; /* for the compiler, which checks its lock */
    brood__list_append(&nest->queue, &errand->link);
    return ring(nest, place);
}

/* Without memory it is left to the other threads. */
void brood__nest_offer(const brood_affinity_pool_t *affinity,
                       brood_future_t *call)
{
    brood__nest_t *nest = brood__variable(&g_key);
    brood__place_t *place = NULL;
    brood__sleep_t *sleep = NULL;
    offer_t *offer;

    while (nest && (nest->lease || nest->pool != affinity))
        nest = nest->outer;
    offer = nest ? brood__alloc(sizeof(*offer)) : NULL;
    if (!offer)
        return;
    offer->call = brood_future_retain(call);
    brood__lock(&nest->own);
    if (nest->open) {
        brood__list_append(&nest->queue, &offer->link);
        sleep = ring(nest, &place);
        offer = NULL;
    }
    brood__unlock(&nest->own);
    if (sleep)
        place->ops->wake(place, sleep);
    if (offer) {
        brood_future_release(offer->call);
        brood__free(offer);
    }
}

/* Under nest->lock. The winner of the sleep's only arrow is who has to wake it.
 * The sleeper does not end its wait before it has had the lock, so the record
 * is good here; after unlocking only its address is used. */
static brood__sleep_t *ring(brood__nest_t *nest, brood__place_t **place)
{
    brood__sleep_t *sleep = nest->sleep;

    nest->sleep = NULL;
    if (!sleep)
        return NULL;
    *place = sleep->place;
    return brood__sleep_try(sleep, BROOD__SLEEP_FIRED) ? sleep : NULL;
}

void brood__nest_watch(brood__nest_t *nest, brood_future_t *future)
{
    brood__add(&nest->refs, 1, relaxed); /* the waiter's */
    if (!brood__future_listen(future, &nest->waiter))
        coroutine_ended(&nest->waiter, future);
}

static void coroutine_ended(brood__waiter_t *waiter, brood_future_t *future)
{
    brood__nest_t *nest = BROOD__CONTAINER(waiter, brood__nest_t, waiter);
    brood__place_t *place = NULL;
    brood__lock_t *lock = nest->lock;
    brood__sleep_t *sleep;

    (void)future;
    brood__lock(lock);
    nest->done = 1; /* (1) */
    sleep = ring(nest, &place);
    brood__unlock(lock);
    if (sleep)
        place->ops->wake(place, sleep);
    brood__nest_release(nest);
}

apr_status_t brood__nest_wait(brood__nest_t *nest, brood_future_t *future,
                              int64_t deadline, int uninterruptible)
{
    brood__lock_t *lock = nest->lock;

    for (;;) {
        brood__sleep_t sleep;
        brood__link_t *link;
        apr_status_t rv;

        brood__sleep_init(&sleep);
        brood__lock(lock);
        link = brood__list_pop(&nest->queue);
        if (link && nest->lease)
            nest->lease->n_queued--;
        else if (!link && nest->done)
            nest->open = 0; /* (2) */
        else if (!link)
            nest->sleep = &sleep;
        brood__unlock(lock);
        if (link) {
            run(nest, link);
            continue;
        }
        if (!nest->open)
            return APR_SUCCESS;
        rv = brood__sleep(&sleep, deadline, future, uninterruptible);
        brood__lock(lock);
        nest->sleep = NULL;
        brood__unlock(lock);
        if (rv != APR_SUCCESS)
            return rv;
    }
}

/* An offer has the executor's queue beside us: whoever claims it first runs it,
 * and the entry in that queue leaves the scope's reference to us. */
static void run(brood__nest_t *nest, brood__link_t *link)
{
    brood__scope_t *scope;
    offer_t *offer;

    if (nest->lease) {
        brood__lease_run(nest->lease,
                         BROOD__CONTAINER(link, brood__errand_t, link));
        return;
    }
    offer = BROOD__CONTAINER(link, offer_t, link);
    scope = offer->call->scope;
    if (brood__future_claim(offer->call, BROOD__IN_PLACE)) {
        brood__purse_empty(&brood__self.purse);
        brood__future_run(offer->call, scope); /* takes our reference */
        brood__scope_release(scope, 1);
    } else {
        brood_future_release(offer->call);
    }
    brood__free(offer);
}
