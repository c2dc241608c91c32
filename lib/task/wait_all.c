/* SPDX-License-Identifier: Apache-2.0 */

/*
 * wait_all.c: one sleep until many futures are settled.
 *
 * Who sleeps for one after the other is woken by nearly each of them. Here each
 * has a waiter of its own that counts down, and whoever takes the count to 0 ends
 * the sleep.
 *
 * The record lies on the sleeper's stack. (A) Who counts down touches nothing of
 * it any more, but the last one, which ends the sleep or finds it ended. A sleep
 * that it has ended was for all of them, so all have counted. One that has ended
 * otherwise takes back the waiters that nobody has begun to call, and waits until
 * the count is what it has taken back: then all others have counted. If that is 0,
 * the last one is still to find out, and says so (`over`). Tried in
 * tests/models/wait_all.pml.
 */

#include "base/alloc.h"
#include "task/future.h"

#define ON_STACK 8
#define MOST     1024 /* more take memory for longer than they spare */

typedef struct group_t {
    brood__sleep_t sleep;
    atomic_size_t left; /* not settled, and 1 while they are being enlisted */
    atomic_uint over;
} group_t;

typedef struct member_t {
    brood__waiter_t waiter;
    brood_future_t *future;
    group_t *group;
} member_t;

_Static_assert(sizeof(member_t) <= BROOD__PER_FUTURE, "their size may wrap");

static void one_settled(brood__waiter_t *self, brood_future_t *future);

apr_size_t brood__wait_at_once(brood_future_t *const *futures, apr_size_t n)
{
    if (n < 2 || futures[0]->fn == brood__elsewhere
        || brood__place() != &brood__place_plain || brood__self.now.task)
        return 1;
    return n < MOST ? n : MOST;
}

/* How many are enlisted: those that are not settled, up to the first whose process
 * is to be watched for it by whoever waits. */
static apr_size_t enlist(group_t *group, member_t *members,
                         brood_future_t *const *futures, apr_size_t n)
{
    apr_size_t listed = 0, i;

    for (i = 0; i < n && futures[i]->fn != brood__elsewhere; i++) {
        member_t *member = &members[listed];

        member->waiter.fire = one_settled;
        member->waiter.keeps = 1; /* the caller's reference */
        member->future = futures[i];
        member->group = group;
        brood__add(&group->left, 1, relaxed);
        if (brood__future_listen(futures[i], &member->waiter))
            listed++;
        else
            brood__sub(&group->left, 1, relaxed);
    }
    return listed;
}

/* After a sleep that the last one has not ended; see (A). */
static void take_back(group_t *group, member_t *members, apr_size_t listed)
{
    apr_size_t taken = 0, i;

    for (i = 0; i < listed; i++)
        taken += (apr_size_t)brood__future_unlisten(members[i].future,
                                                    &members[i].waiter);
    while (brood__load(&group->left, acquire) != taken
           || (!taken && !brood__load(&group->over, acquire)))
        brood__os_yield();
}

apr_status_t brood__wait_for_all(brood_future_t *const *futures, apr_size_t n,
                                 int64_t deadline)
{
    member_t few[ON_STACK], *members = few;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t listed;
    group_t group;

    if (n > ON_STACK)
        members = brood__alloc(n * sizeof(*members));
    if (!members) {
        members = few;
        n = ON_STACK;
    }
    brood__sleep_init(&group.sleep);
    atomic_init(&group.left, 1);
    atomic_init(&group.over, 0);
    listed = enlist(&group, members, futures, n);
    if (brood__sub(&group.left, 1, acq_rel) != 1) {
        rv = brood__sleep(&group.sleep, deadline, NULL, 0);
        if (rv != APR_SUCCESS)
            take_back(&group, members, listed);
    }
    if (members != few)
        brood__free(members);
    return rv;
}

static void one_settled(brood__waiter_t *self, brood_future_t *future)
{
    group_t *group = BROOD__CONTAINER(self, member_t, waiter)->group;

    (void)future;
    if (brood__sub(&group->left, 1, acq_rel) == 1
        && !brood__sleep_fire(&group->sleep, BROOD__SLEEP_FIRED))
        brood__store(&group->over, 1, release);
}
