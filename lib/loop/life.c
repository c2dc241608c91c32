/* SPDX-License-Identifier: Apache-2.0 */

/* life.c: starting, stopping, ending. The states are drawn in core.h. */

#include <brood/errors.h>
#include <brood/loop_manager.h>

#include <string.h>

#include "base/alloc.h"
#include "base/versioned.h"
#include "lineage/life.h"
#include "loop/core.h"
#include "task/rest.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1                                                       \
    BROOD__SIZE_TO(brood_loop_manager_options_t, hook_baton)

#define BLOCK_WARNING 100000 /* us */
#define STACK_SIZE    (256u * 1024u)
#define LEAST_STACK   (32u * 1024u)
#define MOST_STACK    ((size_t)1 << 30)

static apr_status_t read_options(brood__loop_settings_t *set,
                                 const brood_loop_manager_t *loop,
                                 const brood_loop_manager_options_t *options);
static void free_settings(brood__loop_settings_t *set);
static apr_status_t enter_starting(brood_loop_manager_t *loop);
static void leave_starting(brood_loop_manager_t *loop, apr_status_t rv,
                           brood__loop_settings_t *other,
                           brood__thread_t *thread);
static void thread_main(void *loop);
static apr_status_t wait_rest(brood_loop_manager_t *loop, unsigned mine,
                              int64_t deadline);
static void join_locked(brood_loop_manager_t *loop) BROOD__REQUIRES(loop->lock);

BROOD__THREAD_LOCAL brood_loop_manager_t *brood__loop_here;

/* ---- starting ------------------------------------------------------------ */

apr_status_t brood_loop_manager_start(
    brood_loop_manager_t *manager, const brood_loop_manager_options_t *options)
{
    brood__thread_t *thread = NULL;
    brood__loop_settings_t other;
    brood__gate_t started;
    apr_status_t rv;

    if (!manager)
        return APR_EINVAL;
    brood__gate_init(&started);
    rv = brood__loop_begin(manager, options, &other);
    if (rv != APR_SUCCESS)
        return rv;
    manager->started = &started;
    rv = brood__thread_start(&thread, thread_main, manager,
                             manager->set.thread_name, 0);
    if (rv == APR_SUCCESS)
        brood__gate_wait(&started, -1);
    else
        brood__loop_unprepare(manager);
    leave_starting(manager, rv, &other, thread);
    return rv;
}

apr_status_t brood_loop_manager_run(brood_loop_manager_t *manager,
                                    const brood_loop_manager_options_t *options)
{
    apr_status_t rv;

    if (!manager)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    if (brood__loop_here || brood__self.place || brood__self.library
        || (brood__self.now.flags & BROOD__FRAME_IN_TASK))
        return BROOD_EDEADLK;
    return brood__loop_run_here(manager, options, NULL, NULL);
}

apr_status_t brood__loop_run_here(brood_loop_manager_t *loop,
                                  const brood_loop_manager_options_t *options,
                                  void (*first)(void *baton), void *baton)
{
    brood__loop_settings_t other;
    apr_status_t rv = brood__loop_begin(loop, options, &other);

    if (rv != APR_SUCCESS)
        return rv;
    loop->started = NULL;
    leave_starting(loop, APR_SUCCESS, &other, NULL);
    brood__manager_retain(&loop->base); /* beyond (4) */
    brood__loop_serve(loop, first, baton);
    brood__loop_rest(loop);
    brood__manager_release(&loop->base);
    return APR_SUCCESS;
}

apr_status_t brood__loop_begin(brood_loop_manager_t *loop,
                               const brood_loop_manager_options_t *options,
                               brood__loop_settings_t *other)
{
    brood__loop_settings_t swap;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS)
        rv = read_options(other, loop, options);
    if (rv != APR_SUCCESS)
        return rv;
    rv = enter_starting(loop);
    if (rv != APR_SUCCESS) {
        free_settings(other);
        return rv;
    }
    brood__lock(&loop->lock); /* for those who read the task type */
    swap = loop->set;
    loop->set = *other;
    *other = swap;
    brood__unlock(&loop->lock);
    rv = brood__loop_prepare(loop);
    if (rv != APR_SUCCESS)
        leave_starting(loop, rv, other, NULL);
    return rv;
}

/* (1), alone. */
static apr_status_t enter_starting(brood_loop_manager_t *loop)
{
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&loop->lock);
    while (loop->state == BROOD__LOOP_STARTING
           || (loop->state == BROOD__LOOP_RESTING
               && (loop->joining || loop->thread))) {
        if (loop->state == BROOD__LOOP_RESTING)
            join_locked(loop);
        else
            brood__cond_wait(&loop->changed, &loop->lock, -1);
    }
    if (brood__load(&loop->base.retiring, acquire))
        rv = BROOD_ESTOPPED;
    else if (loop->state == BROOD__LOOP_RUNNING)
        rv = BROOD_EALREADY;
    else if (loop->state == BROOD__LOOP_STOPPING)
        rv = BROOD_EPENDING;
    else {
        loop->state = BROOD__LOOP_STARTING;
        loop->joining = 1; /* until the thread, if any, is in its place */
    }
    brood__unlock(&loop->lock);
    return rv;
}

/* The starter is through: with success the run has begun, may even have ended,
 * and its thread can be joined by anyone; else (5), with the old settings. */
static void leave_starting(brood_loop_manager_t *loop, apr_status_t rv,
                           brood__loop_settings_t *other,
                           brood__thread_t *thread)
{
    brood__loop_settings_t swap;

    brood__lock(&loop->lock);
    if (rv != APR_SUCCESS) {
        swap = loop->set;
        loop->set = *other;
        *other = swap;
        loop->state = BROOD__LOOP_RESTING;
    }
    loop->thread = thread;
    loop->joining = 0;
    brood__cond_wake_all(&loop->changed);
    brood__unlock(&loop->lock);
    free_settings(other);
}

static void thread_main(void *baton)
{
    brood_loop_manager_t *loop = baton;

    brood__self_library(loop->base.service);
    brood__loop_serve(loop, NULL, NULL);
    brood__self_exit();
    brood__loop_rest(loop);
}

/* (4). Who waits may free the manager only after he has joined this thread, or,
 * on a thread of the program's own, when its reference is gone. */
void brood__loop_rest(brood_loop_manager_t *loop)
{
    brood__link_t *link;
    int retire;

    brood__lock(&loop->lock);
    loop->state = BROOD__LOOP_RESTING;
    loop->rests++;
    retire = loop->retire;
    loop->retire = 0;
    while ((link = brood__list_pop(&loop->resters)))
        brood__sleep_fire(&BROOD__CONTAINER(link, brood__rester_t, link)->sleep,
                          BROOD__SLEEP_FIRED);
    brood__cond_wake_all(&loop->changed);
    brood__unlock(&loop->lock);
    if (retire)
        brood__manager_retired(&loop->base);
}

/* ---- stopping ------------------------------------------------------------ */

apr_status_t brood_loop_manager_stop(brood_loop_manager_t *manager,
                                     brood_stop_e how,
                                     apr_interval_time_t timeout)
{
    const brood__place_ops_t *place = brood__place()->ops;
    unsigned mine;
    apr_status_t rv;

    if (!manager || (how != BROOD_STOP_DRAIN && how != BROOD_STOP_CANCEL))
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv == APR_SUCCESS && brood__load(&manager->base.retiring, acquire))
        rv = BROOD_ESTOPPED;
    if (rv == APR_SUCCESS)
        rv = brood__loop_ask(manager, how, &mine);
    if (rv != APR_SUCCESS)
        return rv;
    if (brood__loop_here == manager)
        return timeout == 0 ? APR_TIMEUP : BROOD_EDEADLK;
    if (timeout != 0 && place->may_block
        && place->may_block(brood__place()) != APR_SUCCESS
        && wait_rest(manager, mine, 0) != APR_SUCCESS)
        return BROOD_EDEADLK;
    return wait_rest(manager, mine, timeout ? brood__deadline(timeout) : 0);
}

apr_status_t brood__loop_ask(brood_loop_manager_t *loop, brood_stop_e how,
                             unsigned *mine)
{
    unsigned bits = BROOD__LOOP_STOP
                    | (how == BROOD_STOP_CANCEL ? BROOD__LOOP_CANCEL : 0u);
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&loop->lock);
    while (loop->state == BROOD__LOOP_STARTING)
        brood__cond_wait(&loop->changed, &loop->lock, -1);
    *mine = loop->rests;
    if (loop->state == BROOD__LOOP_RESTING) {
        --*mine; /* that run has ended already */
        rv = brood__load(&loop->ever, relaxed) ? APR_SUCCESS
                                               : BROOD_ENOTSTARTED;
    } else {
        loop->state = BROOD__LOOP_STOPPING; /* (3) */
        brood__or(&loop->inbox.rare, (unsigned)BROOD__LOOP_CLOSED, relaxed);
        brood__or(&loop->asked, bits, release);  /* (J) */
        brood__light_fence(&loop->inbox.fences); /* (C) */
        if (loop->evbase)
            brood__loop_notify(loop);
    }
    brood__unlock(&loop->lock);
    return rv;
}

static apr_status_t rest_for_ever(const brood_loop_manager_t *loop,
                                  brood__sleep_t *sleep)
{
    brood__rest_t rest;
    apr_status_t rv;

    if (!brood__rest_enter(&rest, loop, sleep))
        return BROOD_EDEADLK;
    rv = brood__sleep(sleep, -1, NULL, 0);
    brood__rest_leave(&rest);
    return rv;
}

/* Wait until the run number `mine` has ended, and its thread too. */
static apr_status_t wait_rest(brood_loop_manager_t *loop, unsigned mine,
                              int64_t deadline)
{
    brood__rester_t rester;
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&loop->lock);
    while (loop->rests == mine && rv == APR_SUCCESS) {
        if (deadline == 0) {
            rv = APR_TIMEUP;
            break;
        }
        brood__sleep_init(&rester.sleep);
        brood__list_append(&loop->resters, &rester.link);
        brood__unlock(&loop->lock);
        if (deadline >= 0)
            rv = brood__sleep(&rester.sleep, deadline, NULL, 0);
        else
            rv = rest_for_ever(loop, &rester.sleep);
        brood__lock(&loop->lock);
        brood__list_remove(&rester.link);
    }
    if (loop->rests != mine) {
        rv = APR_SUCCESS;
        if (loop->rests == mine + 1)
            join_locked(loop);
    }
    brood__unlock(&loop->lock);
    return rv;
}

void brood__loop_join(brood_loop_manager_t *loop)
{
    brood__lock(&loop->lock);
    join_locked(loop);
    brood__unlock(&loop->lock);
}

/* Join the thread of a run that has ended, or wait until somebody else has. */
static void join_locked(brood_loop_manager_t *loop)
{
    brood__thread_t *thread = loop->thread;

    if (thread && !loop->joining && loop->state == BROOD__LOOP_RESTING) {
        loop->thread = NULL;
        loop->joining = 1;
        brood__unlock(&loop->lock);
        brood__thread_join(thread);
        brood__lock(&loop->lock);
        loop->joining = 0;
        brood__cond_wake_all(&loop->changed);
    }
    while (loop->joining && loop->state == BROOD__LOOP_RESTING)
        brood__cond_wait(&loop->changed, &loop->lock, -1);
}

/* ---- settings ------------------------------------------------------------ */

static apr_status_t read_options(brood__loop_settings_t *set,
                                 const brood_loop_manager_t *loop,
                                 const brood_loop_manager_options_t *options)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    const char *name;

    if (brood__versioned_take(&o, sizeof(o), options, OPTIONS_SIZE_0_1)
            != APR_SUCCESS
        || o.stack_size > MOST_STACK || o.block_warning > INT64_MAX / 2000)
        return APR_EINVAL;
    memset(set, 0, sizeof(*set));
    set->daemon = o.daemon;
    set->block_warning = o.block_warning < 0 ? -1
                         : o.block_warning   ? o.block_warning * 1000
                                             : BLOCK_WARNING * (int64_t)1000;
    set->stack_size = o.stack_size ? o.stack_size : STACK_SIZE;
    if (set->stack_size < LEAST_STACK)
        set->stack_size = LEAST_STACK;
    set->spin = o.spin < 0 ? -1 : o.spin * (int64_t)1000;
    set->on_start = o.on_start;
    set->on_stop = o.on_stop;
    set->on_exit = o.on_exit;
    set->hook_baton = o.hook_baton;

    name = o.thread_name ? o.thread_name : loop->base.id;
    set->thread_name = brood__strdup(name ? name : "brood-loop");
    set->task_type = brood__strdup(o.task_type);
    if (set->thread_name && (set->task_type || !o.task_type))
        return APR_SUCCESS;
    free_settings(set);
    return APR_ENOMEM;
}

static void free_settings(brood__loop_settings_t *set)
{
    brood__free(set->task_type);
    brood__free(set->thread_name);
    memset(set, 0, sizeof(*set));
}
