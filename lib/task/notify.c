/* SPDX-License-Identifier: Apache-2.0 */

/*
 * notify.c: telling a loop or a thread manager that a future is settled.
 *
 * A notice waits in two lists: the future's, and the target's. Whoever is first
 * posts it, once:
 *
 *     WAITING --(1)--> POSTED
 *
 *   (1) the settling thread, or the target that stops (brood__notices_close()).
 *
 * It holds a reference to the future and to the caller's scope. It is counted:
 * one reference is the future's ring's, given back by fire() or by whoever
 * takes it out of the ring; one is the errand's, given back when it has run.
 *
 * A target's run may not end while a notice is on its way: `list` holds the
 * waiting ones, `posting` counts those between (1) and the end of post(), and
 * close() waits until both are empty. The target's memory is held by the notice,
 * so a late settled() may still look at its lock.
 */

#include <brood/errors.h>
#include <brood/future.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "task/future.h"

typedef struct notice_t {
    brood__waiter_t waiter;
    brood__errand_t errand;
    brood__link_t of_target; /* under the target's notices lock */
    brood__home_t *target;   /* NULL: on the settling thread */
    brood__notices_t *notices;
    brood_future_t *future;
    brood_notify_fn *fn;
    void *baton;
    brood__scope_t *scope;
    atomic_int posted;
    atomic_int refs;
} notice_t;

static apr_status_t target_of(brood__home_t **target,
                              brood__notices_t **notices,
                              const brood_target_t *where);
static notice_t *notice_make(brood_future_t *future, brood_notify_fn *fn,
                             void *baton);
static void notice_release(notice_t *notice);
static apr_status_t enlist(notice_t *notice);
static void settled(brood__waiter_t *waiter, brood_future_t *future);
static void settled_here(brood__waiter_t *waiter, brood_future_t *future);
static void post(notice_t *notice);
static void run(void *baton);

apr_status_t brood_future_notify(brood_future_t *future,
                                 const brood_target_t *where,
                                 brood_notify_fn *fn, void *baton)
{
    brood__home_t *target = NULL;
    brood__notices_t *notices = NULL;
    notice_t *notice;
    apr_status_t rv;

    if (!future || !fn)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS && where)
        rv = target_of(&target, &notices, where);
    if (rv != APR_SUCCESS)
        return rv;
    notice = notice_make(future, fn, baton);
    if (!notice)
        return APR_ENOMEM;
    if (target) {
        notice->target = target;
        notice->notices = notices;
        target->ops->hold(target, 1);
        return enlist(notice);
    }

    notice->waiter.fire = settled_here;
    atomic_init(&notice->refs, 1);
    if (brood__future_listen(future, &notice->waiter))
        return APR_SUCCESS;
    notice_release(notice);
    return BROOD_EALREADY;
}

void brood__notices_init(brood__notices_t *notices)
{
    brood__lock_init(&notices->lock, BROOD__RANK_SERIAL);
    brood__list_init(&notices->list);
    notices->open = 0;
    notices->posting = 0;
}

void brood__notices_fini(brood__notices_t *notices)
{
    brood__lock_fini(&notices->lock);
}

void brood__notices_open(brood__notices_t *notices)
{
    brood__lock(&notices->lock);
    notices->open = 1;
    brood__unlock(&notices->lock);
}

void brood__notices_close(brood__notices_t *notices)
{
    brood__link_t *link;

    brood__lock(&notices->lock);
    notices->open = 0;
    while ((link = brood__list_pop(&notices->list))) {
        notice_t *notice = BROOD__CONTAINER(link, notice_t, of_target);

        if (brood__swap(&notice->posted, 1, acq_rel))
            continue; /* the settling thread has just won (1) */
        notices->posting++;
        brood__unlock(&notices->lock);
        if (brood__future_unlisten(notice->future, &notice->waiter))
            notice_release(notice);
        post(notice);
        brood__lock(&notices->lock);
    }
    while (notices->posting)
        brood__cond_wait(&notices->empty, &notices->lock, -1);
    brood__unlock(&notices->lock);
}

static apr_status_t target_of(brood__home_t **target,
                              brood__notices_t **notices,
                              const brood_target_t *where)
{
    apr_status_t rv = APR_SUCCESS;

    /* A manager's first member is its home; see lineage/manager.h. */
    if (where->size != sizeof(*where) || !where->threads == !where->loop)
        return APR_EINVAL;
    *target = where->threads ? (brood__home_t *)(void *)where->threads
                             : (brood__home_t *)(void *)where->loop;
    *notices = (*target)->ops->notices(*target, &rv);
    return rv;
}

static notice_t *notice_make(brood_future_t *future, brood_notify_fn *fn,
                             void *baton)
{
    notice_t *notice = brood__alloc(sizeof(*notice));

    if (!notice)
        return NULL;
    notice->future = brood_future_retain(future);
    notice->fn = fn;
    notice->baton = baton;
    notice->scope = brood__self.now.scope;
    brood__scope_retain(notice->scope);
    brood__list_init(&notice->of_target);
    brood__list_init(&notice->waiter.link);
    brood__list_init(&notice->errand.link);
    return notice;
}

static void notice_release(notice_t *notice)
{
    if (brood__sub(&notice->refs, 1, acq_rel) != 1)
        return;
    brood_future_release(notice->future);
    if (notice->target)
        notice->target->ops->hold(notice->target, -1);
    if (notice->scope)
        brood__scope_release(notice->scope, 1);
    brood__free(notice);
}

/* References: the ring's, the errand's, and ours until we are through. */
static apr_status_t enlist(notice_t *notice)
{
    brood__notices_t *notices = notice->notices;
    apr_status_t rv = APR_SUCCESS;

    notice->waiter.fire = settled;
    atomic_init(&notice->refs, 3);
    brood__lock(&notices->lock);
    if (notices->open)
        brood__list_append(&notices->list, &notice->of_target);
    else
        rv = BROOD_ESTOPPED;
    brood__unlock(&notices->lock);
    if (rv != APR_SUCCESS) {
        atomic_init(&notice->refs, 1);
    } else if (!brood__future_listen(notice->future, &notice->waiter)) {
        settled(&notice->waiter, notice->future);
    } else if (brood__load(&notice->posted, acquire)
               && brood__future_unlisten(notice->future, &notice->waiter)) {
        /* The target stopped before we were in the ring. */
        notice_release(notice);
    }
    notice_release(notice);
    return rv;
}

/* (1) by the settling thread; gives the ring's reference back. */
static void settled(brood__waiter_t *waiter, brood_future_t *future)
{
    notice_t *notice = BROOD__CONTAINER(waiter, notice_t, waiter);
    brood__notices_t *notices = notice->notices;
    int first;

    (void)future;
    brood__lock(&notices->lock);
    first = !brood__swap(&notice->posted, 1, acq_rel);
    if (first) {
        brood__list_remove(&notice->of_target);
        notices->posting++;
    }
    brood__unlock(&notices->lock);
    if (first)
        post(notice);
    notice_release(notice);
}

static void settled_here(brood__waiter_t *waiter, brood_future_t *future)
{
    notice_t *notice = BROOD__CONTAINER(waiter, notice_t, waiter);
    brood__frame_t saved;

    brood__frame_begin(&saved, notice->scope, NULL);
    notice->fn(future, notice->baton);
    brood__frame_end(&saved);
    notice_release(notice);
}

static void post(notice_t *notice)
{
    brood__notices_t *notices = notice->notices;

    notice->errand.fn = run;
    notice->errand.baton = notice;
    notice->errand.scope = notice->scope;
    notice->scope = NULL; /* the errand's reference from now on */
    notice->target->ops->post(notice->target, &notice->errand);

    brood__lock(&notices->lock);
    if (--notices->posting == 0)
        brood__cond_wake_all(&notices->empty);
    brood__unlock(&notices->lock);
}

static void run(void *baton)
{
    notice_t *notice = baton;

    notice->fn(notice->future, notice->baton);
    notice_release(notice);
}
