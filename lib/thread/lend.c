/* SPDX-License-Identifier: Apache-2.0 */

/* lend.c: what an affinity pool wants to know of its workers. */

#include <stdio.h>

#include "thread/worker.h"

unsigned brood__executor_refusals(brood__executor_t *executor,
                                  apr_status_t *status)
{
    unsigned n;

    brood__lock(&executor->lock);
    n = executor->n_refused;
    if (status)
        *status = executor->refused_with;
    brood__unlock(&executor->lock);
    return n;
}

brood__worker_t *brood__worker_here(void)
{
    return brood__worker_self();
}

void brood__worker_lend(int on)
{
    brood__worker_t *worker = brood__worker_self();

    if (!worker)
        return;
    brood__lock(&worker->executor->lock);
    worker->lent = on;
    worker->watched_ran = 0; /* what it does next is looked at from now on */
    brood__unlock(&worker->executor->lock);
}

int brood__worker_peek(brood__worker_t *worker, char *name, size_t size)
{
    brood__lock(&worker->name_lock);
    snprintf(name, size, "%s", worker->name ? worker->name : "");
    brood__unlock(&worker->name_lock);
    return brood__load(&worker->running, relaxed) != 0;
}
