/* SPDX-License-Identifier: Apache-2.0 */

/* lock.c: mutexes with a rank, conditions, gates. */

#include "os/lock.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A gate:
 *
 *     CLOSED --(1)--> AWAITED --(2)--> OPEN
 *        \---------------(2)-----------^
 *
 *   (1) the first waiter that goes to sleep.
 *   (2) the opener, once; it wakes only if somebody sleeps.
 *
 * Memory order. The opener stores OPEN with release and whoever passes loads
 * it with acquire: the pair (A). A sleeper sleeps on AWAITED, and (2) changes
 * the word before it wakes, so no wake-up is lost.
 */
#define GATE_CLOSED  0u
#define GATE_AWAITED 1u
#define GATE_OPEN    2u

static void rank_enter(brood__rank_e rank);
static void rank_leave(brood__rank_e rank);
static int64_t deadline_of(int64_t timeout);
static int64_t time_left(int64_t deadline);

void brood__lock_init(brood__lock_t *lock, brood__rank_e rank)
{
    brood__os_lock_init(&lock->os);
    lock->rank = rank;
}

void brood__lock_fini(brood__lock_t *lock)
{
    brood__os_lock_fini(&lock->os);
}

void brood__lock(brood__lock_t *lock) BROOD__NO_ANALYSIS
{
    rank_enter(lock->rank); /* first: a deadlock would never report it */
    brood__os_lock(&lock->os);
}

void brood__unlock(brood__lock_t *lock) BROOD__NO_ANALYSIS
{
    rank_leave(lock->rank);
    brood__os_unlock(&lock->os);
}

void brood__cond_init(brood__cond_t *cond)
{
    brood__store(&cond->turn, 0, relaxed);
    brood__store(&cond->sleepers, 0, relaxed);
}

/*
 * The word is read under the lock, and bumped under it by every signal. So a
 * signal comes either before the waiter looked at its predicate, or after it
 * read the word here, and then the word has changed and parking returns.
 */
apr_status_t brood__cond_wait(brood__cond_t *cond, brood__lock_t *lock,
                              int64_t timeout)
{
    apr_status_t rv;
    unsigned turn;

    /* Relaxed, here and in the signals: all under the lock. */
    brood__add(&cond->sleepers, 1, relaxed);
    turn = brood__load(&cond->turn, relaxed);
    brood__unlock(lock);

    rv = brood__os_park(&cond->turn, turn, timeout);

    brood__lock(lock);
    brood__sub(&cond->sleepers, 1, relaxed);
    return rv;
}

void brood__cond_wake_one(brood__cond_t *cond)
{
    if (!brood__load(&cond->sleepers, relaxed))
        return;
    brood__add(&cond->turn, 1, relaxed);
    brood__os_unpark_one(&cond->turn);
}

void brood__cond_wake_all(brood__cond_t *cond)
{
    if (!brood__load(&cond->sleepers, relaxed))
        return;
    brood__add(&cond->turn, 1, relaxed);
    brood__os_unpark_all(&cond->turn);
}

void brood__gate_init(brood__gate_t *gate)
{
    brood__store(&gate->state, GATE_CLOSED, relaxed);
}

/* Who passes may free the gate at once: after the exchange only its address is
 * used, and waking touches no memory. */
void brood__gate_open(brood__gate_t *gate)
{
    if (brood__swap(&gate->state, GATE_OPEN, release) /* (A), (2) */
        == GATE_AWAITED)
        brood__os_unpark_all(&gate->state);
}

int brood__gate_is_open(brood__gate_t *gate)
{
    return brood__load(&gate->state, acquire) == GATE_OPEN; /* (A) */
}

apr_status_t brood__gate_wait(brood__gate_t *gate, int64_t timeout)
{
    const int64_t deadline = deadline_of(timeout);
    unsigned seen;

    for (;;) {
        if (brood__gate_is_open(gate))
            return APR_SUCCESS;
        if (deadline >= 0 && !time_left(deadline))
            return APR_TIMEUP;
        seen = GATE_CLOSED;
        /* (1); relaxed: a sleeper publishes nothing. */
        (void)brood__cas(&gate->state, &seen, GATE_AWAITED, relaxed);
        (void)brood__os_park(&gate->state, GATE_AWAITED, time_left(deadline));
    }
}

/* -1 is for ever, and so is what does not fit. */
static int64_t deadline_of(int64_t timeout)
{
    const int64_t now = brood__os_now();

    return timeout < 0 || timeout > INT64_MAX - now ? -1 : now + timeout;
}

/* -1 stays -1. */
static int64_t time_left(int64_t deadline)
{
    int64_t left;

    if (deadline < 0)
        return -1;
    left = deadline - brood__os_now();
    return left > 0 ? left : 0;
}

#ifdef BROOD_DEBUG

/* Bit n is set while this thread holds a lock of rank n. */
static BROOD__THREAD_LOCAL unsigned tl_held;

#define NAME(rank) [BROOD__RANK_##rank] = #rank
static const char *const names[] = {
    NAME(INIT),  NAME(AFFINITY), NAME(CONTROL), NAME(REGISTRY), NAME(EXECUTOR),
    NAME(LOOP),  NAME(PROCESS),  NAME(SERIAL),  NAME(TIMERS),   NAME(COLLECTOR),
    NAME(LANES), NAME(DEPOT),    NAME(OBSERVE), NAME(LEAF),
};
#undef NAME

_Static_assert(BROOD__RANK_LEAF < 32, "tl_held has a bit for each rank");

static const char *name_of(unsigned rank)
{
    return names[rank] ? names[rank] : "?";
}

/* The highest rank that the calling thread holds; 0: none. */
static unsigned highest_held(void)
{
    unsigned rank = 0;

    while (tl_held >> rank > 1)
        rank++;
    return rank;
}

static void rank_enter(brood__rank_e rank)
{
    if (tl_held >> (unsigned)rank) {
        fprintf(stderr,
                "brood: lock order: %s (%u) taken while %s (%u) is held\n",
                name_of(rank), (unsigned)rank, name_of(highest_held()),
                highest_held());
        abort();
    }
    tl_held |= 1u << (unsigned)rank;
}

static void rank_leave(brood__rank_e rank)
{
    if (!(tl_held >> (unsigned)rank & 1u)) {
        fprintf(stderr, "brood: %s (%u) let go of but not held\n",
                name_of(rank), (unsigned)rank);
        abort();
    }
    tl_held &= ~(1u << (unsigned)rank);
}

void brood__lock_none_held(void)
{
    if (tl_held) {
        fprintf(stderr, "brood: %s (%u) is held while user code would run\n",
                name_of(highest_held()), highest_held());
        abort();
    }
}

#else

static void rank_enter(brood__rank_e rank)
{
    (void)rank;
}

static void rank_leave(brood__rank_e rank)
{
    (void)rank;
}

void brood__lock_none_held(void)
{
}

#endif
