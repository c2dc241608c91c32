/* SPDX-License-Identifier: Apache-2.0 */

/*
 * delay.c: tasks that are not due yet.
 *
 *     DELAYED --(1)--> QUEUED     DELAYED --(2)--> refused
 *
 *   (1) the timers' thread, at its time: it becomes an errand.
 *   (2) whoever cancels it, or the loop when it stops.
 *
 * Who takes it out of `delayed`, under the loop's lock, owns the entry: the
 * queue's reference to the future, and that to the scope. An entry that was
 * canceled between is a tombstone in the loop's queue.
 *
 * The loop cannot end under anybody's hands. While the task is in the list it
 * does not. Whoever takes it out counts himself in `inside` before. And where
 * the loop meets the entry of a task that somebody else has claimed, it waits
 * until that one has settled it.
 */

#include <brood/errors.h>

#include "loop/core.h"

static void due(brood__timer_t *timer);
static int take_out(brood_loop_manager_t *loop, brood__extra_t *extra);

/* In the lane of the submitter, so a stop waits for us. There is room among the
 * timers, so arming cannot fail. */
void brood__loop_delay(brood_loop_manager_t *loop, brood_future_t *future)
{
    brood__extra_t *extra = future->extra;

    brood__purse_spend(&brood__self.purse, future->scope);
    extra->errand.scope = future->scope;
    brood__add(&loop->by_errand, 1, relaxed);

    brood__lock(&loop->lock);
    brood__list_append(&loop->delayed, &extra->errand.link);
    brood__store(&extra->delayed, 1, release);
    (void)brood__timer_arm(&extra->timer, brood__os_now() + extra->delay, due);
    brood__unlock(&loop->lock);
}

/* (2), by a canceler, who has claimed it. When it is in the list no more, the
 * timer may still be about to look for it there. */
void brood__loop_undelay(brood__home_t *home, brood_future_t *future)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)home;

    brood__add(&loop->inside, 1, relaxed);
    if (take_out(loop, future->extra)) {
        brood__timer_disarm(&future->extra->timer);
        brood__add(&loop->undelayed, 1, relaxed);
        brood__scope_release(future->extra->errand.scope, 1);
        (void)brood__future_drop(future);
    }
    brood__sub(&loop->inside, 1, release); /* (H) */
}

/* (2), by the loop. */
int brood__loop_cancel_delayed(brood_loop_manager_t *loop)
{
    brood__extra_t *extra = NULL;
    brood_future_t *future;
    brood__link_t *link;

    brood__lock(&loop->lock);
    link = brood__list_pop(&loop->delayed);
    if (link) {
        extra = BROOD__CONTAINER(link, brood__extra_t, errand.link);
        brood__store(&extra->delayed, 0, relaxed);
    }
    brood__unlock(&loop->lock);
    if (!extra)
        return 0;

    future = extra->future;
    BROOD__COUNT(loop->begun, 1);
    BROOD__COUNT(loop->canceled, 1);
    brood__purse_earn(&brood__self.purse, extra->errand.scope);
    if (brood__future_claim(future, 0)) {
        brood__future_refuse(future, BROOD_ECANCELED);
        return 1;
    }
    while (!brood__future_settled(future)) /* its canceler is at it */
        brood__os_yield();
    (void)brood__future_drop(future);
    return 1;
}

/* (1). The future is not settled before its timer is disarmed, and that waits
 * for us; so the loop is still there. */
static void due(brood__timer_t *timer)
{
    brood__extra_t *extra = BROOD__CONTAINER(timer, brood__extra_t, timer);
    brood_loop_manager_t *loop =
        (brood_loop_manager_t *)(void *)extra->future->home;

    brood__add(&loop->inside, 1, relaxed);
    if (take_out(loop, extra)) {
        brood__future_queued(extra->future);
        brood__loop_arrive(loop, &extra->errand.link, 0);
        brood__loop_notify(loop);
    }
    brood__sub(&loop->inside, 1, release); /* (H) */
}

static int take_out(brood_loop_manager_t *loop, brood__extra_t *extra)
{
    int ours;

    brood__lock(&loop->lock);
    ours = brood__load(&extra->delayed, relaxed);
    if (ours) {
        brood__store(&extra->delayed, 0, relaxed);
        brood__list_remove(&extra->errand.link);
    }
    brood__unlock(&loop->lock);
    return ours;
}
