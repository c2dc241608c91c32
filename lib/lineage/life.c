/* SPDX-License-Identifier: Apache-2.0 */

/* life.c: is the library there, and who has a part in its end? */

#include "lineage/life.h"

#include <brood/errors.h>

#include "lineage/manager.h"
#include "lineage/registry.h"

atomic_uint brood__life;
void (*brood__life_fork_lock)(void);
void (*brood__life_fork_unlock)(void);

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__part_t *g_parts; /* newest first; parts never leave. Added under
                                  g_lock, and read under it or at the end */

static brood__part_t *newest(void);
static void before_fork(void);
static void after_fork(void);
static void in_child(void);

apr_status_t brood__life_why_not(void)
{
    switch (brood__load(&brood__life, relaxed)) {
    case BROOD__LIFE_NONE:
        return APR_EINIT;
    case BROOD__LIFE_FORKED:
        return BROOD_EFORKED;
    default:
        return brood__os_forked() ? BROOD_EFORKED : APR_SUCCESS;
    }
}

int brood__life_forked(void)
{
    return brood__life_why_not() == BROOD_EFORKED;
}

void brood__life_add(brood__part_t *part)
{
    brood__lock(&g_lock);
    if (!part->added) {
        part->added = 1;
        part->next = g_parts;
        g_parts = part;
    }
    brood__unlock(&g_lock);
}

void brood__life_stop(int cancel)
{
    brood__part_t *part;

    for (part = newest(); part; part = part->next)
        if (part->stop)
            part->stop(cancel);
}

apr_status_t brood__life_wait(int64_t deadline)
{
    brood__part_t *part;
    apr_status_t rv = APR_SUCCESS;

    for (part = newest(); part && rv == APR_SUCCESS; part = part->next)
        if (part->wait)
            rv = part->wait(deadline);
    return rv;
}

void brood__life_free(void)
{
    brood__part_t *part;

    for (part = newest(); part; part = part->next)
        if (part->free)
            part->free();
}

apr_status_t brood__life_at_fork(void)
{
    return brood__os_at_fork(before_fork, after_fork, in_child);
}

/* What is behind the newest never changes. */
static brood__part_t *newest(void)
{
    brood__part_t *part;

    brood__lock(&g_lock);
    part = g_parts;
    brood__unlock(&g_lock);
    return part;
}

static void before_fork(void) BROOD__NO_ANALYSIS
{
    brood__life_fork_lock();
    brood__registry_lock();
    brood__lock(&g_lock);
}

static void after_fork(void) BROOD__NO_ANALYSIS
{
    brood__unlock(&g_lock);
    brood__registry_unlock();
    brood__life_fork_unlock();
}

/* The child's only thread is the one that took the locks. A child that was
 * forked while the library was not there may
 * initialize. */
static void in_child(void)
{
    const unsigned was = brood__load(&brood__life, relaxed);
    brood__part_t *part;

    if (was != BROOD__LIFE_NONE) {
        brood__store(&brood__life, BROOD__LIFE_FORKED, relaxed);
        brood__managers_forked();
        for (part = g_parts; part; part = part->next)
            if (part->child)
                part->child();
    }
    after_fork();
}
