/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tend.c: what the supervisor does for one manager each time it is awake.
 *
 * Workers are started, watched, ended and buried here and nowhere else. The
 * manager's lock is let go of while a worker is started; nobody is waited for.
 */

#include "process/core.h"

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "process/server.h"

#define HELLO    ((int64_t)60 * 1000000000) /* for a worker to say hello */
#define UNTOLD   ((int64_t)20000000)        /* where nothing tells of deaths */
#define AGAIN    ((int64_t)100000000)       /* after a kill */
#define STOPPING ((int64_t)1000000)         /* between looks */

static void tend_server(brood_process_manager_t *m, int64_t now, int thorough,
                        brood__orders_t *ended);
static apr_status_t what_to_say(brood_process_manager_t *m);
static void take_ring(brood__child_t *child);
static void look_after(brood__child_t *child, int thorough, int64_t now,
                       brood__orders_t *ended);
static void check_hello(brood__child_t *child, int64_t now,
                        brood__orders_t *ended);
static void check_time(brood__child_t *child, int64_t now);
static void check_use(brood__child_t *child, int64_t now);
static int has_ended(brood__child_t *child, brood__os_exit_t *how);
static void unwatch(brood__child_t *child);
static void remove_child(brood__child_t *child);
static void ask_to_end(brood__child_t *child, int64_t now);
static void start_some(brood_process_manager_t *m, int64_t now,
                       brood__orders_t *ended) BROOD__REQUIRES(m->lock);
static void start_one(brood_process_manager_t *m, brood__orders_t *ended)
    BROOD__REQUIRES(m->lock);
static void say_started(brood_process_manager_t *m, apr_status_t rv);
static int rests(brood_process_manager_t *m, int64_t now)
    BROOD__REQUIRES(m->lock);
static void say_over(brood_process_manager_t *m);
static void set_alarm(const brood_process_manager_t *m, int64_t now,
                      int64_t *when);

unsigned brood__tend(brood_process_manager_t *m, int64_t *when, int thorough,
                     int *over)
{
    const int64_t now = brood__os_now();
    brood__orders_t ended = { NULL, NULL, NULL };
    brood__link_t *link, *next;
    apr_status_t why;
    unsigned n = 0;

    brood__lock(&m->lock);
    m->tended = 1;
    if (m->server)
        tend_server(m, now, thorough, &ended);
    for (link = m->children.next; link != &m->children; link = next) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (child->bell_ready)
            take_ring(child);
        n += brood__child_drain(child, &ended);
        next = link->next;
        look_after(child, thorough, now, &ended);
    }
    if (m->look_at && m->look_at <= now)
        brood__feed_look(m);
    brood__feed(m, &ended);
    m->fill = m->tended = 0;
    start_some(m, now, &ended);
    *over = rests(m, now);
    set_alarm(m, now, when);
    why = what_to_say(m);
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    brood__say_why(m, why);
    if (*over)
        say_over(m);
    return n;
}

static void tend_server(brood_process_manager_t *m, int64_t now, int thorough,
                        brood__orders_t *ended)
{
    if (brood__server_tend(m->server, now, thorough))
        brood__server_lost(m, ended);
    if (m->broken != APR_SUCCESS && brood__server_broken(m->server))
        m->how = *brood__server_exit(m->server);
}

/* Once, when it is known how the last one ended; until then it does not rest. */
static apr_status_t what_to_say(brood_process_manager_t *m)
{
    if (m->said == m->why || (m->server && brood__server_is_dying(m->server)))
        return APR_SUCCESS;
    m->said = m->why;
    return m->why;
}

static void set_alarm(const brood_process_manager_t *m, int64_t now,
                      int64_t *when)
{
    const brood__link_t *link;

    BROOD__LIST_EACH (&m->children, link) {
        const brood__child_t *child = BROOD__CONTAINER(link, brood__child_t,
                                                       link);

        brood__sooner(when, child->deadline);
        if (child->started
            && brood__os_process_watch(&child->process) == BROOD__OS_NO_HANDLE)
            brood__sooner(when, now + UNTOLD);
    }
    if (m->server)
        brood__sooner(when, brood__server_deadline(m->server));
    brood__sooner(when, m->look_at);
    if (m->next_start > now)
        brood__sooner(when, m->next_start);
    if (m->set.idle_timeout > 0 && m->n_ready > (unsigned)m->set.min_workers)
        brood__sooner(when, now + m->set.idle_timeout / 2 + 1000000);
    if (m->state == BROOD__PM_STOPPING) /* somebody may be settling */
        brood__sooner(when, now + STOPPING);
}

int brood__tend_arm(brood_process_manager_t *m, int on)
{
    brood__link_t *link;
    int found = 0;

    brood__lock(&m->lock);
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (!on) {
            brood__child_disarm(child);
            continue;
        }
        brood__child_arm(child);
        found |= brood__child_has_result(child);
        if (child->state == BROOD__CHILD_STARTING
            && brood__load(&child->up->hello, acquire))
            found = 1;
    }
    brood__unlock(&m->lock);
    return found;
}

/* It rings once for each time it is armed, so that is over. */
static void take_ring(brood__child_t *child)
{
    child->bell_ready = 0;
    if (!brood__os_bell_clear(child->bell))
        child->watch_ready = 1; /* it has closed its end */
    brood__child_disarm(child);
}

/* ---- one worker ---------------------------------------------------------- */

static void look_after(brood__child_t *child, int thorough, int64_t now,
                       brood__orders_t *ended)
{
    const int in_use = child->reading || child->filling;
    brood__os_exit_t how;

    if ((thorough || child->process_ready || child->watch_ready || child->look
         || child->told)
        && !in_use && has_ended(child, &how)) {
        brood__child_bury(child, &how, ended);
        remove_child(child);
        return;
    }
    if (child->gone && !in_use) { /* its server is asked how */
        unwatch(child);
        brood__child_salvage(child, ended);
        return;
    }
    if (child->watch_ready) { /* it ends, or is of no use any more */
        child->watch_ready = 0;
        brood__os_watcher_remove(brood__watcher, child->watch);
        brood__os_watcher_remove(brood__watcher, child->bell);
        child->closed = 1;
        if (child->started)
            brood__os_process_kill(&child->process);
        child->deadline = now + AGAIN;
    }
    if (child->state == BROOD__CHILD_STARTING)
        check_hello(child, now, ended);
    if (child->deadline && child->deadline <= now)
        check_time(child, now);
    if (child->state == BROOD__CHILD_READY)
        check_use(child, now);
}

static int has_ended(brood__child_t *child, brood__os_exit_t *how)
{
    brood__server_t *server = child->manager->server;

    child->process_ready = 0;
    return server ? brood__server_has_ended(server, child, how)
                  : brood__os_process_ended(&child->process, how);
}

static void unwatch(brood__child_t *child)
{
    brood__os_watcher_remove(brood__watcher, child->bell);
    brood__os_watcher_remove(brood__watcher, child->watch);
    if (child->started)
        brood__os_watcher_remove(brood__watcher,
                                 brood__os_process_watch(&child->process));
}

static void remove_child(brood__child_t *child)
{
    brood_process_manager_t *m = child->manager;

    unwatch(child);
    brood__list_remove(&child->link);
    m->n_children--;
    brood__child_unref(child);
}

static void check_hello(brood__child_t *child, int64_t now,
                        brood__orders_t *ended)
{
    const brood__up_t *up = child->up;
    brood_process_manager_t *m = child->manager;
    int right;

    if (!brood__load(&child->up->hello, acquire))
        return;
    right = up->magic == BROOD__WIRE_MAGIC && up->abi == BROOD__WIRE_ABI
            && up->sizes == BROOD__WIRE_SIZES
            && up->pid == brood__os_process_id(&child->process)
            && (m->set.module || up->hash == brood__table.hash);
    if (right) {
        child->state = BROOD__CHILD_READY;
        child->deadline = 0;
        child->idle_since = now;
        m->n_starting--;
        m->n_ready++;
        return;
    }
    brood__child_kill(child);
    child->wanted_dead = 1;
    if (m->state == BROOD__PM_RUNNING)
        brood__process_stop(m, 1, BROOD_EMISMATCH, ended);
}

/* A deadline is over: of the start, of a task, or of asking it to end. */
static void check_time(brood__child_t *child, int64_t now)
{
    const uint64_t position = brood__load(&child->answered, relaxed);
    brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position)];
    const int64_t grace = child->manager->set.grace;

    if (child->closed || (order && (order->flags & BROOD__ORDER_FILLING))) {
        child->deadline = now + AGAIN;
        if (child->closed && child->started)
            brood__os_process_kill(&child->process);
        return;
    }
    if (child->state == BROOD__CHILD_STARTING) {
        brood__child_kill(child); /* this counts as a crash */
    } else if (child->state == BROOD__CHILD_READY && order
               && !(order->flags & BROOD__ORDER_MOVED)
               && brood__child_recall(child, position)) {
        order->flags |= BROOD__ORDER_MOVED; /* once: it may be too short */
        brood__order_requeue(order);
    } else if (child->state == BROOD__CHILD_READY && order) {
        brood__or(&order->future->state,
                  (unsigned)(BROOD__TOKEN | BROOD__OVERRAN), relaxed);
        brood__child_token(child, order);
        child->wanted_dead = 1;
    }
    if (child->started && !child->asked && grace > 0) {
        brood__child_doom(child);
        child->asked = 1;
        child->deadline = now + grace;
        brood__os_process_terminate(&child->process);
        return;
    }
    child->deadline = now + AGAIN;
    brood__child_kill(child);
}

/* Is it used up, or has it been idle for too long? */
static void check_use(brood__child_t *child, int64_t now)
{
    brood_process_manager_t *m = child->manager;
    const brood__process_settings_t *set = &m->set;

    if (child->n_out || child->reading)
        return;
    if (child->check_rss
        && brood__os_process_rss(&child->process) < set->max_rss)
        child->check_rss = 0;
    if (child->check_rss
        || (set->max_tasks && child->served >= (uint64_t)set->max_tasks)
        || (set->idle_timeout > 0 && m->n_ready > (unsigned)set->min_workers
            && now - child->idle_since >= set->idle_timeout))
        ask_to_end(child, now);
}

static void ask_to_end(brood__child_t *child, int64_t now)
{
    const int64_t grace = child->manager->set.grace;

    if (child->state == BROOD__CHILD_ENDING)
        return;
    if (child->state == BROOD__CHILD_STARTING || !brood__child_quit(child))
        brood__child_kill(child);
    child->wanted_dead = 1;
    brood__child_doom(child);
    child->deadline = now + (grace > 0 ? grace : 1000000);
}

/* ---- their number -------------------------------------------------------- */

/* Its server answers one after the other; another one is started only when all
 * workers of the last one are gone, and it has ended. */
static int may_fork(const brood_process_manager_t *m)
{
    return !m->server || brood__server_is_free(m->server)
           || (brood__server_broken(m->server)
               && !brood__server_is_dying(m->server) && !m->n_children);
}

static void start_some(brood_process_manager_t *m, int64_t now,
                       brood__orders_t *ended)
{
    const unsigned least = m->set.min_workers > 0 ? (unsigned)m->set.min_workers
                                                  : 0;
    unsigned up;

    while (m->state == BROOD__PM_STARTING
           || ((m->state == BROOD__PM_RUNNING
                || (m->state == BROOD__PM_STOPPING && m->n_queued))
               && now >= m->next_start)) {
        up = m->n_ready + m->n_starting;
        if (m->state == BROOD__PM_STARTING && up == 0 && least == 0) {
            say_started(m, APR_SUCCESS);
            continue;
        }
        if (up >= (unsigned)m->set.max_workers
            || (up >= least && !m->demand && !(m->n_queued && up == 0))
            || !may_fork(m))
            break;
        m->demand = 0;
        start_one(m, ended);
    }
}

/* Lets go of the lock: making a process takes a while. */
static void start_one(brood_process_manager_t *m, brood__orders_t *ended)
{
    const unsigned number = m->numbers++;
    brood__child_t *child = NULL;
    apr_status_t rv = APR_SUCCESS;

    brood__unlock(&m->lock);
    if (m->server && brood__server_broken(m->server)) {
        brood__server_stop(m->server);
        m->server = NULL;
    }
    if (m->set.start_method == BROOD_START_FORKSERVER && !m->server)
        rv = brood__server_start(&m->server, m->set.prefix, m->set.module);
    if (rv == APR_SUCCESS)
        rv = brood__child_start(&child, m, number);
    if (rv == APR_SUCCESS)
        rv = brood__child_watch(child);
    brood__lock(&m->lock);

    if (rv == APR_SUCCESS) {
        child->deadline = brood__os_now() + HELLO;
        brood__list_append(&m->children, &child->link);
        m->n_children++;
        m->n_starting++;
        m->started_all++;
    } else {
        brood__process_death(m, NULL, rv, ended);
    }
    if (m->state == BROOD__PM_STARTING)
        say_started(m, rv);
}

/* Arrow (2), or by way of STOPPING (5). */
static void say_started(brood_process_manager_t *m, apr_status_t rv)
{
    m->state = rv == APR_SUCCESS ? BROOD__PM_RUNNING : BROOD__PM_STOPPING;
    m->started = rv;
    m->ever |= rv == APR_SUCCESS;
    brood__cond_wake_all(&m->changed);
}

/* ---- the end ------------------------------------------------------------- */

static void end_children(brood_process_manager_t *m, int64_t now)
{
    brood__link_t *link;

    if (m->killing && m->server)
        brood__server_hurry(m->server, now);
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (m->killing && !child->killed) {
            child->killed = child->wanted_dead = 1;
            brood__child_kill(child);
        } else if (!child->n_out && !m->n_queued) {
            ask_to_end(child, now);
        }
    }
}

/* Arrow (4) of core.h. The lock is held before and after. */
static int rests(brood_process_manager_t *m, int64_t now)
{
    brood__server_t *server;

    if (m->state != BROOD__PM_STOPPING)
        return 0;
    end_children(m, now);
    if (m->n_children || m->n_queued || m->n_delayed
        || brood__load(&m->unsettled, acquire)
        || (m->server && brood__server_is_dying(m->server)))
        return 0;
    server = m->server;
    m->server = NULL;
    brood__unlock(&m->lock);
    brood__server_stop(server);
    brood__lock(&m->lock);
    return 1;
}

/* The last look at it: it may go, or be started again, when this returns. */
static void say_over(brood_process_manager_t *m)
{
    brood_future_t *rest;
    int retire;

    brood__lock(&m->lock);
    m->state = BROOD__PM_RESTING;
    retire = m->retire;
    m->retire = 0;
    rest = m->rest;
    m->rest = NULL;
    brood__cond_wake_all(&m->changed);
    brood__manager_retain(&m->base);
    brood__unlock(&m->lock);
    brood__future_settle(rest, APR_SUCCESS, NULL);
    if (retire)
        brood__manager_retired(&m->base);
    brood__manager_release(&m->base);
}
