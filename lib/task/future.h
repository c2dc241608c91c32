/* SPDX-License-Identifier: Apache-2.0 */

/*
 * future.h: a task and its result in one cache line.
 *
 * Phases; each arrow is one compare-and-exchange or one store by its owner:
 *
 *     QUEUED --(1)--> RUNNING --(2)--> SETTLED
 *
 *   (1) claim: the worker that popped it, a waiter that runs it in place, or
 *       whoever cancels or expires it. Exactly one wins and owns the task: it
 *       calls fn or not, then destroy, then settles. Everybody else who meets
 *       the task in a queue finds a tombstone and drops the queue's reference.
 *   (2) settle: by the winner of (1). Promises are born RUNNING.
 *
 * Memory order. settle writes status and value, then moves `state` with release
 * (A); readers load it with acquire (A). References go down with acq_rel, so
 * the last one sees everything.
 *
 * `waiters` and, while RUNNING, `wait` are guarded by the LOCK bit of `state`,
 * a spin lock held for a few instructions. (2) takes it in the same step when
 * somebody is LISTED. Only the task itself publishes a wait, without the lock;
 * one that a token may interrupt never while another holds it. After it took
 * that back it waits while it is LOCKed. So who holds the lock and sees WAITING,
 * with acquire (B), may look at `wait`.
 * tests/models/settle.pml and token.pml state it for Spin.
 * The memory is type-stable: it stays a future until the library ends, so a late
 * look at the state of a recycled one is harmless. The rest of it is the depot's
 * while it is free.
 */

#ifndef BROOD_TASK_FUTURE_H
#define BROOD_TASK_FUTURE_H

#include <brood/future.h>
#include <brood/task.h>

#include "base/list.h"
#include "task/home.h"
#include "task/sleep.h"
#include "task/timer.h"

enum {
    BROOD__QUEUED = 0,
    BROOD__RUNNING = 1,
    BROOD__SETTLED = 2,
    BROOD__PHASE = 3,
    BROOD__LOCK = 1 << 2,      /* guards `waiters` and `wait` */
    BROOD__LISTED = 1 << 3,    /* somebody is in `waiters` */
    BROOD__TOKEN = 1 << 4,     /* its end was asked for */
    BROOD__INTERRUPT = 1 << 5, /* ... and no wait was cut short yet */
    BROOD__OVERRAN = 1 << 6,   /* ... by its run timeout */
    BROOD__IN_PLACE = 1 << 7,  /* claimed by a waiter, which took the queue's
                                  scope reference over */
    BROOD__READ = 1 << 8,      /* somebody has seen how it went */
    BROOD__TAKEN = 1 << 9,     /* the value was moved out */
    BROOD__NO_TASK = 1 << 10,  /* a promise or the like: never reported */
    BROOD__WAITING = 1 << 11,  /* u.wait is published */
    BROOD__REF = 1 << 12       /* one reference */
};

/* Told once that a future is settled, under no lock, by whoever settled it. */
typedef struct brood__waiter_t {
    brood__link_t link; /* under the future's LOCK */
    void (*fire)(struct brood__waiter_t *self, struct brood_future_t *future);
    int keeps; /* until fire() was called the future is kept by somebody else;
                  fire() does not touch it */
} brood__waiter_t;

/* What a running task waits for, published while it sleeps. */
typedef struct brood__wait_t {
    brood__sleep_t *sleep;     /* NULL: it runs something in place meanwhile */
    struct brood_future_t *on; /* awaited without a time limit; else NULL */
} brood__wait_t;

/*
 * What only tasks with options, and promises, need. Memory that was long unused
 * is dear, line by line: a task that waits for its time uses the first, to run
 * it the second, and many need no more. The rest is good if `flags` has
 * BROOD__EXTRA_MORE.
 */
typedef struct brood__extra_t {
    brood__alarm_t alarm BROOD__ALIGNED(BROOD__LINE); /* the home's, when it
                                    keeps the time of delays */
    atomic_int delayed; /* not 0: its home has it among the delayed ones; the
                           home's to use */
    int timed;          /* `timer` is or will be armed: there is more */
    int64_t delay;      /* ns; 0: none */
    const char *name;

    brood__errand_t errand; /* how it travels; the home's to use */
    unsigned flags;         /* BROOD_TASK_*, BROOD_WAIT_HELP, and ours */
    int priority;
    void (*destroy)(void *baton);

    int64_t queue_timeout, run_timeout; /* ns; 0: none */
    void (*free_value)(void *value);
    brood__timer_t timer; /* one at a time: delay, then queue, then run */
    int64_t expires; /* a delayed task that is due and has no worker: when its
                        queue timeout is over; 0: not due, or none */
    void *owner;     /* of a promise or `all`: the object around it */
    brood_cancel_fn *on_cancel;
    void *on_cancel_baton;
    atomic_int on_cancel_state; /* promises; see promise.c */
} brood__extra_t;

#define BROOD__EXTRA_MORE (1u << 31)

/* The future around it. */
BROOD__INLINE struct brood_future_t *brood__extra_future(brood__extra_t *extra)
{
    return extra->errand.future;
}

BROOD__INLINE int64_t brood__extra_queue_timeout(const brood__extra_t *extra)
{
    return extra->timed ? extra->queue_timeout : 0;
}

struct brood_future_t {
    atomic_uint state;
    apr_status_t status;
    union {
        void *value;         /* SETTLED */
        brood__wait_t *wait; /* RUNNING and WAITING; under LOCK */
    } u;
    brood_task_fn *fn;
    void *baton;
    brood__extra_t *extra;  /* NULL for most */
    brood__link_t *waiters; /* a ring without a head; under LOCK */
    brood__home_t *home;    /* who runs it; good until SETTLED */
    brood__scope_t *scope;  /* where it stands; the queue's slot holds it */
};

/*
 * A task that runs in another process has this for `fn`, which nobody calls; its
 * value is a brood_buffer_t; its baton is the process floor's. Its home is a
 * static object, so that it may be looked at while the task settles.
 */
apr_status_t brood__elsewhere(void *baton, void **result);

/* Written by the process floor. Poll for what another process sends, for as
 * long as that may pay: true when the future is settled. Then, before the
 * caller sleeps, see to it that its end wakes somebody: true as well. */
extern int (*brood__elsewhere_poll)(brood_future_t *future);
extern int (*brood__elsewhere_sleep)(brood_future_t *future);

/* ---- making ------------------------------------------------------------ */

/* A QUEUED future with two references: the queue's and the caller's (so both
 * are the caller's until it is queued). Options must have been checked. NULL
 * when memory ran out. */
brood_future_t *brood__future_make(brood__home_t *home, brood_task_fn *fn,
                                   void *baton,
                                   const brood_task_options_t *options);

/* A RUNNING one with two references: the settler's and the reader's. `extra`
 * is there when `with_extra`. */
brood_future_t *brood__future_make_running(brood__home_t *home, int with_extra);

/* Undo brood__future_make() of one that was never queued, with both references:
 * destroy is not called. */
void brood__future_unmake(brood_future_t *future);

/* Bits of `needs`, below: a delay, and anything else. */
enum { BROOD__NEEDS_DELAY = 1, BROOD__NEEDS_MORE = 2 };

/* The caller's copy, brought to the present size; APR_EINVAL for sizes, flags,
 * priorities and times that make no sense. NULL gives all defaults. `needs` is
 * not 0 when a task with these options needs a future even if nobody asked for
 * the result; where a delay needs none, only if there is more. */
apr_status_t brood__task_options(brood_task_options_t *full,
                                 const brood_task_options_t *options,
                                 int *needs);

/* Does it need a timer? `keeps_time`: as in its home. */
BROOD__INLINE int brood__task_timed(const brood_task_options_t *options,
                                    int keeps_time)
{
    return options->queue_timeout || options->run_timeout
           || (options->delay && !keeps_time);
}

/* What its times need is there from now on: to be asked before its future is made.
 * As brood__timers_ready(). */
apr_status_t brood__task_timers(const brood_task_options_t *full,
                                int keeps_time);

/* ---- running ----------------------------------------------------------- */

/* Arrow (1); true for the winner. `flags` are added, so no queued task may have
 * them. BROOD__REF: the one that run or refuse will consume, for whoever is not
 * the queue's entry, whose own may be dropped as soon as the task is claimed. */
BROOD__INLINE int brood__future_claim(brood_future_t *future, unsigned flags)
{
    unsigned seen = brood__load(&future->state, relaxed);

    while ((seen & BROOD__PHASE) == BROOD__QUEUED)
        if (brood__cas_weak(&future->state, &seen,
                            (seen | BROOD__RUNNING) + flags, acq_rel))
            return 1;
    return 0;
}

/* Claimed: set the frame, call fn, end the frame, apply the token's rule and
 * settle. The caller holds a reference to `scope`. Consumes one reference to
 * the future, the queue's. Returns what it settled with. */
apr_status_t brood__future_run(brood_future_t *future, brood__scope_t *scope);

/* Claimed: do not run it; destroy the baton and settle with `status`. Consumes
 * one reference. */
void brood__future_refuse(brood_future_t *future, apr_status_t status);

/* Arrow (2). `value` is freed at once when status is not APR_SUCCESS. Does not
 * call destroy. Consumes the settler's reference. */
void brood__future_settle(brood_future_t *future, apr_status_t status,
                          void *value);

/* The queue's entry of a task that was claimed elsewhere: consumes the queue's
 * reference. False: whoever claimed it took over the reference to the scope
 * that travelled with the entry. */
int brood__future_drop(brood_future_t *future);

/* The queue's timeout begins: call when the task is about to be queued (again).
 * Does nothing without one. */
void brood__future_queued(brood_future_t *future);

/* Raise the token of a queued or running task, as brood_future_cancel(), with
 * the status that a queued one settles with. */
apr_status_t brood__future_end(brood_future_t *future, apr_status_t queued,
                               unsigned flags);

BROOD__INLINE int brood__future_settled(brood_future_t *future)
{
    /* (A) */
    return (brood__load(&future->state, acquire) & BROOD__PHASE)
           == BROOD__SETTLED;
}

/* Nobody has claimed it. */
BROOD__INLINE int brood__future_is_queued(brood_future_t *future)
{
    return (brood__load(&future->state, relaxed) & BROOD__PHASE)
           == BROOD__QUEUED;
}

/* Its name for people, or NULL. Good as long as the future. */
BROOD__INLINE const char *brood__future_name(const brood_future_t *future)
{
    return future && future->extra ? future->extra->name : NULL;
}

/* What a wait for several keeps of each of them, at most, and how many there may
 * be: with less than that an address space is full of them. */
#define BROOD__PER_FUTURE   64u
#define BROOD__FUTURES_MOST (SIZE_MAX / BROOD__PER_FUTURE - 1)

/* What a caller hands in: APR_EINVAL when there is none among `n` where there
 * has to be one, or too many, or why no call may be made now. */
apr_status_t brood__futures_check(brood_future_t *const *futures, apr_size_t n);

/* ---- waiting ----------------------------------------------------------- */

/* For how many of n futures the calling thread or coroutine may sleep at once, at
 * most, rather than for one after the other: 1 where tasks run, whose waits others
 * have to be able to follow. */
apr_size_t brood__wait_at_once(brood_future_t *const *futures, apr_size_t n);

/* Do so. APR_SUCCESS: all are settled, or as many of the first as it could sleep
 * for; or APR_TIMEUP. */
apr_status_t brood__wait_for_all(brood_future_t *const *futures, apr_size_t n,
                                 int64_t deadline);

/* Enlist; 0 when it is settled already (then nothing was done). */
int brood__future_listen(brood_future_t *future, brood__waiter_t *waiter);

/* Delist; 0 when fire() was or is being called. */
int brood__future_unlisten(brood_future_t *future, brood__waiter_t *waiter);

/* Between two looks at the LOCK, whose holder may have lost its CPU. */
void brood__future_pause(int *turns);

void brood__future_lock(brood_future_t *future);
void brood__future_unlock(brood_future_t *future);

/* brood_future_wait() with a deadline, and without interruption if asked. */
apr_status_t brood__future_wait_until(brood_future_t *future, int64_t deadline,
                                      int uninterruptible);

#endif /* BROOD_TASK_FUTURE_H */
