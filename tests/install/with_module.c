/* SPDX-License-Identifier: Apache-2.0 */

/* with_module.c: a stranger's program, whose workers are brood's own program
 * with the module that is named as the argument. */

#include <stdio.h>
#include <string.h>

#include <brood.h>

static int say(const char *what, apr_status_t rv)
{
    char text[200];

    if (rv == APR_SUCCESS)
        return 0;
    fprintf(stderr, "%s: %s\n", what, brood_strerror(rv, text, sizeof(text)));
    return 1;
}

static int call(brood_process_manager_t *manager, const char *text)
{
    brood_future_t *future;
    void *value;
    int bad;

    if (say("submit", brood_process_manager_submit(&future, manager, "shout",
                                                   text, strlen(text), NULL)))
        return 1;
    bad = say("shout", brood_future_get(future, &value, -1));
    if (!bad)
        printf("%.*s\n", (int)brood_buffer_size((brood_buffer_t *)value),
               (const char *)brood_buffer_data((brood_buffer_t *)value));
    brood_future_release(future);
    return bad;
}

int main(int argc, char **argv)
{
    brood_process_manager_options_t options =
        BROOD_PROCESS_MANAGER_OPTIONS_INIT;
    brood_process_manager_t *manager;
    int bad;

    if (argc != 2 || brood_initialize() != APR_SUCCESS)
        return 2;
    options.module = argv[1];
    options.max_workers = 1;
    bad = say("get", brood_process_manager_get(&manager, NULL, 0))
          || say("start", brood_process_manager_start(manager, &options))
          || call(manager, "hello");
    brood_terminate();
    return bad;
}
