/* SPDX-License-Identifier: Apache-2.0 */

/*
 * collector.h: one private thread, outside the lineage, that ends what nobody
 * needs any more.
 *
 * The last reference to a node may be dropped by the manager's own worker, in a
 * thread's exit hook, under the loader's lock or on a loop: none of them may
 * join threads. They push onto this queue, which needs no memory, and go on.
 * The thread is made before the first thing that may need it, so that a later
 * push cannot fail; it sleeps without a time limit when the queue is empty.
 */

#ifndef BROOD_LINEAGE_COLLECTOR_H
#define BROOD_LINEAGE_COLLECTOR_H

#include "lineage/manager.h"

/* Make sure that the thread runs. APR_ENOMEM, or what the creation of the
 * thread returned. */
apr_status_t brood__collector_ready(void);

/* Have job->fn(job) called on the collector, which must be ready. `fn` may free
 * the job. Never fails. */
void brood__collector_push(brood__job_t *job);

/* What was begun and is not queued: a manager between its retire() and its
 * finish(). Waits include it. */
void brood__collector_owe(int more);

/* Wait until no job is queued or runs and nothing is owed: every manager that
 * began to retire is finished. ns; negative: for ever. APR_TIMEUP; on the
 * collector itself BROOD_EDEADLK. */
apr_status_t brood__collector_wait(int64_t timeout);

/* End the thread, when the queue is empty; on another thread. */
void brood__collector_stop(void);

int brood__collector_is_self(void);

#endif /* BROOD_LINEAGE_COLLECTOR_H */
