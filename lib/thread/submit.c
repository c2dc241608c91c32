/* SPDX-License-Identifier: Apache-2.0 */

/*
 * submit.c: how a task is accepted.
 *
 * The fast path is: look at one word (`rare`), spend a credit of the scope,
 * write a slot, look at one word (`need`). Whatever is unusual about the
 * executor is a bit in `rare`; whatever is unusual about the task is in its
 * options; whatever is unusual about the caller (no lane yet, another scope than
 * last time) leaves the fast path too, which changes nothing before it is sure.
 */

#include "lineage/life.h"
#include "observe/log.h"
#include "observe/task_hooks.h"
#include "thread/submit.h"

static apr_status_t submit_with(brood_future_t **future,
                                brood__executor_t *executor, brood_task_fn *fn,
                                void *baton,
                                const brood_task_options_t *options);
static apr_status_t submit_made(brood_future_t **future,
                                brood__executor_t *executor,
                                brood_future_t *task, brood_task_fn *fn,
                                void *baton, const char *type);
static apr_status_t put(const brood__order_t *order, brood_task_fn *fn,
                        void *baton, brood_future_t *timed);
static apr_status_t put_lane(const brood__order_t *order, brood_task_fn *fn,
                             void *baton, brood_future_t *timed);

/* ---- the fast path ------------------------------------------------------ */

/* What the fast path calls is called last, or stands apart: then it has no need of
 * a stack. */
BROOD__NOINLINE static void publish(brood__executor_t *executor,
                                    brood__lane_t *lane)
{
    if (brood__lane_publish(lane))
        brood__executor_wake(executor);
    brood__lane_leave(lane);
}

/* There is room, and the scope was paid for. */
BROOD__INLINE void push_own(brood__worker_t *worker, brood_task_fn *fn,
                            void *baton, brood__scope_t *scope)
{
    brood__executor_t *executor = worker->executor;

    brood__deque_push(&worker->deque, fn, baton, scope);
    brood__store(&worker->spawned, brood__load(&worker->spawned, relaxed) + 1,
                 relaxed);
    brood__light_fence(&executor->inbox.fences); /* as (C) of inbox.h */
    if (BROOD__UNLIKELY(brood__load(&executor->inbox.need, relaxed)))
        brood__executor_wake(executor);
}

/* True: it is accepted. False: nothing happened, ask the slow path. */
BROOD__INLINE int put_fast_own(brood__worker_t *worker, brood_task_fn *fn,
                               void *baton)
{
    brood__executor_t *executor = worker->executor;
    brood__scope_t *scope = brood__self.now.scope;
    brood__purse_t *purse = &brood__self.purse;

    if (BROOD__UNLIKELY(
            brood__load(&executor->inbox.rare, relaxed) || purse->scope != scope
            || brood__deque_size(&worker->deque) >= BROOD__DEQUE - 1))
        return 0;
    brood__purse_take(purse);
    push_own(worker, fn, baton, scope);
    return 1;
}

BROOD__INLINE int put_fast_lane(brood__executor_t *executor, brood_task_fn *fn,
                                void *baton)
{
    brood__lane_t *lane = brood__inbox_enter_plain(&executor->inbox);

    if (BROOD__UNLIKELY(!lane))
        return 0;
    brood__lane_write(lane, fn, baton);
    if (!brood__lane_publish_plain(lane))
        publish(executor, lane);
    return 1;
}

BROOD__INLINE int put_fast(brood__executor_t *executor, brood_task_fn *fn,
                           void *baton)
{
    brood__worker_t *worker = brood__worker_self();

    return worker && worker->executor == executor
               ? put_fast_own(worker, fn, baton)
               : put_fast_lane(executor, fn, baton);
}

BROOD__NOINLINE static apr_status_t submit_future(brood_future_t **future,
                                                  brood__executor_t *executor,
                                                  brood_task_fn *fn,
                                                  void *baton)
{
    brood_future_t *task = brood__future_make(&executor->home, fn, baton, NULL);
    apr_status_t rv;

    if (!task)
        return submit_with(future, executor, fn, baton, NULL);
    task->scope = brood__self.now.scope;
    if (BROOD__LIKELY(put_fast(executor, brood__run_future, task))) {
        *future = task;
        return APR_SUCCESS;
    }
    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        return submit_made(future, executor, task, fn, baton, NULL);
    brood__future_unmake(task);
    return rv;
}

apr_status_t brood__executor_submit(brood_future_t **future,
                                    brood__executor_t *executor,
                                    brood_task_fn *fn, void *baton,
                                    const brood_task_options_t *options)
{
    if (future)
        *future = NULL;
    if (BROOD__UNLIKELY(options || !brood__self.now.scope))
        return submit_with(future, executor, fn, baton, options);
    if (future)
        return submit_future(future, executor, fn, baton);
    if (BROOD__LIKELY(put_fast(executor, fn, baton)))
        return APR_SUCCESS;
    return submit_with(NULL, executor, fn, baton, NULL);
}

/* ---- the slow path ------------------------------------------------------ */

/* Tries until it is accepted, refused, or run here. */
static apr_status_t submit_task(const brood__order_t *order,
                                brood_future_t *task, brood_task_fn *fn,
                                void *baton)
{
    int64_t deadline = 0;
    apr_status_t rv;

    do {
        if (!task)
            rv = put(order, fn, baton, NULL);
        else if (task->extra && (task->extra->priority || task->extra->delay))
            rv = brood__put_errands(order, &task);
        else
            rv = put(order, brood__run_future, task, task);
        rv = brood__wait_for_room(order, rv, &deadline);
    } while (rv == BROOD__RETRY);
    return rv;
}

static apr_status_t submit_with(brood_future_t **future,
                                brood__executor_t *executor, brood_task_fn *fn,
                                void *baton,
                                const brood_task_options_t *options)
{
    brood_task_options_t full;
    brood_future_t *task = NULL;
    apr_status_t rv;
    int needs;

    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = brood__task_options(&full, options, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS)
        rv = brood__task_timers(&full, 0);
    if (rv != APR_SUCCESS)
        return rv;
    if (future || needs) {
        task = brood__future_make(&executor->home, fn, baton,
                                  needs ? &full : NULL);
        if (!task)
            return APR_ENOMEM;
        task->scope = brood__self.now.scope;
    }
    return submit_made(future, executor, task, fn, baton, full.type);
}

/* `task` may be NULL; it is unmade when it is not accepted. */
static apr_status_t submit_made(brood_future_t **future,
                                brood__executor_t *executor,
                                brood_future_t *task, brood_task_fn *fn,
                                void *baton, const char *type)
{
    brood__order_t order = brood__order_for(executor, type, 1);
    apr_status_t rv = submit_task(&order, task, fn, baton);

    if (brood__runs_in_caller(&order, rv)) {
        brood__run_here(executor, task, fn, baton);
        rv = APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        brood__add(&executor->rejected, 1, relaxed);
        if (task)
            brood__future_unmake(task);
    } else if (future) {
        *future = task;
    } else if (task) {
        brood_future_release(task);
    }
    return rv;
}

/* ---- one slot ----------------------------------------------------------- */

/* `timed`: its queue timeout begins as soon as nothing can fail any more. */
static apr_status_t put(const brood__order_t *order, brood_task_fn *fn,
                        void *baton, brood_future_t *timed)
{
    brood__executor_t *executor = order->executor;
    brood__scope_t *scope = brood__self.now.scope;
    brood__worker_t *worker;
    unsigned rare;
    apr_status_t rv;

    if (!order->own)
        return put_lane(order, fn, baton, timed);
    worker = brood__worker_self();
    if (brood__deque_size(&worker->deque) >= BROOD__DEQUE - 1)
        return put_lane(order, fn, baton, timed);
    rare = brood__load(&executor->inbox.rare, relaxed);
    if (BROOD__UNLIKELY(rare)
        && (rv = brood__admit(order, rare)) != APR_SUCCESS)
        return rv;
    if (timed)
        brood__future_queued(timed);
    brood__purse_spend(&brood__self.purse, scope);
    push_own(worker, fn, baton, scope);
    return APR_SUCCESS;
}

static apr_status_t put_lane(const brood__order_t *order, brood_task_fn *fn,
                             void *baton, brood_future_t *timed)
{
    brood__executor_t *executor = order->executor;
    brood__scope_t *scope = brood__self.now.scope;
    brood__lane_t *lane = brood__inbox_lane(&executor->inbox);
    apr_status_t rv = APR_SUCCESS;
    unsigned rare;

    if (BROOD__UNLIKELY(!lane))
        return APR_ENOMEM;
    brood__purse_turn(&brood__self.purse, scope); /* may run releases */
    brood__lane_enter(lane);
    rare = brood__load(&executor->inbox.rare, relaxed);
    if (BROOD__UNLIKELY(rare))
        rv = brood__admit(order, rare);
    if (BROOD__UNLIKELY(rv != APR_SUCCESS)) {
        brood__lane_leave(lane);
        return rv;
    }
    if (BROOD__UNLIKELY(!brood__lane_room(lane))) {
        brood__lane_leave(lane);
        if (rare & BROOD__RARE_CAPACITY)
            brood__capacity_give(executor, order->n);
        return APR_ENOMEM;
    }
    if (timed)
        brood__future_queued(timed);
    brood__purse_spend(&brood__self.purse, scope);
    brood__lane_put(lane, fn, baton, scope);
    publish(executor, lane);
    return APR_SUCCESS;
}

/* Accepted by that, so it is counted as submitted, too. */
void brood__run_here(brood__executor_t *executor, brood_future_t *task,
                     brood_task_fn *fn, void *baton)
{
    brood__scope_t *scope = brood__self.now.scope;
    brood__frame_t saved;
    void *value = NULL;
    apr_status_t rv;

    brood__add(&executor->here, 1, relaxed);
    if (task) {
        (void)brood__future_claim(task, 0); /* nobody else knows it */
        rv = brood__future_run(task, scope);
    } else {
        unsigned hooked = brood__task_hooks_on() ? brood__task_hook_before(NULL)
                                                 : 0;

        brood__frame_begin(&saved, scope, NULL);
        rv = fn(baton, &value);
        brood__frame_end(&saved);
        brood__task_hook_after(hooked, NULL);
        if (rv != APR_SUCCESS && rv != BROOD_ECANCELED)
            brood__unobserved(rv, NULL);
    }
    brood__add(rv == APR_SUCCESS ? &executor->ran_outside
                                 : &executor->failed_outside,
               1, relaxed);
}
