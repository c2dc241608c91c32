/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

/* example.h: what keeps the examples short. A program would do more about an
 * error than to end. */

#include <stdio.h>
#include <stdlib.h>

#include <brood.h>

/* The sentence for a status. */
static inline const char *say(apr_status_t rv)
{
    static _Thread_local char text[128];

    return brood_strerror(rv, text, sizeof(text));
}

static inline void must(apr_status_t rv)
{
    if (rv == APR_SUCCESS)
        return;
    fprintf(stderr, "%s\n", say(rv));
    exit(1);
}

#endif /* EXAMPLE_H */
