/* SPDX-License-Identifier: Apache-2.0 */

/*
 * delay.c: tasks that are not due yet, and have a future. Those without one are
 * in `delays` too; see late.c.
 *
 * The loop's thread keeps their time, in `delays`. `delayed` of a task says
 * where its entry is, that is the queue's reference to the future and that to
 * the scope:
 *
 *                  ,--(1)--> COMING --(2)--> SET --(3)--> NONE
 *                 /             |             |
 *     submit ----+--(1)---------|-----------> |
 *                               |(4)          |(5)
 *                               v             v
 *                             NONE           BACK --(6)--> NONE
 *
 *   (1) the submitter: it travels to the loop as an errand; SET at once when he
 *       is the loop's thread.
 *   (2) the loop, when the errand has arrived: into `delays`.
 *   (3) the loop, when it is due or the loop stops: out of `delays`.
 *   (4) a canceler: the loop will meet the entry as a tombstone anyway.
 *   (5) a canceler on another thread: the errand travels a second time, to tell
 *       the loop. On the loop's thread he takes it out himself: (3).
 *   (6) the loop, when it has arrived: out of `delays`, if it is still there.
 *
 * (2) to (5) exchange the state, so one of loop and canceler wins. Whoever
 * leaves COMING or SET for NONE owns the entry, in BACK the traveller is it. The
 * link of the errand is used by (1) until (2), and by (5) until (6), never by
 * both. An entry of a task that was canceled is a tombstone among the errands.
 *
 * Order. (1) and (5) publish by the arrival (G). The exchange of (2) releases
 * the link, which it has read, to that of (5), which acquires it and writes it.
 *
 * The loop cannot end under anybody's hands. It does not before `n_delayed`,
 * what is in SET or BACK, is 0, and while COMING is in the lane's busy time or
 * among the arrivals. A canceler counts himself in `inside` before he exchanges
 * the state; and where the loop meets the entry of a task that somebody else
 * has claimed, it waits until that one has settled it, which he does last.
 */

#include <brood/errors.h>

#include "loop/core.h"

#define MOST_DUE 64

enum { NONE, COMING, SET, BACK };

static void set(brood_loop_manager_t *loop, brood__extra_t *extra);
static int move(brood__extra_t *extra, int from, int to);
static void queue_timeout(brood__extra_t *extra);
static void take_back(brood_loop_manager_t *loop, brood__errand_t *errand);
static void refuse(brood_loop_manager_t *loop, brood__extra_t *extra);

/* In the lane of the submitter, so a stop waits for us. */
void brood__loop_delay(brood_loop_manager_t *loop, brood_future_t *future)
{
    brood__extra_t *extra = future->extra;

    brood__purse_spend(&brood__self.purse, future->scope);
    extra->errand.scope = future->scope;
    extra->alarm.deadline = (brood__os_now() + extra->delay) & ~BROOD__LATE;
    brood__add(&loop->by_errand, 1, relaxed);
    if (brood__loop_here == loop) {
        brood__store(&extra->delayed, SET, relaxed);
        set(loop, extra);
        return;
    }
    brood__store(&extra->delayed, COMING, relaxed);
    brood__loop_arrive(loop, &extra->errand.link, 0);
    brood__loop_notify(loop);
}

/* (4), (5) and (3), by a canceler, who has claimed it. */
void brood__loop_undelay(brood__home_t *home, brood_future_t *future)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)home;
    brood__extra_t *extra = future->extra;

    brood__add(&loop->inside, 1, relaxed);
    if (brood__loop_here == loop) {
        if (move(extra, SET, NONE)) {
            brood__alarms_remove(&loop->delays, &extra->alarm);
            loop->n_delayed--;
            brood__add(&loop->undelayed, 1, relaxed);
            brood__scope_release(extra->errand.scope, 1);
            (void)brood__future_drop(future);
        }
    } else if (!move(extra, COMING, NONE) && move(extra, SET, BACK)) {
        brood__loop_arrive(loop, &extra->errand.link, 0);
        brood__loop_notify(loop);
    }
    brood__sub(&loop->inside, 1, release); /* (H) */
}

/* (2) and (6). */
void brood__loop_errand(brood_loop_manager_t *loop, brood__errand_t *errand)
{
    brood__extra_t *extra = errand->future ? errand->future->extra : NULL;

    if (extra && &extra->errand == errand) {
        if (brood__load(&extra->delayed, relaxed) == BACK) {
            take_back(loop, errand);
        } else if (move(extra, COMING, SET)) {
            set(loop, extra);
            return;
        }
    }
    brood__list_append(&loop->errands, &errand->link);
}

/* The task without a future; NULL: it has one. */
static brood__late_t *late_of(brood__alarm_t *alarm)
{
    return alarm->deadline & BROOD__LATE
               ? BROOD__CONTAINER(alarm, brood__late_t, time.alarm)
               : NULL;
}

/* (3), as many as a turn runs: what was just touched is then still cached. What
 * has not been touched for long is asked for some time before it is needed. */
void brood__loop_due(brood_loop_manager_t *loop)
{
    brood__alarm_t *alarm;
    unsigned n = 0;

    while (n++ < MOST_DUE
           && (alarm = brood__alarms_due(&loop->delays, loop->now))) {
        brood__late_t *late = late_of(alarm);
        brood__extra_t *extra;

        if (late) {
            brood__late_due(loop, late);
            continue;
        }
        extra = BROOD__CONTAINER(alarm, brood__extra_t, alarm);
        if (!move(extra, SET, NONE))
            continue; /* BACK: it is about to arrive */
        loop->n_delayed--;
        BROOD__PREFETCH_WRITE(extra->errand.future);
        if (brood__extra_queue_timeout(extra))
            queue_timeout(extra);
        brood__list_append(&loop->errands, &extra->errand.link);
    }
}

/* (3) */
void brood__loop_cancel_delayed(brood_loop_manager_t *loop)
{
    brood__alarm_t *alarm;

    while ((alarm = brood__alarms_pop(&loop->delays))) {
        brood__extra_t *extra = BROOD__CONTAINER(alarm, brood__extra_t, alarm);
        brood__late_t *late = late_of(alarm);

        if (late) {
            brood__late_cancel(loop, late);
        } else if (move(extra, SET, NONE)) {
            loop->n_delayed--;
            refuse(loop, extra);
        }
    }
}

/* A canceler, who knows nothing of us, claims the task and then disarms its
 * timer. When he has done that before we arm it, we see, by the timers' lock,
 * that the task is claimed, and disarm it ourselves. */
static void queue_timeout(brood__extra_t *extra)
{
    brood_future_t *future = extra->errand.future;

    brood__future_queued(future);
    if (!brood__future_is_queued(future))
        brood__timer_disarm(&extra->timer);
}

/* (2), second half. */
static void set(brood_loop_manager_t *loop, brood__extra_t *extra)
{
    loop->n_delayed++;
    brood__alarms_add(&loop->delays, &extra->alarm, extra->alarm.deadline);
}

static int move(brood__extra_t *extra, int from, int to)
{
    return brood__cas(&extra->delayed, &from, to, acq_rel);
}

/* (6) */
static void take_back(brood_loop_manager_t *loop, brood__errand_t *errand)
{
    brood__extra_t *extra = errand->future->extra;

    brood__store(&extra->delayed, NONE, relaxed);
    if (brood__alarm_is_set(&extra->alarm))
        brood__alarms_remove(&loop->delays, &extra->alarm);
    loop->n_delayed--;
}

static void refuse(brood_loop_manager_t *loop, brood__extra_t *extra)
{
    brood_future_t *future = brood__extra_future(extra);

    BROOD__COUNT(loop->begun, 1);
    BROOD__COUNT(loop->canceled, 1);
    brood__purse_earn(&brood__self.purse, extra->errand.scope);
    if (brood__future_claim(future, 0)) {
        brood__future_refuse(future, BROOD_ECANCELED);
        return;
    }
    while (!brood__future_settled(future)) /* its canceler is at it */
        brood__os_yield();
    (void)brood__future_drop(future);
}
