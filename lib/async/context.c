/* SPDX-License-Identifier: Apache-2.0 */

/* context.c: contexts that the program names itself. */

#include <string.h>

#include <brood/affinity.h>
#include <brood/errors.h>

#include "async/lease.h"
#include "lineage/life.h"

static apr_status_t push_to(brood_affinity_pool_t *affinity, const char *id,
                            brood_future_t *call);
static apr_status_t find_or_open(brood__lease_t **lease,
                                 brood_affinity_pool_t *affinity,
                                 const char *id);
static apr_status_t open_slot(brood__lease_t **lease, brood__lease_t *fresh);
static brood__lease_t *find(brood_affinity_pool_t *affinity, const char *id)
    BROOD__REQUIRES(affinity->lock);

apr_status_t brood_affinity_pool_submit(brood_future_t **future,
                                        brood_affinity_pool_t *affinity,
                                        const char *context_id,
                                        brood_task_fn *fn, void *baton,
                                        const brood_task_options_t *options)
{
    brood_future_t *call;
    brood_task_options_t full;
    apr_status_t rv = brood__life_check();
    int needs;

    if (future)
        *future = NULL;
    if (rv == APR_SUCCESS && (!affinity || !fn))
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS && !context_id)
        return brood__executor_submit(future, affinity->executor, fn, baton,
                                      options);
    if (rv == APR_SUCCESS)
        rv = brood__task_options(&full, options, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS)
        rv = brood__task_timers(&full, 0);
    if (rv != APR_SUCCESS)
        return rv;
    call = brood__lease_call(NULL, fn, baton, &full);
    if (!call)
        return APR_ENOMEM;
    rv = push_to(affinity, context_id, call);
    if (rv != APR_SUCCESS)
        brood__future_unmake(call);
    else if (future)
        *future = call;
    else
        brood_future_release(call);
    return rv;
}

apr_status_t brood_affinity_pool_release(brood_affinity_pool_t *affinity,
                                         const char *context_id)
{
    brood__lease_t *lease;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS && (!affinity || !context_id))
        rv = APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock(&affinity->lock);
    lease = find(affinity, context_id);
    brood__unlock(&affinity->lock);
    if (!lease)
        return BROOD_ENOTFOUND;
    rv = brood__lease_close(lease, NULL, NULL) ? APR_SUCCESS : BROOD_ENOTFOUND;
    brood__lease_release(lease);
    return rv;
}

/* Until a lease takes it: one that is found may be closed this very moment. */
static apr_status_t push_to(brood_affinity_pool_t *affinity, const char *id,
                            brood_future_t *call)
{
    brood__lease_t *lease;
    apr_status_t rv;

    do {
        rv = find_or_open(&lease, affinity, id);
        if (rv != APR_SUCCESS)
            return rv;
        rv = brood__lease_await_thread(lease);
        if (rv == APR_SUCCESS) {
            call->extra->owner = lease;
            rv = brood__lease_push(lease, call, brood__self.now.scope);
        } else {
            rv = brood__affinity_refusal(affinity, rv);
        }
        brood__lease_release(lease);
    } while (rv == BROOD_ESTALE);
    return rv;
}

static apr_status_t find_or_open(brood__lease_t **lease,
                                 brood_affinity_pool_t *affinity,
                                 const char *id)
{
    brood__lease_t *fresh;
    apr_status_t rv;

    brood__lock(&affinity->lock);
    *lease = find(affinity, id);
    rv = !*lease && affinity->stopping ? BROOD_ESTOPPED : APR_SUCCESS;
    brood__unlock(&affinity->lock);
    if (*lease || rv != APR_SUCCESS)
        return rv;
    fresh = brood__lease_make(affinity, id, 0);
    if (!fresh)
        return APR_ENOMEM;
    rv = open_slot(lease, fresh);
    if (rv == APR_SUCCESS && *lease == fresh) {
        rv = brood__lease_start(fresh);
        if (rv == APR_SUCCESS)
            return rv;
        *lease = NULL;
    }
    brood__lease_release(fresh);
    return rv;
}

/* Another thread may have opened the same one meanwhile. */
static apr_status_t open_slot(brood__lease_t **lease, brood__lease_t *fresh)
{
    brood_affinity_pool_t *affinity = fresh->pool;
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&affinity->lock);
    *lease = find(affinity, fresh->id);
    if (!*lease) {
        rv = brood__slot_try(affinity, fresh);
        if (rv == APR_SUCCESS)
            *lease = fresh;
    }
    brood__unlock(&affinity->lock);
    return rv;
}

/* With a reference. There are few: a pool's threads bound them. */
static brood__lease_t *find(brood_affinity_pool_t *affinity, const char *id)
{
    brood__link_t *link;

    BROOD__LIST_EACH (&affinity->leases, link) {
        brood__lease_t *lease = BROOD__CONTAINER(link, brood__lease_t, link);
        int open;

        if (lease->tx || strcmp(lease->id, id) != 0)
            continue;
        brood__lock(&lease->lock);
        open = !lease->closed && lease->failed == APR_SUCCESS;
        brood__unlock(&lease->lock);
        if (open) {
            brood__lease_retain(lease);
            return lease;
        }
    }
    return NULL;
}
