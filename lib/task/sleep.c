/* SPDX-License-Identifier: Apache-2.0 */

/* sleep.c: one wait, wherever it is called. */

#include "task/sleep.h"

#include <brood/errors.h>

#include "observe/log.h"
#include "observe/watchdog.h"
#include "os/lock.h"
#include "task/future.h"

#define CHAIN 64 /* tasks that a circle of waits may have to be noticed */

static void park_for_long(brood__sleep_t *sleep);
static int is_armed(brood__sleep_t *sleep);
static void log_long_wait(int64_t ns);
static int publish(brood_future_t *task, brood__wait_t *wait);
static void withdraw(brood_future_t *task, unsigned bits);
static int break_circle(brood_future_t *task, brood__wait_t *wait);
static int holds(brood_future_t *const *chain, int n);
static int is_waiting(brood_future_t *task);
static brood_future_t *awaited_by(brood_future_t *task);
static void plain_wake(brood__place_t *place, brood__sleep_t *sleep);
static apr_status_t plain_sleep(brood__place_t *place, brood__sleep_t *sleep,
                                int64_t deadline, brood_future_t *on);

static const brood__place_ops_t plain_ops = { .sleep = plain_sleep,
                                              .wake = plain_wake,
                                              .spins = 1 };

brood__place_t brood__place_plain = { &plain_ops };

static brood__lock_t g_circles = BROOD__LOCK_INIT(BROOD__RANK_LEAF);

apr_status_t brood__sleep(brood__sleep_t *sleep, int64_t deadline,
                          brood_future_t *on, int uninterruptible)
{
    brood__place_t *place = sleep->place;
    brood_future_t *task = uninterruptible ? NULL : brood__self.now.task;
    brood__wait_t wait = { sleep, deadline < 0 ? on : NULL };
    apr_status_t rv = APR_SUCCESS;
    int published = task && publish(task, &wait);
    int won = 0; /* we ended it ourselves: nobody will wake us */
    unsigned state;

    sleep->firm = uninterruptible;
    if (task && !published) {
        won = brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED);
        if (!won) /* it was ready: the interruption is still due */
            brood__or(&task->state, BROOD__INTERRUPT, relaxed);
    } else if (published && wait.on && break_circle(task, &wait)) {
        won = 1;
        rv = BROOD_EDEADLK;
    }
    if (!won) {
        if (place->ops->spins) /* a loop goes on, and empties it itself */
            brood__purse_empty(&brood__self.purse);
        rv = place->ops->sleep(place, sleep, deadline, on);
    }

    /* The winner of the only arrow has moved on: this is final. */
    state = brood__load(&sleep->state, acquire) & BROOD__SLEEP_MASK;
    if (published)
        withdraw(task, state == BROOD__SLEEP_INTERRUPTED && rv == APR_SUCCESS
                           ? BROOD__WAITING | BROOD__INTERRUPT
                           : BROOD__WAITING);
    if (state == BROOD__SLEEP_FIRED)
        return APR_SUCCESS;
    if (rv != APR_SUCCESS)
        return rv;
    return state == BROOD__SLEEP_TIMEUP ? APR_TIMEUP : BROOD_EINTERRUPTED;
}

int brood__sleep_help(brood_future_t *on)
{
    brood__place_t *place = brood__place();
    brood_future_t *task = brood__self.now.task;
    brood__wait_t wait = { NULL, on };
    int helped;

    if (!task)
        return place->ops->help(place, &on, 1);
    if (brood__load(&task->state, relaxed) & BROOD__INTERRUPT)
        return 0;
    /* Not WAITING, so nobody looks at u.wait; see (B). There is no sleep that a
     * token could miss, so whoever holds the lock is not waited for. */
    task->u.wait = &wait;
    brood__or(&task->state, BROOD__WAITING, seq_cst); /* (B), (C) */
    helped = place->ops->help(place, &on, 1);
    withdraw(task, BROOD__WAITING);
    return helped;
}

void brood__park_sleep(brood__sleep_t *sleep, int64_t deadline)
{
    if (deadline < 0) {
        park_for_long(sleep);
        return;
    }
    while (is_armed(sleep)) {
        int64_t left = deadline - brood__os_now();

        if (left > 0)
            brood__os_park(&sleep->state, BROOD__SLEEP_ARMED, left);
        else
            brood__sleep_try(sleep, BROOD__SLEEP_TIMEUP);
    }
}

/* Without a deadline. No look at the clock, so a wake-up for no reason begins
 * the warning's time anew. */
static void park_for_long(brood__sleep_t *sleep)
{
    int64_t warning = brood__watchdog_wait_warning();
    int64_t left = warning > 0 ? warning : -1;

    while (is_armed(sleep))
        if (brood__os_park(&sleep->state, BROOD__SLEEP_ARMED, left)
            == APR_TIMEUP) {
            log_long_wait(warning);
            left = -1;
        }
}

static int is_armed(brood__sleep_t *sleep)
{
    return (brood__load(&sleep->state, acquire) & BROOD__SLEEP_MASK)
           == BROOD__SLEEP_ARMED;
}

void brood__park_wake(brood__place_t *place, brood__sleep_t *sleep)
{
    (void)place; /* may be gone already, as may the record behind the address */
    brood__os_unpark_one(&sleep->state);
}

int64_t brood__deadline(int64_t timeout_us)
{
    int64_t now;

    if (timeout_us < 0)
        return -1;
    now = brood__os_now();
    if (timeout_us > (INT64_MAX - now) / 1000)
        return -1; /* some 290 years: for ever */
    return now + timeout_us * 1000;
}

static void log_long_wait(int64_t ns)
{
    const char *name = brood__future_name(brood__self.now.task);

    brood__log(BROOD_LOG_WARNING, "%s %s waits for longer than %.3f s",
               brood__self.now.flags & BROOD__FRAME_IN_TASK ? "task" : "thread",
               name ? name : "without a name", (double)ns / 1e9);
}

/* Make it known what the task sleeps on. False: its token was raised before and
 * has interrupted no wait yet; it interrupts this one. Nobody looks at u.wait
 * before WAITING is there, nor does anybody raise the token while it is not
 * LOCKed. */
static int publish(brood_future_t *task, brood__wait_t *wait)
{
    unsigned seen = brood__load(&task->state, relaxed);
    unsigned next;
    int turns = 0;

    task->u.wait = wait;
    for (;;) {
        if (BROOD__UNLIKELY(seen & BROOD__LOCK)) {
            brood__future_pause(&turns);
            seen = brood__load(&task->state, relaxed);
            continue;
        }
        next = seen & BROOD__INTERRUPT ? seen & ~(unsigned)BROOD__INTERRUPT
                                       : seen | BROOD__WAITING;
        if (brood__cas_weak(&task->state, &seen, next, seq_cst)) /* (B), (C) */
            return !(seen & BROOD__INTERRUPT);
    }
}

/* And take it back. Somebody may still be looking at u.wait. */
static void withdraw(brood_future_t *task, unsigned bits)
{
    unsigned state = brood__and(&task->state, ~bits, acquire);
    int turns = 0;

    while (BROOD__UNLIKELY(state & BROOD__LOCK)) {
        brood__future_pause(&turns);
        state = brood__load(&task->state, acquire);
    }
}

/*
 * Would `task`, which has just published that it waits for wait->on, wait for
 * itself around a circle? Then that wait is ended: true.
 *
 * (C) Every task of the circle publishes before it looks. Both are seq_cst, so
 * the last one to publish sees all edges; mostly there is none, which a look
 * without the lock tells: whoever publishes later will look, too. An edge seen
 * is not yet a proof: it may go while we walk on. So the circle is read again
 * from its end. The last task waits for us, and we run and do not settle: its
 * edge is stable. The one before it waits for a task that is stuck: if its edge
 * is still there now, it is stable too, and so on to the first. Waits with a
 * time limit, and those that have just been ended, are no edges. Two that find
 * the same circle take turns, so that one of them ends it and the other sees
 * that. Each future is held by the wait that points to it; we take a reference
 * under that wait's lock.
 */
static int break_circle(brood_future_t *task, brood__wait_t *wait)
{
    brood_future_t *chain[CHAIN];
    int n = 0, found = wait->on == task;

    if (!found && !is_waiting(wait->on))
        return 0;
    chain[n++] = brood_future_retain(wait->on);
    while (n < CHAIN && !found && (chain[n] = awaited_by(chain[n - 1])))
        found = chain[n++] == task;
    if (found) {
        brood__lock(&g_circles);
        found = holds(chain, n)
                && brood__sleep_try(wait->sleep, BROOD__SLEEP_INTERRUPTED);
        brood__unlock(&g_circles);
    }
    while (n > 0)
        brood_future_release(chain[--n]);
    return found;
}

/* Is each still waiting for the next? */
static int holds(brood_future_t *const *chain, int n)
{
    int i, same = 1;

    for (i = n - 2; same && i >= 0; i--) {
        brood_future_t *next = awaited_by(chain[i]);

        same = next == chain[i + 1];
        brood_future_release(next);
    }
    return same;
}

static int is_waiting(brood_future_t *task)
{
    return (brood__load(&task->state, seq_cst) & BROOD__WAITING) != 0; /* (C) */
}

/* What a running task waits for without a limit, with a reference; or NULL. */
static brood_future_t *awaited_by(brood_future_t *task)
{
    brood_future_t *on = NULL;

    if (!is_waiting(task))
        return NULL;
    brood__future_lock(task);
    if (brood__load(&task->state, acquire) & BROOD__WAITING) { /* (B) */
        const brood__wait_t *wait = task->u.wait;

        if (!wait->sleep
            || brood__load(&wait->sleep->state, relaxed) == BROOD__SLEEP_ARMED)
            on = brood_future_retain(wait->on);
    }
    brood__future_unlock(task);
    return on;
}

static apr_status_t plain_sleep(brood__place_t *place, brood__sleep_t *sleep,
                                int64_t deadline, brood_future_t *on)
{
    (void)place;
    (void)on;
    brood__park_sleep(sleep, deadline);
    return APR_SUCCESS;
}

static void plain_wake(brood__place_t *place, brood__sleep_t *sleep)
{
    brood__park_wake(place, sleep);
}
