/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sync_to_async.c: where a blocking call runs.
 *
 * Outside a transaction this is a submit to the pool's executor and nothing
 * else: no allocation and no lock of this floor's own.
 */

#include <brood/async.h>

#include <string.h>

#include <brood/errors.h>

#include "async/bridge.h"
#include "async/nest.h"
#include "async/one_call.h"
#include "base/versioned.h"
#include "lineage/life.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1 BROOD__SIZE_TO(brood_async_options_t, transaction)

static apr_status_t submit(brood_future_t **future, brood_task_fn *fn,
                           void *baton, const brood_async_options_t *options);
static apr_status_t in_transaction(brood_future_t **future, brood__tx_t *tx,
                                   brood_task_fn *fn, void *baton,
                                   const brood_async_options_t *options);
static apr_status_t one_call(brood_future_t **future, brood_task_fn *fn,
                             void *baton, const brood_async_options_t *options);

apr_status_t brood__async_options(brood_async_options_t *full,
                                  const brood_async_options_t *options)
{
    apr_status_t rv;

    memset(full, 0, sizeof(*full));
    rv = brood__versioned_take(full, sizeof(*full), options, OPTIONS_SIZE_0_1);
    return full->flags & ~BROOD_TRANSACTIONAL ? APR_EINVAL : rv;
}

apr_status_t brood_sync_to_async(brood_future_t **future, brood_task_fn *fn,
                                 void *baton,
                                 const brood_async_options_t *options)
{
    brood_async_options_t full;
    apr_status_t rv = brood__life_check();

    if (future)
        *future = NULL;
    if (rv == APR_SUCCESS && !fn)
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS && options) {
        rv = brood__async_options(&full, options);
        options = &full;
    }
    if (rv == APR_SUCCESS)
        rv = brood__bridge_mark();
    return rv == APR_SUCCESS ? submit(future, fn, baton, options) : rv;
}

static apr_status_t submit(brood_future_t **future, brood_task_fn *fn,
                           void *baton, const brood_async_options_t *options)
{
    brood_affinity_pool_t *affinity;
    brood__tx_t *tx = brood__tx_current();
    apr_status_t rv;

    if (BROOD__UNLIKELY(tx != NULL))
        return in_transaction(future, tx, fn, baton, options);
    if (BROOD__UNLIKELY(options && options->flags))
        return one_call(future, fn, baton, options);
    rv = brood__pools_choose(&affinity, options ? options->pool : NULL);
    if (BROOD__LIKELY(rv == APR_SUCCESS))
        rv = brood__executor_submit(future, affinity->executor, fn, baton,
                                    options ? options->task : NULL);
    if (BROOD__LIKELY(rv == APR_SUCCESS) && future
        && BROOD__UNLIKELY(brood__self.now.scope->values != NULL))
        brood__nest_offer(affinity, *future);
    return rv;
}

static apr_status_t in_transaction(brood_future_t **future, brood__tx_t *tx,
                                   brood_task_fn *fn, void *baton,
                                   const brood_async_options_t *options)
{
    brood_task_options_t task;
    brood_transaction_options_t hooks;
    brood_future_t *call;
    int needs;
    apr_status_t rv = brood__task_options(&task, options ? options->task : NULL,
                                          &needs);

    if (rv == APR_SUCCESS)
        rv = brood__task_timers(&task, 0);
    if (rv == APR_SUCCESS)
        rv = brood__tx_options(&hooks, options ? options->transaction : NULL);
    if (rv != APR_SUCCESS)
        return rv;
    if (options && options->flags && hooks.requires_new)
        return one_call(future, fn, baton, options);
    if (brood__tx_state(tx) == BROOD__TX_ENDED)
        return BROOD_ESTALE;
    if (options && options->flags)
        return brood__part_call(future, tx, fn, baton, &task);
    call = brood__lease_call(tx->lease, fn, baton, &task);
    if (!call)
        return APR_ENOMEM;
    rv = brood__lease_push(tx->lease, call, brood__self.now.scope);
    if (rv != APR_SUCCESS)
        brood__future_unmake(call);
    else if (future)
        *future = call;
    else
        brood_future_release(call);
    return rv;
}

static apr_status_t one_call(brood_future_t **future, brood_task_fn *fn,
                             void *baton, const brood_async_options_t *options)
{
    brood_task_options_t task;
    brood_transaction_options_t hooks;
    brood_affinity_pool_t *affinity;
    int needs;
    apr_status_t rv = brood__self_ready();

    if (rv == APR_SUCCESS)
        rv = brood__task_options(&task, options->task, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__task_timers(&task, 0);
    if (rv == APR_SUCCESS)
        rv = brood__tx_options(&hooks, options->transaction);
    if (rv == APR_SUCCESS)
        rv = brood__pools_choose(&affinity, options->pool);
    return rv == APR_SUCCESS
               ? brood__one_call(future, affinity, fn, baton, &task, &hooks)
               : rv;
}
