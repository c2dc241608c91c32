/* SPDX-License-Identifier: Apache-2.0 */

/* end.c: how a transaction is ended, and how one steps out and in again. */

#include <brood/errors.h>

#include "async/nest.h"
#include "async/transaction.h"
#include "lineage/life.h"

static apr_status_t may_end(brood__tx_t *tx);
static apr_status_t finish(brood__handle_t *handle, apr_status_t outcome);
static void step_out(brood__handle_t *handle);
static apr_status_t late(brood_transaction_t *transaction);
static apr_status_t carry(brood__tx_t *tx);

apr_status_t brood_transaction_end(brood_transaction_t *transaction,
                                   apr_status_t outcome)
{
    brood__handle_t *handle;
    brood__tx_t *tx;
    int is_joined = 0;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS && !transaction)
        rv = APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    tx = brood__handle_find(transaction, &is_joined);
    if (!tx)
        return late(transaction);
    if (!is_joined)
        rv = may_end(tx);
    brood__tx_release(tx);
    if (rv != APR_SUCCESS)
        return rv;
    handle = brood__handle_take(transaction);
    return handle ? finish(handle, outcome) : late(transaction);
}

/* It acts behind every queued call, also behind the caller when that is one. */
static apr_status_t may_end(brood__tx_t *tx)
{
    brood__place_t *place = brood__place();

    if (tx->is_one_call || brood__nest_inside(tx->lease))
        return BROOD_EDEADLK;
    return place->ops->may_block ? place->ops->may_block(place) : APR_SUCCESS;
}

static apr_status_t finish(brood__handle_t *handle, apr_status_t outcome)
{
    brood__tx_t *tx = handle->tx;
    apr_status_t rv;

    if (handle->is_joined) {
        rv = brood__tx_leave(tx, outcome);
    } else {
        rv = brood__tx_end(tx, outcome);
        step_out(handle);
    }
    brood__handle_forget(handle);
    brood__handle_release(handle);
    return rv;
}

/* Nearly always the caller's variables are as they were at the begin, and then
 * this takes no memory. Without memory it goes back to that place all the same,
 * and what was set since is lost; if it has a node of its own by now it goes on
 * with the ended transaction, whose calls are refused. */
static void step_out(brood__handle_t *handle)
{
    brood__scope_t *now = brood__self.now.scope;

    if (brood__tx_current() != handle->tx
        || (now != handle->inner && carry(handle->tx->outer) == APR_SUCCESS))
        return;
    if (handle->before && handle->before->node == now->node) {
        brood__self_stand(handle->before);
        handle->before = NULL;
    }
}

/* Somebody else has ended it: the caller stops carrying it. */
static apr_status_t late(brood_transaction_t *transaction)
{
    brood__tx_t *tx = brood__tx_current();

    if (tx && tx->serial == brood__handle_in(transaction))
        (void)carry(tx->outer);
    return BROOD_ESTALE;
}

/* From now on the caller is inside of `tx`, or of none. */
static apr_status_t carry(brood__tx_t *tx)
{
    apr_status_t rv;

    if (!tx)
        return brood__context_set(&brood__tx_key, NULL, NULL);
    brood__tx_retain(tx);
    rv = brood__context_set(&brood__tx_key, tx, brood__tx_release);
    if (rv != APR_SUCCESS)
        brood__tx_release(tx);
    return rv;
}

const char *brood_transaction_id(void)
{
    brood__tx_t *tx = brood__life_on() ? brood__tx_current() : NULL;

    return tx && brood__tx_state(tx) != BROOD__TX_ENDED ? tx->lease->id : NULL;
}

apr_status_t brood_transaction_suspend(brood_transaction_t **transaction)
{
    brood__tx_t *tx;
    uint64_t serial;
    apr_status_t rv = brood__life_check();

    if (transaction)
        *transaction = NULL;
    if (rv == APR_SUCCESS && !transaction)
        rv = APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    tx = brood__tx_current();
    if (!tx)
        return APR_SUCCESS;
    serial = tx->serial; /* it may go with the variable */
    rv = carry(NULL);
    if (rv == APR_SUCCESS)
        *transaction = brood__handle_out(serial);
    return rv;
}

apr_status_t brood_transaction_resume(brood_transaction_t *transaction)
{
    brood__tx_t *tx;
    int is_joined = 0;
    apr_status_t rv = brood__life_check();

    if (rv != APR_SUCCESS || !transaction)
        return rv;
    tx = brood__handle_find(transaction, &is_joined);
    if (!tx)
        return BROOD_ESTALE;
    rv = brood__tx_state(tx) == BROOD__TX_OPEN ? carry(tx) : BROOD_ESTALE;
    brood__tx_release(tx);
    return rv;
}
