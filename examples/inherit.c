/* SPDX-License-Identifier: Apache-2.0 */

/*
 * inherit.c: managers are inherited from whoever asked for the work.
 *
 * prints:
 *   a task of the grandchild finds the manager of main: yes
 *   a manager of the child's own hides it from that task: yes
 *   but not from main: yes
 */

#include <apr_thread_proc.h>

#include "example.h"

static brood_thread_manager_t *find(void)
{
    brood_thread_manager_t *manager;

    must(brood_thread_manager_get(&manager, "render", BROOD_GET_STRICT));
    return manager;
}

static apr_status_t look(void *baton, void **result)
{
    *(brood_thread_manager_t **)baton = find();
    *result = NULL;
    return APR_SUCCESS;
}

/* A thread's thread: nobody told it about main's manager. */
static void *APR_THREAD_FUNC grandchild(apr_thread_t *thread, void *baton)
{
    brood_future_t *future;

    must(brood_thread_manager_submit(&future, find(), look, baton, NULL));
    must(brood_future_wait(future, -1));
    brood_future_release(future);
    return thread;
}

static void run(apr_thread_start_t fn, void *baton)
{
    apr_thread_t *thread;
    apr_pool_t *pool;
    apr_status_t rv;

    must(apr_pool_create(&pool, NULL));
    must(brood_thread_create(&thread, NULL, fn, baton, pool));
    (void)apr_thread_join(&rv, thread); /* elsewhere it wants an exit */
    apr_pool_destroy(pool);
}

static void *APR_THREAD_FUNC child(apr_thread_t *thread, void *baton)
{
    brood_thread_manager_t *mains = baton, *own, *found;

    run(grandchild, &found);
    printf("a task of the grandchild finds the manager of main: %s\n",
           found == mains ? "yes" : "no");
    must(brood_thread_manager_get(&own, "render", BROOD_GET_FORCE_CREATE));
    must(brood_thread_manager_start(own, NULL));
    run(grandchild, &found);
    printf("a manager of the child's own hides it from that task: %s\n",
           found == own ? "yes" : "no");
    return thread;
}

int main(void)
{
    brood_thread_manager_t *manager;

    must(brood_initialize());
    must(brood_thread_manager_get(&manager, "render", 0));
    must(brood_thread_manager_start(manager, NULL));
    run(child, manager);
    printf("but not from main: %s\n", find() == manager ? "yes" : "no");
    brood_terminate();
    return 0;
}
