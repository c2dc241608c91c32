/* SPDX-License-Identifier: Apache-2.0 */

/*
 * back_pressure.c: what a full manager does, in its three ways.
 *
 * prints:
 *   reject: 1 runs, 2 wait, then: The capacity is reached
 *   block: gave up waiting: The capacity is reached
 *   run: the third waiting task ran in the caller
 */

#include <stdatomic.h>

#include "example.h"

static brood_future_t *g_door; /* what keeps the worker busy */
static atomic_int g_inside;
static _Thread_local int tl_is_main;

static apr_status_t wait_inside(void *baton, void **result)
{
    (void)baton;
    *result = NULL;
    atomic_store(&g_inside, 1);
    return brood_future_wait(g_door, -1);
}

static apr_status_t where(void *baton, void **result)
{
    *(int *)baton = tl_is_main;
    *result = NULL;
    return APR_SUCCESS;
}

/* One worker, busy; room for two more. Returns what the next submit says. */
static apr_status_t overfill(int when_full, int *ran_here)
{
    brood_thread_manager_options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *manager;
    brood_promise_t *promise;
    int elsewhere = 0;
    apr_status_t rv;

    must(brood_promise_make(&promise, &g_door, NULL));
    must(brood_thread_manager_get(&manager, NULL, BROOD_GET_FORCE_CREATE));
    options.max_workers = 1;
    options.max_spares = -1; /* nobody stands in for the one that waits */
    options.capacity = 2;
    options.when_full = when_full;
    options.full_timeout = 1000; /* us */
    must(brood_thread_manager_start(manager, &options));
    atomic_store(&g_inside, 0);
    must(brood_thread_manager_submit(NULL, manager, wait_inside, NULL, NULL));
    while (!atomic_load(&g_inside))
        brood_yield();
    must(brood_thread_manager_submit(NULL, manager, where, &elsewhere, NULL));
    must(brood_thread_manager_submit(NULL, manager, where, &elsewhere, NULL));
    rv = brood_thread_manager_submit(NULL, manager, where, ran_here, NULL);
    must(brood_promise_settle(promise, APR_SUCCESS, NULL));
    must(brood_thread_manager_stop(manager, BROOD_STOP_DRAIN, -1));
    brood_future_release(g_door);
    return rv;
}

int main(void)
{
    int here = 0;

    tl_is_main = 1;
    must(brood_initialize());
    printf("reject: 1 runs, 2 wait, then: %s\n",
           say(overfill(BROOD_WHEN_FULL_REJECT, &here)));
    printf("block: gave up waiting: %s\n",
           say(overfill(BROOD_WHEN_FULL_BLOCK, &here)));
    must(overfill(BROOD_WHEN_FULL_RUN, &here));
    printf("run: the third waiting task ran in %s\n",
           here ? "the caller" : "a worker");
    brood_terminate();
    return 0;
}
