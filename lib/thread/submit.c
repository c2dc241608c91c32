/* SPDX-License-Identifier: Apache-2.0 */

/*
 * submit.c: how a task is accepted.
 *
 * The fast path is: look at one word (`rare`), spend a credit of the scope,
 * write a slot, look at one word (`need`). Whatever is unusual about the
 * executor is a bit in `rare`; whatever is unusual about the task is in its
 * options.
 *
 * `rare` is looked at inside the lane's enter and leave (inbox.h, D). So what is
 * settled while no submit is under way (the task type) may be read in there
 * without a lock: a stop waits for us before a start can change it.
 */

#include <limits.h>
#include <string.h>

#include <brood/thread_manager.h>

#include "base/alloc.h"
#include "observe/log.h"
#include "thread/worker.h"

/* One submit, or several of one call. */
typedef struct order_t {
    brood__executor_t *executor;
    const char *type;
    int own; /* the caller is one of the executor's workers */
    int n;   /* tasks */
} order_t;

static apr_status_t submit_with(brood_future_t **future,
                                brood__executor_t *executor, brood_task_fn *fn,
                                void *baton,
                                const brood_task_options_t *options);
static apr_status_t put(const order_t *order, brood_task_fn *fn, void *baton,
                        brood_future_t *timed);
static apr_status_t put_lane(const order_t *order, brood_task_fn *fn,
                             void *baton, brood_future_t *timed);
static apr_status_t put_errand(const order_t *order, brood_future_t *future);
static apr_status_t admit(const order_t *order, unsigned rare);
static apr_status_t admit_state(const order_t *order);
static apr_status_t wait_for_room(const order_t *order, apr_status_t rv,
                                  int64_t *deadline);
static int runs_in_caller(const order_t *order, apr_status_t rv);

static order_t order_for(brood__executor_t *executor, const char *type, int n)
{
    brood__worker_t *worker = brood__worker_self();
    order_t order = { executor, type,
                      worker && worker->executor == executor, n };

    return order;
}

apr_status_t brood__executor_submit(brood_future_t **future,
                                    brood__executor_t *executor,
                                    brood_task_fn *fn, void *baton,
                                    const brood_task_options_t *options)
{
    order_t order;
    brood_future_t *task;
    apr_status_t rv;

    if (future)
        *future = NULL;
    if (BROOD__UNLIKELY(options
                        || brood__load(&executor->inbox.rare, relaxed)))
        return submit_with(future, executor, fn, baton, options);
    rv = brood__self_ready();
    if (BROOD__UNLIKELY(rv != APR_SUCCESS))
        return rv;
    order = order_for(executor, NULL, 1);
    if (!future) {
        rv = put(&order, fn, baton, NULL);
    } else {
        task = brood__future_make(&executor->home, fn, baton, NULL);
        if (!task)
            return APR_ENOMEM;
        task->scope = brood__self.now.scope;
        rv = put(&order, brood__run_future, task, NULL);
        if (BROOD__LIKELY(rv == APR_SUCCESS))
            *future = task;
        else
            brood__future_unmake(task);
    }
    /* It was stopped this very moment: the slow path knows what to say. */
    return BROOD__LIKELY(rv == APR_SUCCESS)
               ? rv
               : submit_with(future, executor, fn, baton, NULL);
}

/* Tries until it is accepted, refused, or run here. */
static apr_status_t submit_task(const order_t *order, brood_future_t *task,
                                brood_task_fn *fn, void *baton)
{
    int64_t deadline = 0;
    apr_status_t rv;

    do {
        if (!task)
            rv = put(order, fn, baton, NULL);
        else if (task->extra && (task->extra->priority || task->extra->delay))
            rv = put_errand(order, task);
        else
            rv = put(order, brood__run_future, task, task);
        rv = wait_for_room(order, rv, &deadline);
    } while (rv == APR_EAGAIN);
    return rv;
}

static apr_status_t submit_with(brood_future_t **future,
                                brood__executor_t *executor, brood_task_fn *fn,
                                void *baton,
                                const brood_task_options_t *options)
{
    brood_task_options_t full;
    brood_future_t *task = NULL;
    order_t order;
    apr_status_t rv;
    int needs;

    rv = brood__task_options(&full, options, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    order = order_for(executor, full.type, 1);
    if (future || needs) {
        task = brood__future_make(&executor->home, fn, baton,
                                  needs ? &full : NULL);
        if (!task)
            return APR_ENOMEM;
        task->scope = brood__self.now.scope;
    }
    rv = submit_task(&order, task, fn, baton);
    if (runs_in_caller(&order, rv))
        rv = brood__run_here(task, fn, baton);
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
static apr_status_t put(const order_t *order, brood_task_fn *fn, void *baton,
                        brood_future_t *timed)
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
    if (BROOD__UNLIKELY(rare) && (rv = admit(order, rare)) != APR_SUCCESS)
        return rv;
    if (timed)
        brood__future_queued(timed);
    brood__purse_spend(&brood__self.purse, scope);
    brood__deque_push(&worker->deque, fn, baton, scope);
    brood__store(&worker->spawned, brood__load(&worker->spawned, relaxed) + 1,
                 relaxed);
    brood__light_fence(); /* as (C) of inbox.h */
    if (BROOD__UNLIKELY(brood__load(&executor->inbox.need, relaxed)))
        brood__executor_wake(executor);
    return APR_SUCCESS;
}

static apr_status_t put_lane(const order_t *order, brood_task_fn *fn,
                             void *baton, brood_future_t *timed)
{
    brood__executor_t *executor = order->executor;
    brood__scope_t *scope = brood__self.now.scope;
    brood__lane_t *lane = brood__inbox_lane(&executor->inbox);
    apr_status_t rv = APR_SUCCESS;
    unsigned rare;

    if (BROOD__UNLIKELY(!lane))
        return APR_ENOMEM;
    brood__lane_enter(lane);
    rare = brood__load(&executor->inbox.rare, relaxed);
    if (BROOD__UNLIKELY(rare))
        rv = admit(order, rare);
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
    if (brood__lane_publish(lane))
        brood__executor_wake(executor);
    brood__lane_leave(lane);
    return APR_SUCCESS;
}

/* ---- errands ------------------------------------------------------------ */

static apr_status_t put_errand(const order_t *order, brood_future_t *future)
{
    brood__executor_t *executor = order->executor;
    brood__extra_t *extra = future->extra;
    unsigned rare = brood__load(&executor->inbox.rare, relaxed);
    apr_status_t rv = APR_SUCCESS;

    if (rare)
        rv = admit(order, rare);
    if (rv != APR_SUCCESS)
        return rv;
    brood__purse_spend(&brood__self.purse, future->scope);
    extra->errand.scope = future->scope;
    brood__lock(&executor->lock);
    rv = admit_state(order); /* a stop may have begun since */
    if (rv == APR_SUCCESS && executor->n_threads == 0 && !extra->delay)
        rv = brood__executor_spawn(executor, 0);
    if (rv == APR_SUCCESS && extra->delay) {
        brood__executor_delay(executor, future);
    } else if (rv == APR_SUCCESS) {
        brood__future_queued(future);
        brood__errand_push(executor, &extra->errand,
                           extra->priority < 0 ? BROOD__ERRAND_LOW
                                               : BROOD__ERRAND_URGENT);
    }
    executor->n_errands_put += rv == APR_SUCCESS;
    brood__unlock(&executor->lock);
    if (rv != APR_SUCCESS) {
        brood__purse_earn(&brood__self.purse, future->scope);
        if (rare & BROOD__RARE_CAPACITY)
            brood__capacity_give(executor, order->n);
    }
    return rv;
}

/* ---- what is unusual ---------------------------------------------------- */

static apr_status_t admit(const order_t *order, unsigned rare)
{
    brood__executor_t *executor = order->executor;
    apr_status_t rv = APR_SUCCESS;

    if (rare & BROOD__RARE_FORKED)
        return BROOD_EFORKED;
    if (rare & BROOD__RARE_CLOSED) {
        brood__lock(&executor->lock);
        rv = admit_state(order);
        brood__unlock(&executor->lock);
    }
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_TYPED)
        && (!order->type || strcmp(order->type, executor->task_type) != 0))
        rv = BROOD_ETASKTYPE;
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_NOBODY)) {
        brood__lock(&executor->lock);
        if (executor->n_threads == 0)
            rv = brood__executor_spawn(executor, 0);
        /* or the last worker is about to leave, and now stays */
        brood__and(&executor->inbox.rare, ~(unsigned)BROOD__RARE_NOBODY,
                   relaxed);
        brood__unlock(&executor->lock);
    }
    if (rv == APR_SUCCESS && (rare & BROOD__RARE_CAPACITY))
        rv = brood__capacity_take(executor, order->n);
    return rv;
}

static apr_status_t admit_state(const order_t *order)
    BROOD__NO_ANALYSIS
{
    brood__executor_t *executor = order->executor;

    if (executor->state == BROOD__RUNS)
        return APR_SUCCESS;
    if (executor->state == BROOD__STOPPING && order->own
        && !executor->cancelling)
        return APR_SUCCESS;
    return executor->ever_started ? BROOD_ESTOPPED : BROOD_ENOTSTARTED;
}

/* BROOD_EFULL with a manager that blocks: wait for room, then APR_EAGAIN. */
static apr_status_t wait_for_room(const order_t *order, apr_status_t rv,
                                  int64_t *deadline)
{
    brood__executor_t *executor = order->executor;

    if (rv == BROOD_ETASKTYPE)
        brood__log(BROOD_LOG_INFO,
                   "'%s' accepts tasks of type '%s': one of %s%s%s was refused",
                   executor->prefix ? executor->prefix : "brood",
                   executor->task_type, order->type ? "type '" : "no type",
                   order->type ? order->type : "", order->type ? "'" : "");
    if (rv != BROOD_EFULL
        || executor->options.when_full != BROOD_WHEN_FULL_BLOCK || order->own
        || order->n > executor->options.capacity)
        return rv;
    if (*deadline == 0)
        *deadline = executor->options.full_timeout < 0
                        ? -1
                        : brood__os_now() + executor->options.full_timeout;
    rv = brood__capacity_wait(executor, *deadline);
    return rv == APR_SUCCESS ? APR_EAGAIN : rv;
}

static int runs_in_caller(const order_t *order, apr_status_t rv)
{
    int when_full = order->executor->options.when_full;

    return rv == BROOD_EFULL
           && (when_full == BROOD_WHEN_FULL_RUN
               || (when_full == BROOD_WHEN_FULL_BLOCK && order->own));
}

apr_status_t brood__run_here(brood_future_t *task, brood_task_fn *fn,
                             void *baton)
{
    brood__scope_t *scope = brood__self.now.scope;
    brood__frame_t saved;
    void *value = NULL;
    apr_status_t rv;

    if (task) {
        if (brood__future_claim(task, 0))
            brood__future_run(task, scope);
        else
            brood__future_drop(task);
        return APR_SUCCESS;
    }
    brood__frame_begin(&saved, scope, NULL);
    rv = fn(baton, &value);
    brood__frame_end(&saved);
    if (rv != APR_SUCCESS)
        brood__unobserved(rv, NULL);
    return APR_SUCCESS;
}

/* ---- several ------------------------------------------------------------ */

static void put_all(const order_t *order, brood__lane_t *lane,
                    brood_future_t **made, const brood_task_t *tasks)
{
    brood__scope_t *scope = brood__self.now.scope;

    for (int i = 0; i < order->n; i++) {
        if (made)
            brood__future_queued(made[i]);
        brood__purse_spend(&brood__self.purse, scope);
        brood__lane_put(lane, made ? brood__run_future : tasks[i].fn,
                        made ? made[i] : tasks[i].baton, scope);
    }
}

/* All or none, in one lane. */
static apr_status_t put_many(const order_t *order, brood_future_t **made,
                             const brood_task_t *tasks)
{
    brood__executor_t *executor = order->executor;
    brood__lane_t *lane = brood__inbox_lane(&executor->inbox);
    apr_status_t rv = APR_SUCCESS;
    unsigned rare;

    if (!lane)
        return APR_ENOMEM;
    brood__lane_enter(lane);
    rare = brood__load(&executor->inbox.rare, relaxed);
    if (rare)
        rv = admit(order, rare);
    if (rv == APR_SUCCESS) {
        if (brood__lane_reserve(lane, (size_t)order->n)) {
            put_all(order, lane, made, tasks);
            if (brood__lane_publish(lane))
                brood__executor_wake(executor);
        } else {
            rv = APR_ENOMEM;
            if (rare & BROOD__RARE_CAPACITY)
                brood__capacity_give(executor, order->n);
        }
    }
    brood__lane_leave(lane);
    return rv;
}

/* As errands they are accepted one by one, but only a stop or a lack of threads
 * can refuse one, and both are looked at under the same lock. */
static apr_status_t put_errands(const order_t *order, brood_future_t **made)
{
    brood__executor_t *executor = order->executor;
    unsigned rare = brood__load(&executor->inbox.rare, relaxed);
    apr_status_t rv = rare ? admit(order, rare) : APR_SUCCESS;
    int i;

    if (rv != APR_SUCCESS)
        return rv;
    for (i = 0; i < order->n; i++) {
        brood__purse_spend(&brood__self.purse, made[i]->scope);
        made[i]->extra->errand.scope = made[i]->scope;
    }
    brood__lock(&executor->lock);
    rv = admit_state(order);
    if (rv == APR_SUCCESS && executor->n_threads == 0)
        rv = brood__executor_spawn(executor, 0);
    for (i = 0; i < order->n && rv == APR_SUCCESS; i++) {
        if (made[i]->extra->delay) {
            brood__executor_delay(executor, made[i]);
            continue;
        }
        brood__future_queued(made[i]);
        brood__errand_push(executor, &made[i]->extra->errand,
                           made[i]->extra->priority < 0
                               ? BROOD__ERRAND_LOW
                               : BROOD__ERRAND_URGENT);
    }
    executor->n_errands_put += rv == APR_SUCCESS ? (unsigned)order->n : 0;
    brood__unlock(&executor->lock);
    for (i = 0; i < order->n && rv != APR_SUCCESS; i++)
        brood__purse_earn(&brood__self.purse, made[i]->scope);
    if (rv != APR_SUCCESS && (rare & BROOD__RARE_CAPACITY))
        brood__capacity_give(executor, order->n);
    return rv;
}

static void unmake_all(brood_future_t **made, size_t n)
{
    while (made && n > 0)
        brood__future_unmake(made[--n]);
}

static apr_status_t make_all(brood_future_t **made, brood__executor_t *executor,
                             const brood_task_t *tasks, size_t n,
                             const brood_task_options_t *options)
{
    size_t i;

    for (i = 0; i < n; i++) {
        made[i] = brood__future_make(&executor->home, tasks[i].fn,
                                     tasks[i].baton, options);
        if (!made[i]) {
            unmake_all(made, i);
            return APR_ENOMEM;
        }
        made[i]->scope = brood__self.now.scope;
    }
    return APR_SUCCESS;
}

static apr_status_t submit_made(const order_t *order, brood_future_t **made,
                                const brood_task_t *tasks,
                                const brood_task_options_t *full)
{
    int64_t deadline = 0;
    apr_status_t rv;

    do {
        rv = full->priority || full->delay ? put_errands(order, made)
                                           : put_many(order, made, tasks);
        rv = wait_for_room(order, rv, &deadline);
    } while (rv == APR_EAGAIN);
    if (runs_in_caller(order, rv)) {
        for (int i = 0; i < order->n; i++)
            brood__run_here(made ? made[i] : NULL, tasks[i].fn,
                            tasks[i].baton);
        rv = APR_SUCCESS;
    }
    if (rv != APR_SUCCESS)
        brood__add(&order->executor->rejected, (unsigned)order->n, relaxed);
    return rv;
}

apr_status_t brood__executor_submit_many(brood_future_t **futures,
                                         brood__executor_t *executor,
                                         const brood_task_t *tasks, size_t n,
                                         const brood_task_options_t *options)
{
    brood_task_options_t full;
    brood_future_t **made = futures;
    order_t order;
    apr_status_t rv;
    size_t i;
    int needs;

    rv = n > INT_MAX ? APR_EINVAL : brood__task_options(&full, options, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS || n == 0)
        return rv;
    order = order_for(executor, full.type, (int)n);
    if (!futures && needs) {
        made = brood__alloc(n * sizeof(*made));
        if (!made)
            return APR_ENOMEM;
    }
    if (made)
        rv = make_all(made, executor, tasks, n, needs ? &full : NULL);
    if (rv == APR_SUCCESS) {
        rv = submit_made(&order, made, tasks, &full);
        if (rv != APR_SUCCESS)
            unmake_all(made, n);
    }
    if (!futures && made) {
        for (i = 0; i < n && rv == APR_SUCCESS; i++)
            brood_future_release(made[i]);
        brood__free(made);
    }
    for (i = 0; futures && i < n && rv != APR_SUCCESS; i++)
        futures[i] = NULL;
    return rv;
}
