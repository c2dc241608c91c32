/* SPDX-License-Identifier: Apache-2.0 */

/* manager.c: worker processes as a manager: found, counted, collected. */

#include "process/core.h"

#include <stdio.h>
#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define STATS_SIZE_0_1                                                         \
    (offsetof(brood_stats_t, run_time_sum) + sizeof(uint64_t))

static apr_status_t make(brood__manager_t *manager);
static void retire(brood__manager_t *manager);
static void finish(brood__manager_t *manager);
static void free_rest(brood__manager_t *manager);
static void cancel(brood__manager_t *manager);
static int show(brood__manager_t *manager, void *baton);
static int accepts(brood__manager_t *manager);
static void read_counters(brood_process_manager_t *m, brood_stats_t *stats);

typedef struct each_t {
    brood_process_manager_each_fn *fn;
    void *baton;
} each_t;

const brood__kind_t brood__process_kind = { .noun = "process manager",
                                            .size = sizeof(
                                                brood_process_manager_t),
                                            .align = BROOD__LINE,
                                            .make = make,
                                            .retire = retire,
                                            .finish = finish,
                                            .free = free_rest,
                                            .cancel = cancel };

/* ---- the manager as such ------------------------------------------------- */

apr_status_t brood_process_manager_get(brood_process_manager_t **manager,
                                       const char *id, unsigned flags)
{
    brood__manager_t *found = NULL;
    apr_status_t rv = brood__manager_get(manager ? &found : NULL,
                                         &brood__process_kind, id, flags);

    if (manager)
        *manager = (brood_process_manager_t *)(void *)found;
    return rv;
}

const char *brood_process_manager_describe(brood_process_manager_t *manager,
                                           char *buf, apr_size_t len)
{
    char detail[80], type[64];
    const char *state = "not started";
    unsigned n;

    if (!manager || !brood__life_on())
        return brood__manager_describe(NULL, brood__process_kind.noun, NULL,
                                       NULL, buf, len);
    brood__lock(&manager->lock);
    if (manager->ever)
        state = manager->state == BROOD__PM_RUNNING ? "running" : "stopped";
    n = manager->n_ready + manager->n_starting;
    brood__unlock(&manager->lock);
    snprintf(detail, sizeof(detail), "%s, %u workers", state, n);
    return brood__manager_describe(
        &manager->base, brood__process_kind.noun, detail,
        brood_process_manager_task_type(manager, type, sizeof(type)), buf, len);
}

apr_status_t brood_process_manager_each(brood_process_manager_each_fn *fn,
                                        void *baton)
{
    each_t each = { fn, baton };
    apr_status_t rv = fn ? brood__life_check() : APR_EINVAL;

    return rv == APR_SUCCESS
               ? brood__manager_each(&brood__process_kind, show, &each)
               : rv;
}

int brood_process_manager_is_running(brood_process_manager_t *manager)
{
    return manager && brood__life_on() && accepts(&manager->base);
}

const char *brood_process_manager_id(brood_process_manager_t *manager)
{
    return manager && brood__life_on() ? manager->base.id : NULL;
}

const char *brood_process_manager_task_type(brood_process_manager_t *manager,
                                            char *buf, apr_size_t len)
{
    const char *type;

    if (!manager || !buf || !brood__life_on())
        return NULL;
    brood__lock(&manager->lock);
    type = brood__manager_type(manager->set.task_type, buf, len);
    brood__unlock(&manager->lock);
    return type;
}

uint64_t brood_process_manager_owner_serial(brood_process_manager_t *manager)
{
    return manager && brood__life_on() ? manager->base.owner_serial : 0;
}

brood_process_manager_t *brood_process_manager_retain(
    brood_process_manager_t *manager)
{
    if (!manager || !brood__life_on())
        return NULL;
    brood__manager_retain(&manager->base);
    return manager;
}

brood_process_manager_t *brood_process_manager_release(
    brood_process_manager_t *manager)
{
    if (manager && brood__life_on())
        brood__manager_release(&manager->base);
    return NULL;
}

/* ---- counters -------------------------------------------------------------- */

apr_status_t brood_process_manager_stats(brood_process_manager_t *manager,
                                         brood_stats_t *stats)
{
    brood_stats_t all = BROOD_STATS_INIT;
    apr_status_t rv = brood__life_check();
    apr_size_t size;

    if (!manager || !stats)
        return APR_EINVAL;
    size = stats->size;
    if (size < STATS_SIZE_0_1 || size > sizeof(all))
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    read_counters(manager, &all);
    all.size = size;
    memcpy(stats, &all, size);
    return APR_SUCCESS;
}

static int64_t oldest(const brood_process_manager_t *m)
{
    int64_t since = 0;
    unsigned i;

    for (i = 0; i < 3; i++) {
        const brood__order_t *first = m->queue[i].first;

        if (first && (!since || first->since < since))
            since = first->since;
    }
    return since;
}

static void read_counters(brood_process_manager_t *m, brood_stats_t *stats)
{
    brood__link_t *link;
    int64_t since;

    brood__lock(&m->lock);
    stats->submitted = m->submitted;
    stats->completed = m->completed;
    stats->failed = m->failed;
    stats->canceled = m->canceled;
    stats->rejected = m->rejected;
    stats->queued = m->n_queued + m->n_delayed;
    stats->running = m->running;
    stats->workers = m->n_ready + m->n_starting;
    stats->blocked = m->n_children - m->n_ready - m->n_starting;
    stats->started = m->started_all;
    stats->wakes = m->wakes;
    stats->steals = m->steals;
    BROOD__LIST_EACH (&m->children, link) {
        const brood__child_t *child = BROOD__CONTAINER(link, brood__child_t,
                                                       link);

        stats->idle += child->state == BROOD__CHILD_READY && !child->n_out;
    }
    since = oldest(m);
    brood__unlock(&m->lock);
    stats->oldest_age = since ? (uint64_t)(brood__os_now() - since) / 1000 : 0;
    brood__histogram_read(&m->wait_time, stats->wait_time,
                          &stats->wait_time_sum);
    brood__histogram_read(&m->run_time, stats->run_time, &stats->run_time_sum);
}

/* ---- life ------------------------------------------------------------------ */

static apr_status_t make(brood__manager_t *manager)
{
    brood_process_manager_t *m = (brood_process_manager_t *)(void *)manager;

    manager->home = brood__process_home.ops;
    brood__elsewhere_poll = brood__process_poll;
    brood__elsewhere_sleep = brood__process_sleep;
    brood__lock_init(&m->lock, BROOD__RANK_PROCESS);
    brood__cond_init(&m->changed);
    brood__list_init(&m->delayed);
    brood__list_init(&m->children);
    m->made = 1;
    return APR_SUCCESS;
}

static void retire(brood__manager_t *manager)
{
    brood_process_manager_t *m = (brood_process_manager_t *)(void *)manager;
    brood__orders_t ended = { NULL, NULL, NULL };
    int rests;

    brood__lock(&m->lock);
    while (m->state == BROOD__PM_STARTING)
        (void)brood__cond_wait(&m->changed, &m->lock, -1);
    rests = m->state == BROOD__PM_RESTING;
    m->retire = !rests;
    m->why = BROOD_ESTOPPED;
    if (!rests)
        brood__process_stop(m, m->set.daemon, BROOD_ESTOPPED, &ended);
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    if (rests)
        brood__manager_retired(manager);
    else
        brood__supervisor_wake();
}

static void finish(brood__manager_t *manager)
{
    (void)manager; /* its workers have ended, and it has no threads */
}

static void free_rest(brood__manager_t *manager)
{
    brood_process_manager_t *m = (brood_process_manager_t *)(void *)manager;

    if (!m->made)
        return;
    m->last_rest = brood_future_release(m->last_rest);
    brood__settings_free(&m->set);
    brood__lock_fini(&m->lock);
}

/* The library ends, and it took too long: no task has a say any more. */
static void cancel(brood__manager_t *manager)
{
    brood_process_manager_t *m = (brood_process_manager_t *)(void *)manager;
    brood__orders_t ended = { NULL, NULL, NULL };

    brood__lock(&m->lock);
    brood__process_stop(m, 1, BROOD_ESTOPPED, &ended);
    m->killing = m->state == BROOD__PM_STOPPING;
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    brood__supervisor_wake();
}

static int show(brood__manager_t *manager, void *baton)
{
    each_t *each = baton;

    return each->fn((brood_process_manager_t *)(void *)manager, each->baton);
}

static int accepts(brood__manager_t *manager)
{
    brood_process_manager_t *m = (brood_process_manager_t *)(void *)manager;
    int running;

    brood__lock(&m->lock);
    running = m->state == BROOD__PM_RUNNING;
    brood__unlock(&m->lock);
    return running;
}
