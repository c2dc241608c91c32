/* SPDX-License-Identifier: Apache-2.0 */

/* wait.c: waiting for one future, for all of several, for any of them. */

#include <stddef.h>

#include <brood/await.h>
#include <brood/errors.h>
#include <brood/future.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "task/future.h"
#include "task/spin.h"

#define ON_STACK 8 /* futures of a wait_any that need no memory */

/* One future of a wait. fire() either wins the sleep, and then touches nothing
 * of this any more, or says that it is through. */
typedef struct watcher_t {
    brood__waiter_t waiter;
    brood__sleep_t *sleep;
    unsigned index;
    atomic_uint through;
} watcher_t;

_Static_assert(sizeof(watcher_t) <= BROOD__PER_FUTURE, "their size may wrap");

/* What lies on the stack of who waits. Whoever settles a single future has to
 * fetch one line of it. */
typedef struct wait_t {
    brood__sleep_t sleep BROOD__ALIGNED(BROOD__LINE);
    watcher_t few[ON_STACK];
} wait_t;

_Static_assert(offsetof(wait_t, few[1]) <= BROOD__LINE, "of one line");

typedef struct set_t {
    brood_future_t *const *futures;
    apr_size_t n;
    apr_size_t all; /* for how many from the first on to sleep, if for more */
} set_t;

static apr_status_t read_result(brood_future_t *future, void **value);
static apr_status_t wait_any(const set_t *set, int64_t deadline,
                             int uninterruptible);
static int help_one(const set_t *set, int64_t deadline);
static int poll_for(const set_t *set, int spins);
static apr_status_t sleep_on(const set_t *set, brood__sleep_t *sleep,
                             watcher_t *watchers, int64_t deadline,
                             int uninterruptible);
static void found(brood__waiter_t *self, brood_future_t *future);
static int any_settled(void *baton);

/* Nobody has to wait for it. */
BROOD__INLINE int was_settled(brood_future_t *future)
{
    if (!brood__future_settled(future))
        return 0;
    brood__spin_needless++;
    return 1;
}

apr_status_t brood__future_wait_until(brood_future_t *future, int64_t deadline,
                                      int uninterruptible)
{
    set_t set = { &future, 1, 0 };

    if (was_settled(future))
        return APR_SUCCESS;
    return wait_any(&set, deadline, uninterruptible);
}

apr_status_t brood_future_wait(brood_future_t *future,
                               apr_interval_time_t timeout)
{
    apr_status_t rv;

    if (!future)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS || was_settled(future))
        return rv;
    if (timeout == 0)
        return APR_TIMEUP;
    return brood__future_wait_until(future, brood__deadline(timeout), 0);
}

apr_status_t brood_future_result(brood_future_t *future, void **value)
{
    apr_status_t rv;

    if (value)
        *value = NULL;
    if (!future)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    return brood__future_settled(future) ? read_result(future, value)
                                         : BROOD_EPENDING;
}

/* Settled. */
static apr_status_t read_result(brood_future_t *future, void **value)
{
    if (future->status == APR_SUCCESS) {
        if (value && !(brood__load(&future->state, relaxed) & BROOD__TAKEN))
            *value = future->u.value;
    } else if (!(brood__load(&future->state, relaxed) & BROOD__READ)) {
        brood__or(&future->state, BROOD__READ, relaxed);
    }
    return future->status;
}

apr_status_t brood_future_get(brood_future_t *future, void **value,
                              apr_interval_time_t timeout)
{
    apr_status_t rv = brood_future_wait(future, timeout);

    if (value)
        *value = NULL;
    return rv == APR_SUCCESS ? read_result(future, value) : rv;
}

apr_status_t brood_await(brood_future_t *future, void **value)
{
    return brood_future_get(future, value, -1);
}

apr_status_t brood_future_take(brood_future_t *future, void **value)
{
    apr_status_t rv;

    if (value)
        *value = NULL;
    if (!future || !value)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    if (!brood__future_settled(future))
        return BROOD_EPENDING;
    if (future->status != APR_SUCCESS)
        return read_result(future, NULL);
    if (brood__or(&future->state, BROOD__TAKEN, acq_rel) & BROOD__TAKEN)
        return BROOD_EALREADY;
    *value = future->u.value;
    return APR_SUCCESS;
}

apr_status_t brood__futures_check(brood_future_t *const *futures, apr_size_t n)
{
    apr_size_t i;

    if ((!futures && n) || n > BROOD__FUTURES_MOST)
        return APR_EINVAL;
    for (i = 0; i < n; i++)
        if (!futures[i])
            return APR_EINVAL;
    return brood__life_check();
}

apr_status_t brood_future_wait_all(brood_future_t *const *futures, apr_size_t n,
                                   apr_interval_time_t timeout)
{
    int64_t deadline;
    apr_status_t rv;
    apr_size_t i;

    rv = brood__futures_check(futures, n);
    if (rv != APR_SUCCESS)
        return rv;
    deadline = timeout > 0 ? brood__deadline(timeout) : -1;
    for (i = 0; i < n; i++) {
        set_t set = { &futures[i], 1, 0 };

        if (was_settled(futures[i]))
            continue;
        set.all = brood__wait_at_once(&futures[i], n - i);
        rv = timeout == 0 ? APR_TIMEUP : wait_any(&set, deadline, 0);
        if (rv != APR_SUCCESS)
            return rv;
    }
    return APR_SUCCESS;
}

apr_status_t brood_future_wait_any(brood_future_t *const *futures, apr_size_t n,
                                   apr_size_t *index,
                                   apr_interval_time_t timeout)
{
    set_t set = { futures, n, 0 };
    apr_status_t rv;
    apr_size_t i;

    if (!n || !index)
        return APR_EINVAL;
    rv = brood__futures_check(futures, n);
    if (rv != APR_SUCCESS)
        return rv;
    if (!any_settled(&set)) {
        if (timeout == 0)
            return APR_TIMEUP;
        rv = wait_any(&set, brood__deadline(timeout), 0);
        if (rv != APR_SUCCESS)
            return rv;
    }
    for (i = 0; !brood__future_settled(futures[i]); i++)
        ;
    *index = i;
    return APR_SUCCESS;
}

/* None was settled a moment ago. Try what is cheap first. */
static apr_status_t wait_any(const set_t *set, int64_t deadline,
                             int uninterruptible)
{
    const brood__place_ops_t *ops = brood__place()->ops;
    wait_t wait;
    watcher_t *watchers = wait.few;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS && ops->may_block)
        rv = ops->may_block(brood__place());
    if (rv != APR_SUCCESS)
        return rv;
    if (ops->help && help_one(set, deadline))
        return APR_SUCCESS;
    if (any_settled((void *)set) || poll_for(set, ops->spins))
        return APR_SUCCESS;
    if (set->all > 1)
        return brood__wait_for_all(set->futures, set->all, deadline);
    if (set->n > ON_STACK) {
        watchers = brood__alloc(set->n * sizeof(*watchers));
        if (!watchers)
            return APR_ENOMEM;
    }
    rv = sleep_on(set, &wait.sleep, watchers, deadline, uninterruptible);
    if (watchers != wait.few)
        brood__free(watchers);
    return rv;
}

/*
 * Run what is awaited in place; true when something is settled. What runs here
 * keeps us until it ends, so never where something else may end the wait before:
 * a time limit, or another future of the set, unless nobody else is left to run
 * any of them.
 */
static int help_one(const set_t *set, int64_t deadline)
{
    const brood__place_ops_t *ops = brood__place()->ops;
    apr_size_t i;

    if (deadline >= 0
        || (set->n > 1 && (!ops->alone || !ops->alone(brood__place()))))
        return 0;
    for (i = 0; i < set->n; i++)
        while (brood__sleep_help(set->futures[i]))
            if (any_settled((void *)set))
                return 1;
    return 0;
}

/* Poll, if that may pay here; true when something is settled. What comes from
 * another process is fetched by whoever polls. */
static int poll_for(const set_t *set, int spins)
{
    apr_size_t i;
    int found = 0;

    if (spins && set->n == 1 && set->futures[0]->fn == brood__elsewhere)
        found = brood__elsewhere_poll(set->futures[0]);
    else if (spins)
        found = brood__spin(any_settled, (void *)set);
    for (i = 0; !found && i < set->n; i++)
        if (set->futures[i]->fn == brood__elsewhere)
            found = brood__elsewhere_sleep(set->futures[i]);
    return found;
}

static apr_status_t sleep_on(const set_t *set, brood__sleep_t *sleep,
                             watcher_t *watchers, int64_t deadline,
                             int uninterruptible)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t listed, i;
    unsigned winner;

    brood__sleep_init(sleep);
    for (listed = 0; listed < set->n; listed++) {
        watcher_t *watcher = &watchers[listed];

        watcher->waiter.fire = found;
        watcher->waiter.keeps = 1; /* the caller's reference */
        watcher->sleep = sleep;
        watcher->index = (unsigned)listed;
        atomic_init(&watcher->through, 0);
        if (!brood__future_listen(set->futures[listed], &watcher->waiter))
            break; /* settled meanwhile */
    }
    /* Without a sleep nobody may wake us: either we end it ourselves, or an
     * earlier future of the set has and its wake-up must be consumed. */
    if (listed == set->n || !brood__sleep_try(sleep, BROOD__SLEEP_TIMEUP))
        rv = brood__sleep(sleep, deadline, set->n == 1 ? set->futures[0] : NULL,
                          uninterruptible);

    winner = brood__load(&sleep->state, acquire);
    for (i = 0; i < listed; i++) {
        if ((winner & BROOD__SLEEP_MASK) == BROOD__SLEEP_FIRED
            && winner >> 2 == i)
            continue;
        if (!brood__future_unlisten(set->futures[i], &watchers[i].waiter))
            while (!brood__load(&watchers[i].through, acquire))
                brood__os_yield();
    }
    return rv;
}

static void found(brood__waiter_t *self, brood_future_t *future)
{
    watcher_t *watcher = BROOD__CONTAINER(self, watcher_t, waiter);

    (void)future;
    if (!brood__sleep_fire(watcher->sleep,
                           BROOD__SLEEP_FIRED | watcher->index << 2))
        brood__store(&watcher->through, 1, release);
}

static int any_settled(void *baton)
{
    const set_t *set = baton;
    apr_size_t i;

    for (i = 0; i < set->n; i++)
        if (brood__future_settled(set->futures[i]))
            return 1;
    return 0;
}
