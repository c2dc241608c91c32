/* SPDX-License-Identifier: Apache-2.0 */

/* one_call.c: a single call as a transaction. */

#include "async/one_call.h"

#include <brood/errors.h>

#include "base/alloc.h"

/* Owned by its call: freed by the call's `destroy`, which comes exactly once,
 * after the call or instead. */
typedef struct one_t {
    brood__tx_t *tx;         /* holds a reference */
    brood__handle_t *handle; /* for suspend and resume; NULL for a part */
    brood_task_fn *fn;
    void *baton;
    void (*destroy)(void *baton); /* the program's */
    int ran;                      /* a part: and with success */
} one_t;

static one_t *make(brood__tx_t *tx, brood_task_fn *fn, void *baton,
                   const brood_task_options_t *task);
static void unmake(one_t *one);
static brood_future_t *call_of(one_t *one, brood_task_fn *fn,
                               const brood_task_options_t *task,
                               void (*destroy)(void *));
static apr_status_t lease_and_push(one_t *one, brood_future_t *call);
static apr_status_t run_one(void *baton, void **result);
static void drop_one(void *baton);
static apr_status_t run_part(void *baton, void **result);
static void drop_part(void *baton);

apr_status_t brood__one_call(brood_future_t **future,
                             brood_affinity_pool_t *affinity, brood_task_fn *fn,
                             void *baton, const brood_task_options_t *task,
                             const brood_transaction_options_t *hooks)
{
    brood__tx_t *tx = brood__tx_make(affinity, hooks, 1);
    one_t *one = tx ? make(tx, fn, baton, task) : NULL;
    brood_future_t *call = NULL;
    apr_status_t rv = APR_ENOMEM;

    if (one)
        one->handle = brood__handle_make(tx, tx->serial, 0);
    if (one && one->handle)
        call = call_of(one, run_one, task, drop_one);
    if (call)
        rv = lease_and_push(one, call);
    if (rv == APR_SUCCESS) {
        if (future)
            *future = call;
        else
            brood_future_release(call);
    } else {
        if (call)
            brood__future_unmake(call);
        if (one)
            unmake(one);
    }
    brood__tx_release(tx);
    return rv;
}

static one_t *make(brood__tx_t *tx, brood_task_fn *fn, void *baton,
                   const brood_task_options_t *task)
{
    one_t *one = brood__alloc(sizeof(*one));

    if (!one)
        return NULL;
    one->tx = tx;
    brood__tx_retain(tx);
    one->fn = fn;
    one->baton = baton;
    one->destroy = task->destroy;
    return one;
}

static void unmake(one_t *one)
{
    if (one->handle)
        brood__handle_release(one->handle);
    brood__tx_release(one->tx);
    brood__free(one);
}

static brood_future_t *call_of(one_t *one, brood_task_fn *fn,
                               const brood_task_options_t *task,
                               void (*destroy)(void *))
{
    brood_task_options_t ours = *task;

    ours.destroy = destroy;
    return brood__lease_call(one->tx->lease, fn, one, &ours);
}

/* The call stands inside of its own transaction. */
static apr_status_t lease_and_push(one_t *one, brood_future_t *call)
{
    brood__lease_t *lease = one->tx->lease;
    brood__scope_t *inner;
    apr_status_t rv;

    brood__tx_retain(one->tx); /* the variable's */
    inner = brood__scope_with(brood__self.now.scope, &brood__tx_key, one->tx,
                              brood__tx_release);
    if (!inner) {
        brood__tx_release(one->tx);
        return APR_ENOMEM;
    }
    rv = brood__slot_take(lease, 0);
    if (rv == APR_SUCCESS)
        rv = brood__lease_start(lease);
    if (rv == APR_SUCCESS)
        rv = brood__affinity_refusal(lease->pool,
                                     brood__lease_await_thread(lease));
    if (rv == APR_SUCCESS)
        rv = brood__lease_push(lease, call, inner) == APR_SUCCESS
                 ? APR_SUCCESS
                 : BROOD_ESTOPPED; /* canceled before it had a thread */
    brood__scope_release(inner, 1);
    return rv;
}

static apr_status_t run_one(void *baton, void **result)
{
    one_t *one = baton;
    brood__tx_t *tx = one->tx;
    brood__handle_t *taken;
    apr_status_t rv, ended;

    one->ran = 1;
    rv = brood__tx_run_begin(tx);
    if (rv == APR_SUCCESS) {
        brood__add(&one->handle->refs, 1, relaxed); /* the table's */
        brood__handle_publish(one->handle, 0);
        rv = one->fn(one->baton, result);
        (void)brood__tx_decide(tx, rv);
        taken = brood__handle_take(brood__handle_out(tx->serial));
        if (taken)
            brood__handle_release(taken);
        brood__lease_close(tx->lease, NULL, NULL);
        brood__lease_drain(tx->lease);
        ended = brood__tx_run_end(tx);
        if (rv == APR_SUCCESS)
            rv = tx->outcome == APR_SUCCESS ? ended : BROOD_EROLLEDBACK;
    }
    brood__lease_close(tx->lease, NULL, NULL);
    /* Whoever has seen how it went may make the next one at once. */
    brood__lease_finish(tx->lease);
    return rv;
}

static void drop_one(void *baton)
{
    one_t *one = baton;

    if (one->destroy)
        one->destroy(one->baton);
    if (!one->ran) /* else it has closed the lease itself */
        brood__lease_close(one->tx->lease, NULL, NULL);
    unmake(one);
}

/* ---- a part ---------------------------------------------------------------- */

apr_status_t brood__part_call(brood_future_t **future, brood__tx_t *tx,
                              brood_task_fn *fn, void *baton,
                              const brood_task_options_t *task)
{
    one_t *one = make(tx, fn, baton, task);
    brood_future_t *call = one ? call_of(one, run_part, task, drop_part) : NULL;
    apr_status_t rv = APR_ENOMEM;

    if (call)
        rv = brood__lease_push(tx->lease, call, brood__self.now.scope);
    if (rv == APR_SUCCESS) {
        if (future)
            *future = call;
        else
            brood_future_release(call);
        return APR_SUCCESS;
    }
    if (call)
        brood__future_unmake(call);
    if (one)
        unmake(one);
    return rv;
}

static apr_status_t run_part(void *baton, void **result)
{
    one_t *one = baton;
    apr_status_t rv = one->fn(one->baton, result);

    one->ran = rv == APR_SUCCESS;
    return rv;
}

/* A part that failed, or never ran, dooms. */
static void drop_part(void *baton)
{
    one_t *one = baton;

    if (one->destroy)
        one->destroy(one->baton);
    if (!one->ran)
        brood__tx_doom(one->tx);
    unmake(one);
}
