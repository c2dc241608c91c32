/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cancel.c: a task that waits never runs, one that runs is asked to end.
 *
 * prints:
 *   the running one saw it, and cleaned up: The task was canceled
 *   the queued one never ran: The task was canceled
 *   a settled one: It has already been done
 */

#include <stdatomic.h>

#include "example.h"

static atomic_int g_begun;

/* Works piece by piece, and asks in between. */
static apr_status_t work(void *baton, void **result)
{
    (void)baton;
    (void)result;
    atomic_store(&g_begun, 1);
    while (!brood_task_canceled())
        brood_yield();
    printf("the running one saw it, and cleaned up: ");
    return BROOD_ECANCELED;
}

static apr_status_t never(void *baton, void **result)
{
    (void)baton;
    (void)result;
    puts("this is never printed");
    return APR_SUCCESS;
}

int main(void)
{
    brood_thread_manager_options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *manager;
    brood_future_t *running, *queued;

    must(brood_initialize());
    must(brood_thread_manager_get(&manager, NULL, 0));
    options.max_workers = 1;
    must(brood_thread_manager_start(manager, &options));
    must(brood_thread_manager_submit(&running, manager, work, NULL, NULL));
    while (!atomic_load(&g_begun))
        brood_yield();
    must(brood_thread_manager_submit(&queued, manager, never, NULL, NULL));

    must(brood_future_cancel(queued));
    must(brood_future_cancel(running));
    puts(say(brood_future_get(running, NULL, -1)));
    printf("the queued one never ran: %s\n",
           say(brood_future_get(queued, NULL, -1)));
    printf("a settled one: %s\n", say(brood_future_cancel(queued)));

    brood_future_release(running);
    brood_future_release(queued);
    brood_terminate();
    return 0;
}
