/* SPDX-License-Identifier: Apache-2.0 */

/*
 * order.c: a task in the parent, from made to settled.
 *
 * A future finds its order by its baton. Before an order is freed the baton is
 * made odd, under the future's LOCK, and from then on says how the worker ended
 * (see EXIT below). So whoever holds the LOCK and sees an even one may look at
 * the order; and whoever holds the manager's lock too, and sees PLACED, may go
 * on looking at it without the LOCK, since it is taken out under that lock.
 */

#include "process/core.h"

#include <stdlib.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"

/* The odd baton: 1, or with bit 1 also a code and a signal. */
#define EXIT_NONE  1u
#define EXIT_KNOWN 2u

static void settle_one(brood__order_t *order);
static void token(brood__home_t *home, brood_future_t *future);
static void undelay(brood__home_t *home, brood_future_t *future);

static const brood__home_ops_t home_ops = { .noun = "process manager",
                                            .token = token,
                                            .undelay = undelay };
brood__home_t brood__process_home = { &home_ops };

brood_process_manager_t *brood__order_manager(brood_future_t *future)
{
    brood_process_manager_t *m = NULL;

    brood__future_lock(future);
    if (future->fn == brood__elsewhere && !((uintptr_t)future->baton & 1)) {
        m = ((brood__order_t *)future->baton)->manager;
        brood__manager_retain(&m->base);
    }
    brood__future_unlock(future);
    return m;
}

brood__order_t *brood__order_of(brood_future_t *future)
{
    brood__order_t *order = NULL;

    brood__future_lock(future);
    if (!((uintptr_t)future->baton & 1)) {
        order = future->baton;
        if (!(order->flags & BROOD__ORDER_PLACED))
            order = NULL;
    }
    brood__future_unlock(future);
    return order;
}

void brood__order_unload(brood__order_t *order)
{
    if (order->flags & BROOD__ORDER_BLOCK) {
        brood__os_block_free(order->bytes);
        brood__free(order->bytes);
    } else if (order->flags & BROOD__ORDER_OWNED) {
        brood__free(order->bytes);
    }
    order->flags &= (uint16_t) ~(BROOD__ORDER_BLOCK | BROOD__ORDER_OWNED);
    order->bytes = NULL;
}

void brood__order_free(brood__order_t *order)
{
    brood__order_unload(order);
    brood__free(order);
}

unsigned brood__order_queue(const brood__order_t *order)
{
    const brood__extra_t *extra = order->future->extra;

    return extra ? (unsigned)(1 - extra->priority) : 1;
}

void brood__order_requeue(brood__order_t *order)
{
    brood_process_manager_t *m = order->manager;

    order->child = NULL;
    brood__orders_prepend(&m->queue[brood__order_queue(order)], order);
    m->n_queued++;
}

void brood__order_unlink(brood__order_t *order)
{
    brood__orders_t *queue = &order->manager->queue[brood__order_queue(order)];
    brood__orders_t rest = { NULL, NULL, NULL };
    brood__order_t *other;

    while ((other = brood__orders_pop(queue)) != NULL)
        if (other != order)
            brood__orders_append(&rest, other);
    *queue = rest;
    order->manager->n_queued--;
}

void brood__order_end(brood__order_t *order, apr_status_t status,
                      brood__orders_t *ended)
{
    order->flags &= (uint16_t)~BROOD__ORDER_PLACED;
    order->status = status;
    order->since = 0;
    brood__add(&order->manager->unsettled, 1, relaxed);
    brood__orders_append(ended, order);
}

void brood__order_refuse(brood__order_t *order, apr_status_t status,
                         brood__orders_t *ended)
{
    if (!(order->flags & BROOD__ORDER_BEGUN)
        && !brood__future_claim(order->future, 0))
        order->flags |= BROOD__ORDER_DROP;
    order->manager->canceled++;
    brood__order_unload(order);
    brood__order_end(order, status, ended);
}

void brood__orders_settle(brood__orders_t *ended)
{
    brood__order_t *order;

    while ((order = ended->fill) != NULL) {
        ended->fill = order->next;
        brood__child_fill(order, ended);
    }
    while ((order = brood__orders_pop(ended)) != NULL)
        settle_one(order);
    /* Of a thread that brood never saw nobody empties it at its end. */
    if (!brood__self.seen)
        brood__purse_empty(&brood__self.purse);
}

/* The baton becomes what is known of the worker's end; the order goes. */
static void settle_one(brood__order_t *order)
{
    brood_future_t *future = order->future;
    brood__scope_t *scope = future->scope;
    const unsigned flags = order->flags;
    apr_status_t status = order->status;
    brood_process_manager_t *m = order->manager;
    void *value = NULL;

    brood__future_lock(future);
    future->baton = (void *)(uintptr_t)(EXIT_NONE | (uintptr_t)order->since);
    brood__future_unlock(future);
    if (!(flags & (BROOD__ORDER_BLOCK | BROOD__ORDER_OWNED))
        && status == APR_SUCCESS)
        value = order->bytes;
    brood__order_free(order);

    if (flags & BROOD__ORDER_DROP) {
        if (brood__future_drop(future))
            brood__purse_earn(&brood__self.purse, scope);
    } else {
        if (future->extra && future->extra->timed)
            (void)brood__timer_disarm(&future->extra->timer);
        brood__purse_earn(&brood__self.purse, scope);
        brood__future_settle(future, status, value);
    }
    brood__sub(&m->unsettled, 1, release); /* it may rest, and go */
}

/* ---- its end is asked for ------------------------------------------------- */

/* The future is claimed: the order is with a worker, or was and is queued. */
static void token(brood__home_t *home, brood_future_t *future)
{
    brood_process_manager_t *m = brood__order_manager(future);
    brood__orders_t ended = { NULL, NULL, NULL };
    brood__order_t *order;
    brood__child_t *child;

    (void)home;
    if (!m)
        return;
    brood__lock(&m->lock);
    order = brood__order_of(future);
    child = order ? order->child : NULL;
    if (child
        && brood__child_recall(child, brood__child_position(child, order))) {
        m->canceled++;
        brood__order_end(order, BROOD_ECANCELED, &ended);
        brood__feed(m, &ended);
    } else if (child) {
        brood__child_token(child, order);
    } else if (order) { /* taken back before, and queued again */
        brood__order_unlink(order);
        brood__order_refuse(order, BROOD_ECANCELED, &ended);
    }
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    brood__supervisor_wake();
    brood__manager_release(&m->base);
}

/* It was canceled, or expired, while it was delayed. */
static void undelay(brood__home_t *home, brood_future_t *future)
{
    brood_process_manager_t *m = brood__order_manager(future);
    brood__orders_t ended = { NULL, NULL, NULL };
    brood__order_t *order;

    (void)home;
    if (!m)
        return;
    brood__lock(&m->lock);
    order = brood__order_of(future);
    if (order && (order->flags & BROOD__ORDER_DELAYED)) {
        brood__list_remove(&future->extra->errand.link);
        m->n_delayed--;
        order->flags |= BROOD__ORDER_DROP;
        m->canceled++;
        brood__order_end(order, BROOD_ECANCELED, &ended);
    }
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    brood__manager_release(&m->base);
}

apr_status_t brood_process_task_kill(brood_future_t *future)
{
    brood_process_manager_t *m;
    brood__order_t *order;
    apr_status_t rv;

    if (!future || future->fn != brood__elsewhere)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    m = brood__order_manager(future);
    rv = brood__future_end(future, BROOD_ECANCELED, 0);
    if (!m)
        return rv;
    brood__lock(&m->lock);
    order = brood__order_of(future);
    if (order && order->child) {
        order->flags |= BROOD__ORDER_KILLED;
        order->child->wanted_dead = 1;
        brood__child_kill(order->child);
    }
    brood__unlock(&m->lock);
    brood__supervisor_wake();
    brood__manager_release(&m->base);
    return rv;
}

/* ---- how its worker ended -------------------------------------------------- */

/* Into `since`, which bury.c writes: bits 1 known, 2 signaled, 8.. the number. */
apr_status_t brood_future_worker_exit(brood_future_t *future, int *code,
                                      int *signal)
{
    uintptr_t how;
    apr_status_t rv;

    if (!future || !code || !signal || future->fn != brood__elsewhere)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    if (!brood__future_settled(future))
        return BROOD_EPENDING;
    how = (uintptr_t)future->baton;
    if (!(how & 1) || !(how & EXIT_KNOWN))
        return BROOD_ENOTFOUND;
    *code = how & 4 ? -1 : (int)(how >> 8);
    *signal = how & 4 ? (int)(how >> 8) : 0;
    return APR_SUCCESS;
}
