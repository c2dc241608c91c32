/* SPDX-License-Identifier: Apache-2.0 */

/* lease_queue.c: how calls get into a lease, and how it is closed. */

#include "async/lease.h"

#include <brood/errors.h>

#include "async/nest.h"

#define FIRST_LOOK ((int64_t)1000000) /* ns */
#define LAST_LOOK  ((int64_t)100000000)

static int belongs(brood__lease_t *lease, brood__nest_t *nest)
    BROOD__REQUIRES(lease->lock);
static void enqueue(brood__lease_t *lease, brood__errand_t *errand)
    BROOD__REQUIRES(lease->lock);
static void rouse(brood__lease_t *lease) BROOD__REQUIRES(lease->lock);

apr_status_t brood__lease_push(brood__lease_t *lease, brood_future_t *call,
                               brood__scope_t *scope)
{
    brood__errand_t *errand = &call->extra->errand;
    brood__nest_t *nest;
    brood__sleep_t *sleep = NULL;
    brood__place_t *place = NULL;
    apr_status_t rv = APR_SUCCESS;

    brood__scope_retain(scope);
    call->scope = errand->scope = scope;
    errand->baton = brood__self.now.task; /* only ever compared */

    brood__lock(&lease->lock);
    nest = brood__nest_of(lease, scope);
    if (!belongs(lease, nest)) {
        rv = BROOD_ESTALE;
    } else if (call->extra->delay) {
        brood__lease_delay(lease, call);
    } else {
        brood__future_queued(call);
        lease->n_queued++;
        if (nest)
            sleep = brood__nest_push(lease, nest, errand, &place);
        else
            enqueue(lease, errand);
    }
    brood__unlock(&lease->lock);

    if (sleep)
        place->ops->wake(place, sleep);
    if (rv != APR_SUCCESS)
        brood__scope_release(scope, 1);
    return rv;
}

/* What a call that still runs brings about is part of it, also behind a release
 * or an end. */
static int belongs(brood__lease_t *lease, brood__nest_t *nest)
{
    return !lease->closed || nest || brood__lease_current() == lease;
}

/* Nothing gets behind the last call. */
static void enqueue(brood__lease_t *lease, brood__errand_t *errand)
{
    brood__link_t *tail = lease->queue.prev;

    if (lease->last && tail != &lease->queue
        && BROOD__CONTAINER(tail, brood__errand_t, link)->future == lease->last)
        brood__list_append(tail, &errand->link); /* in front of it */
    else
        brood__list_append(&lease->queue, &errand->link);
    rouse(lease);
}

static void rouse(brood__lease_t *lease)
{
    brood__store(&lease->ready, 1, relaxed);
    brood__cond_wake_one(&lease->wake);
}

void brood__lease_enqueue_due(brood__lease_t *lease, brood_future_t *call)
{
    brood__future_queued(call);
    lease->n_queued++;
    enqueue(lease, &call->extra->errand);
}

apr_status_t brood__lease_await_thread(brood__lease_t *lease)
{
    brood__place_t *place = brood__place();

    /* When all threads are there, the next one that is free serves it. */
    if (!brood__future_settled(lease->opened)
        && brood__roster_has_room(lease->pool)
        && (!place->ops->may_block
            || place->ops->may_block(place) == APR_SUCCESS))
        (void)brood__lease_wait(lease, lease->opened, -1, 1);
    return brood__future_settled(lease->opened) ? lease->opened->status
                                                : APR_SUCCESS;
}

/* A thread is made within microseconds, unless the system refuses it; the
 * executor then goes on with those it has, but they may wait for us. */
apr_status_t brood__lease_wait(brood__lease_t *lease, brood_future_t *future,
                               int64_t deadline, int uninterruptible)
{
    brood__executor_t *executor = lease->pool->executor;
    int64_t slice = FIRST_LOOK;

    for (;;) {
        int64_t until = deadline;
        apr_status_t refused = APR_SUCCESS;
        apr_status_t rv;

        if (!brood__future_settled(lease->opened)
            && brood__roster_has_room(lease->pool)) {
            until = brood__os_now() + slice;
            if (deadline >= 0 && deadline < until)
                until = deadline;
            if (slice < LAST_LOOK)
                slice *= 2;
        }
        rv = brood__future_wait_until(future, until, uninterruptible);
        if (rv != APR_TIMEUP || until == deadline)
            return rv;
        if (brood__executor_refusals(executor, &refused)
            != brood__load(&lease->refusals, relaxed))
            brood__lease_fail(lease, refused);
    }
}

int brood__lease_close(brood__lease_t *lease, brood_future_t *last,
                       brood__scope_t *scope)
{
    int closed;

    if (last)
        brood__scope_retain(scope);
    brood__lock(&lease->lock);
    closed = !lease->closed;
    lease->closed = 1;
    if (closed && last) {
        last->scope = last->extra->errand.scope = scope;
        brood__list_append(&lease->queue, &last->extra->errand.link);
        lease->last = last;
        lease->n_queued++;
    }
    rouse(lease);
    brood__unlock(&lease->lock);
    if (last && !closed)
        brood__scope_release(scope, 1);
    brood__lease_cancel_delayed(lease);
    return closed;
}

void brood__lease_cancel(brood__lease_t *lease)
{
    brood_future_t *running = NULL;
    brood__link_t *link;

    for (;;) {
        brood_future_t *call = NULL;

        brood__lock(&lease->lock);
        BROOD__LIST_EACH (&lease->queue, link) {
            brood_future_t *queued =
                BROOD__CONTAINER(link, brood__errand_t, link)->future;

            if (queued != lease->last && brood__future_claim(queued, 0)) {
                call = brood_future_retain(queued); /* a tombstone is left */
                break;
            }
        }
        if (!call && lease->running != lease->last)
            running = brood_future_retain(lease->running);
        brood__unlock(&lease->lock);
        if (!call)
            break;
        brood__future_refuse(call, BROOD_ECANCELED);
    }
    if (running)
        brood__future_end(running, BROOD_ECANCELED, 0);
    brood_future_release(running);
    brood__lease_cancel_delayed(lease);
}

void brood__lease_await_end(brood__lease_t *lease)
{
    while (brood__future_wait_until(lease->over, -1, 1) != APR_SUCCESS)
        brood__os_yield();
}
