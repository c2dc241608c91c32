/* SPDX-License-Identifier: Apache-2.0 */

/* affinity.c: the life of an affinity pool. */

#include "async/affinity.h"

#include <string.h>

#include <brood/errors.h>

#include "async/lease.h"
#include "async/transaction.h"
#include "base/alloc.h"
#include "base/versioned.h"
#include "lineage/life.h"
#include "thread/worker.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1                                                       \
    BROOD__SIZE_TO(brood_affinity_pool_options_t, general_threads_free_delay)

#define LONGEST (INT64_MAX / 4000) /* us that can be said in ns */

/* The pool and its executor, which wants to be aligned. */
typedef struct whole_t {
    brood__executor_t executor;
    brood_affinity_pool_t pool;
} whole_t;

static apr_status_t fill(brood_affinity_pool_options_t *full,
                         const brood_affinity_pool_options_t *options);
static apr_status_t make_parts(brood_affinity_pool_t *affinity);
static apr_status_t make_service(brood_affinity_pool_t *affinity);
static void executor_options(brood__executor_options_t *to,
                             const brood_affinity_pool_t *affinity);
static void on_rest(brood__executor_t *executor);
static void finish(brood__job_t *job);
static void close_leases(brood_affinity_pool_t *affinity, brood_stop_e how);
static apr_status_t on_pool_cleanup(void *affinity);
static int may_wait(void);

apr_status_t brood_affinity_pool_create(
    brood_affinity_pool_t **affinity,
    const brood_affinity_pool_options_t *options, apr_pool_t *pool)
{
    apr_status_t rv = brood__life_check();

    if (affinity)
        *affinity = NULL;
    if (rv == APR_SUCCESS && (!affinity || !pool))
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS)
        rv = brood__affinity_make(affinity, options);
    if (rv == APR_SUCCESS)
        apr_pool_pre_cleanup_register(pool, *affinity, on_pool_cleanup);
    return rv;
}

apr_status_t brood__affinity_make(brood_affinity_pool_t **affinity,
                                  const brood_affinity_pool_options_t *options)
{
    brood_affinity_pool_options_t full;
    brood_affinity_pool_t *made;
    whole_t *whole;
    apr_status_t rv = fill(&full, options);

    *affinity = NULL;
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS)
        rv = brood__collector_ready(); /* for finish() */
    if (rv != APR_SUCCESS)
        return rv;
    whole = brood__alloc_aligned(sizeof(*whole), BROOD__LINE);
    if (!whole)
        return APR_ENOMEM;
    made = &whole->pool;
    made->executor = &whole->executor;
    made->options = full;
    made->limit = full.max_threads - full.reserved_general;
    made->warn_after = full.task_warning < 0 ? -1 : full.task_warning * 1000;
    made->job.fn = finish;
    atomic_init(&made->refs, 1);
    brood__lock_init(&made->lock, BROOD__RANK_AFFINITY);
    brood__list_init(&made->leases);
    brood__list_init(&made->waiters);
    brood__list_init(&made->threads);
    rv = make_parts(made);
    if (rv != APR_SUCCESS) {
        brood__lock_fini(&made->lock);
        brood__free_aligned(whole);
        return rv;
    }
    brood__pools_add(made);
    *affinity = made;
    return APR_SUCCESS;
}

static apr_status_t fill(brood_affinity_pool_options_t *full,
                         const brood_affinity_pool_options_t *options)
{
    unsigned usual = 4 * brood__os_cpus();

    memset(full, 0, sizeof(*full));
    if (brood__versioned_take(full, sizeof(*full), options, OPTIONS_SIZE_0_1)
        != APR_SUCCESS)
        return APR_EINVAL;
    if (!full->max_threads)
        full->max_threads = usual < 8 ? 8 : usual > 256 ? 256 : (int)usual;
    if (!full->reserved_general)
        full->reserved_general = full->max_threads > 1;
    if (!full->general_threads_free_level)
        full->general_threads_free_level = 50;
    if (!full->task_warning)
        full->task_warning = 300000;
    if (!full->general_threads_free_delay)
        full->general_threads_free_delay = 250000;
    if (full->max_threads < 1 || full->max_threads > BROOD__WORKERS_MAX
        || full->reserved_general < 0
        || full->reserved_general >= full->max_threads
        || full->general_threads_free_level > 100
        || full->task_warning > LONGEST
        || full->general_threads_free_delay > LONGEST)
        return APR_EINVAL;
    return APR_SUCCESS;
}

static apr_status_t make_parts(brood_affinity_pool_t *affinity)
{
    brood__executor_options_t options;
    apr_status_t rv = make_service(affinity);

    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__executor_init(affinity->executor, affinity->service, on_rest);
    if (rv != APR_SUCCESS) {
        brood__scope_release(affinity->service, 1);
        return rv;
    }
    executor_options(&options, affinity);
    rv = brood__executor_start(affinity->executor, &options);
    if (rv != APR_SUCCESS) {
        brood__executor_fini(affinity->executor);
        brood__scope_release(affinity->service, 1);
    }
    return rv;
}

/* Hooks stand below whoever made the pool, with an empty context, and keep
 * nobody alive. */
static apr_status_t make_service(brood_affinity_pool_t *affinity)
{
    brood__node_t *node = brood__node_make(brood__self.now.scope->node,
                                           BROOD__NODE_SERVICE);

    affinity->service = node ? brood__scope_make(node, NULL) : NULL;
    return affinity->service ? APR_SUCCESS : APR_ENOMEM;
}

static void executor_options(brood__executor_options_t *to,
                             const brood_affinity_pool_t *affinity)
{
    const brood_affinity_pool_options_t *from = &affinity->options;
    int level = from->general_threads_free_level;
    int idle = level < 0 ? 0 : (from->max_threads * level + 99) / 100;

    memset(to, 0, sizeof(*to));
    to->max_workers = from->max_threads;
    to->max_idle = idle > 0 ? idle : 1;
    to->idle_timeout = from->general_threads_free_delay < 0
                           ? 0
                           : from->general_threads_free_delay * 1000;
    if (from->keep_general_threads) {
        to->max_idle = -1;
        to->idle_timeout = -1;
    }
    to->full_timeout = -1;
    to->prefix = "brood-affinity";
    to->task_warning = affinity->warn_after;
    to->on_start = brood__roster_start;
    to->on_exit = brood__roster_exit;
    to->hook_baton = (void *)affinity;
}

void brood__affinity_retain(brood_affinity_pool_t *affinity)
{
    brood__add(&affinity->refs, 1, relaxed);
}

/* The last reference comes after everything has ended. */
void brood__affinity_release(brood_affinity_pool_t *affinity)
{
    if (brood__sub(&affinity->refs, 1, acq_rel) != 1)
        return;
    brood__affinity_dismantle(affinity);
    brood__lock_fini(&affinity->lock);
    brood__free_aligned(BROOD__CONTAINER(affinity, whole_t, pool));
}

void brood__affinity_dismantle(brood_affinity_pool_t *affinity)
{
    if (affinity->dismantled)
        return;
    affinity->dismantled = 1;
    brood__pools_remove(affinity);
    brood__warning_fini(affinity);
    brood__executor_disband(affinity->executor);
    brood__executor_fini(affinity->executor);
    brood__scope_release(affinity->service, 1);
}

/* ---- the end -------------------------------------------------------------- */

apr_status_t brood_affinity_pool_shutdown(brood_affinity_pool_t *affinity,
                                          brood_stop_e how,
                                          apr_interval_time_t timeout)
{
    brood__place_t *place = brood__place();
    apr_status_t rv = brood__life_check();

    if (rv != APR_SUCCESS)
        return rv;
    if (!affinity || (how != BROOD_STOP_DRAIN && how != BROOD_STOP_CANCEL))
        return APR_EINVAL;
    if (brood__affinity_here() == affinity)
        return BROOD_EDEADLK;
    brood__affinity_stop(affinity, how);
    rv = brood__executor_wait_rest(affinity->executor, 0);
    if (rv != APR_TIMEUP || !timeout)
        return rv;
    rv = place->ops->may_block ? place->ops->may_block(place) : APR_SUCCESS;
    return rv == APR_SUCCESS ? brood__executor_wait_rest(
               affinity->executor, brood__deadline(timeout))
                             : rv;
}

void brood__affinity_stop(brood_affinity_pool_t *affinity, brood_stop_e how)
{
    int first, harder;

    brood__lock(&affinity->lock);
    first = !affinity->stopping;
    harder = how == BROOD_STOP_CANCEL && !affinity->canceling;
    affinity->stopping = 1; /* (1) */
    affinity->canceling |= harder;
    brood__unlock(&affinity->lock);
    if (!first && !harder)
        return;
    /* Leases that are on their way to the executor have their slots, and are
     * in the list: they are closed, and end by themselves. */
    brood__slot_refuse_all(affinity);
    close_leases(affinity, how);
    (void)brood__executor_stop(affinity->executor, how);
}

/* A lease that was not told yet, with references to it and its transaction. */
static brood__lease_t *untold(brood_affinity_pool_t *affinity, brood_stop_e how)
{
    brood__lease_t *found = NULL;
    brood__link_t *link;

    brood__lock(&affinity->lock);
    BROOD__LIST_EACH (&affinity->leases, link) {
        brood__lease_t *lease = BROOD__CONTAINER(link, brood__lease_t, link);
        int *told = how == BROOD_STOP_CANCEL ? &lease->told_cancel
                                             : &lease->told_drain;

        if (*told)
            continue;
        *told = 1;
        found = lease;
        brood__lease_retain(lease);
        if (lease->tx)
            brood__tx_retain(lease->tx);
        break;
    }
    brood__unlock(&affinity->lock);
    return found;
}

/* Those that are made from now on get no slot. */
static void close_leases(brood_affinity_pool_t *affinity, brood_stop_e how)
{
    brood__lease_t *lease;

    while ((lease = untold(affinity, how))) {
        if (how == BROOD_STOP_CANCEL)
            brood__lease_cancel(lease);
        if (lease->tx) {
            brood__tx_stop(lease->tx);
            brood__tx_release(lease->tx);
        } else {
            brood__lease_close(lease, NULL, NULL);
        }
        brood__lease_release(lease);
    }
}

apr_status_t brood__affinity_refusal(brood_affinity_pool_t *affinity,
                                     apr_status_t status)
{
    int canceling;

    if (status != BROOD_ECANCELED)
        return status;
    brood__lock(&affinity->lock);
    canceling = affinity->canceling;
    brood__unlock(&affinity->lock);
    return canceling ? BROOD_ESTOPPED : status;
}

static void on_rest(brood__executor_t *executor)
{
    brood_affinity_pool_t *affinity =
        &BROOD__CONTAINER(executor, whole_t, executor)->pool;

    if (brood__or(&affinity->ends, BROOD__AFFINITY_RESTED, acq_rel)
        & BROOD__AFFINITY_ORPHANED)
        brood__collector_push(&affinity->job);
}

/* On the collector. */
static void finish(brood__job_t *job)
{
    brood_affinity_pool_t *affinity = BROOD__CONTAINER(
        job, brood_affinity_pool_t, job);

    brood__executor_disband(affinity->executor);
    brood__affinity_release(affinity);
}

static apr_status_t on_pool_cleanup(void *affinity)
{
    if (!brood__life_forked())
        brood__affinity_dispose(affinity);
    return APR_SUCCESS;
}

void brood__affinity_dispose(brood_affinity_pool_t *affinity)
{
    if (!affinity->dismantled) {
        brood__affinity_stop(affinity, affinity->options.daemon
                                           ? BROOD_STOP_CANCEL
                                           : BROOD_STOP_DRAIN);
        if (!may_wait()) {
            if (brood__or(&affinity->ends, BROOD__AFFINITY_ORPHANED, acq_rel)
                & BROOD__AFFINITY_RESTED)
                brood__collector_push(&affinity->job);
            return;
        }
        /* This task's own end changes nothing. */
        brood__executor_wait_rest_firm(affinity->executor, -1);
        brood__executor_disband(affinity->executor);
    }
    brood__affinity_release(affinity);
}

/* Threads of brood's own must not wait for another's end, and where the place
 * forbids it nobody may. */
static int may_wait(void)
{
    brood__place_t *place = brood__place();

    return !brood__self.library
           && (!place->ops->may_block
               || place->ops->may_block(place) == APR_SUCCESS);
}
