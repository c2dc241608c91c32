/* SPDX-License-Identifier: Apache-2.0 */

/* many.c: several tasks in one call, all or none. */

#include <limits.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "thread/submit.h"

static void put_all(const brood__order_t *order, brood__lane_t *lane,
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
static apr_status_t put_many(const brood__order_t *order, brood_future_t **made,
                             const brood_task_t *tasks)
{
    brood__executor_t *executor = order->executor;
    brood__lane_t *lane = brood__inbox_lane(&executor->inbox);
    apr_status_t rv = APR_SUCCESS;
    unsigned rare;

    if (!lane)
        return APR_ENOMEM;
    brood__purse_turn(&brood__self.purse, brood__self.now.scope);
    brood__lane_enter(lane);
    rare = brood__load(&executor->inbox.rare, relaxed);
    if (rare)
        rv = brood__admit(order, rare);
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

/* Under the lock: all or none. */
static apr_status_t queue_errands(const brood__order_t *order,
                                  brood_future_t **made) BROOD__NO_ANALYSIS
{
    brood__executor_t *executor = order->executor;
    apr_status_t rv = brood__admit_state(order); /* a stop may have begun */

    if (rv == APR_SUCCESS && executor->n_threads == 0 && !made[0]->extra->delay)
        rv = brood__executor_spawn(executor, 0);
    for (int i = 0; i < order->n && rv == APR_SUCCESS; i++) {
        brood__extra_t *extra = made[i]->extra;

        extra->errand.scope = made[i]->scope;
        if (extra->delay) {
            brood__executor_delay(executor, made[i]);
            continue;
        }
        brood__future_queued(made[i]);
        brood__errand_push(executor, &extra->errand,
                           extra->priority < 0 ? BROOD__ERRAND_LOW
                                               : BROOD__ERRAND_URGENT);
    }
    if (rv == APR_SUCCESS)
        executor->n_errands_put += (unsigned)order->n;
    return rv;
}

/* They go through no lane, but a stop has to wait for us all the same. */
apr_status_t brood__put_errands(const brood__order_t *order,
                                brood_future_t **made)
{
    brood__executor_t *executor = order->executor;
    brood__lane_t *lane = brood__inbox_lane(&executor->inbox);
    brood__scope_t *scope = brood__self.now.scope;
    apr_status_t rv = APR_SUCCESS;
    int stops = 0;
    unsigned rare;

    if (!lane)
        return APR_ENOMEM;
    brood__purse_turn(&brood__self.purse, scope);
    brood__lane_enter(lane);
    rare = brood__load(&executor->inbox.rare, relaxed);
    if (rare)
        rv = brood__admit(order, rare);
    if (rv == APR_SUCCESS) {
        for (int i = 0; i < order->n; i++)
            brood__purse_spend(&brood__self.purse, scope);
        brood__lock(&executor->lock);
        stops = executor->state != BROOD__RUNS;
        rv = queue_errands(order, made);
        brood__unlock(&executor->lock);
        for (int i = 0; i < order->n && rv != APR_SUCCESS; i++)
            brood__purse_earn(&brood__self.purse, scope);
        if (rv != APR_SUCCESS && (rare & BROOD__RARE_CAPACITY))
            brood__capacity_give(executor, order->n);
    }
    brood__lane_leave(lane);
    /* It drains, and nothing becomes due any more. */
    if (rv == APR_SUCCESS && stops)
        brood__executor_cancel_delayed(executor);
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

static apr_status_t submit_made(const brood__order_t *order,
                                brood_future_t **made,
                                const brood_task_t *tasks,
                                const brood_task_options_t *full)
{
    int64_t deadline = 0;
    apr_status_t rv;

    do {
        rv = full->priority || full->delay ? brood__put_errands(order, made)
                                           : put_many(order, made, tasks);
        rv = brood__wait_for_room(order, rv, &deadline);
    } while (rv == BROOD__RETRY);
    if (brood__runs_in_caller(order, rv)) {
        for (int i = 0; i < order->n; i++)
            brood__run_here(order->executor, made ? made[i] : NULL, tasks[i].fn,
                            tasks[i].baton);
        rv = APR_SUCCESS;
    }
    if (rv != APR_SUCCESS)
        brood__add(&order->executor->rejected, (unsigned)order->n, relaxed);
    return rv;
}

/* Nothing: refused as one task would be, but it needs neither room nor anybody
 * to run it. */
static apr_status_t submit_none(const brood__order_t *order)
{
    const unsigned needed = BROOD__RARE_CAPACITY | BROOD__RARE_NOBODY;
    brood__lane_t *lane = brood__inbox_lane(&order->executor->inbox);
    int64_t deadline = 0;
    apr_status_t rv;

    if (!lane)
        return APR_ENOMEM;
    brood__lane_enter(lane);
    rv = brood__admit(order, brood__load(&order->executor->inbox.rare, relaxed)
                                 & ~needed);
    brood__lane_leave(lane);
    return brood__wait_for_room(order, rv, &deadline);
}

apr_status_t brood__executor_submit_many(brood_future_t **futures,
                                         brood__executor_t *executor,
                                         const brood_task_t *tasks, size_t n,
                                         const brood_task_options_t *options)
{
    brood_task_options_t full;
    brood_future_t **made = futures;
    brood__order_t order;
    apr_status_t rv;
    size_t i;
    int needs;

    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = n > INT_MAX ? APR_EINVAL
                         : brood__task_options(&full, options, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS)
        rv = brood__task_timers(&full, 0);
    if (rv != APR_SUCCESS)
        return rv;
    order = brood__order_for(executor, full.type, (int)n);
    if (n == 0)
        return submit_none(&order);
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
