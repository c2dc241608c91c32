/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bank.h: a database as far as transactions are concerned: a connection a
 * thread, which knows whether a transaction is open on it. What must never
 * happen is counted.
 */

#ifndef BROOD_TESTS_ASYNC_BANK_H
#define BROOD_TESTS_ASYNC_BANK_H

#include "async/fixture.h"

typedef struct bank_t {
    atomic_int begun, committed, rolled_back, statements;
    atomic_int wrong; /* begin in begin, a statement or an end outside, ... */
    apr_status_t fail_begin, fail_end;
    atomic_int outcome; /* what the last end was told */
    int begin_thread, end_thread;
    int after;             /* statements before the last end */
    turnstile_t *in_begin; /* or NULL: passed by on_begin, */
    door_t *hold_begin;    /* which then waits */
} bank_t;

/* The transaction that is open on this thread's connection. */
static _Thread_local bank_t *tl_open;

static apr_status_t bank_begin(void *baton)
{
    bank_t *bank = baton;

    bank->begin_thread = this_thread();
    if (bank->in_begin)
        turnstile_pass(bank->in_begin);
    if (bank->hold_begin)
        door_wait(bank->hold_begin);
    if (bank->fail_begin)
        return bank->fail_begin;
    if (tl_open)
        atomic_fetch_add(&bank->wrong, 1);
    tl_open = bank;
    atomic_fetch_add(&bank->begun, 1);
    return APR_SUCCESS;
}

static apr_status_t bank_end(void *baton, apr_status_t outcome)
{
    bank_t *bank = baton;

    bank->end_thread = this_thread();
    bank->after = atomic_load(&bank->statements);
    atomic_store(&bank->outcome, outcome);
    if (tl_open != bank)
        atomic_fetch_add(&bank->wrong, 1);
    tl_open = NULL;
    atomic_fetch_add(
        outcome == APR_SUCCESS ? &bank->committed : &bank->rolled_back, 1);
    return bank->fail_end;
}

/* A statement of the bank's transaction. */
static apr_status_t bank_statement(void *baton, void **result)
{
    bank_t *bank = baton;

    (void)result;
    if (tl_open != bank)
        atomic_fetch_add(&bank->wrong, 1);
    atomic_fetch_add(&bank->statements, 1);
    return APR_SUCCESS;
}

/* A statement outside any transaction. */
static inline apr_status_t free_statement(void *baton, void **result)
{
    bank_t *bank = baton;

    (void)result;
    if (tl_open)
        atomic_fetch_add(&bank->wrong, 1);
    return APR_SUCCESS;
}

static inline brood_transaction_options_t with_bank(bank_t *bank,
                                                    brood_affinity_pool_t *pool)
{
    brood_transaction_options_t options = BROOD_TRANSACTION_OPTIONS_INIT;

    options.pool = pool;
    options.on_begin = bank_begin;
    options.on_end = bank_end;
    options.baton = bank;
    return options;
}

static inline brood_transaction_t *begin_with(
    const brood_transaction_options_t *options)
{
    brood_transaction_t *transaction = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_transaction_begin(&transaction, options));
    CU_ASSERT_PTR_NOT_NULL(transaction);
    return transaction;
}

static inline brood_transaction_t *begin_on(bank_t *bank,
                                            brood_affinity_pool_t *pool)
{
    brood_transaction_options_t options = with_bank(bank, pool);

    return begin_with(&options);
}

/* Submit and wait. */
static inline apr_status_t call(brood_task_fn *fn, void *baton)
{
    brood_future_t *future = NULL;
    apr_status_t rv = brood_sync_to_async(&future, fn, baton, NULL);

    return rv == APR_SUCCESS ? finish(future) : rv;
}

#endif /* BROOD_TESTS_ASYNC_BANK_H */
