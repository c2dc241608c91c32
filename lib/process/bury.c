/* SPDX-License-Identifier: Apache-2.0 */

/* bury.c: the death of a worker: who had begun, and who had not. */

#include "process/core.h"

#include <brood/errors.h>

#include "process/server.h"

#define FORGET       ((int64_t)10 * 1000000000) /* deaths further apart */
#define MOST_BACKOFF 6                          /* doublings */
#define LONGEST      (INT64_MAX / 4)            /* 73 years */

static void lose(brood__child_t *child, uint64_t position,
                 const brood__os_exit_t *how, brood__orders_t *ended);
static apr_status_t why_lost(const brood__order_t *order);
static int may_retry(const brood__order_t *order);

void brood__child_doom(brood__child_t *child)
{
    if (child->state == BROOD__CHILD_READY)
        child->manager->n_ready--;
    else if (child->state == BROOD__CHILD_STARTING)
        child->manager->n_starting--;
    child->state = BROOD__CHILD_ENDING;
}

void brood__child_kill(brood__child_t *child)
{
    brood__child_doom(child);
    if (child->started) /* else as soon as it is forked */
        brood__os_process_kill(&child->process);
}

/* The last ones first, so that they are queued in their order. */
void brood__child_salvage(brood__child_t *child, brood__orders_t *ended)
{
    uint64_t position, first;

    (void)brood__child_drain(child, ended);
    first = brood__load(&child->answered, relaxed);
    for (position = child->next; position > first; position--) {
        brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position - 1)];

        if (order && brood__child_recall(child, position - 1))
            brood__order_requeue(order);
    }
}

void brood__child_bury(brood__child_t *child, const brood__os_exit_t *how,
                       brood__orders_t *ended)
{
    brood_process_manager_t *m = child->manager;
    const int asked = child->wanted_dead || m->killing;
    uint64_t position, first;

    brood__child_salvage(child, ended);
    first = brood__load(&child->answered, relaxed);
    for (position = child->next; position > first; position--)
        if (child->sent[BROOD__WIRE_SLOT(position - 1)])
            lose(child, position - 1, how, ended);
    brood__child_doom(child);
    if (!asked)
        brood__process_death(m, how, child->unmade, ended);
}

/* One death for all its workers, and none if it had none. Those that nothing
 * tells of end with their lifeline: their numbers may be others' by now. */
void brood__server_lost(brood_process_manager_t *m, brood__orders_t *ended)
{
    brood__link_t *link;

    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        brood__child_doom(child);
        if (child->started
            && brood__os_process_watch(&child->process) != BROOD__OS_NO_HANDLE)
            brood__os_process_kill(&child->process);
        child->wanted_dead = child->process_ready = 1;
    }
    if (!m->n_children)
        return;
    brood__process_death(m, NULL, APR_SUCCESS, ended);
    m->broken = brood__server_broken(m->server);
}

/* It had begun. */
static void lose(brood__child_t *child, uint64_t position,
                 const brood__os_exit_t *how, brood__orders_t *ended)
{
    brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position)];
    brood_process_manager_t *m = child->manager;

    if (may_retry(order))
        brood__child_fetch(child, position, order);
    child->sent[BROOD__WIRE_SLOT(position)] = NULL;
    brood__child_crowd(child, -1);
    if (may_retry(order)) {
        brood__order_requeue(order);
        return;
    }
    m->failed++;
    brood__order_end(order, why_lost(order), ended);
    if (how->known) /* see brood_future_worker_exit() */
        order->since = how->signal ? (int64_t)how->signal << 8 | 6
                                   : (int64_t)how->code * 256 | 2;
}

static apr_status_t why_lost(const brood__order_t *order)
{
    const unsigned state = brood__load(&order->future->state, relaxed);

    if (state & BROOD__OVERRAN)
        return BROOD_EOVERRUN;
    return order->flags & BROOD__ORDER_KILLED || order->manager->killing
               ? BROOD_ECANCELED
               : BROOD_EWORKERDIED;
}

static int may_retry(const brood__order_t *order)
{
    const unsigned state = brood__load(&order->future->state, relaxed);

    return order->flags & BROOD__ORDER_IDEMPOTENT && !(state & BROOD__TOKEN)
           && !order->manager->killing && !order->manager->cancel
           && order->tries <= order->manager->set.retries;
}

void brood__process_death(brood_process_manager_t *m,
                          const brood__os_exit_t *how, apr_status_t unmade,
                          brood__orders_t *ended)
{
    static const brood__os_exit_t none;
    const int64_t now = brood__os_now();
    unsigned doublings;

    m->unmade = unmade;
    m->broken = APR_SUCCESS;
    m->how = how ? *how : none;
    if (m->deaths && now - m->first_death > FORGET)
        m->deaths = 0;
    if (!m->deaths++)
        m->first_death = now;
    doublings = m->deaths - 1 > MOST_BACKOFF ? MOST_BACKOFF : m->deaths - 1;
    m->next_start = now
                    + (m->set.backoff > LONGEST >> doublings
                           ? LONGEST
                           : m->set.backoff << doublings);
    if (m->set.crash_limit >= 0 && m->deaths >= (unsigned)m->set.crash_limit
        && (m->state == BROOD__PM_RUNNING || m->state == BROOD__PM_STOPPING))
        brood__process_stop(m, 1, BROOD_ECRASHLOOP, ended);
}
