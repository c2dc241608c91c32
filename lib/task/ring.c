/* SPDX-License-Identifier: Apache-2.0 */

/* ring.c: who listens to a future: a ring of waiters under its LOCK bit. */

#include "task/future.h"

void brood__future_lock(brood_future_t *future)
{
    unsigned seen = brood__load(&future->state, relaxed);
    int turns = 0;

    for (;;) {
        if (!(seen & BROOD__LOCK)
            && brood__cas_weak(&future->state, &seen, seen | BROOD__LOCK,
                               acquire))
            return;
        if (seen & BROOD__LOCK) {
            brood__future_pause(&turns);
            seen = brood__load(&future->state, relaxed);
        }
    }
}

void brood__future_pause(int *turns)
{
    if (++*turns % 64 == 0)
        brood__os_yield();
    brood__pause();
}

void brood__future_unlock(brood_future_t *future)
{
    brood__and(&future->state, ~(unsigned)BROOD__LOCK, release);
}

int brood__future_listen(brood_future_t *future, brood__waiter_t *waiter)
{
    int first;

    if (brood__future_settled(future))
        return 0;
    brood__future_lock(future);
    brood__list_init(&waiter->link);
    if (brood__future_settled(future)) {
        brood__future_unlock(future);
        return 0;
    }
    first = !(brood__load(&future->state, relaxed) & BROOD__LISTED);
    if (future->waiters)
        brood__list_append(future->waiters, &waiter->link);
    else
        future->waiters = &waiter->link;
    /* Nobody else sets LISTED: both changes in one step. */
    if (first)
        brood__add(&future->state, (unsigned)BROOD__LISTED - BROOD__LOCK,
                   release);
    else
        brood__future_unlock(future);
    return 1;
}

int brood__future_unlisten(brood_future_t *future, brood__waiter_t *waiter)
{
    int listed;

    brood__future_lock(future);
    listed = waiter->link.next != &waiter->link
             || future->waiters == &waiter->link;
    if (listed) {
        if (future->waiters == &waiter->link)
            future->waiters = waiter->link.next == &waiter->link
                                  ? NULL
                                  : waiter->link.next;
        brood__list_remove(&waiter->link);
    }
    brood__future_unlock(future);
    return listed;
}
