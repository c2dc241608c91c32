/* SPDX-License-Identifier: Apache-2.0 */

/*
 * drain.c: reading what a worker wrote. It is a stranger: copy, then check.
 *
 * `reading` makes the one who copies a long result without the lock the only
 * reader of that worker meanwhile.
 */

#include "process/core.h"

#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "process/result.h"
#include "task/spin.h"

#define SHORT 4096u /* copied under the lock */

static void copy_head(brood__result_t *result, const brood__response_t *from);
static int read_one(brood__child_t *child, brood__orders_t *ended);
static apr_status_t fetch(brood__child_t *child, const brood__result_t *result,
                          brood_buffer_t **value) BROOD__NO_ANALYSIS;
static void say_fetched(brood__child_t *child, uint64_t position);
static apr_status_t fetch_block(brood__child_t *child,
                                const brood__result_t *result,
                                brood_buffer_t **value, int *received);
static void finish(brood__child_t *child, brood__order_t *order,
                   const brood__result_t *result, brood_buffer_t *value,
                   brood__orders_t *ended);
static apr_status_t final_status(const brood__order_t *order,
                                 apr_status_t status);

unsigned brood__child_drain(brood__child_t *child, brood__orders_t *ended)
{
    unsigned n = 0;

    while (brood__child_has_result(child) && read_one(child, ended))
        n++;
    if (n && !child->manager->tended)
        child->manager->helped = 1;
    return n;
}

void brood__child_unref(brood__child_t *child)
{
    if (--child->refs == 0)
        brood__child_close(child);
}

static void copy_head(brood__result_t *result, const brood__response_t *from)
{
    result->where = from->where;
    result->run_time = from->run_time;
    result->size = from->size;
    result->status = from->status;
    result->place = from->place;
}

static int refuse(brood__child_t *child)
{
    child->refused = 1;
    brood__child_kill(child);
    return 0;
}

/* 0: it broke the rules, and is being killed. */
static int read_one(brood__child_t *child, brood__orders_t *ended)
{
    const uint64_t position = brood__load(&child->answered, relaxed);
    brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position)];
    brood_buffer_t *value = NULL;
    brood__result_t result;
    apr_status_t rv;
    int right;

    copy_head(&result, &child->up->response[BROOD__WIRE_SLOT(position)]);
    result.position = position;
    right = brood__result_check(&result, child->manager->set.limit,
                                order != NULL);
    if (!right || (order && (order->flags & BROOD__ORDER_FILLING)))
        return refuse(child);
    if (order) {
        rv = fetch(child, &result, &value);
        if (result.status == APR_SUCCESS && rv == BROOD_EWORKERDIED)
            return refuse(child);
        result.status = rv;
        child->sent[BROOD__WIRE_SLOT(position)] = NULL;
    }
    child->arena.tail = child->arena_end[BROOD__WIRE_SLOT(position)];
    brood__store(&child->answered, position + 1, relaxed);
    brood__store(&child->down->done, position + 1, release);
    if (order)
        finish(child, order, &result, value, ended);
    return 1;
}

static apr_status_t fetch(brood__child_t *child, const brood__result_t *result,
                          brood_buffer_t **value)
{
    const brood__response_t *response =
        &child->up->response[BROOD__WIRE_SLOT(result->position)];
    const void *from = result->place == BROOD__WIRE_HERE
                           ? response->bytes
                           : child->up->arena + result->where;
    brood_process_manager_t *m = child->manager;
    int received = 0;
    apr_status_t rv;

    if (result->status != APR_SUCCESS)
        return result->status;
    if (!result->size)
        return APR_SUCCESS;
    if (result->size > SHORT) {
        child->reading = 1;
        child->refs++;
        brood__unlock(&m->lock);
    }
    if (result->place == BROOD__WIRE_IN_BLOCK)
        rv = fetch_block(child, result, value, &received);
    else
        rv = brood_buffer_copy(value, from, result->size);
    if (result->size > SHORT) {
        brood__lock(&m->lock);
        child->reading = 0;
        child->refs--; /* the supervisor's is there while it has a result */
    }
    if (received && brood__os_channel_lends())
        say_fetched(child, result->position);
    return rv;
}

/* No message is left, then, that lends a block up to this one. Under the lock, as
 * all that is sent there. What is not said or not heard the next makes up for. */
static void say_fetched(brood__child_t *child, uint64_t position)
{
    const brood__os_message_t fetched = { BROOD__WIRE_FETCHED, 0, position };

    (void)brood__os_channel_send(child->watch, &fetched, BROOD__OS_NO_HANDLE);
}

static void drop_block(brood_buffer_t *buffer)
{
    brood__os_block_free(buffer->baton);
    brood__free(buffer->baton);
}

/* Blocks of positions that were answered otherwise come first; there cannot be
 * more of them than positions. A worker that died with messages unread resets
 * the channel: we are told so once, before what it had sent. */
static apr_status_t receive_block(brood__child_t *child, uint64_t position,
                                  brood__os_handle_t *handle)
{
    brood__os_message_t message;
    unsigned i, ends = 0;

    for (i = 0; i <= BROOD__WIRE_SLOTS; i++) {
        const apr_status_t rv = brood__os_channel_receive(child->blocks,
                                                          &message, handle, 0);

        if (rv == APR_SUCCESS && message.where == position)
            return APR_SUCCESS;
        if (rv == APR_SUCCESS)
            brood__os_handle_close(*handle);
        else if (rv != APR_EOF || ends++)
            return rv == APR_EMFILE || rv == APR_ENOMEM ? rv : APR_EINVAL;
    }
    return APR_EINVAL;
}

/* One that cannot change any more need not be copied. */
static apr_status_t fetch_block(brood__child_t *child,
                                const brood__result_t *result,
                                brood_buffer_t **value, int *received)
{
    brood__os_block_t *block = brood__alloc(sizeof(*block));
    brood__os_handle_t handle;
    int safe = 0;
    apr_status_t rv = block ? APR_SUCCESS : APR_ENOMEM;

    if (rv == APR_SUCCESS)
        rv = receive_block(child, result->position, &handle);
    *received = rv == APR_SUCCESS;
    if (rv == APR_SUCCESS)
        rv = brood__os_block_open(block, handle, result->size, &safe);
    if (rv == APR_EINVAL)
        rv = BROOD_EWORKERDIED; /* it lied, and is going to */
    if (rv == APR_SUCCESS && safe)
        *value = brood__buffer_around(block->base, result->size, drop_block,
                                      block);
    else if (rv == APR_SUCCESS)
        rv = brood_buffer_make(value, result->size);
    if (rv == APR_SUCCESS && *value && safe)
        return APR_SUCCESS;
    if (rv == APR_SUCCESS && *value)
        rv = brood__os_block_read(block, brood_buffer_data(*value),
                                  result->size);
    else if (rv == APR_SUCCESS)
        rv = APR_ENOMEM;
    if (block)
        brood__os_block_free(block);
    brood__free(block);
    return rv;
}

static void finish(brood__child_t *child, brood__order_t *order,
                   const brood__result_t *result, brood_buffer_t *value,
                   brood__orders_t *ended)
{
    brood_process_manager_t *m = child->manager;
    const apr_status_t status = final_status(order, result->status);
    const int64_t run = (int64_t)result->run_time;

    child->stuck = 0;
    child->streak++;
    child->run = child->run ? (7 * child->run + run) / 8 : run;
    if (child->state == BROOD__CHILD_READY)
        child->deadline = 0;
    if (child->served % 64 == 1)
        brood__histogram_add(&m->run_time, run);
    if (status == APR_SUCCESS) {
        m->completed++;
        m->deaths = 0;
    } else {
        m->failed++;
    }
    if (status != APR_SUCCESS)
        value = brood_buffer_release(value);
    if (m->set.max_rss)
        child->check_rss = 1;
    brood__child_crowd(child, -1);
    brood__order_unload(order);
    order->bytes = value;
    brood__order_end(order, status, ended);
}

/* What it said, unless its end was asked for and it gave in. */
static apr_status_t final_status(const brood__order_t *order,
                                 apr_status_t status)
{
    const unsigned state = brood__load(&order->future->state, relaxed);

    if (status != BROOD_ECANCELED && status != BROOD_EINTERRUPTED)
        return status;
    if (state & BROOD__OVERRAN)
        return BROOD_EOVERRUN;
    return state & BROOD__TOKEN ? BROOD_ECANCELED : status;
}

/* ---- polling ------------------------------------------------------------- */

typedef struct poll_t {
    brood_future_t *future;
    brood_process_manager_t *manager;
    brood__child_t *child;
} poll_t;

/* Under the lock: what the worker has sent, and what it can do next. */
static unsigned read_and_feed(brood__child_t *child, brood__orders_t *ended)
{
    brood_process_manager_t *m = child->manager;
    unsigned n = brood__child_drain(child, ended);

    if (n)
        brood__feed(m, ended);
    return n;
}

/* `n` were read, and the lock is free. */
static int have_read(poll_t *poll, unsigned n, brood__orders_t *ended)
{
    brood__orders_settle(ended);
    if (n)
        brood__supervisor_polled();
    return brood__future_settled(poll->future);
}

static int read_for(poll_t *poll)
{
    brood_process_manager_t *m = poll->manager;
    brood__orders_t ended = { NULL, NULL, NULL };
    unsigned n;

    brood__lock(&m->lock);
    n = read_and_feed(poll->child, &ended);
    brood__unlock(&m->lock);
    return have_read(poll, n, &ended);
}

static int arrived(void *baton)
{
    poll_t *poll = baton;

    if (brood__child_answers(poll->child) && read_for(poll))
        return 1;
    return brood__future_settled(poll->future);
}

/* The usual case under a furious window: its result is there already. Else who
 * has the task, with a reference; nobody while it is queued. */
static int read_at_once(poll_t *poll)
{
    brood_process_manager_t *m = poll->manager;
    brood__orders_t ended = { NULL, NULL, NULL };
    brood__order_t *order;
    unsigned n = 0;

    brood__lock(&m->lock);
    order = brood__order_of(poll->future);
    if (order && order->child) {
        n = read_and_feed(order->child, &ended);
        order = brood__order_of(poll->future); /* that may let go of the lock */
    }
    if (order && order->child) {
        poll->child = order->child;
        poll->child->refs++;
    }
    brood__unlock(&m->lock);
    return have_read(poll, n, &ended);
}

int brood__process_poll(brood_future_t *future)
{
    poll_t poll = { future, brood__order_manager(future), NULL };
    int found;

    if (!poll.manager)
        return brood__future_settled(future);
    found = read_at_once(&poll);
    if (poll.child) {
        if (!found)
            found = brood__spin(arrived, &poll);
        brood__lock(&poll.manager->lock);
        brood__child_unref(poll.child);
        brood__unlock(&poll.manager->lock);
    }
    brood__manager_release(&poll.manager->base);
    return found;
}

/* The caller will sleep until the supervisor settles it: have the worker ring
 * for this result, and look once more. */
int brood__process_sleep(brood_future_t *future)
{
    brood_process_manager_t *m = brood__order_manager(future);
    brood__orders_t ended = { NULL, NULL, NULL };
    brood__order_t *order;

    if (!m)
        return brood__future_settled(future);
    brood__lock(&m->lock);
    order = brood__order_of(future);
    if (order && order->child) {
        brood__child_arm(order->child);
        (void)read_and_feed(order->child, &ended);
    }
    brood__unlock(&m->lock);
    brood__orders_settle(&ended);
    brood__manager_release(&m->base);
    return brood__future_settled(future);
}
