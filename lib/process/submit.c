/* SPDX-License-Identifier: Apache-2.0 */

/* submit.c: from a caller's bytes to a queued task, or straight to a worker. */

#include "process/core.h"

#include <stdio.h>
#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "observe/log.h"
#include "process/cross.h"

static apr_status_t check(brood_process_manager_t *m, const char *function,
                          const void *in, size_t len,
                          const brood_task_options_t *full);
static apr_status_t admit(brood_process_manager_t *m, size_t len,
                          const char *type, uint64_t function);
static void log_type(brood_process_manager_t *m, const char *type);
static apr_status_t make(brood__order_t **order, brood_process_manager_t *m,
                         const void *in, size_t len,
                         const brood_task_options_t *options);
static void unmake(brood__order_t *order);
static apr_status_t set_payload(brood__order_t **order,
                                const brood_buffer_t *context, const void *in,
                                size_t len);
static apr_status_t set_block(brood__order_t *order,
                              const brood_buffer_t *context, const void *in,
                              size_t len);
static void fill(unsigned char *to, const brood_buffer_t *context,
                 const void *in, size_t len);
static apr_status_t enqueue(brood__order_t *order, size_t len,
                            const char *type);
static void put(brood_process_manager_t *m, brood__order_t *order,
                brood__orders_t *ended);
static void delay(brood_process_manager_t *m, brood__order_t *order);
static void due(brood__timer_t *timer);

apr_status_t brood_process_manager_submit(brood_future_t **future,
                                          brood_process_manager_t *m,
                                          const char *function, const void *in,
                                          apr_size_t len,
                                          const brood_task_options_t *options)
{
    brood_task_options_t full;
    brood__order_t *order;
    brood_future_t *made;
    uint64_t hash = 0;
    int needs;
    apr_status_t rv = brood__task_options(&full, options, &needs);

    if (future)
        *future = NULL;
    if (rv == APR_SUCCESS)
        rv = check(m, function, in, len, &full);
    if (rv == APR_SUCCESS)
        rv = brood__task_timers(&full, 0);
    if (rv == APR_SUCCESS)
        hash = brood__name_hash(function);
    if (rv == APR_SUCCESS && len > BROOD__WIRE_INLINE)
        rv = admit(m, len, full.type, hash); /* before it is copied */
    if (rv == APR_SUCCESS)
        rv = make(&order, m, in, len, needs ? &full : NULL);
    if (rv != APR_SUCCESS)
        return rv;
    made = order->future;
    order->function = hash;
    rv = enqueue(order, len, full.type);
    if (rv == BROOD_ETASKTYPE)
        log_type(m, full.type);
    if (rv != APR_SUCCESS)
        unmake(order);
    else if (future)
        *future = made;
    else
        (void)brood_future_release(made);
    return rv;
}

static apr_status_t check(brood_process_manager_t *m, const char *function,
                          const void *in, size_t len,
                          const brood_task_options_t *full)
{
    apr_status_t rv;

    if (!m || !function || (!in && len) || full->destroy || full->free_value)
        return APR_EINVAL;
    rv = brood__life_check();
    return rv == APR_SUCCESS ? brood__self_ready() : rv;
}

/* Does it take such a task now? */
static apr_status_t refusal(brood_process_manager_t *m, size_t len,
                            const char *type, uint64_t function)
{
    const char *only = m->set.task_type;

    if (m->state != BROOD__PM_RUNNING)
        return m->why != APR_SUCCESS ? m->why
               : m->ever             ? BROOD_ESTOPPED
                                     : BROOD_ENOTSTARTED;
    if (only && (!type || strcmp(only, type) != 0))
        return BROOD_ETASKTYPE;
    if (!m->set.module && !brood__table_find(function))
        return BROOD_ENOFUNC;
    return len > m->set.limit ? BROOD_ETOOBIG : APR_SUCCESS;
}

static apr_status_t admit(brood_process_manager_t *m, size_t len,
                          const char *type, uint64_t function)
{
    apr_status_t rv;

    brood__lock(&m->lock);
    rv = refusal(m, len, type, function);
    if (rv != APR_SUCCESS)
        m->rejected++;
    brood__unlock(&m->lock);
    if (rv == BROOD_ETASKTYPE)
        log_type(m, type);
    return rv;
}

static void log_type(brood_process_manager_t *m, const char *type)
{
    char name[200];

    brood__log(BROOD_LOG_INFO, "%s refuses a task of type %s%s%s",
               brood_process_manager_describe(m, name, sizeof(name)),
               type ? "'" : "", type ? type : "NULL", type ? "'" : "");
}

/* ---- the order ------------------------------------------------------------ */

static apr_status_t make(brood__order_t **order, brood_process_manager_t *m,
                         const void *in, size_t len,
                         const brood_task_options_t *options)
{
    brood_buffer_t *context = NULL;
    brood_future_t *future;
    apr_status_t rv = brood__cross_encode(&context);

    if (rv == APR_SUCCESS)
        rv = set_payload(order, context, in, len);
    (void)brood_buffer_release(context);
    if (rv != APR_SUCCESS)
        return rv;
    future = brood__future_make(&brood__process_home, brood__elsewhere, *order,
                                options);
    if (!future) {
        brood__order_free(*order);
        return APR_ENOMEM;
    }
    future->scope = brood__self.now.scope;
    brood__purse_spend(&brood__self.purse, future->scope);
    (*order)->future = future;
    (*order)->manager = m;
    if (options && (options->queue_timeout || options->run_timeout))
        (*order)->flags |= BROOD__ORDER_ALONE;
    if (options && (options->flags & BROOD_TASK_IDEMPOTENT))
        (*order)->flags |= BROOD__ORDER_IDEMPOTENT;
    return APR_SUCCESS;
}

static void unmake(brood__order_t *order)
{
    brood__purse_earn(&brood__self.purse, order->future->scope);
    brood__future_unmake(order->future);
    brood__order_free(order);
}

/* Few bytes follow the order; more are borrowed until they are in an arena, or
 * copied when that cannot be at once; many get a block of their own. */
static apr_status_t set_payload(brood__order_t **order,
                                const brood_buffer_t *context, const void *in,
                                size_t len)
{
    const size_t before = brood_buffer_size(context);
    const size_t size = brood__wire_pad((uint32_t)before) + len;
    const int here = size <= BROOD__WIRE_INLINE;
    brood__order_t *o = brood__alloc_unset(sizeof(*o) + (here ? size : 0));
    apr_status_t rv = APR_SUCCESS;

    if (!o)
        return APR_ENOMEM;
    memset(o, 0, sizeof(*o));
    o->size = (uint32_t)size;
    o->context = (uint32_t)before;
    if (size > UINT32_MAX) {
        rv = BROOD_ETOOBIG;
    } else if (here) {
        o->bytes = o + 1;
        fill(o->bytes, context, in, len);
    } else if (size > BROOD__WIRE_LARGE) {
        rv = set_block(o, context, in, len);
    } else if (!before) {
        o->bytes = (void *)(uintptr_t)in;
        o->flags |= BROOD__ORDER_BORROWED;
    } else {
        o->bytes = brood__alloc_unset(size);
        o->flags |= BROOD__ORDER_OWNED;
        rv = o->bytes ? APR_SUCCESS : APR_ENOMEM;
        if (o->bytes)
            fill(o->bytes, context, in, len);
    }
    if (rv != APR_SUCCESS)
        brood__order_free(o);
    *order = o;
    return rv;
}

static apr_status_t set_block(brood__order_t *order,
                              const brood_buffer_t *context, const void *in,
                              size_t len)
{
    brood__os_block_t *block = brood__alloc(sizeof(*block));
    apr_status_t rv;

    if (!block)
        return APR_ENOMEM;
    rv = brood__os_block_make(block, order->size);
    if (rv == APR_SUCCESS) {
        fill(block->base, context, in, len);
        rv = brood__os_block_freeze(block);
    }
    order->bytes = block;
    order->flags |= BROOD__ORDER_BLOCK;
    return rv;
}

static void fill(unsigned char *to, const brood_buffer_t *context,
                 const void *in, size_t len)
{
    const uint32_t before = (uint32_t)brood_buffer_size(context);

    if (before)
        memcpy(to, brood_buffer_data((brood_buffer_t *)(uintptr_t)context),
               before);
    if (len)
        memcpy(to + brood__wire_pad(before), in, len);
}

/* ---- the queue ------------------------------------------------------------ */

static apr_status_t keep(brood__order_t *order)
{
    void *copy = brood__alloc_unset(order->size);

    if (!copy)
        return APR_ENOMEM;
    memcpy(copy, order->bytes, order->size);
    order->bytes = copy;
    order->flags &= (uint16_t)~BROOD__ORDER_BORROWED;
    order->flags |= BROOD__ORDER_OWNED;
    return APR_SUCCESS;
}

/* Nobody took it: he who may have it may have it only with a copy. */
static apr_status_t keep_queued(brood_process_manager_t *m,
                                brood__order_t *order, brood__orders_t *ended)
{
    if (keep(order) == APR_SUCCESS) {
        brood__feed(m, ended);
        return APR_SUCCESS;
    }
    brood__order_unlink(order);
    order->flags &= (uint16_t)~BROOD__ORDER_PLACED;
    return APR_ENOMEM;
}

/* Refused: nothing was queued, and the order is the caller's. When this returns
 * otherwise the order may be gone: the caller has the future. */
static apr_status_t enqueue(brood__order_t *order, size_t len, const char *type)
{
    brood_process_manager_t *m = order->manager;
    brood_future_t *future = order->future;
    brood__orders_t ended = { NULL, NULL, NULL };
    apr_status_t rv;

    brood__lock(&m->lock);
    rv = refusal(m, len, type, order->function);
    if (rv == APR_SUCCESS && (order->flags & BROOD__ORDER_BORROWED)
        && (m->n_queued || (future->extra && future->extra->delay)
            || !brood__feed_choose(m, order))) {
        brood__unlock(&m->lock);
        rv = keep(order);
        brood__lock(&m->lock);
        if (rv == APR_SUCCESS)
            rv = refusal(m, len, type, order->function);
    }
    if (rv == APR_SUCCESS) {
        order->flags |= BROOD__ORDER_PLACED;
        order->since = brood__os_now();
        if (future->extra && future->extra->delay)
            delay(m, order);
        else
            put(m, order, &ended);
        order = brood__order_of(future);
        if (order && (order->flags & BROOD__ORDER_BORROWED)
            && !(order->flags & BROOD__ORDER_FILLING))
            rv = keep_queued(m, order, &ended);
    }
    if (rv == APR_SUCCESS)
        m->submitted++;
    else
        m->rejected++;
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    return rv;
}

static void put(brood_process_manager_t *m, brood__order_t *order,
                brood__orders_t *ended)
{
    brood__orders_append(&m->queue[brood__order_queue(order)], order);
    m->n_queued++;
    brood__future_queued(order->future);
    brood__feed(m, ended);
}

/* The timers are ready: this cannot fail. */
static void delay(brood_process_manager_t *m, brood__order_t *order)
{
    brood__extra_t *extra = order->future->extra;

    order->flags |= BROOD__ORDER_DELAYED;
    brood__store(&extra->delayed, 1, release);
    brood__list_append(&m->delayed, &extra->errand.link);
    m->n_delayed++;
    (void)brood__timer_arm(&extra->timer, brood__os_now() + extra->delay, due);
}

static void due(brood__timer_t *timer)
{
    brood__extra_t *extra = BROOD__CONTAINER(timer, brood__extra_t, timer);
    brood_process_manager_t *m = brood__order_manager(
        brood__extra_future(extra));
    brood__orders_t ended = { NULL, NULL, NULL };
    brood__order_t *order;

    if (!m)
        return; /* it has ended meanwhile */
    brood__lock(&m->lock);
    order = brood__order_of(brood__extra_future(extra));
    if (order && (order->flags & BROOD__ORDER_DELAYED)) {
        brood__list_remove(&extra->errand.link);
        m->n_delayed--;
        order->flags &= (uint16_t)~BROOD__ORDER_DELAYED;
        brood__store(&extra->delayed, 0, release);
        put(m, order, &ended);
    }
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    brood__manager_release(&m->base);
}
