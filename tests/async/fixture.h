/* SPDX-License-Identifier: Apache-2.0 */

/* fixture.h: what the tests of this floor share. */

#ifndef BROOD_TESTS_ASYNC_FIXTURE_H
#define BROOD_TESTS_ASYNC_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <brood.h>

#include "base/fault.h"
#include "os/os.h"
#include "support/support.h"

/* Which OS thread is this? Never 0, never reused. */
static inline int this_thread(void)
{
    static atomic_int given;
    static _Thread_local int mine;

    if (!mine)
        mine = atomic_fetch_add(&given, 1) + 1;
    return mine;
}

/* A call that tells where it ran, may announce itself and may be held up. */
typedef struct call_t {
    turnstile_t *arrived; /* or NULL */
    door_t *hold;         /* or NULL */
    atomic_int *order;    /* or NULL: the next number is `at` */
    apr_status_t status;
    int thread;   /* out: where it ran; 0: it did not */
    int at;       /* out */
    int canceled; /* out: brood_task_canceled() at the end */
} call_t;

static inline apr_status_t run_call(void *baton, void **result)
{
    call_t *call = baton;

    call->thread = this_thread();
    if (call->order)
        call->at = atomic_fetch_add(call->order, 1);
    if (call->arrived)
        turnstile_pass(call->arrived);
    if (call->hold)
        door_wait(call->hold);
    call->canceled = brood_task_canceled();
    *result = call;
    return call->status;
}

/* Wait for a future, give it back, and say how the task went. */
static inline apr_status_t finish(brood_future_t *future)
{
    apr_status_t rv = brood_future_get(future, NULL, -1);

    brood_future_release(future);
    return rv;
}

static inline brood_affinity_pool_t *pool_with(
    const brood_affinity_pool_options_t *options)
{
    brood_affinity_pool_t *pool = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_affinity_pool_create(&pool, options, test_pool));
    return pool;
}

static inline brood_affinity_pool_t *pool_of(int max_threads)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;

    options.max_threads = max_threads;
    return pool_with(&options);
}

static inline brood_future_t *submit_with(brood_affinity_pool_t *pool,
                                          const char *context, call_t *call,
                                          const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_affinity_pool_submit(&future, pool, context,
                                                   run_call, call, options));
    return future;
}

static inline brood_future_t *submit(brood_affinity_pool_t *pool,
                                     const char *context, call_t *call)
{
    return submit_with(pool, context, call, NULL);
}

/* What brood_affinity_pool_each() showed. */
typedef struct census_t {
    int threads, busy, leased;
    apr_size_t queued;
} census_t;

static inline int count_thread(const brood_affinity_info_t *info, void *baton)
{
    census_t *census = baton;

    census->threads++;
    census->busy += info->is_busy;
    census->leased += info->context_id != NULL;
    census->queued += info->queued;
    return 0;
}

static inline census_t census_of(brood_affinity_pool_t *pool)
{
    census_t census = { 0, 0, 0, 0 };

    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_each(pool, count_thread, &census));
    return census;
}

/* Have every thread of a pool wait at a door, and no new one come to be. */
typedef struct occupied_t {
    door_t hold;
    call_t calls[8];
    brood_future_t *futures[8];
    int n;
} occupied_t;

/* A thread that has just failed to start may take a call with it, and the pool
 * may make more threads than it needs; `refuse` is what its start hook returns
 * when that is not 0. */
static inline void occupy_more(occupied_t *all, brood_affinity_pool_t *pool,
                               atomic_int *refuse, apr_status_t why)
{
    census_t census;

    /* A thread that served a context is busy until it has left that. */
    WAIT_UNTIL((census = census_of(pool)).busy == all->n && !census.leased);
    while (all->n < 8) {
        call_t *call = &all->calls[all->n];
        brood_future_t *future;

        *call = (call_t){ .hold = &all->hold };
        future = submit(pool, NULL, call);
        WAIT_UNTIL((census = census_of(pool)).busy > all->n
                   || brood_future_wait(future, 0) == APR_SUCCESS);
        if (brood_future_wait(future, 0) == APR_SUCCESS) {
            finish(future);
            continue;
        }
        atomic_store(refuse, why);
        all->futures[all->n++] = future;
        census = census_of(pool);
        if (census.busy == census.threads)
            return;
    }
}

static inline void occupy(occupied_t *all, brood_affinity_pool_t *pool,
                          atomic_int *refuse, apr_status_t why)
{
    memset(all, 0, sizeof(*all));
    door_init(&all->hold);
    occupy_more(all, pool, refuse, why);
}

static inline void vacate(occupied_t *all)
{
    door_open(&all->hold);
    while (all->n > 0)
        ASSERT_STATUS(APR_SUCCESS, finish(all->futures[--all->n]));
    door_fini(&all->hold);
}

/* A call that is refused with `not_yet` for a moment. APR_EGENERAL where threads
 * start again: one that could not may still be on its way to tell, and tells it to
 * whoever waits for a thread by then. */
static inline void run_unless(apr_status_t not_yet, brood_affinity_pool_t *pool,
                              const char *context, call_t *call)
{
    brood_future_t *future = NULL;

    WAIT_UNTIL(
        brood_affinity_pool_submit(&future, pool, context, run_call, call, NULL)
        != not_yet);
    ASSERT_STATUS(APR_SUCCESS, finish(future));
}

#define HOARDERS 40
#define HOARD    64 /* futures: as many as a thread keeps for itself */

typedef struct hoard_t {
    turnstile_t *arrived;
    door_t *hold;
    brood_promise_t *promises[HOARD];
    brood_future_t *futures[HOARD];
} hoard_t;

static inline void *hoard(void *baton)
{
    hoard_t *self = baton;
    int i;

    for (i = 0; i < HOARD; i++)
        brood_promise_make(&self->promises[i], &self->futures[i], NULL);
    turnstile_pass(self->arrived);
    door_wait(self->hold);
    return NULL;
}

/* The memory of futures stays theirs, and so does what threads keep free ones
 * in. One thread frees what many have made: then there is room of both kinds
 * for any test. */
static inline void warm_up_futures(void)
{
    static hoard_t hoards[HOARDERS];
    pthread_t threads[HOARDERS];
    turnstile_t arrived;
    door_t hold;
    int i, k;

    turnstile_init(&arrived);
    door_init(&hold);
    for (i = 0; i < HOARDERS; i++) {
        hoards[i].arrived = &arrived;
        hoards[i].hold = &hold;
        pthread_create(&threads[i], NULL, hoard, &hoards[i]);
    }
    turnstile_wait(&arrived, HOARDERS);
    for (i = 0; i < HOARDERS; i++)
        for (k = 0; k < HOARD; k++) {
            brood_promise_settle(hoards[i].promises[k], APR_SUCCESS, NULL);
            brood_future_release(hoards[i].futures[k]);
        }
    door_open(&hold);
    for (i = 0; i < HOARDERS; i++)
        pthread_join(threads[i], NULL);
    turnstile_fini(&arrived);
    door_fini(&hold);
}

#define WARM 12 /* threads that hold futures at a time, at most, in a test */

/* Make what stays until the library ends: private threads, room in tables, the
 * futures that each thread keeps for its next tasks. */
static inline void warm_up(void)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_task_options_t late = BROOD_TASK_OPTIONS_INIT;
    brood_affinity_pool_t *pool = NULL;
    brood_future_t *futures[WARM] = { NULL };
    call_t calls[WARM];
    door_t hold;
    apr_pool_t *memory;
    char id[] = "a";
    int i;

    door_init(&hold);
    late.delay = 1;
    options.max_threads = WARM + 1;
    apr_pool_create(&memory, NULL);
    brood_affinity_pool_create(&pool, &options, memory);
    for (i = 0; i < WARM; i++, id[0]++) {
        calls[i] = (call_t){ .hold = &hold };
        brood_affinity_pool_submit(&futures[i], pool, id, run_call, &calls[i],
                                   &late);
    }
    door_open(&hold);
    for (i = 0; i < WARM; i++)
        if (futures[i])
            finish(futures[i]);
    apr_pool_destroy(memory);
    door_fini(&hold);
    warm_up_futures();
}

/* A thread manager of the main thread's, to stop at the end of the test. */
static inline brood_thread_manager_t *threads(void)
{
    brood_thread_manager_t *manager = NULL;

    brood_thread_manager_get(&manager, "async tests", 0);
    brood_thread_manager_start(manager, NULL);
    return manager;
}

static inline void stop_threads(brood_thread_manager_t *manager)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(manager, BROOD_STOP_DRAIN, -1));
}

/* For tests that use it: as many workers as they need, each with its record. */
static inline void warm_up_threads(void)
{
    brood_future_t *futures[8] = { NULL };
    call_t calls[8];
    turnstile_t arrived;
    door_t hold;
    int i;

    turnstile_init(&arrived);
    door_init(&hold);
    for (i = 0; i < 8; i++) {
        calls[i] = (call_t){ .arrived = &arrived, .hold = &hold };
        brood_thread_manager_submit(&futures[i], threads(), run_call, &calls[i],
                                    NULL);
    }
    turnstile_wait(&arrived, 8);
    door_open(&hold);
    for (i = 0; i < 8; i++)
        if (futures[i])
            finish(futures[i]);
    brood_thread_manager_stop(threads(), BROOD_STOP_DRAIN, -1);
    turnstile_fini(&arrived);
    door_fini(&hold);
    warm_up();
}

#endif /* BROOD_TESTS_ASYNC_FIXTURE_H */
