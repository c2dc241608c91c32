/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nest.h: a call that waits for a coroutine, and what comes back from there.
 *
 * While a call of a context waits in brood_async_to_sync(), its thread runs
 * those calls of its own context that descend from that coroutine, and no
 * others: they are part of the waiting call, so nothing is reordered, and
 * without it they would wait for each other for ever.
 *
 * A general call that waits so keeps its thread, too. If all threads of a pool
 * waited for coroutines that wait for general calls of the same pool, nobody
 * would be left. So it is offered those that descend from its coroutine, and
 * runs one that no other thread has begun yet.
 *
 * Both find the nest by a context variable that the coroutine stands under, and
 * the way out of a nest inside a nest by `outer`.
 *
 *     OPEN --(1)--> DONE --(2)--> CLOSED
 *
 *   (1) whoever settles the coroutine's future.
 *   (2) the waiting call, when the queue is empty too; what comes later goes to
 *       the lease's own queue, or is the other threads' alone.
 */

#ifndef BROOD_ASYNC_NEST_H
#define BROOD_ASYNC_NEST_H

#include "async/lease.h"

typedef struct brood__nest_t {
    atomic_int refs;
    brood__lease_t *lease; /* holds a reference; NULL: of a general call */
    const brood_affinity_pool_t *pool; /* the same; only compared */
    struct brood__nest_t *outer;       /* holds a reference; fixed */
    brood__waiter_t waiter;            /* on the coroutine's future */
    brood__lock_t *lock;   /* the lease's, or `own`; guards all below */
    brood__lock_t own;     /* SERIAL */
    brood__link_t queue;   /* errands of calls, or offers */
    brood__sleep_t *sleep; /* of the waiting call; NULL: it is awake */
    int open, done;
} brood__nest_t;

/* Of the calling call: of `lease`, or (NULL) a general one of `affinity`.
 * *scope is where the coroutine has to stand, with one reference. NULL when
 * memory ran out. */
brood__nest_t *brood__nest_make(brood__lease_t *lease,
                                const brood_affinity_pool_t *affinity,
                                brood__scope_t **scope);
void brood__nest_release(void *nest);

/* A general call was submitted to `affinity`: offer it to the innermost nest of
 * that pool around the caller, if there is one. */
void brood__nest_offer(const brood_affinity_pool_t *affinity,
                       brood_future_t *call);

/* The innermost open nest of `lease` around work that stands at `scope`. */
brood__nest_t *brood__nest_of(brood__lease_t *lease,
                              const brood__scope_t *scope)
    BROOD__REQUIRES(lease->lock);

/* Queue a call. The sleep that the caller has to wake, through *place, when it
 * has unlocked; or NULL. */
brood__sleep_t *brood__nest_push(brood__lease_t *lease, brood__nest_t *nest,
                                 brood__errand_t *errand,
                                 brood__place_t **place)
    BROOD__REQUIRES(lease->lock);

/* Is the caller inside a call of `lease`, or part of one that waits? */
int brood__nest_inside(brood__lease_t *lease);

/* From now on the end of `future` ends the nest. */
void brood__nest_watch(brood__nest_t *nest, brood_future_t *future);

/* Run what comes until `future` has settled; then the nest is closed.
 * APR_TIMEUP, BROOD_EINTERRUPTED, BROOD_EDEADLK: it is open as before. */
apr_status_t brood__nest_wait(brood__nest_t *nest, brood_future_t *future,
                              int64_t deadline, int uninterruptible);

#endif /* BROOD_ASYNC_NEST_H */
