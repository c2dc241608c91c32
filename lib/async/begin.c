/* SPDX-License-Identifier: Apache-2.0 */

/* begin.c: how a transaction is opened, or joined. */

#include <brood/errors.h>

#include "async/transaction.h"
#include "lineage/life.h"

/* Who does not want to wait for others still waits for a free thread to come
 * running. */
#define GRACE ((int64_t)100000000)

static apr_status_t join(uint64_t *serial, brood__tx_t *tx);
static apr_status_t open_new(uint64_t *serial,
                             const brood_transaction_options_t *options);
static apr_status_t may_wait(brood_affinity_pool_t *affinity,
                             const brood_transaction_options_t *options);
static apr_status_t make_scopes(brood__handle_t *handle);
static apr_status_t lease_and_begin(brood__tx_t *tx, int64_t timeout);
static apr_status_t await_begin(brood__tx_t *tx, int64_t deadline, int patient);
static apr_status_t give_up(brood__tx_t *tx, apr_status_t why);

apr_status_t brood_transaction_begin(brood_transaction_t **transaction,
                                     const brood_transaction_options_t *options)
{
    brood_transaction_options_t full;
    brood__tx_t *tx;
    uint64_t serial = 0;
    apr_status_t rv = brood__life_check();

    if (transaction)
        *transaction = NULL;
    if (rv == APR_SUCCESS)
        rv = transaction ? brood__tx_options(&full, options) : APR_EINVAL;
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS && !brood__self.library)
        rv = brood__self_watch(); /* its end ends what it left open */
    if (rv != APR_SUCCESS)
        return rv;
    tx = brood__tx_current();
    rv = tx && !full.requires_new ? join(&serial, tx)
                                  : open_new(&serial, &full);
    if (rv == APR_SUCCESS)
        *transaction = brood__handle_out(serial);
    return rv;
}

static apr_status_t join(uint64_t *serial, brood__tx_t *tx)
{
    brood__handle_t *handle;
    apr_status_t rv;

    *serial = brood__handle_serial();
    handle = brood__handle_make(tx, *serial, 1);
    if (!handle)
        return APR_ENOMEM;
    rv = brood__tx_join(tx);
    if (rv == APR_SUCCESS)
        brood__handle_publish(handle, 1);
    else
        brood__handle_release(handle);
    return rv;
}

static apr_status_t open_new(uint64_t *serial,
                             const brood_transaction_options_t *options)
{
    brood_affinity_pool_t *affinity;
    brood__handle_t *handle = NULL;
    brood__tx_t *tx;
    apr_status_t rv = brood__pools_choose(&affinity, options->pool);

    if (rv == APR_SUCCESS)
        rv = may_wait(affinity, options);
    if (rv != APR_SUCCESS)
        return rv;
    tx = brood__tx_make(affinity, options, 0);
    if (tx)
        handle = brood__handle_make(tx, tx->serial, 0);
    rv = handle ? make_scopes(handle) : APR_ENOMEM;
    if (rv == APR_SUCCESS)
        rv = lease_and_begin(tx, options->begin_timeout);
    if (rv == APR_SUCCESS) {
        *serial = tx->serial;
        brood__scope_retain(handle->inner);
        brood__self_stand(handle->inner);
        brood__handle_publish(handle, 1);
    } else if (handle) {
        brood__handle_release(handle);
    }
    brood__tx_release(tx);
    return rv;
}

/* The place must allow it; and slots that are all held by what we are suspended
 * inside of will never be given back while we wait. */
static apr_status_t may_wait(brood_affinity_pool_t *affinity,
                             const brood_transaction_options_t *options)
{
    brood__place_t *place = brood__place();
    brood__lease_t *lease = brood__lease_current();
    brood__tx_t *tx;
    int held = lease && !lease->tx && lease->pool == affinity;

    if (place->ops->may_block && place->ops->may_block(place) != APR_SUCCESS)
        return BROOD_EDEADLK;
    for (tx = brood__tx_current(); tx; tx = tx->outer)
        held += tx->lease->pool == affinity
                && brood__tx_state(tx) != BROOD__TX_ENDED;
    return options->begin_timeout == 0 && held >= affinity->limit
               ? BROOD_EDEADLK
               : APR_SUCCESS;
}

/* All that a successful begin needs beside the thread. */
static apr_status_t make_scopes(brood__handle_t *handle)
{
    handle->before = brood__self.now.scope;
    brood__scope_retain(handle->before);
    brood__tx_retain(handle->tx);
    handle->inner = brood__scope_with(handle->before, &brood__tx_key,
                                      handle->tx, brood__tx_release);
    if (handle->inner)
        return APR_SUCCESS;
    brood__tx_release(handle->tx);
    return APR_ENOMEM;
}

static apr_status_t lease_and_begin(brood__tx_t *tx, int64_t timeout)
{
    int64_t deadline = timeout > 0   ? brood__deadline(timeout)
                       : timeout < 0 ? 0
                                     : -1;
    apr_status_t rv = brood__slot_take(tx->lease, deadline);

    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__lease_push(tx->lease, tx->begin, brood__self.now.scope);
    if (rv != APR_SUCCESS) { /* the pool shuts down just now */
        brood__lease_abandon(tx->lease, BROOD_ESTOPPED);
        return BROOD_ESTOPPED;
    }
    rv = brood__lease_start(tx->lease);
    if (rv == APR_SUCCESS)
        rv = await_begin(tx, deadline, timeout >= 0);
    return rv;
}

/* Until on_begin has returned. The time limit is for the thread only. */
static apr_status_t await_begin(brood__tx_t *tx, int64_t deadline, int patient)
{
    apr_status_t rv;

    if (!patient)
        deadline = brood__roster_has_room(tx->lease->pool)
                       ? -1
                       : brood__os_now() + GRACE;
    rv = brood__lease_wait(tx->lease, tx->begin, deadline, 0);
    if (rv == APR_TIMEUP) {
        if (brood__future_claim(tx->begin, 0)) {
            brood_future_retain(
                tx->begin); /* the queue's entry keeps its own */
            brood__future_refuse(tx->begin, BROOD_EFULL);
            rv = APR_SUCCESS;
        } else {
            rv = brood__lease_wait(tx->lease, tx->begin, -1, 0);
        }
    }
    if (rv == APR_SUCCESS)
        rv = brood_future_result(tx->begin, NULL);
    else
        return give_up(tx, rv);
    if (rv != APR_SUCCESS) {
        /* Not begun, or begun in vain: the thread goes back first. */
        brood__lease_close(tx->lease, NULL, NULL);
        brood__lease_fail(tx->lease, rv);
        brood__lease_await_end(tx->lease);
        rv = brood__affinity_refusal(tx->lease->pool, rv);
    }
    return rv;
}

/* The caller's own end was asked for. What on_begin has begun is undone. */
static apr_status_t give_up(brood__tx_t *tx, apr_status_t why)
{
    brood_future_cancel(tx->begin);
    while (brood__lease_wait(tx->lease, tx->begin, -1, 1) != APR_SUCCESS)
        brood__os_yield();
    if (brood_future_result(tx->begin, NULL) == APR_SUCCESS) {
        (void)brood__tx_end(tx, BROOD_ECANCELED);
    } else {
        brood__lease_close(tx->lease, NULL, NULL);
        brood__lease_fail(tx->lease, why);
        brood__lease_await_end(tx->lease);
    }
    return why;
}
