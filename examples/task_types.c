/* SPDX-License-Identifier: Apache-2.0 */

/*
 * task_types.c: a manager that accepts only one type of task.
 *
 * prints:
 *   <thread manager 'disk': takes 'io'>
 *   a task of type 'io': accepted
 *   a task of type 'cpu': The manager does not accept tasks of this type
 *   a task without a type: The manager does not accept tasks of this type
 *   a second start: It has already been done
 *   still protected: The manager does not accept tasks of this type
 */

#include "example.h"

/* A refusal is logged too; here it is printed instead. */
static void no_log(int level, const char *line, void *baton)
{
    (void)level;
    (void)line;
    (void)baton;
}

static apr_status_t work(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

static const char *submit(brood_thread_manager_t *manager, const char *type)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    apr_status_t rv;

    options.type = type;
    rv = brood_thread_manager_submit(NULL, manager, work, NULL, &options);
    return rv == APR_SUCCESS ? "accepted" : say(rv);
}

int main(void)
{
    brood_thread_manager_options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *manager;
    char text[16];

    must(brood_initialize());
    brood_log_hook_set(no_log, NULL);
    must(brood_thread_manager_get(&manager, "disk", 0));
    options.task_type = "io"; /* two threads for slow disks, for nothing else */
    options.max_workers = 2;
    must(brood_thread_manager_start(manager, &options));
    printf("<thread manager '%s': takes '%s'>\n",
           brood_thread_manager_id(manager),
           brood_thread_manager_task_type(manager, text, sizeof(text)));

    printf("a task of type 'io': %s\n", submit(manager, "io"));
    printf("a task of type 'cpu': %s\n", submit(manager, "cpu"));
    printf("a task without a type: %s\n", submit(manager, NULL));

    printf("a second start: %s\n",
           say(brood_thread_manager_start(manager, NULL)));
    printf("still protected: %s\n", submit(manager, "cpu"));
    brood_terminate();
    return 0;
}
