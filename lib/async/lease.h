/* SPDX-License-Identifier: Apache-2.0 */

/*
 * lease.h: a context, and the thread that it has for itself.
 *
 * A lease is one long task of the pool's executor. It runs the context's calls,
 * oldest first, and between them waits as a blocked worker does, so that the
 * executor does not count on it.
 *
 *     MADE --(1)--> STARTING --(2)--> SERVED --(3)--> OVER
 *                       \--------------(4)-------------^
 *
 *   (1) whoever opens the context, with a slot: brood__lease_start().
 *   (2) the worker that begins the task.
 *   (3) the same worker, when the lease is closed and its queue empty, after
 *       on_context_end. Only then the slot goes to the next, so no two live
 *       contexts ever share a thread.
 *   (4) no thread could be had, or the pool canceled the task: every call
 *       settles with the status why.
 *
 * Beside that it is open or CLOSED (release, end of the transaction, shutdown):
 * a closed lease takes no call any more; what is queued still runs. Calls reach
 * the thread only through `queue`, under `lock`, and `closed` is under the same
 * lock: a call that was accepted is seen before the thread leaves.
 *
 * WAITING INSIDE A CALL. The thread runs nothing else meanwhile, with two
 * exceptions: the very call that is awaited, if the waiting call submitted it
 * itself or it is the next one anyway; and what a nest (nest.h) brings.
 * Awaiting any other queued call of the own context is BROOD_EDEADLK.
 *
 * References: one of the task, from (1) to the end; one of each delayed call;
 * one of each transaction and of whoever looked it up.
 */

#ifndef BROOD_ASYNC_LEASE_H
#define BROOD_ASYNC_LEASE_H

#include "async/affinity.h"
#include "task/future.h"

#define BROOD__CALL_NAME 64 /* bytes of a running call's name that are shown */

struct brood__tx_t;
struct brood__nest_t;

typedef struct brood__lease_t {
    brood_affinity_pool_t *pool; /* holds a reference */
    const char *id;              /* fixed */
    struct brood__tx_t *tx;      /* fixed; NULL: a context of the program's. A
                                    reference is held while it has a slot */
    atomic_int refs;
    brood_future_t *opened; /* settles on (2) or (4); one reference is ours */
    brood_future_t *over;   /* settles on (3) or (4); likewise */
    brood__link_t link;     /* in pool->leases; under the pool's lock */
    int told_drain, told_cancel;    /* by the pool's end; likewise */
    brood__affine_thread_t *thread; /* that serves it; likewise */
    int left; /* nothing of it runs any more; its thread's alone */

    brood__lock_t lock;    /* SERIAL; guards all below */
    brood__cond_t wake;    /* something to do for the thread */
    brood__link_t queue;   /* calls, by their errand's link, oldest first */
    brood__link_t delayed; /* not yet due */
    size_t n_queued;       /* in `queue` and in nests */
    atomic_uint ready;     /* `queue` is not empty, or closed */
    atomic_uint refusals;  /* the executor's count of them at (1); a hint */
    int started;           /* (2) */
    int closed;
    apr_status_t failed;        /* why it never gets a thread */
    brood_future_t *task;       /* the executor's; until (2) or (4) */
    brood_future_t *running;    /* with a reference; NULL: idle */
    const brood_future_t *last; /* the call that nobody may cancel */
    const char *name;           /* of what runs; NULL as soon as it settles */
    int64_t since;              /* when it became busy or idle */
    int warned;                 /* `running` was reported */
} brood__lease_t;

/* The home of every context's calls; static, so it is good for ever. */
extern brood__home_t brood__lease_home;

/* With one reference. `id` is copied; NULL makes one up from `serial`. NULL
 * when memory ran out. */
brood__lease_t *brood__lease_make(brood_affinity_pool_t *affinity,
                                  const char *id, uint64_t serial);
void brood__lease_retain(brood__lease_t *lease);
void brood__lease_release(brood__lease_t *lease);

/* A call with both references the caller's; NULL when memory ran out. Without a
 * lease its extra->owner is yet to be set. */
brood_future_t *brood__lease_call(brood__lease_t *lease, brood_task_fn *fn,
                                  void *baton,
                                  const brood_task_options_t *options);

/* Queue a call that stands at `scope`, of which it takes a reference of its
 * own (no credit: the scope may be one that the caller never stands at, and
 * credits would keep it for as long as the caller's thread likes); on
 * APR_SUCCESS the queue's reference to `call` has moved. BROOD_ESTALE: it is
 * closed. */
apr_status_t brood__lease_push(brood__lease_t *lease, brood_future_t *call,
                               brood__scope_t *scope);

/* Arrow (1); the slot is held. On failure the lease is OVER. */
apr_status_t brood__lease_start(brood__lease_t *lease);

/* Instead of (1): give the slot back; OVER. */
void brood__lease_abandon(brood__lease_t *lease, apr_status_t status);

/* Wait until it has its thread, if one may have to be made; then what came of
 * that. Does not wait where that is not allowed. */
apr_status_t brood__lease_await_thread(brood__lease_t *lease);

/* Wait for a future that needs the lease's thread, and fail the lease when a
 * thread that it needs cannot be made. As brood__future_wait_until(). */
apr_status_t brood__lease_wait(brood__lease_t *lease, brood_future_t *future,
                               int64_t deadline, int uninterruptible);

/* Take no more calls; `last`, if not NULL, is queued as the last one, standing
 * at `scope`. True for the one that closed it. */
int brood__lease_close(brood__lease_t *lease, brood_future_t *last,
                       brood__scope_t *scope);

/* Settle what is queued, but the last, with BROOD_ECANCELED; raise the token of
 * what runs. */
void brood__lease_cancel(brood__lease_t *lease);

/* Before (2): it will not get a thread, because of `status`. */
void brood__lease_fail(brood__lease_t *lease, apr_status_t status);

/* Wait for OVER; never interrupted. */
void brood__lease_await_end(brood__lease_t *lease);

/* On its thread, closed and drained: on_context_end, and OVER. A call may be
 * the one to say so, when its own future shall not settle before. */
void brood__lease_finish(brood__lease_t *lease);

/* On its thread: run what is queued now, after closing. */
void brood__lease_drain(brood__lease_t *lease);

/* On its thread, under no lock: run one call that was taken off a queue. */
void brood__lease_run(brood__lease_t *lease, brood__errand_t *errand);

/* The lease whose call the caller is; NULL: none. */
BROOD__INLINE brood__lease_t *brood__lease_current(void)
{
    brood_future_t *task = brood__self.now.task;

    return task && task->home == &brood__lease_home ? task->extra->owner : NULL;
}

/* ---- delay.c ----------------------------------------------------------- */

/* Under the lease's lock: it is queued when its delay is over. */
void brood__lease_delay(brood__lease_t *lease, brood_future_t *call)
    BROOD__REQUIRES(lease->lock);
void brood__lease_undelay(brood__home_t *home, brood_future_t *call);

/* lease_queue.c: it is due. */
void brood__lease_enqueue_due(brood__lease_t *lease, brood_future_t *call)
    BROOD__REQUIRES(lease->lock);

/* The lease is closed: settle those that are not yet due. */
void brood__lease_cancel_delayed(brood__lease_t *lease);

/* ---- lease_wait.c: how a call on a leased thread waits ------------------- */

/* Around the service: waits of calls go through a place of their own. */
void brood__lease_enter(brood__lease_t *lease);
void brood__lease_leave(void);

/* Until there is something to do. */
void brood__lease_idle(brood__lease_t *lease);

#endif /* BROOD_ASYNC_LEASE_H */
