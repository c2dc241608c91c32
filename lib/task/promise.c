/* SPDX-License-Identifier: Apache-2.0 */

/*
 * promise.c: futures that the program settles itself.
 *
 * The promise and its future are the same object: the promise is the settler's
 * reference. The function to call on cancel has a state of its own:
 *
 *     NONE --(1)--> SETTING --(1)--> SET --(2)--> CALLING --(2)--> CLOSED
 *       \                              \                             ^
 *        `------------(3)---------------`---------------(3)----------'
 *
 *   (1) brood_promise_on_cancel(), once.
 *   (2) the first cancel that finds it SET, or on_cancel() itself when a cancel
 *       came before it.
 *   (3) settle or release. While another thread is CALLING they wait for it;
 *       the function itself may settle.
 *
 * A cancel raises TOKEN and then looks at the state; on_cancel() stores SET and
 * then looks at TOKEN, with a seq_cst fence between on both sides, so one of
 * the two makes the call.
 */

#include <brood/errors.h>
#include <brood/future.h>

#include "lineage/life.h"
#include "task/future.h"

enum { NONE, SETTING, SET, CALLING, CLOSED };

static void on_token(brood__home_t *home, brood_future_t *future);
static void call(brood_future_t *future);
static void close_promise(brood_future_t *future);

static const brood__home_ops_t promise_ops = { .noun = "promise",
                                               .token = on_token };
static brood__home_t g_promise_home = { &promise_ops };

/* The functions that the calling thread is in, innermost first. */
typedef struct calling_t {
    struct calling_t *outer;
    brood_future_t *future;
} calling_t;

static BROOD__THREAD_LOCAL calling_t *tl_calling;

static brood_future_t *future_of(brood_promise_t *promise)
{
    return (brood_future_t *)(void *)promise;
}

apr_status_t brood_promise_make(brood_promise_t **promise,
                                brood_future_t **future,
                                void (*free_value)(void *value))
{
    brood_future_t *both;
    apr_status_t rv;

    if (promise)
        *promise = NULL;
    if (future)
        *future = NULL;
    if (!promise || !future)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    both = brood__future_make_running(&g_promise_home, 1);
    if (!both)
        return APR_ENOMEM;
    both->extra->free_value = free_value;
    *promise = (brood_promise_t *)(void *)both;
    *future = both;
    return APR_SUCCESS;
}

apr_status_t brood_promise_settle(brood_promise_t *promise, apr_status_t status,
                                  void *value)
{
    apr_status_t rv;

    if (!promise || status == BROOD_EPENDING)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    close_promise(future_of(promise));
    brood__future_settle(future_of(promise), status, value);
    return APR_SUCCESS;
}

void brood_promise_release(brood_promise_t *promise)
{
    if (promise)
        brood_promise_settle(promise, BROOD_EABANDONED, NULL);
}

apr_status_t brood_promise_on_cancel(brood_promise_t *promise,
                                     brood_cancel_fn *fn, void *baton)
{
    brood_future_t *future = future_of(promise);
    brood__extra_t *extra;
    apr_status_t rv;
    int none = NONE;

    if (!promise || !fn)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    extra = future->extra;
    if (!brood__cas(&extra->on_cancel_state, &none, SETTING, relaxed))
        return BROOD_EALREADY;
    /* From SET on the function may be called, and settle the promise. */
    brood_future_retain(future);
    extra->on_cancel = fn;
    extra->on_cancel_baton = baton;
    brood__store(&extra->on_cancel_state, SET, release);
    brood__fence(seq_cst);
    if (brood__load(&future->state, relaxed) & BROOD__TOKEN)
        call(future);
    brood_future_release(future);
    return APR_SUCCESS;
}

/* The canceler holds a reference of its own, so the future outlives the call,
 * also when the function settles the promise. */
static void on_token(brood__home_t *home, brood_future_t *future)
{
    (void)home;
    brood__fence(seq_cst);
    call(future);
}

static void call(brood_future_t *future)
{
    brood__extra_t *extra = future->extra;
    calling_t calling = { tl_calling, future };
    int set = SET;

    if (!brood__cas(&extra->on_cancel_state, &set, CALLING, acq_rel))
        return;
    brood_future_retain(future);
    tl_calling = &calling;
    brood__lock_none_held();
    extra->on_cancel(extra->on_cancel_baton);
    tl_calling = calling.outer;
    brood__store(&extra->on_cancel_state, CLOSED, release);
    brood_future_release(future);
}

static int is_calling(const brood_future_t *future)
{
    const calling_t *calling = tl_calling;

    while (calling && calling->future != future)
        calling = calling->outer;
    return calling != NULL;
}

static void close_promise(brood_future_t *future)
{
    atomic_int *state = &future->extra->on_cancel_state;
    int seen = brood__load(state, acquire);

    for (;;) {
        if (seen == CALLING && is_calling(future))
            return; /* the function itself settles */
        if (seen == CALLING || seen == SETTING) {
            brood__os_yield();
            seen = brood__load(state, acquire);
        } else if (brood__cas(state, &seen, CLOSED, acq_rel)) {
            return;
        }
    }
}
