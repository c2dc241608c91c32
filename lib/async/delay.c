/* SPDX-License-Identifier: Apache-2.0 */

/*
 * delay.c: calls of a context that are not yet due.
 *
 * A delayed call is in `delayed` and holds a reference to its lease. Whoever
 * exchanges its `delayed` flag for 0 takes it out, and the reference over: the
 * clock, a cancel, or the lease that closes. The losers touch nothing.
 */

#include <brood/errors.h>

#include "async/lease.h"

static void due(brood__timer_t *timer);
static void refuse(brood__lease_t *lease, brood_future_t *call);

void brood__lease_delay(brood__lease_t *lease, brood_future_t *call)
{
    brood__extra_t *extra = call->extra;

    brood__lease_retain(lease);
    brood__list_append(&lease->delayed, &extra->errand.link);
    brood__store(&extra->delayed, 1, release);
    /* The timers are ready: this cannot fail. */
    (void)brood__timer_arm(&extra->timer, brood__os_now() + extra->delay, due);
}

static void due(brood__timer_t *timer)
{
    brood__extra_t *extra = BROOD__CONTAINER(timer, brood__extra_t, timer);
    brood__lease_t *lease = extra->owner;
    brood_future_t *call = brood__extra_future(extra);
    int closed;

    if (!brood__swap(&extra->delayed, 0, acq_rel))
        return;
    brood__lock(&lease->lock);
    brood__list_remove(&extra->errand.link);
    closed = lease->closed;
    if (!closed)
        brood__lease_enqueue_due(lease, call);
    brood__unlock(&lease->lock);
    if (closed)
        refuse(lease, call);
    brood__lease_release(lease);
}

/* A cancel has claimed it and settles it. */
void brood__lease_undelay(brood__home_t *home, brood_future_t *call)
{
    brood__lease_t *lease = call->extra->owner;

    (void)home;
    if (!brood__swap(&call->extra->delayed, 0, acq_rel))
        return;
    brood__lock(&lease->lock);
    brood__list_remove(&call->extra->errand.link);
    brood__unlock(&lease->lock);
    refuse(lease, call);
    brood__lease_release(lease);
}

void brood__lease_cancel_delayed(brood__lease_t *lease)
{
    brood__link_t *link;
    brood_future_t *call;

    do {
        call = NULL;
        brood__lock(&lease->lock);
        BROOD__LIST_EACH (&lease->delayed, link) {
            brood__errand_t *errand = BROOD__CONTAINER(link, brood__errand_t,
                                                       link);

            if (brood__swap(&errand->future->extra->delayed, 0, acq_rel)) {
                call = errand->future;
                brood__list_remove(link);
                break;
            }
        }
        brood__unlock(&lease->lock);
        if (call) {
            refuse(lease, call);
            brood__lease_release(lease);
        }
    } while (call);
}

/* Taken out, and it will not run: the queue's part of it goes. */
static void refuse(brood__lease_t *lease, brood_future_t *call)
{
    brood__scope_t *scope = call->scope;
    int ours = 1;

    (void)lease;
    if (brood__future_claim(call, 0))
        brood__future_refuse(call, BROOD_ECANCELED);
    else
        ours = brood__future_drop(call);
    if (ours)
        brood__scope_release(scope, 1);
}
