/* SPDX-License-Identifier: Apache-2.0 */

/* control.c: start, stop and kill. */

#include "process/core.h"

#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"

/* What callers of brood 0.1 pass in `size`. Never changes. */
#define OPTIONS_SIZE_0_1                                                       \
    (offsetof(brood_process_manager_options_t, crash_limit) + sizeof(int))
#define MOST_WORKERS 4096
#define MS           ((int64_t)1000000)
#define US_MAX       (INT64_MAX / 4000)

static apr_status_t read_options(brood_process_manager_options_t *full,
                                 const brood_process_manager_options_t *o);
static apr_status_t begin(brood_process_manager_t *m,
                          brood__process_settings_t *set);
static apr_status_t stop(brood_process_manager_t *m, int cancel, int kill);

apr_status_t brood_process_manager_start(
    brood_process_manager_t *m, const brood_process_manager_options_t *options)
{
    brood_process_manager_options_t full;
    brood__process_settings_t set;
    apr_status_t rv;

    if (!m)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = read_options(&full, options);
    if (rv == APR_SUCCESS)
        rv = brood__supervisor_ready();
    if (rv == APR_SUCCESS)
        rv = brood__settings_read(&set, &full, m->base.id);
    if (rv != APR_SUCCESS)
        return rv;
    rv = begin(m, &set);
    if (rv != APR_SUCCESS) {
        brood__settings_free(&set);
        return rv;
    }
    brood__supervisor_add(m);
    brood__lock(&m->lock);
    while (m->state == BROOD__PM_STARTING)
        (void)brood__cond_wait(&m->changed, &m->lock, -1);
    rv = m->started;
    while (rv != APR_SUCCESS && m->state == BROOD__PM_STOPPING)
        (void)brood__cond_wait(&m->changed, &m->lock, -1);
    brood__unlock(&m->lock);
    return rv;
}

static apr_status_t read_options(brood_process_manager_options_t *full,
                                 const brood_process_manager_options_t *o)
{
    memset(full, 0, sizeof(*full));
    if (o && (o->size < OPTIONS_SIZE_0_1 || o->size > sizeof(*full)))
        return APR_EINVAL;
    if (o)
        memcpy(full, o, o->size);
    if (full->max_workers < 0 || full->max_workers > MOST_WORKERS
        || full->min_workers > MOST_WORKERS || full->max_tasks_per_worker < 0
        || full->restart_backoff < 0 || full->restart_backoff > US_MAX
        || full->grace > US_MAX || full->idle_timeout > US_MAX
        || full->payload_limit > UINT32_MAX
        || (full->initializer_size && !full->initializer_data)
        || (full->initializer_size && !full->initializer)
        || full->initializer_size > BROOD__WIRE_INIT
        || full->start_method < BROOD_START_SPAWN
        || full->start_method > BROOD_START_FORKSERVER)
        return APR_EINVAL;
    if (full->start_method == BROOD_START_FORKSERVER && !brood__os_can_fork())
        return APR_ENOTIMPL;
    if (full->module
        && (!*full->module || brood__os_path_kind(full->module) < 0))
        return APR_EINVAL;
    if (!full->module && !brood__table.hash)
        return BROOD_ENOFUNC;
    if (full->initializer && !full->module
        && !brood__table_find(brood__name_hash(full->initializer)))
        return BROOD_ENOFUNC;
    return APR_SUCCESS;
}

/* Arrow (1); takes the settings over. */
static apr_status_t begin(brood_process_manager_t *m,
                          brood__process_settings_t *set)
{
    static const brood__home_ops_t rest_ops = { .noun = "process manager" };
    static brood__home_t rest_home = { &rest_ops };
    brood_future_t *rest = brood__future_make_running(&rest_home, 0);
    apr_status_t rv = rest ? APR_SUCCESS : APR_ENOMEM;

    brood__lock(&m->lock);
    if (rv != APR_SUCCESS)
        ;
    else if (brood__load(&m->base.retiring, acquire))
        rv = BROOD_ESTOPPED;
    else if (m->state == BROOD__PM_STOPPING)
        rv = BROOD_EPENDING;
    else if (m->state != BROOD__PM_RESTING)
        rv = BROOD_EALREADY;
    if (rv == APR_SUCCESS) {
        brood__settings_free(&m->set);
        m->set = *set;
        m->state = BROOD__PM_STARTING;
        m->why = m->started = m->said = APR_SUCCESS;
        m->cancel = m->killing = m->demand = 0;
        m->deaths = m->numbers = 0;
        m->next_start = 0;
        m->last_rest = brood_future_release(m->last_rest);
        m->rest = rest;
        m->last_rest = rest; /* the reader's reference */
    }
    brood__unlock(&m->lock);
    if (rv != APR_SUCCESS && rest) {
        brood__future_settle(rest, APR_SUCCESS, NULL);
        (void)brood_future_release(rest);
    }
    return rv;
}

/* ---- settings ------------------------------------------------------------- */

void brood__settings_free(brood__process_settings_t *set)
{
    brood__free(set->task_type);
    brood__free(set->prefix);
    brood__free(set->module);
    brood__free(set->initializer);
    brood__free(set->initializer_data);
    memset(set, 0, sizeof(*set));
}

static int or_default(int value, int usual)
{
    return value ? value : usual;
}

static int64_t duration(apr_interval_time_t us, int64_t usual)
{
    return us < 0 ? -1 : us ? us * 1000 : usual;
}

static int copy(char **to, const char *from)
{
    *to = brood__strdup(from);
    return !from || *to;
}

apr_status_t brood__settings_read(brood__process_settings_t *set,
                                  const brood_process_manager_options_t *o,
                                  const char *id)
{
    const char *prefix = o->process_name_prefix;
    int whole;

    memset(set, 0, sizeof(*set));
    set->max_workers = or_default(o->max_workers, (int)brood__os_cpus());
    set->min_workers = o->min_workers < 0 ? 0 : or_default(o->min_workers, 1);
    if (!o->max_workers && set->max_workers < set->min_workers)
        set->max_workers = set->min_workers;
    if (set->min_workers > set->max_workers)
        return APR_EINVAL;
    set->daemon = o->daemon;
    set->start_method = o->start_method;
    set->max_tasks = o->max_tasks_per_worker;
    set->retries = o->retries < 0 ? 0 : or_default(o->retries, 2);
    set->crash_limit = or_default(o->crash_limit, 5);
    set->max_rss = o->max_rss;
    set->limit = o->payload_limit ? o->payload_limit : (size_t)256 << 20;
    set->backoff = duration(o->restart_backoff, 10 * MS);
    set->grace = duration(o->grace, 2000 * MS);
    set->idle_timeout = duration(o->idle_timeout, 0);
    set->initializer_size = o->initializer_size;
    prefix = prefix ? prefix : id ? id : "brood";
    whole = copy(&set->task_type, o->task_type) && copy(&set->prefix, prefix)
            && copy(&set->module, o->module)
            && copy(&set->initializer, o->initializer);
    if (whole && o->initializer_size) {
        set->initializer_data = brood__alloc_unset(o->initializer_size);
        whole = set->initializer_data != NULL;
        if (whole)
            memcpy(set->initializer_data, o->initializer_data,
                   o->initializer_size);
    }
    if (!whole)
        brood__settings_free(set);
    return whole ? APR_SUCCESS : APR_ENOMEM;
}

/* ---- stop ------------------------------------------------------------------ */

static void refuse_all(brood__orders_t *queue, brood_process_manager_t *m,
                       apr_status_t why, brood__orders_t *ended)
{
    brood__order_t *order;

    while ((order = brood__orders_pop(queue)) != NULL) {
        m->n_queued--;
        brood__order_refuse(order, why, ended);
    }
}

static void refuse_delayed(brood_process_manager_t *m, brood__orders_t *ended)
{
    brood__link_t *link;

    while ((link = brood__list_pop(&m->delayed)) != NULL) {
        brood__errand_t *errand = BROOD__CONTAINER(link, brood__errand_t, link);
        brood__order_t *order = errand->future->baton;

        order->flags &= (uint16_t)~BROOD__ORDER_DELAYED;
        m->n_delayed--;
        brood__order_refuse(order, BROOD_ECANCELED, ended);
    }
}

/* What was handed over is taken back, the last one first, so that the worker
 * does not get to it meanwhile; then what runs is asked to end. */
static void cancel_sent(brood__child_t *child, apr_status_t why,
                        brood__orders_t *ended)
{
    uint64_t first = brood__load(&child->answered, relaxed), position;

    for (position = child->next; position > first; position--) {
        brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position - 1)];

        if (order && brood__child_recall(child, position - 1))
            brood__order_refuse(order, why, ended);
    }
    for (position = first; position < child->next; position++) {
        brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position)];

        if (!order)
            continue;
        brood__or(&order->future->state, (unsigned)BROOD__TOKEN, relaxed);
        brood__child_token(child, order);
    }
}

void brood__process_stop(brood_process_manager_t *m, int cancel,
                         apr_status_t why, brood__orders_t *ended)
{
    const apr_status_t settled = why == BROOD_ESTOPPED ? BROOD_ECANCELED : why;
    brood__link_t *link;
    unsigned i;

    if (m->state == BROOD__PM_RUNNING) {
        m->state = BROOD__PM_STOPPING;
        m->why = why;
        refuse_delayed(m, ended);
    }
    if (!cancel || m->cancel || m->state != BROOD__PM_STOPPING)
        return;
    m->cancel = 1;
    for (i = 0; i < 3; i++)
        refuse_all(&m->queue[i], m, settled, ended);
    BROOD__LIST_EACH (&m->children, link)
        cancel_sent(BROOD__CONTAINER(link, brood__child_t, link), settled,
                    ended);
}

static apr_status_t stop(brood_process_manager_t *m, int cancel, int kill)
{
    brood__orders_t ended = { NULL, NULL, NULL };
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&m->lock);
    while (m->state == BROOD__PM_STARTING)
        (void)brood__cond_wait(&m->changed, &m->lock, -1);
    if (!m->ever)
        rv = BROOD_ENOTSTARTED;
    brood__process_stop(m, cancel, BROOD_ESTOPPED, &ended);
    if (kill && m->state == BROOD__PM_STOPPING)
        m->killing = 1;
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    if (rv == APR_SUCCESS)
        brood__supervisor_wake();
    return rv;
}

apr_status_t brood_process_manager_stop(brood_process_manager_t *m,
                                        brood_stop_e how,
                                        apr_interval_time_t timeout)
{
    brood_future_t *rest;
    apr_status_t rv;

    if (!m || (how != BROOD_STOP_DRAIN && how != BROOD_STOP_CANCEL))
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = stop(m, how == BROOD_STOP_CANCEL, 0);
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock(&m->lock);
    rest = brood_future_retain(m->last_rest);
    brood__unlock(&m->lock);
    rv = brood_future_wait(rest, timeout);
    (void)brood_future_release(rest);
    return rv;
}

apr_status_t brood_process_manager_kill(brood_process_manager_t *m)
{
    apr_status_t rv;

    if (!m)
        return APR_EINVAL;
    rv = brood__life_check();
    return rv == APR_SUCCESS ? stop(m, 1, 1) : rv;
}
