/* SPDX-License-Identifier: Apache-2.0 */

/* submit.h: one call that submits; for the files of this folder only. */

#ifndef BROOD_THREAD_SUBMIT_H
#define BROOD_THREAD_SUBMIT_H

#include "thread/worker.h"

/* One task, or several of one call. */
typedef struct brood__order_t {
    brood__executor_t *executor;
    const char *type;
    int own; /* the caller is one of the executor's workers */
    int n;   /* tasks */
} brood__order_t;

BROOD__INLINE brood__order_t brood__order_for(brood__executor_t *executor,
                                              const char *type, int n)
{
    brood__worker_t *worker = brood__worker_self();
    brood__order_t order = { executor, type,
                             worker && worker->executor == executor, n };

    return order;
}

/* May it in? `rare` is what was read. APR_SUCCESS has taken room for the tasks
 * when there is a capacity. */
apr_status_t brood__admit(const brood__order_t *order, unsigned rare);

/* The part that a stop changes, under the executor's lock. */
apr_status_t brood__admit_state(const brood__order_t *order) BROOD__NO_ANALYSIS;

/* Queue tasks with a priority or a delay, all or none. */
apr_status_t brood__put_errands(const brood__order_t *order,
                                brood_future_t **made);

/* What to make of a refusal: BROOD_EFULL of an executor that blocks waits for
 * room, and is BROOD__RETRY then. *deadline begins as 0. (APR_EAGAIN is what a
 * system without threads to spare says, over and over.) */
#define BROOD__RETRY (BROOD_ERROR_BASE - 4)
apr_status_t brood__wait_for_room(const brood__order_t *order, apr_status_t rv,
                                  int64_t *deadline);

/* Refused for lack of room: does the caller run it? */
int brood__runs_in_caller(const brood__order_t *order, apr_status_t rv);

#endif /* BROOD_THREAD_SUBMIT_H */
