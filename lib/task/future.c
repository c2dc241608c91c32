/* SPDX-License-Identifier: Apache-2.0 */

/* future.c: the life of a task, from made to settled to freed. */

#include "task/future.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <brood/buffer.h>
#include <brood/errors.h>

#include "lineage/life.h"
#include "observe/log.h"
#include "observe/task_hooks.h"
#include "task/magazine.h"

_Static_assert(sizeof(brood_future_t) == 64, "a future is one cache line");

#define REFS_MAX (UINT32_MAX / BROOD__REF)

/* The part of a brood__extra_t that is always good. */
#define EXTRA_LESS offsetof(brood__extra_t, queue_timeout)

_Static_assert(EXTRA_LESS == 2 * sizeof(brood_future_t), "of two lines");

static brood__extra_t *extra_make(brood_future_t *future,
                                  const brood_task_options_t *options);
static void free_value(const brood_future_t *future, void *value);
static void recycle(brood_future_t *future, unsigned state);
static void report(const brood_future_t *future);
static void expire(brood__timer_t *timer);
static void overrun(brood__timer_t *timer);
static void tell_all(brood_future_t *future);
static int end_queued(brood_future_t *future, apr_status_t status);
static void raise_token(brood_future_t *future, unsigned flags);

int (*brood__elsewhere_poll)(brood_future_t *future);
int (*brood__elsewhere_sleep)(brood_future_t *future);

apr_status_t brood__elsewhere(void *baton, void **result)
{
    (void)baton;
    (void)result;
    abort(); /* only its address is used */
}

/* ---- making ------------------------------------------------------------ */

brood_future_t *brood__future_make(brood__home_t *home, brood_task_fn *fn,
                                   void *baton,
                                   const brood_task_options_t *options)
{
    brood_future_t *future = brood__future_alloc();

    if (!future)
        return NULL;
    brood__store(&future->state, BROOD__QUEUED + 2 * BROOD__REF, relaxed);
    future->fn = fn;
    future->baton = baton;
    future->home = home;
    future->waiters = NULL;
    future->extra = NULL;
    if (options && !extra_make(future, options)) {
        brood__future_free(future);
        return NULL;
    }
    return future;
}

brood_future_t *brood__future_make_running(brood__home_t *home, int with_extra)
{
    static const brood_task_options_t none = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future = brood__future_make(home, NULL, NULL,
                                                with_extra ? &none : NULL);

    if (future) {
        future->scope = NULL;
        brood__store(&future->state,
                     BROOD__RUNNING + BROOD__NO_TASK + 2 * BROOD__REF, relaxed);
    }
    return future;
}

void brood__future_unmake(brood_future_t *future)
{
    if (future->extra)
        brood__magazine_give(BROOD__EXTRAS, future->extra);
    brood__future_free(future);
}

/* What needs none of that stays as it is. */
static void extra_more(brood_future_t *future, brood__extra_t *extra,
                       const brood_task_options_t *options)
{
    int keeps_time = future->home->ops->keeps_time;

    if (keeps_time && !options->queue_timeout && !options->run_timeout
        && !options->free_value)
        return;
    memset(&extra->queue_timeout, 0, sizeof(*extra) - EXTRA_LESS);
    extra->flags |= BROOD__EXTRA_MORE;
    extra->queue_timeout = options->queue_timeout * 1000;
    extra->run_timeout = options->run_timeout * 1000;
    extra->free_value = options->free_value;
    extra->timed = brood__task_timed(options, keeps_time);
}

static brood__extra_t *extra_make(brood_future_t *future,
                                  const brood_task_options_t *options)
{
    brood__extra_t *extra = brood__magazine_take(BROOD__EXTRAS);

    if (!extra)
        return NULL;
    memset(extra, 0, EXTRA_LESS);
    extra->delay = options->delay * 1000;
    extra->name = options->name;
    extra->flags = options->flags;
    extra->priority = options->priority;
    extra->destroy = options->destroy;
    brood__list_init(&extra->errand.link);
    extra->errand.future = future;
    extra_more(future, extra, options);
    future->extra = extra;
    return extra;
}

/* ---- running ----------------------------------------------------------- */

void brood__future_queued(brood_future_t *future)
{
    brood__extra_t *extra = future->extra;

    /* The timers are ready: this cannot fail. */
    if (extra && brood__extra_queue_timeout(extra))
        (void)brood__timer_arm(&extra->timer,
                               brood__os_now() + extra->queue_timeout, expire);
}

static void show_name(brood__place_t *place, const char *name,
                      const char *shown)
{
    if (name && place && place->ops->name)
        place->ops->name(place, shown);
}

/* Its function, between the program's hooks and at its own place. */
static apr_status_t call(brood_future_t *future, brood__scope_t *scope,
                         brood__frame_t *saved, void **value)
{
    unsigned hooked = 0;
    apr_status_t status;

    if (BROOD__UNLIKELY(brood__task_hooks_on())
        && !brood__task_hooks_hides(future->fn))
        hooked = brood__task_hook_before(brood__future_name(future));
    brood__frame_begin(saved, scope, future);
    status = future->fn(future->baton, value);
    brood__frame_end(saved);
    if (BROOD__UNLIKELY(hooked))
        brood__task_hook_after(hooked, brood__future_name(future));
    return status;
}

/* It gave in: was it asked to? */
static apr_status_t given_in(const brood_future_t *future, apr_status_t status)
{
    unsigned state = brood__load(&future->state, relaxed);
    brood__place_t *place = brood__self.place;

    if (state & BROOD__OVERRAN)
        return BROOD_EOVERRUN;
    if ((state & BROOD__TOKEN)
        || (place && place->ops->canceled && place->ops->canceled(place)))
        return BROOD_ECANCELED;
    return status;
}

apr_status_t brood__future_run(brood_future_t *future, brood__scope_t *scope)
{
    brood__extra_t *extra = future->extra;
    brood__place_t *place = brood__self.place;
    brood__frame_t saved;
    void *value = NULL;
    apr_status_t status;

    if (BROOD__UNLIKELY(extra != NULL)) {
        if (extra->timed)
            brood__timer_disarm(&extra->timer);
        if (extra->timed && extra->run_timeout)
            (void)brood__timer_arm(
                &extra->timer, brood__os_now() + extra->run_timeout, overrun);
        show_name(place, extra->name, extra->name);
    }
    status = call(future, scope, &saved, &value);
    if (BROOD__UNLIKELY(extra != NULL)) {
        show_name(place, extra->name, brood__future_name(saved.task));
        if (extra->timed)
            brood__timer_disarm(&extra->timer);
        if (extra->destroy)
            extra->destroy(future->baton);
    }
    if (BROOD__UNLIKELY(status == BROOD_EINTERRUPTED
                        || status == BROOD_ECANCELED))
        status = given_in(future, status);
    brood__future_settle(future, status, value);
    return status;
}

void brood__future_refuse(brood_future_t *future, apr_status_t status)
{
    brood__extra_t *extra = future->extra;

    if (extra) {
        if (extra->timed)
            brood__timer_disarm(&extra->timer);
        if (extra->destroy)
            extra->destroy(future->baton);
    }
    brood__future_settle(future, status, NULL);
}

int brood__future_drop(brood_future_t *future)
{
    int ours = !(brood__load(&future->state, acquire) & BROOD__IN_PLACE);

    brood_future_release(future);
    return ours;
}

void brood__future_settle(brood_future_t *future, apr_status_t status,
                          void *value)
{
    unsigned seen = brood__load(&future->state, relaxed);
    unsigned next;
    int turns = 0;

    if (BROOD__UNLIKELY(status != APR_SUCCESS)) {
        if (value)
            free_value(future, value);
        value = NULL;
        if (status == BROOD_EPENDING)
            status = APR_EGENERAL; /* a settled one cannot be pending */
    }
    future->status = status;
    future->u.value = value;
    for (;;) {
        if (BROOD__UNLIKELY(seen & BROOD__LOCK)) {
            brood__future_pause(&turns);
            seen = brood__load(&future->state, relaxed);
            continue;
        }
        next = (seen & ~(unsigned)BROOD__PHASE) | BROOD__SETTLED;
        if (BROOD__UNLIKELY(seen & BROOD__LISTED))
            next |= BROOD__LOCK; /* ours; and our reference is needed still */
        else
            next -= BROOD__REF;
        if (brood__cas_weak(&future->state, &seen, next,
                            acq_rel)) /* (2), (A) */
            break;
    }
    if (BROOD__UNLIKELY(seen & BROOD__LISTED))
        tell_all(future);
    else if (BROOD__UNLIKELY(next < BROOD__REF))
        recycle(future, next);
}

/*
 * Locked: tell each that listens; nobody comes any more. Our reference keeps
 * the future; a listener is only touched while it is in the ring, under the
 * lock, or by its own fire(). The last one is told as the last thing of all
 * where that may be: it goes on at once, and then the future's line is its own.
 */
static void tell_all(brood_future_t *future)
{
    brood__waiter_t *waiter;

    while (future->waiters) {
        waiter = BROOD__CONTAINER(future->waiters, brood__waiter_t, link);
        BROOD__PREFETCH_WRITE(waiter);
        if (waiter->link.next == &waiter->link)
            future->waiters = NULL;
        else
            future->waiters = waiter->link.next;
        brood__list_remove(&waiter->link);
        if (!future->waiters && waiter->keeps) {
            brood__sub(&future->state, BROOD__LOCK + BROOD__REF, release);
            brood__lock_none_held();
            waiter->fire(waiter, future);
            return;
        }
        brood__future_unlock(future);
        brood__lock_none_held();
        waiter->fire(waiter, future);
        brood__future_lock(future);
    }
    brood__future_unlock(future);
    brood_future_release(future);
}

/* ---- asking for the end ------------------------------------------------ */

apr_status_t brood__future_end(brood_future_t *future, apr_status_t queued,
                               unsigned flags)
{
    if (end_queued(future, queued))
        return APR_SUCCESS;
    if (brood__future_settled(future))
        return BROOD_EALREADY;
    raise_token(future, flags);
    return APR_SUCCESS;
}

/* True: it was still queued, and never will run. */
static int end_queued(brood_future_t *future, apr_status_t status)
{
    if (!brood__future_claim(future, BROOD__REF))
        return 0;
    if (future->extra && brood__load(&future->extra->delayed, acquire))
        future->home->ops->undelay(future->home, future);
    brood__future_refuse(future, status);
    return 1;
}

/* RUNNING, or so it was a moment ago. Only the first token interrupts. */
static void raise_token(brood_future_t *future, unsigned flags)
{
    brood__sleep_t *sleep = NULL;
    brood__place_t *place = NULL;
    const brood__place_ops_t *ops = NULL;
    const brood__home_ops_t *home = NULL;
    unsigned state;

    brood__future_lock(future);
    state = brood__load(&future->state, acquire); /* (B) */
    if ((state & BROOD__PHASE) == BROOD__RUNNING) {
        home = future->home->ops; /* static */
        if (!(state & BROOD__TOKEN)) {
            brood__or(&future->state,
                      (unsigned)(BROOD__TOKEN | BROOD__INTERRUPT) | flags,
                      relaxed);
            if (state & BROOD__WAITING)
                sleep = future->u.wait->sleep;
        }
        if (sleep) {
            place = sleep->place;
            ops = place->ops; /* static */
            if (!brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED))
                sleep = NULL;
        }
    }
    brood__future_unlock(future);

    if (sleep) /* we won: the sleeper waits for this, or needs no more */
        ops->wake(place, sleep);
    if (home && home->token)
        home->token(future->home, future);
}

static void expire(brood__timer_t *timer)
{
    brood__extra_t *extra = BROOD__CONTAINER(timer, brood__extra_t, timer);

    /* One that has just begun to run is in time. */
    (void)end_queued(brood__extra_future(extra), BROOD_EEXPIRED);
}

static void overrun(brood__timer_t *timer)
{
    brood__extra_t *extra = BROOD__CONTAINER(timer, brood__extra_t, timer);

    brood__future_end(brood__extra_future(extra), BROOD_EOVERRUN,
                      BROOD__OVERRAN);
}

apr_status_t brood_future_cancel(brood_future_t *future)
{
    apr_status_t rv;

    if (!future)
        return APR_EINVAL;
    rv = brood__life_check();
    return rv == APR_SUCCESS ? brood__future_end(future, BROOD_ECANCELED, 0)
                             : rv;
}

int brood_task_canceled(void)
{
    brood_future_t *task = brood__self.now.task;
    brood__place_t *place = brood__self.place;

    if (task && (brood__load(&task->state, relaxed) & BROOD__TOKEN))
        return 1;
    return (brood__self.now.flags & BROOD__FRAME_IN_TASK) && place
           && place->ops->canceled && place->ops->canceled(place);
}

/* ---- references -------------------------------------------------------- */

brood_future_t *brood_future_retain(brood_future_t *future)
{
    /* Relaxed: whoever retains holds a reference already. */
    if (future
        && brood__add(&future->state, BROOD__REF, relaxed) / BROOD__REF
               == REFS_MAX)
        abort(); /* a million references to one result: a leak */
    return future;
}

brood_future_t *brood_future_release(brood_future_t *future)
{
    unsigned state;

    if (!future)
        return NULL;
    state = brood__load(&future->state, acquire);
    if (state / BROOD__REF == 1) {
        recycle(future, state); /* nobody else can even look at it */
    } else {
        state = brood__sub(&future->state, BROOD__REF, acq_rel);
        if (state / BROOD__REF == 1)
            recycle(future, state);
    }
    return NULL;
}

static void recycle(brood_future_t *future, unsigned state)
{
    /* In a forked child whatever this needs may be locked for ever. */
    if (BROOD__UNLIKELY(future->extra || future->status != APR_SUCCESS)
        && brood__life_forked())
        return;
    if (BROOD__UNLIKELY(future->status != APR_SUCCESS)) {
        if (!(state & (BROOD__READ | BROOD__NO_TASK)))
            report(future);
    } else if (future->u.value && !(state & BROOD__TAKEN)) {
        free_value(future, future->u.value);
    }
    if (future->extra)
        brood__magazine_give(BROOD__EXTRAS, future->extra);
    brood__future_free(future);
}

static void free_value(const brood_future_t *future, void *value)
{
    if (future->fn == brood__elsewhere)
        (void)brood_buffer_release(value);
    else if (future->extra && (future->extra->flags & BROOD__EXTRA_MORE)
             && future->extra->free_value) {
        brood__lock_none_held();
        future->extra->free_value(value);
    }
}

/* A failure that nobody has read and nobody can read any more. */
static void report(const brood_future_t *future)
{
    if (future->status == BROOD_ECANCELED
        || (future->extra && (future->extra->flags & BROOD_TASK_QUIET)))
        return;
    brood__unobserved(future->status, brood__future_name(future));
}
