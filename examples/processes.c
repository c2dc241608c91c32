/* SPDX-License-Identifier: Apache-2.0 */

/*
 * processes.c: work in processes of its own: a crash ends one task, not the
 * program. The worker is this program, started again; brood_process_main() is
 * where it goes its own way.
 *
 * prints:
 *   in another process: HELLO
 *   the bad one: The worker process died while it ran the task
 *   and the next one: STILL HERE
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "example.h"

static apr_status_t shout(const void *in, apr_size_t len, brood_buffer_t **out)
{
    apr_status_t rv = brood_buffer_copy(out, in, len);
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < len; i++) {
        char *c = (char *)brood_buffer_data(*out) + i;

        *c = (char)toupper((unsigned char)*c);
    }
    return rv;
}

static apr_status_t crash(const void *in, apr_size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    abort();
}

static const brood_process_entry_t functions[] = { { "shout", shout },
                                                   { "crash", crash },
                                                   { NULL, NULL } };

static void print(brood_process_manager_t *manager, const char *before,
                  const char *function, const char *in)
{
    brood_future_t *future;
    void *value;
    apr_status_t rv;

    must(brood_process_manager_submit(&future, manager, function, in,
                                      strlen(in), NULL));
    rv = brood_future_get(future, &value, -1);
    if (rv == APR_SUCCESS)
        printf("%s%.*s\n", before, (int)brood_buffer_size(value),
               (const char *)brood_buffer_data(value));
    else
        printf("%s%s\n", before, say(rv));
    brood_future_release(future);
}

int main(int argc, char **argv)
{
    brood_process_manager_t *manager;

    brood_process_main(argc, (const char *const *)argv, functions);
    must(brood_initialize());
    must(brood_process_manager_get(&manager, NULL, 0));
    must(brood_process_manager_start(manager, NULL));
    print(manager, "in another process: ", "shout", "hello");
    print(manager, "the bad one: ", "crash", "");
    print(manager, "and the next one: ", "shout", "still here");
    brood_terminate();
    return 0;
}
