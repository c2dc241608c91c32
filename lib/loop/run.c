/* SPDX-License-Identifier: Apache-2.0 */

/* run.c: one run of a loop, from its first turn to its last. */

#include <brood/errors.h>

#include <string.h>

#include "base/fault.h"
#include "loop/core.h"
#include "observe/task_hooks.h"
#include "task/spin.h"

/* What a base opens: epoll, a timer, a pair for signals, one to be notified. */
#define BASE_DESCRIPTORS 8

static apr_status_t make_base(brood_loop_manager_t *loop);
static void reset(brood_loop_manager_t *loop);
static void open_up(brood_loop_manager_t *loop);
static void close_down(brood_loop_manager_t *loop);
static void call_hook(brood_loop_manager_t *loop,
                      void (*hook)(struct event_base *, void *));

apr_status_t brood__loop_prepare(brood_loop_manager_t *loop)
{
    apr_status_t rv;

    reset(loop);
    rv = make_base(loop);
    if (rv == APR_SUCCESS)
        rv = brood__spares_ready(loop);
    if (rv != APR_SUCCESS)
        brood__loop_unprepare(loop);
    return rv;
}

/* The spare ends itself, on the calling thread, which is no loop's. */
void brood__loop_unprepare(brood_loop_manager_t *loop)
{
    brood__place_t *place = brood__self.place;
    brood__frame_t frame = brood__self.now;

    (void)brood__os_context_home(&loop->context);
    brood__spares_fini(loop);
    brood__os_context_home_fini(&loop->context);
    brood__self.now = frame;
    brood__self.place = place;
    if (loop->evbase)
        event_base_free(loop->evbase);
    loop->evbase = NULL;
}

void brood__loop_serve(brood_loop_manager_t *loop, void (*first)(void *baton),
                       void *baton)
{
    brood__place_t *place = brood__self.place;
    brood__frame_t frame = brood__self.now;

    brood__loop_here = loop;
    brood__self.place = &loop->bare;
    brood__self.now = loop->frame;
    (void)brood__os_context_home(&loop->context); /* worked before */
    brood__add(&brood__busy.n, 1, relaxed);

    open_up(loop);
    if (first)
        first(baton);
    call_hook(loop, loop->set.on_start);
    if (loop->started)
        brood__gate_open(loop->started);
    while (!loop->finished)
        brood__loop_turn(loop);
    call_hook(loop, loop->set.on_exit);
    close_down(loop);

    brood__sub(&brood__busy.n, 1, relaxed);
    brood__os_context_home_fini(&loop->context);
    brood__self_rest();
    brood__self.now = frame;
    brood__self.place = place;
    brood__loop_here = NULL;
}

void brood__loop_obey(brood_loop_manager_t *loop, unsigned asked)
{
    if (!loop->stopping) {
        loop->stopping = 1;
        brood__inbox_settle(&loop->inbox); /* CLOSED was set by the asker */
        call_hook(loop, loop->set.on_stop);
        brood__loop_cancel_delayed(loop);
    }
    if ((asked & BROOD__LOOP_CANCEL) && !loop->canceling) {
        loop->canceling = 1;
        brood__coroutines_interrupt(loop);
    }
    loop->obeyed = asked;
}

/* (4) is near when nothing is queued, nothing has begun, and nobody is on his
 * way here. What notices call may submit once more. */
int brood__loop_end_step(brood_loop_manager_t *loop)
{
    if (loop->spares.n != loop->spares.n_all)
        return 0; /* suspended tasks: sleep until they go on */
    if (brood__loop_some(loop))
        return 1;
    if (loop->n_delayed) {
        brood__loop_cancel_delayed(loop);
        if (loop->n_delayed) /* its canceler is about to tell us */
            brood__os_yield();
        return 1;
    }
    if (!loop->notices_closed) {
        loop->notices_closed = 1;
        brood__notices_close(&loop->notices);
        return 1;
    }
    if (brood__load(&loop->inside, acquire)) { /* (H) */
        brood__os_yield();
        return 1;
    }
    if (!brood__loop_some(loop)) /* what they brought */
        loop->finished = 1;
    return 1;
}

static apr_status_t make_base(brood_loop_manager_t *loop)
{
    brood__os_context_t here;
    apr_status_t rv = brood__os_context_home(&here);

    if (rv != APR_SUCCESS)
        return rv; /* this machine cannot switch stacks */
    brood__os_context_home_fini(&here);
    /* libevent 2.1 calls exit() when it has no descriptors for its socket pair. */
    if (!brood__os_descriptors(BASE_DESCRIPTORS))
        return APR_EGENERAL;
    loop->evbase = event_base_new();
    if (!loop->evbase)
        return APR_EGENERAL;
    if (event_assign(&loop->wake, loop->evbase, -1, EV_PERSIST,
                     brood__loop_on_wake, loop)
            != 0
        || evtimer_assign(&loop->tick, loop->evbase, brood__loop_on_tick, loop)
               != 0)
        return APR_ENOMEM;
    return APR_SUCCESS;
}

/* As if nothing had ever run, but for the counters. */
static void reset(brood_loop_manager_t *loop)
{
    brood__store(&loop->asked, 0, relaxed);
    brood__store(&loop->inbox.need, 0, relaxed);
    loop->at = loop->until = loop->n = 0;
    loop->single.fn = NULL;
    loop->quota = BROOD__BATCH;
    loop->used = loop->obeyed = 0;
    loop->stopping = loop->canceling = 0;
    loop->notices_closed = loop->finished = 0;
    loop->now = loop->polled = brood__os_now();
    memset(&loop->alarms, 0, sizeof(loop->alarms));
    memset(&loop->delays, 0, sizeof(loop->delays));
    loop->n_delayed = 0;
    loop->spin_rest = loop->spin_pause = loop->calm = 0;
    brood__list_init(&loop->ready);
    brood__list_init(&loop->yielded);
    brood__list_init(&loop->errands);
    brood__list_init(&loop->late);
    loop->late_next = 0;
    brood__list_init(&loop->untimed);
    brood__list_init(&loop->others);
    loop->n_ready = 0;
    loop->n_yielded = 0;
    memset(&loop->spares, 0, sizeof(loop->spares));
    loop->frame.scope = loop->base.service;
    loop->running = NULL;
    loop->evbase = NULL;
    loop->ticking = 0;
}

/* (2) */
static void open_up(brood_loop_manager_t *loop)
{
    unsigned rare = loop->set.task_type ? BROOD__LOOP_TYPED : 0;

    brood__store(&loop->hooks, brood__task_hooks_on(), relaxed);
    brood__notices_open(&loop->notices);
    brood__lock(&loop->lock);
    loop->state = BROOD__LOOP_RUNNING;
    brood__store(&loop->ever, 1, relaxed);
    if (!(brood__load(&loop->inbox.rare, relaxed) & BROOD__LOOP_FORKED))
        /* (I) Who sees this sees all that belongs to the run. */
        brood__store(&loop->inbox.rare, rare, release);
    brood__cond_wake_all(&loop->changed);
    brood__unlock(&loop->lock);
    brood__watch_start(loop);
}

static void close_down(brood_loop_manager_t *loop)
{
    struct event_base *base = loop->evbase;

    brood__watch_stop(loop);
    brood__spares_fini(loop);
    brood__lock(&loop->lock); /* for brood_loop_manager_event_base() */
    loop->evbase = NULL;
    brood__unlock(&loop->lock);
    event_base_free(base);
}

static void call_hook(brood_loop_manager_t *loop,
                      void (*hook)(struct event_base *, void *))
{
    if (!hook)
        return;
    brood__lock_none_held();
    brood__watch_beat(loop, NULL);
    hook(loop->evbase, loop->set.hook_baton);
    brood__loop_stand(loop);
}
