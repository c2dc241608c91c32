/* SPDX-License-Identifier: Apache-2.0 */

/* nest.c: what a waiting call of a context runs meanwhile. See nest.h. */

#include "async/nest.h"

#include "async/variable.h"
#include "base/alloc.h"

static const int g_key; /* of the context variable: its address */

static void coroutine_ended(brood__waiter_t *waiter, brood_future_t *future);
static brood__sleep_t *ring(brood__lease_t *lease, brood__nest_t *nest,
                            brood__place_t **place)
    BROOD__REQUIRES(lease->lock);

brood__nest_t *brood__nest_make(brood__lease_t *lease, brood__scope_t **scope)
{
    brood__nest_t *nest = brood__alloc(sizeof(*nest));

    if (!nest)
        return NULL;
    atomic_init(&nest->refs, 2); /* the caller's, the variable's */
    nest->lease = lease;
    brood__lease_retain(lease);
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

        brood__lease_release(nest->lease);
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
    brood__list_append(&nest->queue, &errand->link);
    return ring(lease, nest, place);
}

/* The winner of the sleep's only arrow is who has to wake it. The sleeper does
 * not end its wait before it has had the lock, so the record is good here;
 * after unlocking only its address is used. */
static brood__sleep_t *ring(brood__lease_t *lease, brood__nest_t *nest,
                            brood__place_t **place)
{
    brood__sleep_t *sleep = nest->sleep;

    (void)lease;
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
    brood__lease_t *lease = nest->lease;
    brood__sleep_t *sleep;

    (void)future;
    brood__lock(&lease->lock);
    nest->done = 1; /* (1) */
    sleep = ring(lease, nest, &place);
    brood__unlock(&lease->lock);
    if (sleep)
        place->ops->wake(place, sleep);
    brood__nest_release(nest);
}

apr_status_t brood__nest_wait(brood__nest_t *nest, brood_future_t *future,
                              int64_t deadline, int uninterruptible)
{
    brood__lease_t *lease = nest->lease;

    for (;;) {
        brood__sleep_t sleep;
        brood__link_t *link;
        apr_status_t rv;

        brood__sleep_init(&sleep);
        brood__lock(&lease->lock);
        link = brood__list_pop(&nest->queue);
        if (link)
            lease->n_queued--;
        else if (nest->done)
            nest->open = 0; /* (2) */
        else
            nest->sleep = &sleep;
        brood__unlock(&lease->lock);
        if (link) {
            brood__lease_run(lease,
                             BROOD__CONTAINER(link, brood__errand_t, link));
            continue;
        }
        if (!nest->open)
            return APR_SUCCESS;
        rv = brood__sleep(&sleep, deadline, future, uninterruptible);
        brood__lock(&lease->lock);
        nest->sleep = NULL;
        brood__unlock(&lease->lock);
        if (rv != APR_SUCCESS)
            return rv;
    }
}
