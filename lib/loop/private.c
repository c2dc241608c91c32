/* SPDX-License-Identifier: Apache-2.0 */

/*
 * private.c: a loop for one coroutine, on a thread that has none.
 *
 * It belongs to a node of its own below the caller's, so that what runs on it
 * finds it as the nearest one, and nobody else does. When the call returns the
 * node dies, and the collector takes the loop.
 */

#include <brood/errors.h>

#include "lineage/life.h"
#include "loop/core.h"

typedef struct private_t {
    brood__waiter_t ended; /* in the coroutine's future */
    brood__place_t place;  /* where the calling task seems to sleep */
    brood__sleep_t sleep;
    brood__wait_t wait;
    atomic_int woken; /* the wake() of `place` is through */
    brood_loop_manager_t *loop;
    brood_task_fn *fn;
    void *baton;
    const brood_task_options_t *options;
    brood__frame_t frame; /* the caller's */
    brood_future_t *future;
    apr_status_t rv;
} private_t;

static void submit(void *baton);
static void stop(brood__waiter_t *ended, brood_future_t *future);
static int publish(private_t *self);
static void withdraw(private_t *self);
static void pass_on(brood__place_t *place, brood__sleep_t *sleep);

static const brood__place_ops_t passing_ops = { .wake = pass_on };

apr_status_t brood__loop_run_private(void **value, brood_task_fn *fn,
                                     void *baton,
                                     const brood_task_options_t *options)
{
    private_t self = { .fn = fn, .baton = baton, .options = options };
    brood__manager_t *manager = NULL;
    brood__frame_t saved;
    apr_status_t rv = brood__life_check();

    if (value)
        *value = NULL;
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    if (brood__loop_here)
        return BROOD_EDEADLK;

    brood__frame_begin(&saved, brood__self.now.scope, brood__self.now.task);
    if (!brood__self_node(1))
        rv = APR_ENOMEM;
    if (rv == APR_SUCCESS)
        rv = brood__manager_get(&manager, &brood__loop_kind, NULL,
                                BROOD_GET_FORCE_CREATE);
    if (rv == APR_SUCCESS) {
        self.loop = (brood_loop_manager_t *)(void *)manager;
        self.frame = brood__self.now;
        rv = brood__loop_run_here(self.loop, NULL, submit, &self);
    }
    if (rv == APR_SUCCESS)
        rv = self.rv;
    if (self.future) {
        withdraw(&self);
        rv = value && rv == APR_SUCCESS
                     && brood_future_result(self.future, NULL) == APR_SUCCESS
                 ? brood_future_take(self.future, value)
                 : brood_future_result(self.future, NULL);
        brood_future_release(self.future);
    }
    brood__frame_end(&saved);
    return rv;
}

/* On the loop, which just began: the coroutine stands where the caller does. */
static void submit(void *baton)
{
    private_t *self = baton;
    brood__frame_t own = brood__self.now;

    brood__self.now = self->frame;
    self->rv = brood_loop_manager_submit(&self->future, self->loop, self->fn,
                                         self->baton, self->options);
    self->frame = brood__self.now;
    brood__self.now = own;
    self->ended.fire = stop;
    if (self->rv != APR_SUCCESS
        || !brood__future_listen(self->future, &self->ended))
        stop(&self->ended, NULL);
    else if (self->frame.task && !publish(self))
        (void)brood_future_cancel(self->future);
}

/* It has ended; the rest is not waited for. */
static void stop(brood__waiter_t *ended, brood_future_t *future)
{
    unsigned unused;

    (void)future;
    (void)brood__loop_ask(BROOD__CONTAINER(ended, private_t, ended)->loop,
                          BROOD_STOP_CANCEL, &unused);
}

/* The calling task waits: for the coroutine, and for its own token. False: that
 * was raised before, and has interrupted nothing yet. */
static int publish(private_t *self)
{
    brood_future_t *task = self->frame.task;
    int clear;

    self->place.ops = &passing_ops;
    brood__sleep_init(&self->sleep);
    self->sleep.place = &self->place;
    self->wait.sleep = &self->sleep;
    self->wait.on = self->future;
    brood__future_lock(task);
    clear = !(brood__load(&task->state, relaxed) & BROOD__INTERRUPT);
    if (clear) {
        task->u.wait = &self->wait;
        brood__or(&task->state, (unsigned)BROOD__WAITING, relaxed);
    } else {
        brood__and(&task->state, ~(unsigned)BROOD__INTERRUPT, relaxed);
    }
    brood__future_unlock(task);
    return clear;
}

static void withdraw(private_t *self)
{
    brood_future_t *task = self->frame.task;

    if (!task || self->wait.sleep == NULL)
        return;
    brood__future_lock(task);
    brood__and(&task->state, ~(unsigned)BROOD__WAITING, relaxed);
    brood__future_unlock(task);
    if (brood__sleep_try(&self->sleep, BROOD__SLEEP_FIRED))
        return;
    while (!brood__load(&self->woken, acquire)) /* (L) */
        brood__os_yield();
    brood__and(&task->state, ~(unsigned)BROOD__INTERRUPT, relaxed);
}

/* On the canceler's thread. */
static void pass_on(brood__place_t *place, brood__sleep_t *sleep)
{
    private_t *self = BROOD__CONTAINER(place, private_t, place);

    (void)sleep;
    (void)brood_future_cancel(self->future);
    brood__store(&self->woken, 1, release); /* (L) */
}
