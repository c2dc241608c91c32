/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sleep.h: one wait of one thread or coroutine, wherever it runs.
 *
 * A place is how something waits: a plain thread parks; a worker has a spare
 * take its place, then parks; a coroutine is suspended; a loop's thread outside
 * a coroutine refuses. Everything that blocks in brood is built on this, so it
 * does the right thing everywhere.
 *
 *     ARMED --(1)--> FIRED | TIMEUP | INTERRUPTED
 *
 *   (1) one compare-and-exchange by whoever is first: the one waited for, the
 *       clock (the sleeper itself, or its loop), or a canceler. The winner, and
 *       nobody else, calls place->wake(), which may touch the record's address
 *       but not its contents when the place is a thread: the sleeper may have
 *       seen the new state and gone.
 *
 * Memory order: (1) is acq_rel and the sleeper loads with acquire, so it sees
 * what the winner did before. No wake-up is lost: a thread parks on `state`
 * only while it is ARMED (os/os.h), and a coroutine is resumed only by wake().
 */

#ifndef BROOD_TASK_SLEEP_H
#define BROOD_TASK_SLEEP_H

#include "lineage/self.h"

struct brood_future_t;
struct brood__sleep_t;
struct brood__place_t;

typedef struct brood__place_ops_t {
    /* May a wait of the calling thread or coroutine block at all? APR_SUCCESS
     * or BROOD_EDEADLK. NULL: yes. */
    apr_status_t (*may_block)(struct brood__place_t *place);

    /* Try to make progress with one of the awaited futures on the caller's own
     * stack; true when something ran and the wait should look again. NULL: no. */
    int (*help)(struct brood__place_t *place,
                struct brood_future_t *const *futures, size_t n);

    /* Sleep until sleep->state is no longer ARMED, or `deadline`
     * (brood__os_now(); -1: never) has passed: then TIMEUP is tried. Returns
     * when the state is final and, for a coroutine, its wake() has come: the
     * state may be final already at the call, and then a wake() by the winner
     * was made or is about to be made, and must be consumed here. `on` is the
     * one future that is awaited, or NULL. BROOD_EDEADLK: nobody would be left
     * to run it; then the state was set to INTERRUPTED by this very call
     * unless somebody was faster. */
    apr_status_t (*sleep)(struct brood__place_t *place,
                          struct brood__sleep_t *sleep, int64_t deadline,
                          struct brood_future_t *on);

    /* The winner's call; see above. From any thread. */
    void (*wake)(struct brood__place_t *place, struct brood__sleep_t *sleep);

    /* Spin before sleeping? Threads yes, coroutines no. */
    int spins;

    /* Has the end of what runs here been asked for, beyond its future's token
     * (its manager stops with CANCEL)? NULL: no. */
    int (*canceled)(struct brood__place_t *place);

    /* A task with a name begins to run (its name), or ends (the name of the one
     * around it, or NULL), before its future settles: from then on the name may
     * be gone. For watchdogs. NULL: nobody cares. */
    void (*name)(struct brood__place_t *place, const char *name);

    /* What cannot rest before the caller's wait is over: an executor or a loop.
     * NULL: nothing is known. */
    const void *(*manager)(struct brood__place_t *place);

    /* Would nobody be left to run what is queued here, if the caller slept? NULL:
     * never. */
    int (*alone)(struct brood__place_t *place);
} brood__place_ops_t;

typedef struct brood__place_t {
    const brood__place_ops_t *ops;
} brood__place_t;

enum {
    BROOD__SLEEP_ARMED,
    BROOD__SLEEP_FIRED, /* + (index << 2) */
    BROOD__SLEEP_TIMEUP,
    BROOD__SLEEP_INTERRUPTED,
    BROOD__SLEEP_MASK = 3
};

typedef struct brood__sleep_t {
    atomic_uint state;
    int firm;              /* its task's end does not interrupt it */
    brood__place_t *place; /* fixed by init: where the sleeper is */
} brood__sleep_t;

/* The place of a thread that is nothing special. */
extern brood__place_t brood__place_plain;

BROOD__INLINE brood__place_t *brood__place(void)
{
    brood__place_t *place = brood__self.place;

    return place ? place : &brood__place_plain;
}

BROOD__INLINE void brood__sleep_init(brood__sleep_t *sleep)
{
    atomic_init(&sleep->state, BROOD__SLEEP_ARMED);
    sleep->firm = 0;
    sleep->place = brood__place();
}

/* Arrow (1). True for the winner, who must then call the place's wake() with
 * the place; both must be read before: with the sleeper the place may go. */
BROOD__INLINE int brood__sleep_try(brood__sleep_t *sleep, unsigned state)
{
    unsigned armed = BROOD__SLEEP_ARMED;

    return brood__cas(&sleep->state, &armed, state, acq_rel);
}

/* Both halves, for whoever knows that the record outlives the call. */
BROOD__INLINE int brood__sleep_fire(brood__sleep_t *sleep, unsigned state)
{
    brood__place_t *place = sleep->place;
    const brood__place_ops_t *ops = place->ops; /* static */

    if (!brood__sleep_try(sleep, state))
        return 0;
    ops->wake(place, sleep);
    return 1;
}

/*
 * Sleep. The running task's token interrupts it, once in the task's life, unless
 * `uninterruptible`. Names itself to the log when a wait without a deadline
 * outlasts the watchdog's wait_warning.
 *
 * APR_SUCCESS (fired), APR_TIMEUP, BROOD_EINTERRUPTED, BROOD_EDEADLK.
 */
apr_status_t brood__sleep(brood__sleep_t *sleep, int64_t deadline,
                          struct brood_future_t *on, int uninterruptible);

/* place->ops->help() for `on`, while it is known that the running task waits for
 * it: what is run in place may look for circles. Nothing is run when the wait is
 * about to be interrupted. */
int brood__sleep_help(struct brood_future_t *on);

/* The plain thread's way, for places that are threads. */
void brood__park_sleep(brood__sleep_t *sleep, int64_t deadline);
void brood__park_wake(brood__place_t *place, brood__sleep_t *sleep);

/* Microseconds of the API to a deadline; -1: never. */
int64_t brood__deadline(int64_t timeout_us);

#endif /* BROOD_TASK_SLEEP_H */
