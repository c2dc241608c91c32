/* SPDX-License-Identifier: Apache-2.0 */

/* one_call.h: BROOD_TRANSACTIONAL: a call that is a transaction, or a part. */

#ifndef BROOD_ASYNC_ONE_CALL_H
#define BROOD_ASYNC_ONE_CALL_H

#include "async/transaction.h"

/* A transaction of its own, on a thread of its own: on_begin, the call, what it
 * queued, on_end. `task` must be complete. */
apr_status_t brood__one_call(brood_future_t **future,
                             brood_affinity_pool_t *affinity, brood_task_fn *fn,
                             void *baton, const brood_task_options_t *task,
                             const brood_transaction_options_t *hooks);

/* A part of an open one: its failure dooms the whole. */
apr_status_t brood__part_call(brood_future_t **future, brood__tx_t *tx,
                              brood_task_fn *fn, void *baton,
                              const brood_task_options_t *task);

#endif /* BROOD_ASYNC_ONE_CALL_H */
