/* SPDX-License-Identifier: Apache-2.0 */

/* marks.c: three functions that are told apart by address and never run. */

#include "thread/marks.h"

#include <stdlib.h>

/* Each returns another value, so that no linker folds them into one. */

apr_status_t brood__mark_next(void *block, void **unused)
{
    (void)block;
    (void)unused;
    abort();
    return 1;
}

apr_status_t brood__mark_scope(void *scope, void **unused)
{
    (void)scope;
    (void)unused;
    abort();
    return 2;
}

apr_status_t brood__mark_time(void *ns, void **unused)
{
    (void)ns;
    (void)unused;
    abort();
    return 3;
}
