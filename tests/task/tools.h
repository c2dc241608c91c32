/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tools.h: managers and tasks for the tests of this folder.
 *
 * Managers live as long as the main thread, and keep what their first run
 * needed. So warm_up() makes the two that the tests use: `pool`, which always
 * runs, and `one`, a single worker without spares that tests start and stop.
 */

#ifndef BROOD_TESTS_TASK_TOOLS_H
#define BROOD_TESTS_TASK_TOOLS_H

#include <brood/errors.h>
#include <brood/init.h>
#include <brood/thread_manager.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "support/support.h"
#include "task/future.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define POOL        4

BROOD__INLINE brood_thread_manager_t *manager_of(const char *id)
{
    brood_thread_manager_t *manager = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_get(&manager, id, 0));
    return manager;
}

BROOD__INLINE brood_thread_manager_t *pool(void)
{
    return manager_of("pool");
}

BROOD__INLINE brood_thread_manager_t *start(const char *id, int workers,
                                            int spares)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *manager = manager_of(id);

    o.max_workers = workers;
    o.min_workers = workers;
    o.max_spares = spares ? spares : -1;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_start(manager, &o));
    return manager;
}

BROOD__INLINE void stop(brood_thread_manager_t *manager)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(manager, BROOD_STOP_DRAIN, -1));
}

BROOD__INLINE int is_listened_to(brood_future_t *future)
{
    int listened;

    brood__future_lock(future);
    listened = future->waiters != NULL;
    brood__future_unlock(future);
    return listened;
}

BROOD__INLINE apr_status_t returns_baton(void *baton, void **result)
{
    *result = baton;
    return APR_SUCCESS;
}

/* `baton`: an apr_status_t. */
BROOD__INLINE apr_status_t returns_status(void *baton, void **result)
{
    (void)result;
    return *(const apr_status_t *)baton;
}

BROOD__INLINE apr_status_t waits_at_door(void *door, void **result)
{
    (void)result;
    door_wait(door);
    return APR_SUCCESS;
}

BROOD__INLINE brood_future_t *submit(brood_thread_manager_t *manager,
                                     brood_task_fn *fn, void *baton,
                                     const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_submit(
                                         &future, manager, fn, baton, options));
    return future;
}

/* A promise's two ends. */
typedef struct pledge_t {
    brood_promise_t *promise;
    brood_future_t *future;
} pledge_t;

BROOD__INLINE pledge_t pledge(void)
{
    pledge_t made = { NULL, NULL };

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&made.promise, &made.future, NULL));
    return made;
}

BROOD__INLINE void pledges(brood_promise_t **promises, brood_future_t **futures,
                           int n)
{
    while (n-- > 0) {
        pledge_t p = pledge();

        promises[n] = p.promise;
        futures[n] = p.future;
    }
}

/* A task that says when it has begun and ends when it may. */
typedef struct job_t {
    door_t begun, go;
    apr_status_t status; /* that it returns */
    brood_task_options_t options;
    atomic_int runs, destroyed, freed;
} job_t;

BROOD__INLINE apr_status_t job_run(void *baton, void **result)
{
    job_t *job = baton;

    brood__add(&job->runs, 1, relaxed);
    door_open(&job->begun);
    door_wait(&job->go);
    *result = job;
    return job->status;
}

BROOD__INLINE void job_destroyed(void *baton)
{
    brood__add(&((job_t *)baton)->destroyed, 1, relaxed);
}

BROOD__INLINE void job_freed(void *value)
{
    brood__add(&((job_t *)value)->freed, 1, relaxed);
}

BROOD__INLINE void job_init(job_t *job)
{
    static const brood_task_options_t init = BROOD_TASK_OPTIONS_INIT;

    door_init(&job->begun);
    door_init(&job->go);
    job->status = APR_SUCCESS;
    job->options = init;
    job->options.destroy = job_destroyed;
    job->options.free_value = job_freed;
    atomic_init(&job->runs, 0);
    atomic_init(&job->destroyed, 0);
    atomic_init(&job->freed, 0);
}

BROOD__INLINE void job_fini(job_t *job)
{
    door_fini(&job->begun);
    door_fini(&job->go);
}

BROOD__INLINE int job_runs(job_t *job)
{
    return brood__load(&job->runs, acquire);
}

/* Its task may only just have settled: wait for the last reference. */
BROOD__INLINE int job_destroys(job_t *job)
{
    return brood__load(&job->destroyed, acquire);
}

BROOD__INLINE int job_frees(job_t *job)
{
    return brood__load(&job->freed, acquire);
}

BROOD__INLINE brood_future_t *job_submit(job_t *job,
                                         brood_thread_manager_t *manager)
{
    return submit(manager, job_run, job, &job->options);
}

/* Before the first test, where nothing can be asserted. */
BROOD__INLINE void must(apr_status_t rv)
{
    if (rv != APR_SUCCESS)
        abort();
}

/* A settled future: whoever drops it keeps its memory in a magazine. */
BROOD__INLINE brood_future_t *settled(void)
{
    brood_promise_t *promise;
    brood_future_t *future;

    must(brood_promise_make(&promise, &future, NULL));
    must(brood_promise_settle(promise, APR_SUCCESS, NULL));
    return future;
}

BROOD__INLINE apr_status_t drops(void *future, void **result)
{
    (void)result;
    brood_future_release(future);
    return APR_SUCCESS;
}

typedef struct meeting_t {
    turnstile_t *all;
    brood_future_t *future;
} meeting_t;

BROOD__INLINE apr_status_t meets_the_others(void *baton, void **result)
{
    meeting_t *meeting = baton;

    turnstile_pass(meeting->all);
    turnstile_wait(meeting->all, POOL);
    return drops(meeting->future, result);
}

/* Each worker gets a magazine, by dropping a future. Its task's own would not
 * do: the submitter may be the last to drop that. */
BROOD__INLINE void warm_up(void)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *one, *many;
    meeting_t meetings[POOL];
    turnstile_t all;
    size_t i;

    must(brood_thread_manager_get(&one, "one", 0));
    must(brood_thread_manager_get(&many, "pool", 0));
    o.max_spares = -1;
    o.max_workers = o.min_workers = 1;
    must(brood_thread_manager_start(one, &o));
    o.max_spares = POOL;
    o.max_workers = o.min_workers = POOL;
    must(brood_thread_manager_start(many, &o));
    turnstile_init(&all);
    for (i = 0; i < POOL; i++) {
        meetings[i].all = &all;
        meetings[i].future = settled();
        must(brood_thread_manager_submit(NULL, many, meets_the_others,
                                         &meetings[i], NULL));
    }
    must(brood_thread_manager_submit(NULL, one, drops, settled(), NULL));
    must(brood_thread_manager_wait_idle(many, -1));
    must(brood_thread_manager_stop(one, BROOD_STOP_DRAIN, -1));
    turnstile_fini(&all);
}

#endif /* BROOD_TESTS_TASK_TOOLS_H */
