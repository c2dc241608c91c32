/* SPDX-License-Identifier: Apache-2.0 */

/*
 * deque.h: a worker's own tasks, which others may steal.
 *
 * The work-stealing deque of Chase and Lev (SPAA 2005) with the memory orders of
 * Lê, Pop, Cohen and Zappa Nardelli ("Correct and Efficient Work-Stealing for
 * Weak Memory Models", PPoPP 2013), of fixed size: what does not fit goes to
 * the worker's own lane, so nothing grows and nothing need be reclaimed.
 *
 * The owner pushes and pops at `bottom`; thieves take at `top`. An entry is
 * reused only when `top` has passed it, which is why a thief reads the entry
 * before its compare-and-exchange and throws it away when that fails: the
 * fields are atomics so that such a torn read is harmless.
 */

#ifndef BROOD_THREAD_DEQUE_H
#define BROOD_THREAD_DEQUE_H

#include "thread/inbox.h"

#define BROOD__DEQUE 512

typedef struct brood__deque_entry_t {
    _Atomic(brood_task_fn *) fn;
    _Atomic(void *) baton;
    _Atomic(brood__scope_t *) scope;
} brood__deque_entry_t;

typedef struct brood__deque_t {
    atomic_llong top BROOD__ALIGNED(BROOD__LINE);
    atomic_llong bottom BROOD__ALIGNED(BROOD__LINE);
    brood__deque_entry_t entry[BROOD__DEQUE] BROOD__ALIGNED(BROOD__LINE);
} brood__deque_t;

BROOD__INLINE long long brood__deque_size(brood__deque_t *deque)
{
    return brood__load(&deque->bottom, relaxed)
           - brood__load(&deque->top, relaxed);
}

BROOD__INLINE void brood__deque_read(brood__deque_t *deque, long long at,
                                     brood__call_t *call)
{
    brood__deque_entry_t *entry = &deque->entry[at & (BROOD__DEQUE - 1)];

    call->fn = brood__load(&entry->fn, relaxed);
    call->baton = brood__load(&entry->baton, relaxed);
    call->scope = brood__load(&entry->scope, relaxed);
}

/* Owner only; there must be room. */
BROOD__INLINE void brood__deque_push(brood__deque_t *deque, brood_task_fn *fn,
                                     void *baton, brood__scope_t *scope)
{
    long long bottom = brood__load(&deque->bottom, relaxed);
    brood__deque_entry_t *entry = &deque->entry[bottom & (BROOD__DEQUE - 1)];

    brood__store(&entry->fn, fn, relaxed);
    brood__store(&entry->baton, baton, relaxed);
    brood__store(&entry->scope, scope, relaxed);
    brood__store(&deque->bottom, bottom + 1, release); /* (T) */
}

/* Owner only: the newest. Others only make it shorter, so one that looks empty
 * is, and that takes no fence. */
BROOD__INLINE int brood__deque_pop(brood__deque_t *deque, brood__call_t *call)
{
    long long bottom = brood__load(&deque->bottom, relaxed) - 1;
    long long top;
    int won;

    if (brood__deque_size(deque) <= 0)
        return 0;
    brood__store(&deque->bottom, bottom, relaxed);
    brood__fence(seq_cst); /* against the thief's: one of us sees the other */
    top = brood__load(&deque->top, relaxed);
    if (top > bottom) {
        brood__store(&deque->bottom, bottom + 1, relaxed);
        return 0;
    }
    brood__deque_read(deque, bottom, call);
    if (top < bottom)
        return 1;
    won = brood__cas(&deque->top, &top, top + 1, seq_cst);
    brood__store(&deque->bottom, bottom + 1, relaxed);
    return won;
}

/* Anybody: the oldest. 0 when there is none or another thief was faster. */
BROOD__INLINE int brood__deque_steal(brood__deque_t *deque, brood__call_t *call)
{
    long long top = brood__load(&deque->top, acquire);
    long long bottom;

    brood__fence(seq_cst);
    bottom = brood__load(&deque->bottom, acquire); /* (T) */
    if (top >= bottom)
        return 0;
    brood__deque_read(deque, top, call);
    return brood__cas(&deque->top, &top, top + 1, seq_cst);
}

#endif /* BROOD_THREAD_DEQUE_H */
