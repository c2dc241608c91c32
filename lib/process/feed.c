/* SPDX-License-Identifier: Apache-2.0 */

/* feed.c: handing queued tasks to workers. Who gets them is choose.c's. */

#include "process/core.h"

#include <brood/errors.h>

#include "task/spin.h"

#define AGEING 16 /* each so many tasks the lowest queue comes first */
#define SAMPLE 64 /* of so many tasks one is timed */

static atomic_int g_crowd; /* workers with a task, of all managers */

static brood__orders_t *next_queue(brood_process_manager_t *m);
static int hand_over(brood_process_manager_t *m, brood__orders_t *queue,
                     brood__orders_t *ended);
static void want_more(brood_process_manager_t *m, const brood__child_t *child);
static int read_some(brood_process_manager_t *m, brood__orders_t *ended);

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
    if (before) {
        child->idle_since = brood__os_now();
        /* It gets no more before the supervisor has looked at it, who may be
         * asleep: whoever polls, or cancels, may have been who emptied it. */
        if (!brood__child_can_take(child))
            brood__supervisor_wake();
    }
    brood__add(&brood__busy.n, before ? -1 : 1, relaxed);
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
                  : !brood__feed_take_back(m))
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

    want_more(m, child);
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

/* It goes to nobody, or to one that is busy: would one more worker help? While
 * `look_at` is set that is seen by then. */
static void want_more(brood_process_manager_t *m, const brood__child_t *child)
{
    if ((child && (!child->n_out || brood__child_is_quick(child)))
        || (m->look_at && !m->fill))
        return;
    brood__feed_want_more(m);
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

/* Somebody may have room as soon as we have read what he has done. */
static int read_some(brood_process_manager_t *m, brood__orders_t *ended)
{
    brood__link_t *link;

    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (child->state == BROOD__CHILD_READY
            && brood__child_has_result(child))
            return brood__child_drain(child, ended) > 0;
    }
    return 0;
}
