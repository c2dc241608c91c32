/* SPDX-License-Identifier: Apache-2.0 */

/* coroutine.c: what runs on a coroutine's stack, and how it waits. */

#include "loop/coroutine.h"

#include <brood/errors.h>

#include "loop/core.h"
#include "observe/log.h"
#include "observe/task_hooks.h"

static apr_status_t may_block(brood__place_t *place);
static apr_status_t coroutine_sleep(brood__place_t *place,
                                    brood__sleep_t *sleep, int64_t deadline,
                                    brood_future_t *on);
static void coroutine_wake(brood__place_t *place, brood__sleep_t *sleep);
static int coroutine_canceled(brood__place_t *place);
static void coroutine_name(brood__place_t *place, const char *name);
static apr_status_t bare_sleep(brood__place_t *place, brood__sleep_t *sleep,
                               int64_t deadline, brood_future_t *on);
static void bare_wake(brood__place_t *place, brood__sleep_t *sleep);
static int bare_canceled(brood__place_t *place);
static int next_call(brood_loop_manager_t *loop, brood__call_t *call);
static int drop(brood_loop_manager_t *loop, brood_future_t *future);
static int run_future(brood_loop_manager_t *loop, brood_future_t *future,
                      brood__scope_t *scope);
static void run_plain(brood_loop_manager_t *loop, const brood__call_t *call);
static unsigned begin_here(brood_loop_manager_t *loop, brood_task_fn *fn);
static void end_here(brood_loop_manager_t *loop, brood__scope_t *scope,
                     unsigned hooked);
static void suspend(brood__coroutine_t *self);
static void interrupt(brood_loop_manager_t *loop, brood__link_t *list);

static const void *coroutine_manager(brood__place_t *place)
{
    return ((brood__coroutine_t *)(void *)place)->loop;
}

const brood__place_ops_t brood__coroutine_ops = { .sleep = coroutine_sleep,
                                                  .wake = coroutine_wake,
                                                  .canceled =
                                                      coroutine_canceled,
                                                  .manager = coroutine_manager,
                                                  .name = coroutine_name };

const brood__place_ops_t brood__bare_ops = { .may_block = may_block,
                                             .sleep = bare_sleep,
                                             .wake = bare_wake,
                                             .canceled = bare_canceled };

/* ---- switching ---------------------------------------------------------- */

void brood__coroutine_enter(brood_loop_manager_t *loop,
                            brood__coroutine_t *coroutine)
{
    brood__self.place = &coroutine->place;
    brood__self.now = coroutine->frame;
    loop->running = coroutine;
    brood__os_context_switch(&loop->context, &coroutine->context);
    loop->running = NULL;
    brood__self.now = loop->frame;
    brood__self.place = &loop->bare;
}

static void suspend(brood__coroutine_t *self)
{
    self->frame = brood__self.now;
    brood__os_context_switch(&self->context, &self->loop->context);
}

void brood__coroutine_main(void *coroutine)
{
    brood__coroutine_t *self = coroutine;
    brood_loop_manager_t *loop = self->loop;
    brood__call_t call;

    while (!self->leave) {
        while (next_call(loop, &call))
            brood__loop_run_task(loop, &call);
        brood__spares_give(&loop->spares, self); /* (5) */
        suspend(self);
    }
    brood__os_context_leave(&self->context, &loop->context);
}

/* The producer has written it last: have it here when it is its turn. */
BROOD__INLINE void ask_ahead(brood_loop_manager_t *loop)
{
    unsigned at = loop->at + BROOD__AHEAD;

    if (at < loop->n && loop->calls[at].fn == brood__loop_future_mark)
        BROOD__PREFETCH_WRITE(loop->calls[at].baton);
}

/* A post ends the runner's turn: it belongs on the loop's own stack. So does a
 * stop, which may cancel the rest. */
static int next_call(brood_loop_manager_t *loop, brood__call_t *call)
{
    if (loop->single.fn) {
        *call = loop->single;
        loop->single.fn = NULL;
        return 1;
    }
    if (loop->at >= loop->until || brood__loop_is_post(loop->calls[loop->at].fn)
        || brood__loop_told(loop))
        return 0;
    ask_ahead(loop);
    *call = loop->calls[loop->at++];
    return 1;
}

/* ---- running ------------------------------------------------------------ */

void brood__loop_run_task(brood_loop_manager_t *loop, const brood__call_t *call)
{
    int64_t begin = brood__timed(loop) ? brood__os_now() : 0;
    int ours = 1;

    BROOD__COUNT(loop->begun, 1);
    if (call->fn == brood__loop_future_mark)
        ours = run_future(loop, call->baton, call->scope);
    else if (BROOD__UNLIKELY(loop->canceling))
        BROOD__COUNT(loop->canceled, 1);
    else
        run_plain(loop, call);
    if (BROOD__UNLIKELY(begin != 0))
        brood__histogram_add(&loop->run_time, brood__os_now() - begin);
    if (ours)
        brood__purse_earn(&brood__self.purse, call->scope);
}

/* The entry of a task that somebody else has claimed. A stop is not over before
 * every task is settled, so it waits for him; and always if he may still look
 * for it among the delayed ones (delay.c). */
static int drop(brood_loop_manager_t *loop, brood_future_t *future)
{
    int await = loop->stopping || (future->extra && future->extra->delay);

    while (await && !brood__future_settled(future))
        brood__os_yield();
    BROOD__COUNT(loop->canceled, 1);
    return brood__future_drop(future);
}

/* False: somebody else took the reference to the scope over. */
static int run_future(brood_loop_manager_t *loop, brood_future_t *future,
                      brood__scope_t *scope)
{
    brood__coroutine_t *self = loop->running;
    apr_status_t status;

    if (!brood__future_claim(future, 0))
        return drop(loop, future);
    if (BROOD__UNLIKELY(loop->canceling)) {
        BROOD__COUNT(loop->canceled, 1);
        brood__future_refuse(future, BROOD_ECANCELED);
        return 1;
    }
    self->task = future;
    self->fn = future->fn;
    brood__watch_beat(loop, self->fn);
    status = brood__future_run(future, scope);
    self->task = NULL;
    self->interrupt = 0;
    BROOD__COUNT(*(status == APR_SUCCESS ? &loop->completed : &loop->failed),
                 1);
    return 1;
}

static void run_plain(brood_loop_manager_t *loop, const brood__call_t *call)
{
    brood__coroutine_t *self = loop->running;
    brood__frame_t saved;
    void *unwanted = NULL;
    unsigned hooked = 0;
    apr_status_t status;

    self->fn = call->fn;
    brood__watch_beat(loop, self->fn);
    if (BROOD__UNLIKELY(brood__load(&loop->hooks, relaxed)))
        hooked = brood__task_hook_before(NULL);
    brood__frame_begin(&saved, call->scope, NULL);
    status = call->fn(call->baton, &unwanted);
    brood__frame_end(&saved);
    if (BROOD__UNLIKELY(hooked))
        brood__task_hook_after(hooked, NULL);
    self->interrupt = 0;
    if (BROOD__LIKELY(status == APR_SUCCESS)) {
        BROOD__COUNT(loop->completed, 1);
        return;
    }
    BROOD__COUNT(loop->failed, 1);
    if (status != BROOD_ECANCELED
        && !(loop->canceling && status == BROOD_EINTERRUPTED))
        brood__unobserved(status, NULL);
}

void brood__loop_run_post(brood_loop_manager_t *loop, const brood__call_t *call)
{
    int64_t begin = brood__timed(loop) ? brood__os_now() : 0;
    brood__frame_t saved;
    unsigned hooked = begin_here(loop, call->fn);

    brood__frame_begin(&saved, call->scope, NULL);
    brood__loop_call_post(call);
    brood__frame_end(&saved);
    if (BROOD__UNLIKELY(begin != 0))
        brood__histogram_add(&loop->run_time, brood__os_now() - begin);
    end_here(loop, call->scope, hooked);
}

/* Its function may free the errand. */
void brood__loop_run_errand(brood_loop_manager_t *loop,
                            const brood__errand_t *errand)
{
    brood__scope_t *scope = errand->scope;
    brood__frame_t saved;
    unsigned hooked = begin_here(loop, (brood_task_fn *)(uintptr_t)errand->fn);

    brood__frame_begin(&saved, scope, NULL);
    errand->fn(errand->baton);
    brood__frame_end(&saved);
    end_here(loop, scope, hooked);
}

/* Returns what end_here() wants. */
static unsigned begin_here(brood_loop_manager_t *loop, brood_task_fn *fn)
{
    BROOD__COUNT(loop->begun, 1);
    brood__watch_beat(loop, fn);
    return BROOD__UNLIKELY(brood__load(&loop->hooks, relaxed))
               ? brood__task_hook_before(NULL)
               : 0;
}

static void end_here(brood_loop_manager_t *loop, brood__scope_t *scope,
                     unsigned hooked)
{
    if (BROOD__UNLIKELY(hooked))
        brood__task_hook_after(hooked, NULL);
    BROOD__COUNT(loop->completed, 1);
    brood__purse_earn(&brood__self.purse, scope);
}

/* ---- waiting ------------------------------------------------------------ */

static apr_status_t coroutine_sleep(brood__place_t *place,
                                    brood__sleep_t *sleep, int64_t deadline,
                                    brood_future_t *on)
{
    brood__coroutine_t *self = (brood__coroutine_t *)(void *)place;
    brood_loop_manager_t *loop = self->loop;
    apr_status_t rv = APR_SUCCESS;

    (void)on;
    if (BROOD__UNLIKELY(self->interrupt) && !sleep->firm) {
        self->interrupt = 0;
        if (brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED))
            return APR_SUCCESS;
    }
    if (BROOD__UNLIKELY(!loop->spares.first)) {
        rv = brood__spares_ready(loop);
        if (rv != APR_SUCCESS
            && brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED))
            return rv;
        /* Else a wake() is on its way, so we are not needed for a spare. */
    }
    if (BROOD__UNLIKELY(self->woken)) {
        self->woken = 0;
        return APR_SUCCESS;
    }
    self->sleep = sleep;
    self->since = loop->now;
    self->suspended = 1;
    if (deadline >= 0)
        brood__alarms_add(&loop->alarms, &self->alarm, deadline);
    brood__list_append(deadline < 0 ? &loop->untimed : &loop->others,
                       &self->link);
    BROOD__COUNT(loop->n_suspended, 1);
    if (BROOD__UNLIKELY(self->name != NULL))
        brood__watch_name(loop, NULL);
    suspend(self); /* (2) */
    if (BROOD__UNLIKELY(self->name != NULL))
        brood__watch_name(loop, self->name);
    return APR_SUCCESS;
}

/* (3), first half. Until it is pushed the coroutine cannot go on, so its loop
 * cannot end; afterwards `inside` keeps it. */
static void coroutine_wake(brood__place_t *place, brood__sleep_t *sleep)
{
    brood__coroutine_t *coroutine = (brood__coroutine_t *)(void *)place;
    brood_loop_manager_t *loop = coroutine->loop;

    (void)sleep;
    if (brood__loop_here == loop) {
        brood__coroutine_ready(loop, coroutine);
        return;
    }
    brood__add(&loop->inside, 1, relaxed);
    brood__loop_arrive(loop, &coroutine->arrival, BROOD__ARRIVES_COROUTINE);
    brood__loop_notify(loop);
    brood__sub(&loop->inside, 1, release); /* (H) */
}

/* (3), second half. */
void brood__coroutine_ready(brood_loop_manager_t *loop,
                            brood__coroutine_t *coroutine)
{
    if (!coroutine->suspended) {
        coroutine->woken = 1;
        return;
    }
    coroutine->suspended = 0;
    if (brood__alarm_is_set(&coroutine->alarm))
        brood__alarms_remove(&loop->alarms, &coroutine->alarm);
    brood__list_remove(&coroutine->link);
    BROOD__COUNT(loop->n_suspended, -1u);
    brood__list_append(&loop->ready, &coroutine->link);
    loop->n_ready++;
}

/* A task that yields can go on by itself, so it needs no spare to be there. */
void brood__coroutine_yield(void)
{
    brood_loop_manager_t *loop = brood__loop_here;
    brood__coroutine_t *self = loop->running;

    brood__list_append(&loop->yielded, &self->link);
    loop->n_yielded++;
    if (BROOD__UNLIKELY(self->name != NULL))
        brood__watch_name(loop, NULL);
    suspend(self); /* (4) */
    if (BROOD__UNLIKELY(self->name != NULL))
        brood__watch_name(loop, self->name);
}

int brood__coroutine_interrupted(void)
{
    brood__coroutine_t *self = brood__loop_here->running;
    int interrupted = self->interrupt;

    self->interrupt = 0;
    return interrupted;
}

static int coroutine_canceled(brood__place_t *place)
{
    return ((brood__coroutine_t *)(void *)place)->loop->canceling;
}

static void coroutine_name(brood__place_t *place, const char *name)
{
    brood__coroutine_t *self = (brood__coroutine_t *)(void *)place;

    self->name = name;
    brood__watch_name(self->loop, name);
}

/* ---- the loop's own stack ----------------------------------------------- */

static apr_status_t may_block(brood__place_t *place)
{
    (void)place;
    return BROOD_EDEADLK;
}

static apr_status_t bare_sleep(brood__place_t *place, brood__sleep_t *sleep,
                               int64_t deadline, brood_future_t *on)
{
    (void)place;
    (void)deadline;
    (void)on;
    brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED);
    return BROOD_EDEADLK;
}

static void bare_wake(brood__place_t *place, brood__sleep_t *sleep)
{
    (void)place; /* nobody sleeps here */
    (void)sleep;
}

static int bare_canceled(brood__place_t *place)
{
    return BROOD__CONTAINER(place, brood_loop_manager_t, bare)->canceling;
}

/* ---- CANCEL -------------------------------------------------------------- */

void brood__coroutines_interrupt(brood_loop_manager_t *loop)
{
    interrupt(loop, &loop->ready);
    interrupt(loop, &loop->yielded);
    interrupt(loop, &loop->untimed);
    interrupt(loop, &loop->others);
}

/* Interrupting one moves that one only, to the end of `ready`. */
static void interrupt(brood_loop_manager_t *loop, brood__link_t *list)
{
    brood__link_t *link, *next;

    for (link = list->next; link != list; link = next) {
        brood__coroutine_t *coroutine = BROOD__CONTAINER(
            link, brood__coroutine_t, link);

        next = link->next;
        if (coroutine->task) {
            brood__future_end(coroutine->task, BROOD_ECANCELED, 0);
        } else if (coroutine->suspended && !coroutine->sleep->firm
                   && brood__sleep_try(coroutine->sleep,
                                       BROOD__SLEEP_INTERRUPTED)) {
            brood__coroutine_ready(loop, coroutine);
        } else {
            coroutine->interrupt = 1;
        }
    }
}
