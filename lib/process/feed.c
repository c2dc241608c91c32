/* SPDX-License-Identifier: Apache-2.0 */

/*
 * feed.c: which task goes to which worker.
 *
 * A worker gets more than one task at a time only while they are short, so that
 * it need not be woken for each: a window that its recent tasks have earned.
 * What was handed out too early is taken back as soon as another worker has
 * nothing to do, so a long task never holds up those behind it while somebody
 * is idle.
 */

#include "process/core.h"

#include <brood/errors.h>

#include "task/spin.h"

#define AGEING 16 /* each so many tasks the lowest queue comes first */
#define SAMPLE 64 /* of so many tasks one is timed */

static atomic_int g_crowd; /* workers with a task, of all managers */

static brood__orders_t *next_queue(brood_process_manager_t *m);
static int hand_over(brood_process_manager_t *m, brood__orders_t *queue,
                     brood__orders_t *ended);
static unsigned window(const brood__child_t *child);
static int read_some(brood_process_manager_t *m, brood__orders_t *ended);
static int take_back(brood_process_manager_t *m);

/* A worker with a task needs a CPU as a thread of ours does. */
void brood__child_crowd(brood__child_t *child, int more)
{
    brood_process_manager_t *m = child->manager;
    const unsigned before = child->n_out;
    unsigned spin;

    child->n_out = (unsigned)((int)before + more);
    m->running = (uint64_t)((int64_t)m->running + more);
    if (!before == !child->n_out)
        return;
    if (before)
        child->idle_since = brood__os_now();
    brood__add(&brood__busy, before ? -1 : 1, relaxed);
    brood__add(&g_crowd, before ? -1 : 1, relaxed);
    /* The parent is to have a CPU, too. */
    spin = brood__load(&g_crowd, relaxed) < brood__cpus;
    if (spin != brood__load(&child->down->spin, relaxed))
        brood__store(&child->down->spin, spin, relaxed);
}

void brood__feed(brood_process_manager_t *m, brood__orders_t *ended)
{
    brood__orders_t *queue;

    for (;;) {
        queue = next_queue(m);
        if (queue ? !hand_over(m, queue, ended) && !read_some(m, ended)
                  : !take_back(m))
            return;
    }
}

/* The first of a queue, to whoever has room. 0: nobody has. */
static int hand_over(brood_process_manager_t *m, brood__orders_t *queue,
                     brood__orders_t *ended)
{
    brood__order_t *order = queue->first;
    brood__child_t *child = brood__feed_choose(m, order);
    int lost = order->flags & BROOD__ORDER_LOST;

    if ((!child || child->n_out)
        && m->n_ready + m->n_starting < (unsigned)m->set.max_workers
        && !m->demand) {
        m->demand = 1;
        brood__supervisor_wake();
    }
    if (!child)
        return 0;
    if (lost
        || (!(order->flags & BROOD__ORDER_BEGUN)
            && !brood__future_claim(order->future, 0))) {
        (void)brood__orders_pop(queue);
        m->n_queued--;
        order->flags |= lost ? BROOD__ORDER_BEGUN : BROOD__ORDER_DROP;
        brood__order_refuse(order, lost ? APR_ENOMEM : BROOD_ECANCELED, ended);
        return 1;
    }
    order->flags |= BROOD__ORDER_BEGUN;
    (void)brood__orders_pop(queue); /* it may get into another list */
    if (!brood__child_send(child, order, ended)) {
        brood__orders_prepend(queue, order);
        return child->state != BROOD__CHILD_READY; /* then to another */
    }
    m->n_queued--;
    if (m->turn++ % SAMPLE == 0)
        brood__histogram_add(&m->wait_time, brood__os_now() - order->since);
    if (order->future->extra && order->future->extra->run_timeout) {
        child->deadline = brood__os_now() + order->future->extra->run_timeout;
        brood__supervisor_wake_at(child->deadline);
    }
    return 1;
}

static brood__orders_t *next_queue(brood_process_manager_t *m)
{
    int i;

    if (!m->n_queued)
        return NULL;
    if (m->turn % AGEING == AGEING - 1) {
        for (i = 2; i >= 0; i--)
            if (m->queue[i].first)
                return &m->queue[i];
    }
    for (i = 0; i < 3; i++)
        if (m->queue[i].first)
            return &m->queue[i];
    return NULL;
}

brood__child_t *brood__feed_choose(brood_process_manager_t *m,
                                   const brood__order_t *order)
{
    const int alone = order->flags & BROOD__ORDER_ALONE;
    brood__child_t *best = NULL;
    brood__link_t *link;

    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (!brood__child_can_take(child))
            continue;
        if (!child->n_out)
            return child;
        if (!alone && child->n_out < window(child)
            && (!best || child->n_out < best->n_out))
            best = child;
    }
    return best;
}

int brood__child_can_take(const brood__child_t *child)
{
    const int most = child->manager->set.max_tasks;

    return child->state == BROOD__CHILD_READY && !child->closed && !child->gone
           && !child->check_rss && (!most || child->served < (uint64_t)most);
}

static unsigned window(const brood__child_t *child)
{
    const int64_t run = child->run;

    if (child->manager->set.max_rss)
        return 1;
    if (run <= 0)
        return 2;
    return run < 10000 ? BROOD__WIRE_SLOTS : run < 100000 ? 16 : 2;
}

/* Somebody may have room as soon as we have read what he has done. */
static int read_some(brood_process_manager_t *m, brood__orders_t *ended)
{
    brood__link_t *link;

    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (child->state == BROOD__CHILD_READY && !child->reading
            && child->n_out && brood__child_answers(child))
            return brood__child_drain(child, ended) > 0;
    }
    return 0;
}

/* The queue is empty. Is there somebody idle, and somebody with too much? Take
 * the last half of that, and queue it again. */
static int take_back(brood_process_manager_t *m)
{
    brood__child_t *most = NULL;
    brood__link_t *link;
    uint64_t position, first;
    int n = 0, idle = 0;

    if (m->n_ready < 2)
        return 0;
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        idle |= !child->n_out && brood__child_can_take(child);
        if (child->n_out > 1 && child->state == BROOD__CHILD_READY
            && (!most || child->n_out > most->n_out))
            most = child;
    }
    if (!most || !idle)
        return 0;
    position = most->next;
    first = brood__load(&most->answered, relaxed);
    for (first += (position - first + 1) / 2; position > first; position--) {
        brood__order_t *order = most->sent[BROOD__WIRE_SLOT(position - 1)];

        if (order && brood__child_recall(most, position - 1)) {
            brood__order_requeue(order);
            m->steals++;
            n++;
        }
    }
    return n;
}
