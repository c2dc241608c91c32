/* SPDX-License-Identifier: Apache-2.0 */

/* thread_manager.c: the public face of an executor. */

#include "thread/thread_manager.h"

#include <stdio.h>
#include <string.h>

#include <brood/errors.h>

#include "base/versioned.h"
#include "lineage/life.h"
#include "observe/task_hooks.h"
#include "task/spin.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1                                                       \
    BROOD__SIZE_TO(brood_thread_manager_options_t, hook_baton)

static apr_status_t make(brood__manager_t *base);
static void retire(brood__manager_t *base);
static void finish(brood__manager_t *base);
static void free_parts(brood__manager_t *base);
static void cancel(brood__manager_t *base);
static void forked(brood__manager_t *base);
static void on_rest(brood__executor_t *executor);
static void say_retired(brood_thread_manager_t *manager);

static const brood__kind_t thread_kind = { "thread manager",
                                           sizeof(brood_thread_manager_t),
                                           BROOD__LINE,
                                           make,
                                           retire,
                                           finish,
                                           free_parts,
                                           cancel,
                                           forked };

/* ---- as a target of notifications --------------------------------------- */

static brood_thread_manager_t *manager_of(brood__home_t *home)
{
    /* The home is the first word of the base: see lineage/manager.h. */
    return (brood_thread_manager_t *)(void *)home;
}

static void post(brood__home_t *home, brood__errand_t *errand)
{
    brood__executor_post(&manager_of(home)->executor.home, errand);
}

static brood__notices_t *notices(brood__home_t *home, apr_status_t *status)
{
    brood_thread_manager_t *manager = manager_of(home);

    if (!brood__executor_is_running(&manager->executor))
        *status = brood__executor_why_not(&manager->executor);
    else
        *status = brood__executor_listens(&manager->executor);
    return &manager->executor.notices;
}

static void hold(brood__home_t *home, int delta)
{
    if (delta > 0)
        brood__manager_retain(&manager_of(home)->base);
    else
        brood__manager_release(&manager_of(home)->base);
}

static const brood__home_ops_t manager_home_ops = { .noun = "thread manager",
                                                    .post = post,
                                                    .notices = notices,
                                                    .hold = hold };

/* ---- as a kind of manager ----------------------------------------------- */

/* Which manager runs the calling task; other floors ask theirs first. */
static brood__node_t *running_owner(void)
{
    brood__executor_t *executor = brood__executor_current();

    return executor ? executor->owner : NULL;
}

static int tell_hooks(brood__manager_t *base, void *on)
{
    brood__executor_hooks(&((brood_thread_manager_t *)(void *)base)->executor,
                          *(const int *)on);
    return 0;
}

static void hooks_changed(int on)
{
    (void)brood__manager_each(&thread_kind, tell_hooks, &on);
}

static apr_status_t make(brood__manager_t *base)
{
    brood_thread_manager_t *manager = (brood_thread_manager_t *)(void *)base;
    apr_status_t rv;

    base->home = &manager_home_ops;
    rv = brood__executor_init(&manager->executor, base->service, on_rest);
    if (rv != APR_SUCCESS)
        return rv;
    manager->executor.owner = base->owner;
    if (!brood__running_owner)
        brood__running_owner = running_owner;
    brood__task_hooks_listen(hooks_changed);
    return APR_SUCCESS;
}

static void retire(brood__manager_t *base)
{
    brood_thread_manager_t *manager = (brood_thread_manager_t *)(void *)base;
    int daemon = brood__executor_retire(&manager->executor);
    apr_status_t rv;

    brood__store(&manager->retiring, 1, seq_cst);
    rv = brood__executor_stop(&manager->executor,
                              daemon ? BROOD_STOP_CANCEL : BROOD_STOP_DRAIN);
    if (rv == BROOD_ENOTSTARTED
        || brood__executor_wait_rest(&manager->executor, 0) == APR_SUCCESS)
        say_retired(manager);
}

static void finish(brood__manager_t *base)
{
    brood_thread_manager_t *manager = (brood_thread_manager_t *)(void *)base;

    brood__executor_disband(&manager->executor);
}

static void free_parts(brood__manager_t *base)
{
    brood__executor_fini(&((brood_thread_manager_t *)(void *)base)->executor);
}

static void cancel(brood__manager_t *base)
{
    brood__executor_stop(&((brood_thread_manager_t *)(void *)base)->executor,
                         BROOD_STOP_CANCEL);
}

static void forked(brood__manager_t *base)
{
    brood__executor_forked(&((brood_thread_manager_t *)(void *)base)->executor);
}

/* The last worker has left, RESTING was set before. Either we see that retire()
 * was called, or it sees RESTING. After say_retired() the manager may be gone as
 * soon as this thread has ended. */
static void on_rest(brood__executor_t *executor)
{
    brood_thread_manager_t *manager = BROOD__CONTAINER(
        executor, brood_thread_manager_t, executor);

    if (brood__load(&manager->retiring, seq_cst))
        say_retired(manager);
}

static void say_retired(brood_thread_manager_t *manager)
{
    if (!brood__swap(&manager->retired, 1, acq_rel))
        brood__manager_retired(&manager->base);
}

/* ---- look-up ------------------------------------------------------------ */

apr_status_t brood_thread_manager_get(brood_thread_manager_t **manager,
                                      const char *id, unsigned flags)
{
    brood__manager_t *base = NULL;
    apr_status_t rv;

    if (!manager)
        return APR_EINVAL;
    rv = brood__manager_get(&base, &thread_kind, id, flags);
    *manager = (brood_thread_manager_t *)(void *)base;
    return rv;
}

typedef struct each_t {
    brood_thread_manager_each_fn *fn;
    void *baton;
} each_t;

static int show_one(brood__manager_t *base, void *baton)
{
    each_t *each = baton;

    return each->fn((brood_thread_manager_t *)(void *)base, each->baton);
}

apr_status_t brood_thread_manager_each(brood_thread_manager_each_fn *fn,
                                       void *baton)
{
    each_t each = { fn, baton };
    apr_status_t rv = fn ? brood__life_check() : APR_EINVAL;

    return rv == APR_SUCCESS
               ? brood__manager_each(&thread_kind, show_one, &each)
               : rv;
}

brood_thread_manager_t *brood_thread_manager_retain(
    brood_thread_manager_t *manager)
{
    if (!manager || !brood__life_on())
        return NULL;
    brood__manager_retain(&manager->base);
    return manager;
}

brood_thread_manager_t *brood_thread_manager_release(
    brood_thread_manager_t *manager)
{
    if (manager && brood__life_on())
        brood__manager_release(&manager->base);
    return NULL;
}

const char *brood_thread_manager_id(brood_thread_manager_t *manager)
{
    return manager && brood__life_on() ? manager->base.id : NULL;
}

uint64_t brood_thread_manager_owner_serial(brood_thread_manager_t *manager)
{
    return manager && brood__life_on() ? manager->base.owner_serial : 0;
}

int brood_thread_manager_is_running(brood_thread_manager_t *manager)
{
    return manager && brood__life_on()
           && brood__executor_is_running(&manager->executor);
}

const char *brood_thread_manager_task_type(brood_thread_manager_t *manager,
                                           char *buf, apr_size_t len)
{
    const char *type;

    if (!manager || !buf || !brood__life_on())
        return NULL;
    brood__lock(&manager->executor.lock);
    type = brood__manager_type(manager->executor.options.task_type, buf, len);
    brood__unlock(&manager->executor.lock);
    return type;
}

const char *brood_thread_manager_describe(brood_thread_manager_t *manager,
                                          char *buf, apr_size_t len)
{
    char detail[40], type[64];
    int n;

    if (!manager || !brood__life_on())
        return brood__manager_describe(NULL, thread_kind.noun, NULL, NULL, buf,
                                       len);
    brood__lock(&manager->executor.lock);
    n = manager->executor.n_threads;
    brood__unlock(&manager->executor.lock);
    snprintf(detail, sizeof(detail), "%d workers", n);
    return brood__manager_describe(
        &manager->base, thread_kind.noun, detail,
        brood_thread_manager_task_type(manager, type, sizeof(type)), buf, len);
}

/* May it be asked anything? */
static apr_status_t check(brood_thread_manager_t *manager)
{
    apr_status_t rv = manager ? brood__life_check() : APR_EINVAL;

    if (rv == APR_SUCCESS && brood__load(&manager->base.retiring, acquire))
        rv = BROOD_ESTOPPED;
    return rv;
}

/* ---- start, stop -------------------------------------------------------- */

int brood__default_workers(void)
{
    int n = 4 * brood__cpus;

    if (n > 256)
        n = 256;
    return n < 8 ? 8 : n;
}

/* Durations are converted to nanoseconds; negative: for ever. */
static int64_t to_ns(apr_interval_time_t us)
{
    return us < 0 || us > INT64_MAX / 4000 ? -1 : us * 1000;
}

/* APR_EINVAL for what makes no sense. */
static apr_status_t check_options(brood__executor_options_t *to,
                                  const brood_thread_manager_options_t *o)
{
    memset(to, 0, sizeof(*to));
    to->max_workers = o->max_workers ? o->max_workers
                                     : brood__default_workers();
    to->min_workers = o->min_workers < 0 ? 0 : o->min_workers;
    if (o->min_workers == 0)
        to->min_workers = 1;
    else if (!o->max_workers && to->min_workers > to->max_workers)
        to->max_workers = to->min_workers;
    to->max_spares = o->max_spares < 0 ? 0 : o->max_spares;
    if (o->max_spares == 0)
        to->max_spares = to->max_workers;
    if (to->max_workers < 1 || to->max_workers > BROOD__WORKERS_MAX
        || to->min_workers > to->max_workers
        || to->max_spares > BROOD__WORKERS_MAX || o->capacity < 0
        || o->when_full < BROOD_WHEN_FULL_REJECT
        || o->when_full > BROOD_WHEN_FULL_RUN || o->full_timeout < 0
        || o->idle_timeout < 0)
        return APR_EINVAL;
    if (to->max_spares > BROOD__WORKERS_MAX - to->max_workers)
        to->max_spares = BROOD__WORKERS_MAX - to->max_workers;
    to->max_idle = -1;
    to->spin = o->spin;
    to->idle_timeout = o->idle_timeout ? to_ns(o->idle_timeout) : -1;
    to->full_timeout = o->full_timeout ? to_ns(o->full_timeout) : -1;
    to->stack_size = o->stack_size;
    to->prefix = o->thread_name_prefix;
    to->task_type = o->task_type;
    to->capacity = o->capacity;
    to->when_full = o->when_full;
    return APR_SUCCESS;
}

/* The program's hooks return nothing: a start cannot fail. */
static apr_status_t start_hook(void *baton)
{
    brood_thread_manager_t *manager = baton;

    if (manager->executor.options.on_worker_start)
        manager->executor.options.on_worker_start(
            manager->executor.options.user_baton);
    return APR_SUCCESS;
}

static void exit_hook(void *baton)
{
    brood_thread_manager_t *manager = baton;

    if (manager->executor.options.on_worker_exit)
        manager->executor.options.on_worker_exit(
            manager->executor.options.user_baton);
}

apr_status_t brood_thread_manager_start(
    brood_thread_manager_t *manager,
    const brood_thread_manager_options_t *options)
{
    brood_thread_manager_options_t full = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood__executor_options_t to;
    apr_status_t rv;

    if (!manager)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__versioned_take(&full, sizeof(full), options, OPTIONS_SIZE_0_1);
    if (rv == APR_SUCCESS)
        rv = check_options(&to, &full);
    if (rv != APR_SUCCESS)
        return rv;
    if (brood__load(&manager->base.retiring, acquire))
        return BROOD_ESTOPPED;
    if (!to.prefix)
        to.prefix = manager->base.id && *manager->base.id ? manager->base.id
                                                          : "brood";
    to.on_start = start_hook;
    to.on_exit = exit_hook;
    to.hook_baton = manager;
    to.on_worker_start = full.on_worker_start;
    to.on_worker_exit = full.on_worker_exit;
    to.user_baton = full.hook_baton;
    to.daemon = full.daemon;
    return brood__executor_start(&manager->executor, &to);
}

apr_status_t brood_thread_manager_stop(brood_thread_manager_t *manager,
                                       brood_stop_e how,
                                       apr_interval_time_t timeout)
{
    apr_status_t rv = check(manager);

    if (how != BROOD_STOP_DRAIN && how != BROOD_STOP_CANCEL)
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    if (brood__executor_is_self(&manager->executor))
        return BROOD_EDEADLK;
    rv = brood__executor_stop(&manager->executor, how);
    return rv == APR_SUCCESS ? brood__executor_wait_rest(
               &manager->executor, brood__deadline(timeout))
                             : rv;
}

apr_status_t brood_thread_manager_wait_idle(brood_thread_manager_t *manager,
                                            apr_interval_time_t timeout)
{
    apr_status_t rv = check(manager);

    if (rv != APR_SUCCESS)
        return rv;
    if (brood__executor_is_self(&manager->executor))
        return BROOD_EDEADLK;
    if (!brood__load(&manager->executor.ever_started, relaxed))
        return BROOD_ENOTSTARTED;
    return brood__executor_wait_idle(&manager->executor,
                                     brood__deadline(timeout));
}

apr_status_t brood_thread_manager_resize(brood_thread_manager_t *manager,
                                         int min, int max)
{
    apr_status_t rv = check(manager);

    if (max < 0 || max > BROOD__WORKERS_MAX)
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    return brood__executor_resize(&manager->executor, min, max);
}

apr_status_t brood_thread_manager_stats(brood_thread_manager_t *manager,
                                        brood_stats_t *stats)
{
    brood_stats_t full = BROOD_STATS_INIT;
    apr_size_t size = stats ? brood__stats_size(stats) : 0;
    apr_status_t rv = check(manager);

    if (!size)
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    brood__executor_stats(&manager->executor, &full);
    brood__versioned_give(stats, &full, size);
    return APR_SUCCESS;
}

/* ---- submit ------------------------------------------------------------- */

apr_status_t brood_thread_manager_submit(brood_future_t **future,
                                         brood_thread_manager_t *manager,
                                         brood_task_fn *fn, void *baton,
                                         const brood_task_options_t *options)
{
    if (BROOD__UNLIKELY(!manager || !fn || brood__os_forked())) {
        if (future)
            *future = NULL;
        return manager && fn ? BROOD_EFORKED : APR_EINVAL;
    }
    return brood__executor_submit(future, &manager->executor, fn, baton,
                                  options);
}

apr_status_t brood_thread_manager_submit_many(
    brood_future_t **futures, brood_thread_manager_t *manager,
    const brood_task_t *tasks, apr_size_t n,
    const brood_task_options_t *options)
{
    apr_size_t i;

    for (i = 0; futures && i < n; i++)
        futures[i] = NULL;
    if (!manager || (!tasks && n))
        return APR_EINVAL;
    for (i = 0; i < n; i++)
        if (!tasks[i].fn)
            return APR_EINVAL;
    return brood__executor_submit_many(futures, &manager->executor, tasks, n,
                                       options);
}
