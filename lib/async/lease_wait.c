/* SPDX-License-Identifier: Apache-2.0 */

/* lease_wait.c: how a leased thread waits, between calls and inside of one. */

#include "async/lease.h"

#include <brood/errors.h>

#include "task/spin.h"

static int help(brood__place_t *place, brood_future_t *const *futures,
                size_t n);
static brood__errand_t *take(brood__lease_t *lease, brood_future_t *call);
static apr_status_t sleep_here(brood__place_t *place, brood__sleep_t *sleep,
                               int64_t deadline, brood_future_t *on);
static int never_runs(brood_future_t *call);
static void set_name(brood__place_t *place, const char *name);

/* On the calling thread, which has one place. */
static const void *pool_executor(brood__place_t *place);

static const brood__place_ops_t leased_ops = { .help = help,
                                               .sleep = sleep_here,
                                               .wake = brood__park_wake,
                                               .spins = 1,
                                               .manager = pool_executor,
                                               .name = set_name };

/* Static: a late wake() may find its thread long gone. */
static brood__place_t g_leased = { &leased_ops };

/* The thread's place as a worker. */
static BROOD__THREAD_LOCAL brood__place_t *tl_worker;
static BROOD__THREAD_LOCAL brood__lease_t *tl_lease;

static const void *pool_executor(brood__place_t *place)
{
    (void)place;
    return tl_lease->pool->executor;
}

void brood__lease_enter(brood__lease_t *lease)
{
    brood__worker_lend(1);
    tl_worker = brood__self.place;
    tl_lease = lease;
    brood__self.place = &g_leased;
}

void brood__lease_leave(void)
{
    brood__self.place = tl_worker;
    brood__worker_lend(0);
    tl_worker = NULL;
    tl_lease = NULL;
}

/* Relaxed: a hint; the queue is looked at under its lock. */
static int is_ready(void *lease)
{
    return brood__load(&((brood__lease_t *)lease)->ready, relaxed) != 0;
}

void brood__lease_idle(brood__lease_t *lease)
{
    brood__self.place = tl_worker;
    brood__purse_empty(&brood__self.purse);
    brood__worker_block();
    if (!brood__spin(is_ready, lease)) {
        brood__lock(&lease->lock);
        while (brood__list_empty(&lease->queue) && !lease->closed)
            brood__cond_wait(&lease->wake, &lease->lock, -1);
        brood__unlock(&lease->lock);
    }
    brood__worker_unblock();
    brood__self.place = &g_leased;
}

/* Run the awaited call in place if that keeps the order. A general call of the
 * same pool is left to the general threads: it must not see the connection of
 * somebody's transaction. */
static int help(brood__place_t *place, brood_future_t *const *futures, size_t n)
{
    size_t i;

    (void)place;
    for (i = 0; i < n; i++) {
        brood__errand_t *errand = NULL;

        if (futures[i]->home == &brood__lease_home && futures[i]->extra
            && futures[i]->extra->owner == tl_lease)
            errand = take(tl_lease, futures[i]);
        if (errand) {
            brood__lease_run(tl_lease, errand);
            return 1;
        }
    }
    return 0;
}

/* It was submitted by the call that waits for it, or it is the next one. */
static brood__errand_t *take(brood__lease_t *lease, brood_future_t *call)
{
    brood__errand_t *errand = &call->extra->errand;
    int ours;

    brood__lock(&lease->lock);
    ours = (brood__load(&call->state, relaxed) & BROOD__PHASE) == BROOD__QUEUED
           && !brood__load(&call->extra->delayed, relaxed)
           && errand->link.next != &errand->link && call != lease->last
           && (errand->baton == brood__self.now.task
               || lease->queue.next == &errand->link);
    if (ours) {
        brood__list_remove(&errand->link);
        lease->n_queued--;
    }
    brood__unlock(&lease->lock);
    return ours ? errand : NULL;
}

static apr_status_t sleep_here(brood__place_t *place, brood__sleep_t *sleep,
                               int64_t deadline, brood_future_t *on)
{
    (void)place;
    if (deadline < 0 && on && never_runs(on)
        && brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED))
        return BROOD_EDEADLK;
    brood__self.place = tl_worker;
    brood__worker_block();
    brood__park_sleep(sleep, deadline);
    brood__worker_unblock();
    brood__self.place = &g_leased;
    return APR_SUCCESS;
}

/* Queued behind the very call that waits for it. (It could still be canceled or
 * expire; who has asked for that does not wait for ever.) */
static int never_runs(brood_future_t *call)
{
    return call->home == &brood__lease_home && call->extra
           && call->extra->owner == tl_lease && !call->extra->queue_timeout
           && (brood__load(&call->state, relaxed) & BROOD__PHASE)
                  == BROOD__QUEUED;
}

/* The name is the caller's and may go when its call settles; whoever shows it
 * copies it under the lock. */
static void set_name(brood__place_t *place, const char *name)
{
    (void)place;
    brood__lock(&tl_lease->lock);
    tl_lease->name = name;
    brood__unlock(&tl_lease->lock);
}
