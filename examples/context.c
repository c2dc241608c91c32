/* SPDX-License-Identifier: Apache-2.0 */

/*
 * context.c: a variable that follows a request's work from thread to thread.
 *
 * prints:
 *   request 7: a worker begins it
 *   request 7: a coroutine answers it
 *   request 7: a blocking call looks something up for it
 *   no request: the same worker, later
 */

#include "example.h"

static brood_context_key_t *g_request; /* which request is this for? */

static void note(const char *what)
{
    const char *request = brood_context_get(g_request);

    printf("%s: %s\n", request ? request : "no request", what);
}

static apr_status_t look_up(void *baton, void **result)
{
    (void)baton;
    (void)result;
    note("a blocking call looks something up for it");
    return APR_SUCCESS;
}

static apr_status_t answer(void *baton, void **result)
{
    brood_future_t *looked_up;

    (void)baton;
    note("a coroutine answers it");
    must(brood_sync_to_async(&looked_up, look_up, NULL, NULL));
    must(brood_await(looked_up, result));
    brood_future_release(looked_up);
    return APR_SUCCESS;
}

/* Nobody below has to be told which request this is. */
static apr_status_t serve(void *baton, void **result)
{
    must(brood_context_set(g_request, baton, NULL));
    note("a worker begins it");
    return brood_async_to_sync(result, answer, NULL, NULL);
}

static apr_status_t other(void *baton, void **result)
{
    (void)baton;
    (void)result;
    note("the same worker, later");
    return APR_SUCCESS;
}

int main(void)
{
    brood_thread_manager_options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *manager;
    char request[] = "request 7";

    must(brood_initialize());
    must(brood_context_key_make(&g_request, "request"));
    must(brood_thread_manager_get(&manager, NULL, 0));
    options.max_workers = 1;
    must(brood_thread_manager_start(manager, &options));
    must(brood_thread_manager_submit(NULL, manager, serve, request, NULL));
    must(brood_thread_manager_wait_idle(manager, -1));
    must(brood_thread_manager_submit(NULL, manager, other, NULL, NULL));
    brood_terminate();
    return 0;
}
