/* SPDX-License-Identifier: Apache-2.0 */

/* transaction.c: the object, and its way from OPENING to ENDED. */

#include "async/transaction.h"

#include <string.h>

#include <brood/errors.h>

#include "async/nest.h"
#include "base/alloc.h"
#include "base/versioned.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1 BROOD__SIZE_TO(brood_transaction_options_t, baton)

const int brood__tx_key; /* its address is the key */

static apr_status_t begin_call(void *tx, void **unused);
static apr_status_t end_call(void *tx, void **unused);
static void drop_call(brood_future_t *call);

apr_status_t brood__tx_options(brood_transaction_options_t *full,
                               const brood_transaction_options_t *options)
{
    memset(full, 0, sizeof(*full));
    return brood__versioned_take(full, sizeof(*full), options,
                                 OPTIONS_SIZE_0_1);
}

brood__tx_t *brood__tx_make(brood_affinity_pool_t *affinity,
                            const brood_transaction_options_t *options,
                            int is_one_call)
{
    brood__tx_t *tx = brood__alloc(sizeof(*tx));

    if (!tx)
        return NULL;
    atomic_init(&tx->refs, 1);
    atomic_init(&tx->state, BROOD__TX_OPENING);
    tx->serial = brood__handle_serial();
    tx->on_begin = options->on_begin;
    tx->on_end = options->on_end;
    tx->baton = options->baton;
    tx->is_one_call = is_one_call;
    tx->outer = brood__tx_current();
    if (tx->outer)
        brood__tx_retain(tx->outer);
    tx->lease = brood__lease_make(affinity, NULL, tx->serial);
    if (tx->lease) {
        tx->lease->tx = tx;
        if (is_one_call)
            return tx;
        /* Made now, so that an end cannot fail for want of memory. */
        tx->begin = brood__lease_call(tx->lease, begin_call, tx, NULL);
        tx->end = brood__lease_call(tx->lease, end_call, tx, NULL);
        if (tx->begin && tx->end)
            return tx;
    }
    brood__tx_release(tx);
    return NULL;
}

void brood__tx_retain(brood__tx_t *tx)
{
    brood__add(&tx->refs, 1, relaxed);
}

void brood__tx_release(void *data)
{
    brood__tx_t *tx = data;

    while (tx && brood__sub(&tx->refs, 1, acq_rel) == 1) {
        brood__tx_t *outer = tx->outer;

        drop_call(tx->begin);
        drop_call(tx->end);
        if (tx->lease)
            brood__lease_release(tx->lease);
        brood__free(tx);
        tx = outer;
    }
}

/* It was queued, and then it has settled; or it never was. */
static void drop_call(brood_future_t *call)
{
    if (!call)
        return;
    if (brood__future_settled(call)) {
        (void)brood_future_result(call, NULL); /* read, so not reported */
        brood_future_release(call);
    } else {
        brood__future_unmake(call);
    }
}

/* ---- on the leased thread ------------------------------------------------- */

static apr_status_t begin_call(void *tx, void **unused)
{
    (void)unused;
    return brood__tx_run_begin(tx);
}

apr_status_t brood__tx_run_begin(brood__tx_t *tx)
{
    brood__lease_t *lease = tx->lease;
    apr_status_t rv;
    int stopping;

    brood__lock(&lease->lock);
    stopping = tx->stopping;
    brood__unlock(&lease->lock);
    rv = stopping       ? BROOD_ESTOPPED
         : tx->on_begin ? tx->on_begin(tx->baton)
                        : APR_SUCCESS;

    brood__lock(&lease->lock);
    stopping = rv == APR_SUCCESS && tx->stopping; /* while it ran */
    brood__store(&tx->state,                      /* (1) or (4) */
                 rv == APR_SUCCESS && !stopping ? BROOD__TX_OPEN
                                                : BROOD__TX_ENDED,
                 release);
    brood__unlock(&lease->lock);
    if (stopping) {
        if (tx->on_end)
            (void)tx->on_end(tx->baton, BROOD_ESTOPPED);
        rv = BROOD_ESTOPPED;
    }
    return rv;
}

static apr_status_t end_call(void *tx, void **unused)
{
    (void)unused;
    (void)brood__tx_run_end(tx);
    return APR_SUCCESS;
}

apr_status_t brood__tx_run_end(brood__tx_t *tx)
{
    brood__lease_t *lease = tx->lease;

    brood__lock(&lease->lock);
    /* Every call has ended. A part that has not has not agreed either. */
    if (tx->outcome == APR_SUCCESS && (tx->doomed || tx->joined))
        tx->outcome = BROOD_EROLLEDBACK;
    brood__store(&tx->state, BROOD__TX_ENDED, release); /* (3) */
    brood__unlock(&lease->lock);
    tx->result = tx->on_end ? tx->on_end(tx->baton, tx->outcome) : APR_SUCCESS;
    return tx->result;
}

void brood__tx_over(brood__tx_t *tx)
{
    brood__lock(&tx->lease->lock);
    brood__store(&tx->state, BROOD__TX_ENDED, release); /* (4) or (3) before */
    brood__unlock(&tx->lease->lock);
}

/* ---- the end -------------------------------------------------------------- */

int brood__tx_decide(brood__tx_t *tx, apr_status_t outcome)
{
    brood__lease_t *lease = tx->lease;
    int first;

    brood__lock(&lease->lock);
    first = brood__tx_state(tx) == BROOD__TX_OPEN;
    if (first) {
        tx->outcome = outcome;
        brood__store(&tx->state, BROOD__TX_ENDING, release); /* (2) */
    }
    brood__unlock(&lease->lock);
    return first;
}

apr_status_t brood__tx_end(brood__tx_t *tx, apr_status_t outcome)
{
    int first = brood__tx_decide(tx, outcome);

    if (first)
        brood__lease_close(tx->lease, tx->end, brood__self.now.scope);
    brood__lease_await_end(tx->lease);
    if (!first)
        return BROOD_ESTALE;
    return outcome == APR_SUCCESS && tx->outcome != APR_SUCCESS
               ? BROOD_EROLLEDBACK
               : tx->result;
}

void brood__tx_stop(brood__tx_t *tx)
{
    brood__lease_t *lease = tx->lease;
    int opening;

    if (tx->is_one_call) /* ends by itself, as calls do */
        return;
    brood__lock(&lease->lock);
    opening = brood__tx_state(tx) == BROOD__TX_OPENING;
    if (opening)
        tx->stopping = 1;
    brood__unlock(&lease->lock);
    if (opening)
        brood__lease_close(lease, NULL, NULL);
    else if (brood__tx_decide(tx, BROOD_ESTOPPED))
        brood__lease_close(lease, tx->end, lease->pool->service);
}

/* ---- parts ---------------------------------------------------------------- */

apr_status_t brood__tx_join(brood__tx_t *tx)
{
    brood__lease_t *lease = tx->lease;
    apr_status_t rv = BROOD_ESTALE;

    brood__lock(&lease->lock);
    /* What a call that still runs does is part of it, also behind an end. */
    if (brood__tx_state(tx) == BROOD__TX_OPEN
        || (brood__tx_state(tx) == BROOD__TX_ENDING
            && (brood__lease_current() == lease
                || brood__nest_of(lease, brood__self.now.scope)))) {
        tx->joined++;
        rv = APR_SUCCESS;
    }
    brood__unlock(&lease->lock);
    return rv;
}

apr_status_t brood__tx_leave(brood__tx_t *tx, apr_status_t outcome)
{
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&tx->lease->lock);
    tx->joined--;
    if (outcome != APR_SUCCESS)
        tx->doomed = 1;
    if (brood__tx_state(tx) == BROOD__TX_ENDED)
        rv = BROOD_ESTALE;
    brood__unlock(&tx->lease->lock);
    return rv;
}

void brood__tx_doom(brood__tx_t *tx)
{
    brood__lock(&tx->lease->lock);
    tx->doomed = 1;
    brood__unlock(&tx->lease->lock);
}
