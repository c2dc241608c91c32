/* SPDX-License-Identifier: Apache-2.0 */

/* loop_manager.c: loops as managers: found, named, counted, collected. */

#include <brood/errors.h>
#include <brood/loop_manager.h>

#include <stdio.h>

#include <event2/thread.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "loop/core.h"
#include "observe/task_hooks.h"

static apr_status_t make(brood__manager_t *manager);
static void retire(brood__manager_t *manager);
static void finish(brood__manager_t *manager);
static void free_rest(brood__manager_t *manager);
static void cancel(brood__manager_t *manager);
static void forked(brood__manager_t *manager);
static apr_status_t init_once(void);
static void waited(brood__inbox_t *inbox, int64_t ns);
static brood__node_t *running_owner(void);
static void hooks_changed(int on);
static int show(brood__manager_t *manager, void *baton);
static int accepts(brood__manager_t *manager);
static void read_counters(brood_loop_manager_t *loop, brood_stats_t *stats);

typedef struct each_t {
    brood_loop_manager_each_fn *fn;
    void *baton;
} each_t;

const brood__kind_t brood__loop_kind = { .noun = "loop manager",
                                         .size = sizeof(brood_loop_manager_t),
                                         .align = BROOD__LINE,
                                         .make = make,
                                         .retire = retire,
                                         .finish = finish,
                                         .free = free_rest,
                                         .cancel = cancel,
                                         .forked = forked };

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LOOP);
static int g_initialized;                              /* under g_lock */
static brood__link_t g_loops = { &g_loops, &g_loops }; /* under g_lock */
static brood__node_t *(*g_next_owner)(void);           /* who is asked next */

/* ---- the manager as such ------------------------------------------------- */

apr_status_t brood_loop_manager_get(brood_loop_manager_t **manager,
                                    const char *id, unsigned flags)
{
    brood__manager_t *found = NULL;
    apr_status_t rv = brood__manager_get(manager ? &found : NULL,
                                         &brood__loop_kind, id, flags);

    if (manager)
        *manager = (brood_loop_manager_t *)(void *)found;
    return rv;
}

const char *brood_loop_manager_describe(brood_loop_manager_t *manager,
                                        char *buf, apr_size_t len)
{
    const char *state = "not started";
    char type[64];

    if (!manager || !brood__life_on())
        return brood__manager_describe(NULL, brood__loop_kind.noun, NULL, NULL,
                                       buf, len);
    if (brood__load(&manager->ever, relaxed))
        state = brood_loop_manager_is_running(manager) ? "running" : "stopped";
    return brood__manager_describe(
        &manager->base, brood__loop_kind.noun, state,
        brood_loop_manager_task_type(manager, type, sizeof(type)), buf, len);
}

apr_status_t brood_loop_manager_each(brood_loop_manager_each_fn *fn,
                                     void *baton)
{
    each_t each = { fn, baton };
    apr_status_t rv = fn ? brood__life_check() : APR_EINVAL;

    return rv == APR_SUCCESS
               ? brood__manager_each(&brood__loop_kind, show, &each)
               : rv;
}

int brood_loop_manager_is_running(brood_loop_manager_t *manager)
{
    return manager && brood__life_on() && accepts(&manager->base);
}

const char *brood_loop_manager_id(brood_loop_manager_t *manager)
{
    return manager && brood__life_on() ? manager->base.id : NULL;
}

const char *brood_loop_manager_task_type(brood_loop_manager_t *manager,
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

uint64_t brood_loop_manager_owner_serial(brood_loop_manager_t *manager)
{
    return manager && brood__life_on() ? manager->base.owner_serial : 0;
}

brood_loop_manager_t *brood_loop_manager_retain(brood_loop_manager_t *manager)
{
    if (!manager || !brood__life_on())
        return NULL;
    brood__manager_retain(&manager->base);
    return manager;
}

brood_loop_manager_t *brood_loop_manager_release(brood_loop_manager_t *manager)
{
    if (manager && brood__life_on())
        brood__manager_release(&manager->base);
    return NULL;
}

/* ---- the loop ------------------------------------------------------------ */

apr_status_t brood_loop_manager_event_base(brood_loop_manager_t *manager,
                                           struct event_base **base)
{
    apr_status_t rv = brood__life_check();

    if (base)
        *base = NULL;
    if (!manager || !base)
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock(&manager->lock);
    if (manager->state == BROOD__LOOP_RUNNING
        || manager->state == BROOD__LOOP_STOPPING)
        *base = manager->evbase;
    brood__unlock(&manager->lock);
    if (*base)
        return APR_SUCCESS;
    return brood__load(&manager->ever, relaxed)
                   || brood__load(&manager->base.retiring, relaxed)
               ? BROOD_ESTOPPED
               : BROOD_ENOTSTARTED;
}

apr_status_t brood_loop_manager_current(brood_loop_manager_t **manager)
{
    apr_status_t rv = brood__life_check();

    if (manager)
        *manager = NULL;
    if (!manager)
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    *manager = brood__loop_here;
    return *manager ? APR_SUCCESS : BROOD_ENOTFOUND;
}

brood_loop_manager_t *brood__loop_current(void)
{
    return brood__loop_here;
}

int brood__loop_in_coroutine(void)
{
    return brood__in_coroutine();
}

brood_loop_manager_t *brood__loop_nearest(void)
{
    return (brood_loop_manager_t *)(void *)brood__manager_find(
        &brood__loop_kind, NULL, accepts);
}

apr_status_t brood_loop_manager_stats(brood_loop_manager_t *manager,
                                      brood_stats_t *stats)
{
    brood_stats_t all = BROOD_STATS_INIT;
    apr_size_t size = stats ? brood__stats_size(stats) : 0;
    apr_status_t rv = brood__life_check();

    if (!manager || !size)
        return APR_EINVAL;
    if (rv == APR_SUCCESS && brood__load(&manager->base.retiring, acquire))
        rv = BROOD_ESTOPPED;
    if (rv != APR_SUCCESS)
        return rv;
    read_counters(manager, &all);
    brood__versioned_give(stats, &all, size);
    return APR_SUCCESS;
}

/* What is taken before what is put, so that no difference is negative but by
 * the order in which others count. */
static void read_counters(brood_loop_manager_t *loop, brood_stats_t *stats)
{
    uint64_t undelayed = brood__load(&loop->undelayed, relaxed);
    uint64_t ended, begun;
    int64_t oldest, now = brood__os_now();

    stats->completed = brood__load(&loop->completed, relaxed);
    stats->failed = brood__load(&loop->failed, relaxed);
    stats->canceled = brood__load(&loop->canceled, relaxed) + undelayed;
    ended = stats->completed + stats->failed + stats->canceled;
    begun = brood__load(&loop->begun, relaxed) + undelayed;
    (void)brood__inbox_queued(&loop->inbox, &oldest);
    stats->submitted = brood__inbox_put(&loop->inbox)
                       + brood__load(&loop->by_errand, relaxed)
                       + brood__load(&loop->by_itself, relaxed);
    stats->rejected = brood__load(&loop->rejected, relaxed);
    stats->queued = stats->submitted > begun ? stats->submitted - begun : 0;
    stats->running = begun > ended ? begun - ended : 0;
    stats->blocked = brood__load(&loop->n_suspended, relaxed);
    stats->wakes = brood__load(&loop->wakes, relaxed);
    stats->oldest_age = oldest && now > oldest ? (uint64_t)(now - oldest) / 1000
                                               : 0;
    brood__histogram_read(&loop->wait_time, stats->wait_time,
                          &stats->wait_time_sum);
    brood__histogram_read(&loop->run_time, stats->run_time,
                          &stats->run_time_sum);

    brood__lock(&loop->lock);
    stats->started = loop->rests;
    if (loop->state == BROOD__LOOP_RUNNING
        || loop->state == BROOD__LOOP_STOPPING) {
        stats->started++;
        stats->workers = 1;
        stats->idle = brood__load(&loop->idle, relaxed) != 0;
    }
    brood__unlock(&loop->lock);
}

/* ---- life ---------------------------------------------------------------- */

static apr_status_t make(brood__manager_t *manager)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)manager;
    apr_status_t rv = init_once();

    if (rv == APR_SUCCESS)
        rv = brood__inbox_init(&loop->inbox);
    if (rv != APR_SUCCESS)
        return rv;
    loop->made = 1;
    manager->home = &brood__loop_home_ops;
    loop->bare.ops = &brood__bare_ops;
    loop->inbox.waited = waited;
    brood__store(&loop->inbox.rare, (unsigned)BROOD__LOOP_CLOSED, relaxed);
    brood__lock_init(&loop->lock, BROOD__RANK_LOOP);
    brood__cond_init(&loop->changed);
    brood__list_init(&loop->resters);
    brood__notices_init(&loop->notices);
    brood__lock(&g_lock);
    brood__list_append(&g_loops, &loop->of_all);
    brood__unlock(&g_lock);
    return APR_SUCCESS;
}

/* Once for the process: libevent learns to lock, and others of us. */
static apr_status_t init_once(void)
{
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&g_lock);
    if (!g_initialized) {
        /* Fails when the program has given libevent locks of its own. */
#if defined(EVTHREAD_USE_WINDOWS_THREADS_IMPLEMENTED)
        (void)evthread_use_windows_threads();
#else
        (void)evthread_use_pthreads();
#endif
        g_next_owner = brood__running_owner;
        brood__running_owner = running_owner;
        g_initialized = 1;
    }
    brood__unlock(&g_lock);
    brood__task_hooks_listen(hooks_changed); /* again does nothing */
    return rv;
}

/* Of a loop that is starting, until it can be told to stop. */
static void retire(brood__manager_t *manager)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)manager;
    brood_stop_e how;
    unsigned unused;
    int rests;

    brood__lock(&loop->lock);
    while (loop->state == BROOD__LOOP_STARTING)
        brood__cond_wait(&loop->changed, &loop->lock, -1);
    rests = loop->state == BROOD__LOOP_RESTING;
    loop->retire = !rests;
    how = loop->set.daemon ? BROOD_STOP_CANCEL : BROOD_STOP_DRAIN;
    brood__unlock(&loop->lock);
    if (rests)
        brood__manager_retired(manager);
    else
        (void)brood__loop_ask(loop, how, &unused);
}

static void finish(brood__manager_t *manager)
{
    brood__loop_join((brood_loop_manager_t *)(void *)manager);
}

static void free_rest(brood__manager_t *manager)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)manager;

    if (!loop->made)
        return;
    brood__lock(&g_lock);
    brood__list_remove(&loop->of_all);
    brood__unlock(&g_lock);
    brood__inbox_fini(&loop->inbox);
    brood__notices_fini(&loop->notices);
    brood__lock_fini(&loop->lock);
    brood__free(loop->set.task_type);
    brood__free(loop->set.thread_name);
}

static void cancel(brood__manager_t *manager)
{
    unsigned unused;

    (void)brood__loop_ask((brood_loop_manager_t *)(void *)manager,
                          BROOD_STOP_CANCEL, &unused);
}

static void forked(brood__manager_t *manager)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)manager;

    brood__or(&loop->inbox.rare, (unsigned)BROOD__LOOP_FORKED, relaxed);
}

/* On the loop's thread. */
static void waited(brood__inbox_t *inbox, int64_t ns)
{
    brood__histogram_add(
        &BROOD__CONTAINER(inbox, brood_loop_manager_t, inbox)->wait_time, ns);
}

static brood__node_t *running_owner(void)
{
    if (brood__loop_here)
        return brood__loop_here->base.owner;
    return g_next_owner ? g_next_owner() : NULL;
}

static void hooks_changed(int on)
{
    brood__link_t *link;

    brood__lock(&g_lock);
    BROOD__LIST_EACH (&g_loops, link)
        brood__store(
            &BROOD__CONTAINER(link, brood_loop_manager_t, of_all)->hooks, on,
            relaxed);
    brood__unlock(&g_lock);
}

static int show(brood__manager_t *manager, void *baton)
{
    each_t *each = baton;

    return each->fn((brood_loop_manager_t *)(void *)manager, each->baton);
}

static int accepts(brood__manager_t *manager)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)manager;

    return !(brood__load(&loop->inbox.rare, relaxed)
             & (BROOD__LOOP_CLOSED | BROOD__LOOP_FORKED));
}
