/* SPDX-License-Identifier: Apache-2.0 */

/*
 * errand.c: priorities and delays: tasks that travel by a link.
 *
 * Urgent ones go before what is queued in lanes, but every eighth time the
 * lanes' turn comes first; low ones go when there is nothing else, and every
 * 32nd task is one of them: neither normal nor low work starves.
 *
 * A delayed task is owned by `delayed` until whoever takes it out, under the
 * lock: the timer that is due, a cancel, or the end of the executor.
 *
 * Neither what is due nor a notice can be refused, so when no worker lives and
 * the system makes no thread, somebody has to try again. A delayed task that is
 * due stays in `delayed`, and its own timer, whose place is reserved, is armed
 * again. For notices the executor has a timer of its own; its place is reserved
 * before the first notice is accepted by an executor that may have no worker.
 * Each try costs the timers' thread some microseconds. A stop waits for neither:
 * it cancels what is in `delayed`, and settles what is queued itself (executor.c).
 */

#include "thread/worker.h"

#define NORMAL_EACH 8
#define LOW_EACH    (BROOD__LOW_TICK + 1)
#define TRY_EACH    ((int64_t)10000000) /* ns between two tries for a thread */

static void due(brood__timer_t *timer);
static int queue_due(brood__executor_t *executor, brood_future_t *future)
    BROOD__REQUIRES(executor->lock);
static void hire_later(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static void hire_again(brood__timer_t *timer);
static int take_delayed(brood__executor_t *executor, brood__extra_t *extra);

void brood__errand_push(brood__executor_t *executor, brood__errand_t *errand,
                        int list)
{
    unsigned bit = list == BROOD__ERRAND_LOW ? BROOD__SPECIAL_LOW
                                             : BROOD__SPECIAL_ERRANDS;

    brood__list_append(&executor->errands[list], &errand->link);
    brood__add(&executor->n_errands, 1, relaxed);
    brood__or(&executor->special, bit | BROOD__SPECIAL_ERRANDS, relaxed);
    brood__executor_wake_locked(executor);
}

int brood__errand_pause(unsigned tick)
{
    return tick % NORMAL_EACH == 0;
}

brood__errand_t *brood__errand_pop(brood__executor_t *executor, unsigned tick,
                                   int idle)
{
    brood__link_t *urgent = &executor->errands[BROOD__ERRAND_URGENT];
    brood__link_t *low = &executor->errands[BROOD__ERRAND_LOW];
    brood__link_t *link = NULL;

    brood__lock(&executor->lock);
    if (tick % LOW_EACH == LOW_EACH - 1)
        link = brood__list_pop(low);
    if (!link && (idle || !brood__errand_pause(tick)))
        link = brood__list_pop(urgent);
    if (!link && idle && !brood__inbox_some(&executor->inbox))
        link = brood__list_pop(low);
    if (link)
        brood__sub(&executor->n_errands, 1, relaxed);
    if (!brood__load(&executor->n_errands, relaxed))
        brood__and(&executor->special,
                   ~(unsigned)(BROOD__SPECIAL_ERRANDS | BROOD__SPECIAL_LOW),
                   relaxed);
    brood__unlock(&executor->lock);
    return link ? BROOD__CONTAINER(link, brood__errand_t, link) : NULL;
}

void brood__executor_post(brood__home_t *home, brood__errand_t *errand)
{
    brood__executor_t *executor = BROOD__CONTAINER(home, brood__executor_t,
                                                   home);

    brood__lock(&executor->lock);
    if (executor->n_threads == 0)
        (void)brood__executor_spawn(executor, 0);
    brood__errand_push(executor, errand, BROOD__ERRAND_URGENT);
    executor->n_errands_put++; /* it counts as a task */
    if (executor->n_threads == 0)
        hire_later(executor);
    brood__unlock(&executor->lock);
}

static void hire_later(brood__executor_t *executor)
{
    if (executor->retry_armed)
        return;
    executor->retry_armed = brood__timer_arm(&executor->retry,
                                             brood__os_now() + TRY_EACH,
                                             hire_again)
                            == APR_SUCCESS;
}

/* There are notices, and nobody who would call them. */
static void hire_again(brood__timer_t *timer)
{
    brood__executor_t *executor = BROOD__CONTAINER(timer, brood__executor_t,
                                                   retry);

    brood__lock(&executor->lock);
    executor->retry_armed = 0;
    if (executor->n_threads == 0 && brood__load(&executor->n_errands, relaxed)
        && (executor->state == BROOD__RUNS
            || executor->state == BROOD__STOPPING)
        && brood__executor_spawn(executor, 0) != APR_SUCCESS)
        hire_later(executor);
    brood__unlock(&executor->lock);
}

/* The timers are ready: arming cannot fail. */
void brood__executor_delay(brood__executor_t *executor, brood_future_t *future)
{
    brood__extra_t *extra = future->extra;

    brood__store(&extra->delayed, 1, release);
    brood__list_append(&executor->delayed, &extra->errand.link);
    (void)brood__timer_arm(&extra->timer, brood__os_now() + extra->delay, due);
}

static void due(brood__timer_t *timer)
{
    brood__extra_t *extra = BROOD__CONTAINER(timer, brood__extra_t, timer);
    brood_future_t *future = brood__extra_future(extra);
    brood__executor_t *executor = BROOD__CONTAINER(future->home,
                                                   brood__executor_t, home);
    int expired;

    brood__lock(&executor->lock);
    expired = brood__load(&extra->delayed, relaxed)
              && !queue_due(executor, future);
    brood__unlock(&executor->lock);
    /* Kept for us: who takes it out disarms this timer first, and that waits. */
    if (expired)
        (void)brood__future_end(future, BROOD_EEXPIRED, 0);
}

/* It is in `delayed`. False: there is nobody who could run it, and its queue
 * timeout is over. */
static int queue_due(brood__executor_t *executor, brood_future_t *future)
{
    brood__extra_t *extra = future->extra;
    int list = extra->priority < 0 ? BROOD__ERRAND_LOW : BROOD__ERRAND_URGENT;
    int64_t now = brood__os_now();

    if (executor->n_threads == 0
        && brood__executor_spawn(executor, 0) != APR_SUCCESS) {
        if (extra->queue_timeout && !extra->expires)
            extra->expires = now + extra->queue_timeout;
        if (extra->expires && now >= extra->expires)
            return 0;
        (void)brood__timer_arm(&extra->timer, now + TRY_EACH, due);
        return 1;
    }
    if (extra->expires) /* what is left of it */
        extra->queue_timeout = extra->expires > now ? extra->expires - now : 1;
    brood__list_remove(&extra->errand.link);
    brood__store(&extra->delayed, 0, relaxed);
    brood__future_queued(future);
    brood__errand_push(executor, &extra->errand, list);
    return 1;
}

/* True: it was still there, and its queue's references are the caller's now. */
static int take_delayed(brood__executor_t *executor, brood__extra_t *extra)
{
    int taken;

    brood__lock(&executor->lock);
    taken = brood__load(&extra->delayed, relaxed);
    if (taken) {
        brood__list_remove(&extra->errand.link);
        brood__store(&extra->delayed, 0, relaxed);
    }
    brood__unlock(&executor->lock);
    if (taken)
        brood__timer_disarm(&extra->timer);
    return taken;
}

/* The canceler has claimed it; the entry would be a tombstone for long. */
void brood__executor_undelay(brood__home_t *home, brood_future_t *future)
{
    brood__executor_t *executor = BROOD__CONTAINER(home, brood__executor_t,
                                                   home);
    brood__scope_t *scope = future->extra->errand.scope;

    if (!take_delayed(executor, future->extra))
        return;
    brood__capacity_give(executor, 1);
    brood__add(&executor->unrun, 1, relaxed);
    brood__scope_release(scope, 1);
    brood_future_release(future);
}

void brood__executor_cancel_delayed(brood__executor_t *executor)
{
    for (;;) {
        brood__link_t *link;
        brood__extra_t *extra;
        brood__call_t call;

        brood__lock(&executor->lock);
        link = brood__list_pop(&executor->delayed);
        extra = link ? BROOD__CONTAINER(link, brood__extra_t, errand.link)
                     : NULL;
        if (extra)
            brood__store(&extra->delayed, 0, relaxed);
        brood__unlock(&executor->lock);
        if (!extra)
            return;
        brood__timer_disarm(&extra->timer);
        brood__capacity_give(executor, 1);
        call.fn = brood__run_future;
        call.baton = brood__extra_future(extra);
        call.scope = extra->errand.scope;
        brood__call_refuse(executor, &call, BROOD_ECANCELED);
    }
}
