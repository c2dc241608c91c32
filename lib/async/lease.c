/* SPDX-License-Identifier: Apache-2.0 */

/* lease.c: the life of a lease, from made to over. See lease.h. */

#include "async/lease.h"

#include <stdio.h>
#include <string.h>

#include <brood/errors.h>

#include "async/transaction.h"
#include "base/alloc.h"
#include "observe/task_hooks.h"

static apr_status_t serve(void *baton, void **unused);
static void task_over(void *baton);
static void over(brood__lease_t *lease);
static brood__errand_t *next(brood__lease_t *lease);
static void set_running(brood__lease_t *lease, brood_future_t *call);

static const brood__home_ops_t lease_ops = { .noun = "affinity pool",
                                             .undelay = brood__lease_undelay };

brood__home_t brood__lease_home = { &lease_ops };

brood__lease_t *brood__lease_make(brood_affinity_pool_t *affinity,
                                  const char *id, uint64_t serial)
{
    char made[32];
    brood__lease_t *lease;
    char *copy;

    if (!id) {
        snprintf(made, sizeof(made), "transaction-%llu",
                 (unsigned long long)serial);
        id = made;
    }
    lease = brood__alloc(sizeof(*lease) + strlen(id) + 1);
    if (!lease)
        return NULL;
    copy = (char *)(lease + 1);
    strcpy(copy, id);
    lease->id = copy;
    lease->opened = brood__future_make_running(&brood__lease_home, 0);
    lease->over = brood__future_make_running(&brood__lease_home, 0);
    if (!lease->opened || !lease->over) {
        if (lease->opened)
            brood__future_unmake(lease->opened);
        brood__free(lease);
        return NULL;
    }
    atomic_init(&lease->refs, 1);
    lease->pool = affinity;
    brood__affinity_retain(affinity);
    brood__list_init(&lease->link);
    brood__lock_init(&lease->lock, BROOD__RANK_SERIAL);
    brood__cond_init(&lease->wake);
    brood__list_init(&lease->queue);
    brood__list_init(&lease->delayed);
    return lease;
}

void brood__lease_retain(brood__lease_t *lease)
{
    brood__add(&lease->refs, 1, relaxed);
}

void brood__lease_release(brood__lease_t *lease)
{
    brood_affinity_pool_t *affinity = lease->pool;

    if (brood__sub(&lease->refs, 1, acq_rel) != 1)
        return;
    /* One that never got a slot was never opened: both references are ours. */
    if (!brood__future_settled(lease->opened))
        brood__future_settle(lease->opened, BROOD_ECANCELED, NULL);
    if (!brood__future_settled(lease->over))
        brood__future_settle(lease->over, BROOD_ECANCELED, NULL);
    brood_future_release(lease->opened);
    brood_future_release(lease->over);
    brood__lock_fini(&lease->lock);
    brood__free(lease);
    brood__affinity_release(affinity);
}

brood_future_t *brood__lease_call(brood__lease_t *lease, brood_task_fn *fn,
                                  void *baton,
                                  const brood_task_options_t *options)
{
    static const brood_task_options_t none = BROOD_TASK_OPTIONS_INIT;
    /* Always with options: the call travels by the errand among them. */
    brood_future_t *call = brood__future_make(&brood__lease_home, fn, baton,
                                              options ? options : &none);

    if (call)
        call->extra->owner = lease;
    return call;
}

apr_status_t brood__lease_start(brood__lease_t *lease)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_affinity_pool_t *affinity = lease->pool;
    brood__frame_t saved;
    brood_future_t *task;
    apr_status_t rv;

    brood__task_hooks_hide(serve); /* its calls have them */
    options.priority = BROOD_PRIORITY_HIGH;
    options.flags = BROOD_TASK_QUIET;
    options.destroy = task_over;
    brood__lease_retain(lease); /* the task's */
    brood__store(&lease->refusals,
                 brood__executor_refusals(affinity->executor, NULL), relaxed);

    /* The lease outlives whoever opened it, so it stands at the pool's own
     * place and keeps nobody's family alive. */
    brood__frame_begin(&saved, affinity->service, NULL);
    rv = brood__executor_submit(&task, affinity->executor, serve, lease,
                                &options);
    brood__purse_empty(&brood__self.purse); /* keeps nothing of it alive */
    brood__frame_end(&saved);
    if (rv != APR_SUCCESS) {
        brood__lease_abandon(lease, rv); /* (4) */
        brood__lease_release(lease);
        return rv;
    }
    brood__lock(&lease->lock);
    if (!lease->started && lease->failed == APR_SUCCESS) {
        lease->task = task;
        task = NULL;
    }
    rv = lease->failed;
    brood__unlock(&lease->lock);
    if (task && rv != APR_SUCCESS) /* it failed before we could say which */
        brood__future_end(task, rv, 0);
    brood_future_release(task);
    return APR_SUCCESS;
}

void brood__lease_fail(brood__lease_t *lease, apr_status_t status)
{
    brood_future_t *task;

    brood__lock(&lease->lock);
    if (lease->failed == APR_SUCCESS)
        lease->failed = status;
    task = lease->task;
    lease->task = NULL;
    brood__unlock(&lease->lock);
    if (task)
        brood__future_end(task, status, 0); /* leads to task_over() */
    brood_future_release(task);
}

void brood__lease_abandon(brood__lease_t *lease, apr_status_t status)
{
    brood__lease_fail(lease, status);
    over(lease);
}

/* The executor is through with the task: it ran, or never will. */
static void task_over(void *baton)
{
    brood__lease_t *lease = baton;
    brood_affinity_pool_t *affinity = lease->pool;
    int started;

    brood__lock(&lease->lock);
    started = lease->started;
    brood__unlock(&lease->lock);
    if (!started) {
        apr_status_t status;

        brood__lock(&affinity->lock);
        status = affinity->canceling      ? BROOD_ECANCELED
                 : affinity->start_status ? affinity->start_status
                                          : BROOD_ESTOPPED;
        brood__unlock(&affinity->lock);
        brood__lease_abandon(lease, status); /* (4); a first reason stands */
    }
    brood__lease_release(lease);
}

/* (3) or (4). Nothing of the context runs; no call comes any more. */
static void over(brood__lease_t *lease)
{
    brood__link_t *link;
    brood__link_t refused;
    apr_status_t status;

    brood__list_init(&refused);
    brood__lease_close(lease, NULL, NULL);
    brood__lock(&lease->lock);
    status = lease->failed;
    brood__list_splice(&refused, &lease->queue);
    lease->n_queued = 0;
    brood__unlock(&lease->lock);
    while ((link = brood__list_pop(&refused))) {
        brood__errand_t *errand = BROOD__CONTAINER(link, brood__errand_t, link);
        brood__scope_t *scope = errand->scope;
        int ours = 1;

        if (brood__future_claim(errand->future, 0))
            brood__future_refuse(errand->future, status);
        else
            ours = brood__future_drop(errand->future);
        if (ours)
            brood__scope_release(scope, 1);
    }
    if (lease->tx)
        brood__tx_over(lease->tx);
    brood__slot_give(lease);
    if (!brood__future_settled(lease->opened))
        brood__future_settle(lease->opened, status, NULL);
    brood__future_settle(lease->over, APR_SUCCESS, NULL);
    if (lease->tx)
        brood__tx_release(lease->tx);
}

/* ---- on the leased thread ------------------------------------------------ */

static apr_status_t serve(void *baton, void **unused)
{
    brood__lease_t *lease = baton;
    brood_future_t *task;
    brood__errand_t *errand;

    (void)unused;
    brood__lock(&lease->lock);
    if (lease->failed != APR_SUCCESS) {
        brood__unlock(&lease->lock);
        return APR_SUCCESS; /* task_over() does the rest */
    }
    lease->started = 1; /* (2) */
    lease->since = brood__os_now();
    task = lease->task;
    lease->task = NULL;
    brood__unlock(&lease->lock);
    brood_future_release(task);
    brood__roster_serve(lease);
    brood__future_settle(lease->opened, APR_SUCCESS, NULL);

    brood__lease_enter(lease);
    while ((errand = next(lease)))
        brood__lease_run(lease, errand);
    brood__lease_finish(lease);
    brood__lease_leave();
    return APR_SUCCESS;
}

void brood__lease_finish(brood__lease_t *lease)
{
    brood_affinity_pool_t *affinity = lease->pool;
    brood__frame_t saved;

    if (lease->left)
        return;
    lease->left = 1;
    if (affinity->options.on_context_end) {
        brood__frame_begin(&saved, affinity->service, NULL);
        affinity->options.on_context_end(lease->id,
                                         affinity->options.hook_baton);
        brood__frame_end(&saved);
    }
    over(lease); /* (3) */
}

/* The oldest call; NULL: closed, and nothing is left. */
static brood__errand_t *next(brood__lease_t *lease)
{
    brood__link_t *link;
    int closed;

    for (;;) {
        brood__lock(&lease->lock);
        link = brood__list_pop(&lease->queue);
        closed = lease->closed;
        if (link)
            lease->n_queued--;
        if (brood__list_empty(&lease->queue) && !closed)
            brood__store(&lease->ready, 0, relaxed);
        brood__unlock(&lease->lock);
        if (link)
            return BROOD__CONTAINER(link, brood__errand_t, link);
        if (closed)
            return NULL;
        brood__lease_idle(lease);
    }
}

void brood__lease_drain(brood__lease_t *lease)
{
    brood__errand_t *errand;

    while ((errand = next(lease)))
        brood__lease_run(lease, errand);
}

void brood__lease_run(brood__lease_t *lease, brood__errand_t *errand)
{
    brood_future_t *call = errand->future;
    brood__scope_t *scope = errand->scope;
    brood_future_t *outer;

    if (!brood__future_claim(call, 0)) { /* canceled or expired */
        if (brood__future_drop(call))
            brood__purse_earn(&brood__self.purse, scope);
        return;
    }
    outer = lease->running; /* only this thread writes it */
    set_running(lease, brood_future_retain(call));
    brood__warning_begin(lease->pool);
    brood__future_run(call, scope);
    brood__purse_earn(&brood__self.purse, scope);
    set_running(lease, outer);
    brood_future_release(call);
}

/* The call, or the one that waits around it, or NULL. */
static void set_running(brood__lease_t *lease, brood_future_t *call)
{
    brood__lock(&lease->lock);
    lease->running = call;
    lease->warned = 0;
    lease->since = brood__os_now();
    brood__unlock(&lease->lock);
}
