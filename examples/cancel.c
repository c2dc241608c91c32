/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cancel.c: a wait that runs out, tasks that are canceled, tasks that have a
 * time limit of their own.
 *
 * prints:
 *   a wait ran out, and the task goes on: The timeout specified has expired
 *   queued, and canceled: The task was canceled
 *   queued for too long: The task was still queued at its queue timeout; it never ran
 *   running, and canceled: The task was canceled
 *   running for too long: The task ran longer than its run timeout
 */

#include <stdatomic.h>

#include "example.h"

static atomic_int g_begun;

/* Works piece by piece, and asks in between whether it should end. */
static apr_status_t work(void *baton, void **result)
{
    (void)baton;
    (void)result;
    atomic_store(&g_begun, 1);
    while (!brood_task_canceled())
        brood_yield();
    return BROOD_ECANCELED; /* after cleaning up; here it could also wait */
}

static apr_status_t never(void *baton, void **result)
{
    (void)baton;
    (void)result;
    puts("this is never printed");
    return APR_SUCCESS;
}

static void show(const char *what, brood_future_t *future)
{
    printf("%s: %s\n", what, say(brood_future_get(future, NULL, -1)));
    brood_future_release(future);
}

int main(void)
{
    brood_thread_manager_options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_task_options_t limits = BROOD_TASK_OPTIONS_INIT;
    brood_thread_manager_t *manager;
    brood_future_t *running, *queued, *late;

    must(brood_initialize());
    must(brood_thread_manager_get(&manager, NULL, 0));
    options.max_workers = 1;
    must(brood_thread_manager_start(manager, &options));
    must(brood_thread_manager_submit(&running, manager, work, NULL, NULL));
    while (!atomic_load(&g_begun))
        brood_yield();
    printf("a wait ran out, and the task goes on: %s\n",
           say(brood_future_wait(running, 1000)));

    must(brood_thread_manager_submit(&queued, manager, never, NULL, NULL));
    limits.queue_timeout = 1000; /* us, as all times */
    must(brood_thread_manager_submit(&late, manager, never, NULL, &limits));
    must(brood_future_cancel(queued));
    show("queued, and canceled", queued);
    show("queued for too long", late);
    must(brood_future_cancel(running));
    show("running, and canceled", running);

    limits.queue_timeout = 0;
    limits.run_timeout = 1000;
    must(brood_thread_manager_submit(&late, manager, work, NULL, &limits));
    show("running for too long", late);
    brood_terminate();
    return 0;
}
