/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bridge.c: the program of README.md.
 *
 * prints:
 *   hello, brood
 */

#include <stdio.h>
#include <brood.h>

static apr_status_t read_name(void *baton, void **result) /* blocks, say */
{
    *result = baton;
    return APR_SUCCESS;
}

static apr_status_t greet(void *baton, void **result) /* a coroutine */
{
    brood_future_t *name;
    apr_status_t rv = brood_sync_to_async(&name, read_name, baton, NULL);

    if (rv == APR_SUCCESS)
        rv = brood_await(name, result); /* its loop goes on meanwhile */
    brood_future_release(name);
    return rv;
}

int main(void)
{
    char brood[] = "brood";
    void *name;

    if (brood_initialize() != APR_SUCCESS
        || brood_async_to_sync(&name, greet, brood, NULL) != APR_SUCCESS)
        return 1;
    printf("hello, %s\n", (const char *)name);
    brood_terminate();
    return 0;
}
