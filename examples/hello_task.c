/* SPDX-License-Identifier: Apache-2.0 */

/*
 * hello_task.c: hand a task to a thread manager, and get its value.
 *
 * prints:
 *   a worker says: hello, brood
 *   a failed task says: The given path was above the root path
 */

#include <string.h>

#include "example.h"

/* A task: a status, as every function of APR has, and a value. */
static apr_status_t greet(void *baton, void **result)
{
    const char *name = baton;
    size_t len = strlen("hello, ") + strlen(name) + 1;
    char *text = malloc(len);

    if (!text)
        return APR_ENOMEM;
    snprintf(text, len, "hello, %s", name);
    *result = text;
    return APR_SUCCESS;
}

static apr_status_t fail(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_EABOVEROOT;
}

int main(void)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_thread_manager_t *manager;
    brood_future_t *future;
    void *value;
    char name[] = "brood";

    must(brood_initialize());
    must(brood_thread_manager_get(&manager, NULL, 0));
    must(brood_thread_manager_start(manager, NULL));

    options.free_value = free; /* with the last reference to the future */
    must(brood_thread_manager_submit(&future, manager, greet, name, &options));
    must(brood_future_get(future, &value, -1));
    printf("a worker says: %s\n", (const char *)value);
    brood_future_release(future);

    must(brood_thread_manager_submit(&future, manager, fail, NULL, NULL));
    printf("a failed task says: %s\n", say(brood_future_get(future, NULL, -1)));
    brood_future_release(future);

    brood_terminate(); /* stops the manager too */
    return 0;
}
