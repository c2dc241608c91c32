/* SPDX-License-Identifier: Apache-2.0 */

/* async_to_sync.c: a coroutine that somebody waits for, wherever that is. */

#include <brood/async.h>

#include <brood/errors.h>

#include "async/bridge.h"
#include "async/nest.h"
#include "async/variable.h"
#include "lineage/life.h"

/* One call of brood_async_to_sync(), on its caller's stack. */
typedef struct job_t {
    brood_task_fn *fn;
    void *baton;
    const brood_task_options_t *task;
    brood_loop_manager_t *loop;        /* NULL: a private one */
    brood__lease_t *lease;             /* whose call waits; NULL: none, */
    const brood_affinity_pool_t *pool; /* or a general one of this; or NULL */
    int64_t deadline;
    void **value; /* NULL: not wanted */
    apr_status_t rv;
} job_t;

static const int g_loop_key; /* its address; the value is a loop, retained */

static brood_loop_manager_t *choose(const brood_async_options_t *options);
static apr_status_t run_privately(void *baton, void **unused);
static apr_status_t bridge(job_t *job);
static apr_status_t submit(job_t *job, brood__scope_t *scope,
                           brood_future_t **future);
static apr_status_t finish(job_t *job, brood__nest_t *nest,
                           brood_future_t *future);
static apr_status_t await(brood__nest_t *nest, brood_future_t *future,
                          int64_t deadline, int uninterruptible);
static void release_loop(void *loop);

apr_status_t brood_async_to_sync(void **value, brood_task_fn *coroutine,
                                 void *baton,
                                 const brood_async_options_t *options)
{
    brood_async_options_t full;
    brood__place_t *place = brood__place();
    job_t job = { .fn = coroutine, .baton = baton, .value = value };
    apr_status_t rv = brood__life_check();

    if (value)
        *value = NULL;
    if (rv == APR_SUCCESS)
        rv = coroutine ? brood__async_options(&full, options) : APR_EINVAL;
    if (rv == APR_SUCCESS && place->ops->may_block)
        rv = place->ops->may_block(place);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    job.task = full.task;
    job.loop = choose(&full);
    job.lease = brood__lease_current();
    if (!job.lease && (brood__self.now.flags & BROOD__FRAME_IN_TASK))
        job.pool = brood__affinity_here();
    job.deadline = full.timeout > 0 ? brood__deadline(full.timeout) : -1;
    if (job.loop)
        return bridge(&job);
    rv = brood__loop_run_private(NULL, run_privately, &job, NULL);
    return rv == APR_SUCCESS ? job.rv : rv;
}

static brood_loop_manager_t *choose(const brood_async_options_t *options)
{
    brood_loop_manager_t *loop = options->loop;

    if (!loop && brood__loop_in_coroutine())
        loop = brood__loop_current();
    if (!loop)
        loop = brood__variable(&g_loop_key);
    if (!loop)
        loop = brood__loop_nearest();
    return loop;
}

/* A coroutine of the private loop waits for the real one as any other does, so
 * that time limits and nests work there too. */
static apr_status_t run_privately(void *baton, void **unused)
{
    job_t *job = baton;

    (void)unused;
    job->loop = brood__loop_current();
    job->rv = bridge(job);
    return APR_SUCCESS;
}

static apr_status_t bridge(job_t *job)
{
    brood__scope_t *scope = brood__self.now.scope;
    brood__nest_t *nest = NULL;
    brood_future_t *future;
    apr_status_t rv;

    if (job->lease || job->pool) {
        nest = brood__nest_make(job->lease, job->pool, &scope);
        if (!nest)
            return APR_ENOMEM;
    }
    rv = submit(job, scope, &future);
    if (nest)
        brood__scope_release(scope, 1);
    if (rv == APR_SUCCESS) {
        if (nest)
            brood__nest_watch(nest, future);
        rv = finish(job, nest, future);
        brood_future_release(future);
    }
    if (nest)
        brood__nest_release(nest);
    return rv;
}

/* The coroutine stands at `scope`. */
static apr_status_t submit(job_t *job, brood__scope_t *scope,
                           brood_future_t **future)
{
    brood__frame_t saved;
    apr_status_t rv;

    brood__frame_begin(&saved, scope, brood__self.now.task);
    rv = brood_loop_manager_submit(future, job->loop, job->fn, job->baton,
                                   job->task);
    if (scope != saved.scope)
        brood__purse_empty(&brood__self.purse); /* nobody stands there again */
    brood__frame_end(&saved);
    return rv;
}

static apr_status_t finish(job_t *job, brood__nest_t *nest,
                           brood_future_t *future)
{
    apr_status_t rv = await(nest, future, job->deadline, 0);

    if (rv != APR_SUCCESS) {
        /* It may have ended this very moment; then that counts. */
        int late = brood_future_cancel(future) == BROOD_EALREADY;

        while (await(nest, future, -1, 1) != APR_SUCCESS)
            brood__os_yield();
        if (late)
            rv = APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        (void)brood_future_result(future, NULL); /* read, so not reported */
        return rv;
    }
    return job->value ? brood_future_take(future, job->value)
                      : brood_future_result(future, NULL);
}

static apr_status_t await(brood__nest_t *nest, brood_future_t *future,
                          int64_t deadline, int uninterruptible)
{
    return nest ? brood__nest_wait(nest, future, deadline, uninterruptible)
                : brood__future_wait_until(future, deadline, uninterruptible);
}

/* ---- the way back ---------------------------------------------------------- */

apr_status_t brood__bridge_mark_slow(void)
{
    brood_loop_manager_t *loop = brood__loop_current();
    brood__scope_t *from = brood__self.now.scope;
    apr_status_t rv;

    if (brood__variable(&g_loop_key) == loop)
        return APR_SUCCESS;
    /* A thread may have run another loop, a private one, before. */
    if (from == brood__self.derived.from
        && brood__values_get(brood__self.derived.scope->values, &g_loop_key)
               == loop) {
        brood__scope_retain(brood__self.derived.scope);
        brood__self_stand(brood__self.derived.scope);
        return APR_SUCCESS;
    }
    brood__scope_retain(from);
    brood_loop_manager_retain(loop);
    rv = brood__context_set(&g_loop_key, loop, release_loop);
    if (rv == APR_SUCCESS) {
        brood__self_remember(from, brood__self.now.scope);
    } else {
        brood_loop_manager_release(loop);
        brood__scope_release(from, 1);
    }
    return rv;
}

static void release_loop(void *loop)
{
    brood_loop_manager_release(loop);
}
