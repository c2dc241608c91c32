/* SPDX-License-Identifier: Apache-2.0 */

/*
 * affinity.h: an affinity pool from the inside.
 *
 * One executor runs everything. A general call is a task of it like any other.
 * A context is one long task of it (lease.h), so general calls and contexts
 * share the same threads, and the start and exit hooks run once a thread.
 *
 *     OPEN --(1)--> STOPPING --(2)--> STOPPED
 *
 *   (1) shutdown, the end of the APR pool or of the library, under `lock`.
 *   (2) the executor's last worker.
 *
 * A SLOT is the right to lease a thread. There are `limit` of them: max_threads
 * less those reserved for general calls. Whoever gives a slot back hands it to
 * the one who waits longest, so nobody overtakes.
 *
 * The memory is counted: the APR pool (or the default pool's owner) holds one
 * reference, each lease another.
 */

#ifndef BROOD_ASYNC_AFFINITY_H
#define BROOD_ASYNC_AFFINITY_H

#include <brood/affinity.h>

#include "base/list.h"
#include "lineage/collector.h"
#include "lineage/self.h"
#include "os/lock.h"
#include "task/timer.h"
#include "thread/executor.h"

struct brood__lease_t;

/* One OS thread of a pool: from the start hook to the exit hook. */
typedef struct brood__affine_thread_t {
    brood__link_t link;           /* in the pool; under its lock */
    int number;                   /* fixed */
    struct brood__lease_t *lease; /* that it serves; under the pool's lock */
    brood__worker_t *worker;      /* fixed; read for what runs */
} brood__affine_thread_t;

struct brood_affinity_pool_t {
    brood__executor_t *executor; /* fixed */
    brood__scope_t *service;     /* where hooks and leases stand; fixed */
    brood_affinity_pool_options_t options; /* with the defaults filled in */
    int limit;                             /* slots; fixed */
    atomic_int refs;
    atomic_uint ends;  /* AFFINITY_RESTED, _ORPHANED */
    int dismantled;    /* the library has ended before the pool */
    brood__link_t all; /* of the process; under that list's lock */
    brood__job_t job;  /* for the collector */

    brood__lock_t lock;    /* AFFINITY; guards all below */
    int stopping;          /* (1) */
    int canceling;         /* ... with CANCEL */
    int n_leases;          /* slots taken */
    brood__link_t leases;  /* those that hold one, oldest first */
    brood__link_t waiters; /* for a slot, oldest first; see slot.c */
    brood__link_t threads;
    int n_threads;
    int numbers;               /* given out so far */
    apr_status_t start_status; /* why the last thread did not start */
    int64_t warn_after;        /* ns; < 0: never */
    brood__timer_t warn_timer; /* armed while calls of contexts run */
    atomic_int warn_armed;     /* written under `lock` */
    int warn_over;             /* it may not be armed any more */
};

/* Bits of `ends`: whoever sets the second one sends the job. */
enum {
    BROOD__AFFINITY_RESTED = 1,  /* (2) */
    BROOD__AFFINITY_ORPHANED = 2 /* its owner could not wait for that */
};

/* ---- affinity.c -------------------------------------------------------- */

/* A pool that no APR pool owns. */
apr_status_t brood__affinity_make(brood_affinity_pool_t **affinity,
                                  const brood_affinity_pool_options_t *options);
void brood__affinity_retain(brood_affinity_pool_t *affinity);
void brood__affinity_release(brood_affinity_pool_t *affinity);

/* (1); never waits. CANCEL may follow DRAIN. */
void brood__affinity_stop(brood_affinity_pool_t *affinity, brood_stop_e how);

/* Why something was not begun, for its caller: a shutdown with CANCEL says
 * BROOD_ECANCELED to what is queued, and BROOD_ESTOPPED to who asks. */
apr_status_t brood__affinity_refusal(brood_affinity_pool_t *affinity,
                                     apr_status_t status);

/* Give up the owner's reference: stop, wait for the end and free; where it may
 * not wait the collector does it. */
void brood__affinity_dispose(brood_affinity_pool_t *affinity);

/* The library ends: free what belongs to it; the owner's handle stays. */
void brood__affinity_dismantle(brood_affinity_pool_t *affinity);

/* ---- pools.c ----------------------------------------------------------- */

void brood__pools_add(brood_affinity_pool_t *affinity);
void brood__pools_remove(brood_affinity_pool_t *affinity);

/* Each pool of the process, retained for the call, under no lock. APR_ENOMEM:
 * fn was not called. */
apr_status_t brood__pools_each(void (*fn)(brood_affinity_pool_t *, void *),
                               void *baton);

/* `asked`, else the one of brood_affinity_pool_use(), else the default. */
apr_status_t brood__pools_choose(brood_affinity_pool_t **affinity,
                                 brood_affinity_pool_t *asked);

/* NULL until its first use. */
extern _Atomic(brood_affinity_pool_t *) brood__pool_default;

/* ---- slot.c ------------------------------------------------------------ */

/* Take a slot for a lease, which then belongs to the pool's list. `deadline` 0
 * does not wait. BROOD_EFULL, BROOD_ESTOPPED, or as brood__sleep(). */
apr_status_t brood__slot_take(struct brood__lease_t *lease, int64_t deadline);

/* The same without waiting, under the pool's lock. */
apr_status_t brood__slot_try(brood_affinity_pool_t *affinity,
                             struct brood__lease_t *lease)
    BROOD__REQUIRES(affinity->lock);

/* Give it back: to the first who waits. Takes the lease out of the list. */
void brood__slot_give(struct brood__lease_t *lease);

/* The pool stops: those who wait get BROOD_ESTOPPED. */
void brood__slot_refuse_all(brood_affinity_pool_t *affinity);

/* ---- roster.c ---------------------------------------------------------- */

/* Hooks of the executor; the baton is the pool. */
apr_status_t brood__roster_start(void *baton);
void brood__roster_exit(void *baton);

/* The calling thread serves a lease, until that gives its slot back. */
void brood__roster_serve(struct brood__lease_t *lease);

/* Could a thread still be made? */
int brood__roster_has_room(brood_affinity_pool_t *affinity);

/* The pool on one of whose threads the caller is; NULL: none. */
brood_affinity_pool_t *brood__affinity_here(void);

/* ---- warning.c --------------------------------------------------------- */

/* A call of a context begins: see to it that somebody looks at the clock. */
void brood__warning_begin(brood_affinity_pool_t *affinity);
void brood__warning_fini(brood_affinity_pool_t *affinity);

#endif /* BROOD_ASYNC_AFFINITY_H */
