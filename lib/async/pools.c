/* SPDX-License-Identifier: Apache-2.0 */

/* pools.c: all pools of the process, its default one, and which one to use. */

#include "async/affinity.h"

#include <brood/errors.h>

#include "async/variable.h"
#include "base/alloc.h"
#include "lineage/life.h"
#include "observe/task_hooks.h"

static void stop_all(int cancel);
static apr_status_t wait_all(int64_t deadline);
static void free_all(void);
static void mark_forked(void);
static void hooks_changed(int on);

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__link_t g_pools = { &g_pools, &g_pools }; /* under g_lock */
static size_t g_n;                                     /* under g_lock */
static brood__part_t g_part = { .stop = stop_all,
                                .wait = wait_all,
                                .free = free_all,
                                .child = mark_forked };
static const int g_key; /* of brood_affinity_pool_use(): its address */

_Atomic(brood_affinity_pool_t *) brood__pool_default;

void brood__pools_add(brood_affinity_pool_t *affinity)
{
    brood__life_add(&g_part);
    brood__task_hooks_listen(hooks_changed);
    brood__lock(&g_lock);
    brood__list_append(&g_pools, &affinity->all);
    g_n++;
    brood__unlock(&g_lock);
}

void brood__pools_remove(brood_affinity_pool_t *affinity)
{
    brood__lock(&g_lock);
    brood__list_remove(&affinity->all);
    g_n--;
    brood__unlock(&g_lock);
}

apr_status_t brood__pools_each(void (*fn)(brood_affinity_pool_t *, void *),
                               void *baton)
{
    brood_affinity_pool_t **pools = NULL;
    brood__link_t *link;
    size_t room = 0, n = 0, i;

    brood__lock(&g_lock);
    while (g_n > room) {
        room = g_n;
        brood__unlock(&g_lock);
        brood__free(pools);
        pools = brood__alloc(room * sizeof(*pools));
        if (!pools)
            return APR_ENOMEM;
        brood__lock(&g_lock);
    }
    BROOD__LIST_EACH (&g_pools, link) {
        pools[n] = BROOD__CONTAINER(link, brood_affinity_pool_t, all);
        brood__affinity_retain(pools[n++]);
    }
    brood__unlock(&g_lock);
    for (i = 0; i < n; i++) {
        fn(pools[i], baton);
        brood__affinity_release(pools[i]);
    }
    brood__free(pools);
    return APR_SUCCESS;
}

/* ---- which one ------------------------------------------------------------ */

apr_status_t brood_affinity_pool_use(brood_affinity_pool_t *affinity)
{
    apr_status_t rv = brood__life_check();

    return rv == APR_SUCCESS ? brood__context_set(&g_key, affinity, NULL) : rv;
}

/* The first who needs it makes it; who made another one in vain drops it. */
static apr_status_t make_default(brood_affinity_pool_t **affinity)
{
    brood_affinity_pool_t *made;
    brood_affinity_pool_t *none = NULL;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS)
        rv = brood__affinity_make(&made, NULL);
    if (rv != APR_SUCCESS)
        return rv;
    if (brood__cas(&brood__pool_default, &none, made, acq_rel)) { /* (A) */
        *affinity = made;
    } else {
        *affinity = brood__load(&brood__pool_default, acquire);
        brood__affinity_dispose(made);
    }
    return APR_SUCCESS;
}

apr_status_t brood__pools_choose(brood_affinity_pool_t **affinity,
                                 brood_affinity_pool_t *asked)
{
    *affinity = asked;
    if (!*affinity)
        *affinity = brood__variable(&g_key);
    if (!*affinity)
        *affinity = brood__load(&brood__pool_default, acquire); /* (A) */
    return *affinity ? APR_SUCCESS : make_default(affinity);
}

/* ---- the end of the library ------------------------------------------------ */

static void stop_one(brood_affinity_pool_t *affinity, void *cancel)
{
    brood__affinity_stop(affinity, *(int *)cancel || affinity->options.daemon
                                       ? BROOD_STOP_CANCEL
                                       : BROOD_STOP_DRAIN);
}

static void stop_all(int cancel)
{
    while (brood__pools_each(stop_one, &cancel) != APR_SUCCESS)
        brood__os_yield(); /* memory ran out for a moment */
}

typedef struct wait_t {
    int64_t deadline;
    apr_status_t rv;
} wait_t;

static void wait_one(brood_affinity_pool_t *affinity, void *baton)
{
    wait_t *wait = baton;
    apr_status_t rv = brood__executor_wait_rest(affinity->executor,
                                                wait->deadline);

    if (wait->rv == APR_SUCCESS)
        wait->rv = rv;
}

static apr_status_t wait_all(int64_t deadline)
{
    wait_t wait = { deadline, APR_SUCCESS };

    while (brood__pools_each(wait_one, &wait) != APR_SUCCESS)
        brood__os_yield();
    return wait.rv;
}

static void dismantle_one(brood_affinity_pool_t *affinity, void *unused)
{
    (void)unused;
    brood__affinity_dismantle(affinity);
}

/* Handles of the program's own pools go with its APR pools, also later. */
static void free_all(void)
{
    brood_affinity_pool_t *affinity = brood__swap(&brood__pool_default, NULL,
                                                  acq_rel);

    if (affinity)
        brood__affinity_dispose(affinity);
    while (brood__pools_each(dismantle_one, NULL) != APR_SUCCESS)
        brood__os_yield();
}

/* ---- told by others --------------------------------------------------------- */

/* The only thread there is: no lock may be taken, and the list is whole, or one
 * of its links is just being set. */
static void mark_forked(void)
{
    brood__link_t *link;

    for (link = g_pools.next; link && link != &g_pools; link = link->next)
        brood__executor_forked(
            BROOD__CONTAINER(link, brood_affinity_pool_t, all)->executor);
}

static void hooks_changed(int on)
{
    brood__link_t *link;

    brood__lock(&g_lock);
    BROOD__LIST_EACH (&g_pools, link)
        brood__executor_hooks(
            BROOD__CONTAINER(link, brood_affinity_pool_t, all)->executor, on);
    brood__unlock(&g_lock);
}
