/* SPDX-License-Identifier: Apache-2.0 */

/*
 * all.c: a future of many.
 *
 * The gathering owns a reference to each child and the settler's reference to
 * its own future. `left` counts children that are not settled, and one more
 * while they are being enlisted; whoever takes it to 0 settles, once, and frees
 * the gathering. A cancel may come at any time before: it takes a count of its
 * own on `left` if that is not 0 yet, so the children stay while it walks them.
 *
 * A child may be a gathering, too. So that a nest of any depth needs no deep
 * stack, what is to be settled or canceled while the thread is just settling or
 * canceling such a one waits in a list of the thread for its turn.
 */

#include <brood/errors.h>
#include <brood/future.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "task/future.h"

typedef struct child_t {
    brood__waiter_t waiter;
    struct gathering_t *gathering;
    brood_future_t *future;
} child_t;

typedef struct gathering_t {
    brood_future_t *future; /* the settler's reference */
    atomic_size_t left;
    atomic_int canceled;
    struct gathering_t *next_due; /* in tl_due of the thread that settles it */
    struct gathering_t *next_cancel; /* ... that canceled it first */
    apr_size_t n;
    child_t child[];
} gathering_t;

_Static_assert(sizeof(gathering_t) <= BROOD__PER_FUTURE
                   && sizeof(child_t) <= BROOD__PER_FUTURE,
               "the size of a gathering may wrap");

static void on_token(brood__home_t *home, brood_future_t *future);
static int help(brood_future_t *future,
                int (*run)(void *baton, brood_future_t *other), void *baton);
static gathering_t *hold(brood_future_t *future);
static void one_settled(brood__waiter_t *waiter, brood_future_t *future);
static void count_down(gathering_t *gathering);
static int was_last(gathering_t *gathering);
static void finish(gathering_t *gathering);

static BROOD__THREAD_LOCAL gathering_t *tl_due, *tl_cancels;
static BROOD__THREAD_LOCAL int tl_settles, tl_canceling;

static const brood__home_ops_t all_ops = { .noun = "all",
                                           .token = on_token,
                                           .help = help };
static brood__home_t g_all_home = { &all_ops };

apr_status_t brood_future_all(brood_future_t **all,
                              brood_future_t *const *futures, apr_size_t n)
{
    gathering_t *gathering;
    apr_status_t rv;
    apr_size_t i;

    if (all)
        *all = NULL;
    if (!all)
        return APR_EINVAL;
    rv = brood__futures_check(futures, n);
    if (rv != APR_SUCCESS)
        return rv;
    gathering = brood__alloc(sizeof(*gathering) + n * sizeof(child_t));
    if (!gathering)
        return APR_ENOMEM;
    gathering->future = brood__future_make_running(&g_all_home, 1);
    if (!gathering->future) {
        brood__free(gathering);
        return APR_ENOMEM;
    }
    gathering->future->extra->owner = gathering;
    gathering->n = n;
    atomic_init(&gathering->left, n + 1);
    *all = gathering->future;
    for (i = 0; i < n; i++) {
        child_t *child = &gathering->child[i];

        child->waiter.fire = one_settled;
        child->gathering = gathering;
        child->future = brood_future_retain(futures[i]);
        if (!brood__future_listen(futures[i], &child->waiter))
            count_down(gathering);
    }
    count_down(gathering);
    return APR_SUCCESS;
}

static void one_settled(brood__waiter_t *waiter, brood_future_t *future)
{
    gathering_t *gathering =
        BROOD__CONTAINER(waiter, child_t, waiter)->gathering;

    (void)future;
    if (!was_last(gathering))
        return;
    gathering->next_due = tl_due;
    tl_due = gathering;
    if (tl_settles)
        return; /* further down on this stack */
    tl_settles = 1;
    while ((gathering = tl_due)) {
        tl_due = gathering->next_due;
        finish(gathering);
    }
    tl_settles = 0;
}

static void count_down(gathering_t *gathering)
{
    if (was_last(gathering))
        finish(gathering);
}

static int was_last(gathering_t *gathering)
{
    return brood__sub(&gathering->left, 1, acq_rel) == 1;
}

static void finish(gathering_t *gathering)
{
    apr_status_t status = APR_SUCCESS;
    brood_future_t *future = gathering->future;
    apr_size_t i;

    for (i = 0; i < gathering->n; i++) {
        apr_status_t rv = brood_future_result(gathering->child[i].future, NULL);

        if (status == APR_SUCCESS)
            status = rv;
    }
    /* Under the lock: a token that is just being raised looks at `owner`. */
    brood__future_lock(future);
    future->extra->owner = NULL;
    brood__future_unlock(future);
    for (i = 0; i < gathering->n; i++)
        brood_future_release(gathering->child[i].future);
    brood__future_settle(future, status, NULL);
    brood__free(gathering);
}

/* The gathering, with a count on `left` that keeps it; NULL when it is over. */
static gathering_t *hold(brood_future_t *future)
{
    gathering_t *gathering;
    size_t left = 0;

    brood__future_lock(future);
    gathering = future->extra->owner;
    if (gathering) {
        left = brood__load(&gathering->left, relaxed);
        while (left
               && !brood__cas_weak(&gathering->left, &left, left + 1, acq_rel))
            ;
    }
    brood__future_unlock(future);
    return left ? gathering : NULL;
}

static void on_token(brood__home_t *home, brood_future_t *future)
{
    gathering_t *gathering = hold(future);
    apr_size_t i;

    (void)home;
    if (!gathering)
        return;
    if (brood__swap(&gathering->canceled, 1, relaxed)) {
        count_down(gathering); /* another canceler is at it */
        return;
    }
    gathering->next_cancel = tl_cancels;
    tl_cancels = gathering;
    if (tl_canceling)
        return; /* further down on this stack */
    tl_canceling = 1;
    while ((gathering = tl_cancels)) {
        tl_cancels = gathering->next_cancel;
        for (i = 0; i < gathering->n; i++)
            brood_future_cancel(gathering->child[i].future);
        count_down(gathering);
    }
    tl_canceling = 0;
}

/* A worker waits for all of them: it may run those that are queued with it. */
static int help(brood_future_t *future,
                int (*run)(void *baton, brood_future_t *other), void *baton)
{
    gathering_t *gathering = hold(future);
    int helped = 0;
    apr_size_t i;

    if (!gathering)
        return 0;
    for (i = 0; i < gathering->n; i++)
        helped |= run(baton, gathering->child[i].future);
    count_down(gathering);
    return helped;
}
