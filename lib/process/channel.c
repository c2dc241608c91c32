/* SPDX-License-Identifier: Apache-2.0 */

/* channel.c: one worker's rings, seen from the parent; see wire.h. */

#include "process/core.h"

#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "task/spin.h"

#define SHORT 4096u                   /* copied under the lock */
#define RETRY ((int64_t)10 * 1000000) /* ns; when the system refuses */

static int put_payload(brood__child_t *child, brood__request_t *request,
                       brood__order_t *order);
static int put_block(brood__child_t *child, const brood__order_t *order);
static void fill_later(brood__child_t *child, brood__order_t *order,
                       brood__orders_t *ended);
static void take_position(brood__child_t *child, brood__order_t *order);
static void copy_payload(brood__child_t *child, const brood__request_t *request,
                         const brood__order_t *order);
static void drop_borrowed(brood__order_t *order);
static void publish(brood__child_t *child, uint64_t position);
static void let_go(brood__child_t *child, brood__order_t *order);

static brood__request_t *next_request(brood__child_t *child)
{
    const uint64_t out = child->next - brood__load(&child->answered, relaxed);

    return out < BROOD__WIRE_SLOTS
               ? &child->down->request[BROOD__WIRE_SLOT(child->next)]
               : NULL;
}

int brood__child_send(brood__child_t *child, brood__order_t *order,
                      brood__orders_t *ended)
{
    const uint64_t position = child->next;
    brood__request_t *request = next_request(child);

    if (!request || !put_payload(child, request, order))
        return 0;
    request->what = BROOD__WIRE_RUN;
    request->function = order->function;
    request->size = order->size;
    request->context = order->context;
    brood__store(&request->token, 0, relaxed);
    if (!child->n_out && order->since - child->idle_since > brood__spin_limit())
        child->streak = 0;
    order->child = child;
    order->tries++;
    child->served++;
    brood__child_crowd(child, 1);
    take_position(child, order);
    if (request->place == BROOD__WIRE_IN_ARENA && order->size > SHORT) {
        fill_later(child, order, ended);
        return 1;
    }
    if (request->place == BROOD__WIRE_IN_ARENA)
        copy_payload(child, request, order);
    drop_borrowed(order);
    publish(child, position);
    return 1;
}

static void take_position(brood__child_t *child, brood__order_t *order)
{
    const uint64_t slot = BROOD__WIRE_SLOT(child->next);

    child->sent[slot] = order;
    child->arena_end[slot] = child->arena.head;
    child->next++;
    /* The worker has read it last: have it here when the next one comes. */
    BROOD__PREFETCH_WRITE(&child->down->request[BROOD__WIRE_SLOT(child->next)]);
}

/* What was borrowed is in the arena only from now on; see brood__child_fetch(). */
static void copy_payload(brood__child_t *child, const brood__request_t *request,
                         const brood__order_t *order)
{
    memcpy(child->down->arena + request->where, order->bytes, order->size);
}

/* ---- what is copied under no lock ---------------------------------------- */

/*
 * The position is taken, so those behind it may be published first; the worker
 * waits for this one. While it is FILLING nobody else writes to the order or the
 * request: it is not recalled, an answer to it is a lie, and who would bury the
 * worker waits. `unsettled` keeps the manager.
 */
static void fill_later(brood__child_t *child, brood__order_t *order,
                       brood__orders_t *ended)
{
    order->flags |= BROOD__ORDER_FILLING;
    order->status = (int32_t)BROOD__WIRE_SLOT(child->next - 1);
    order->next = ended->fill;
    ended->fill = order;
    child->filling++;
    brood__add(&child->manager->unsettled, 1, relaxed);
}

/* Then it is as if it had been handed over at this moment; also if its end was
 * asked for meanwhile. */
void brood__child_fill(brood__order_t *order, brood__orders_t *ended)
{
    brood_process_manager_t *m = order->manager;
    brood__child_t *child = order->child;
    uint64_t position;

    copy_payload(child, &child->down->request[order->status], order);
    brood__lock(&m->lock);
    position = brood__child_position(child, order);
    order->flags &= (uint16_t)~BROOD__ORDER_FILLING;
    drop_borrowed(order);
    child->filling--;
    if ((brood__load(&order->future->state, relaxed) & BROOD__TOKEN)
        && brood__child_recall(child, position)) {
        m->canceled++;
        brood__order_end(
            order,
            m->cancel && m->why != BROOD_ESTOPPED ? m->why : BROOD_ECANCELED,
            ended);
    }
    publish(child, position);
    brood__unlock(&m->lock);
    brood__sub(&m->unsettled, 1, release);
}

static void drop_borrowed(brood__order_t *order)
{
    if (order->flags & BROOD__ORDER_BORROWED) {
        order->flags &= (uint16_t)~BROOD__ORDER_BORROWED;
        order->bytes = NULL;
    }
}

int brood__child_quit(brood__child_t *child)
{
    brood__request_t *request = next_request(child);

    if (!request)
        return 0;
    request->what = BROOD__WIRE_QUIT;
    request->place = BROOD__WIRE_HERE;
    request->size = request->context = 0;
    take_position(child, NULL);
    publish(child, child->next - 1);
    return 1;
}

/* A worker that has nothing to do and yet takes no block, or has closed its end,
 * would keep what is queued from the others: it is ended. */
static int put_block(brood__child_t *child, const brood__order_t *order)
{
    brood__os_message_t message = { BROOD__WIRE_BLOCK, order->size,
                                    child->next };
    const brood__os_block_t *block = order->bytes;
    const int idle = child->next == brood__load(&child->answered, relaxed);
    const apr_status_t rv = brood__os_channel_send(child->blocks, &message,
                                                   block->handle);

    if (rv == APR_EOF || (rv == APR_EAGAIN && idle))
        brood__child_kill(child);
    else if (rv != APR_SUCCESS && idle) /* the system's fault; nobody rings */
        brood__supervisor_wake_at(brood__os_now() + RETRY);
    return rv == APR_SUCCESS;
}

static int put_payload(brood__child_t *child, brood__request_t *request,
                       brood__order_t *order)
{
    uint64_t at;

    if (order->flags & BROOD__ORDER_BLOCK) {
        request->place = BROOD__WIRE_IN_BLOCK;
        return put_block(child, order);
    }
    if (order->flags & BROOD__ORDER_BORROWED && !child->sealed)
        return 0; /* it could not be fetched back */
    if (order->size <= BROOD__WIRE_INLINE) {
        request->place = BROOD__WIRE_HERE;
        if (order->size)
            memcpy(request->bytes, order->bytes, order->size);
        return 1;
    }
    at = brood__arena_take(&child->arena, order->size);
    if (at == (uint64_t)-1)
        return 0;
    request->place = BROOD__WIRE_IN_ARENA;
    request->where = at;
    return 1;
}

static void publish(brood__child_t *child, uint64_t position)
{
    brood__request_t *request =
        &child->down->request[BROOD__WIRE_SLOT(position)];

    brood__store(&request->ready, position + 1, release); /* (A) */
    brood__fence(seq_cst);                                /* (C) */
    if (brood__load(&child->up->asleep, relaxed)
        && brood__swap(&child->up->asleep, 0, relaxed)) {
        child->manager->wakes++;
        brood__os_doorbell_ring(child->doorbell, &child->up->asleep);
    }
}

int brood__child_recall(brood__child_t *child, uint64_t position)
{
    brood__response_t *response =
        &child->up->response[BROOD__WIRE_SLOT(position)];
    brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position)];
    unsigned long long open = brood__wire_claim(position, BROOD__WIRE_OPEN);

    /* What is being read has ended, whatever became of the claim since. */
    if (!order || (order->flags & BROOD__ORDER_FILLING)
        || (child->reading
            && position == brood__load(&child->answered, relaxed))
        || !brood__cas(&response->claim, &open,
                       brood__wire_claim(position, BROOD__WIRE_RECALLED),
                       acq_rel))
        return 0;
    child->sent[BROOD__WIRE_SLOT(position)] = NULL;
    brood__child_fetch(child, position, order);
    let_go(child, order);
    return 1;
}

/* What the worker cannot have changed. */
void brood__child_fetch(brood__child_t *child, uint64_t position,
                        brood__order_t *order)
{
    const brood__request_t *request =
        &child->down->request[BROOD__WIRE_SLOT(position)];
    const unsigned char *from = request->place == BROOD__WIRE_HERE
                                    ? request->bytes
                                    : child->down->arena + request->where;

    if (order->bytes || !order->size)
        return;
    order->bytes = brood__alloc_unset(order->size);
    if (order->bytes) {
        memcpy(order->bytes, from, order->size);
        order->flags |= BROOD__ORDER_OWNED;
    } else {
        order->flags |= BROOD__ORDER_LOST;
    }
}

static void let_go(brood__child_t *child, brood__order_t *order)
{
    order->child = NULL;
    if (order->tries)
        order->tries--;
    brood__child_crowd(child, -1);
}

uint64_t brood__child_position(const brood__child_t *child,
                               const brood__order_t *order)
{
    uint64_t position = brood__load(&child->answered, relaxed);

    while (position < child->next
           && child->sent[BROOD__WIRE_SLOT(position)] != order)
        position++;
    return position;
}

void brood__child_token(brood__child_t *child, const brood__order_t *order)
{
    brood__os_message_t message = { BROOD__WIRE_TOKEN, 0,
                                    brood__child_position(child, order) };

    brood__store(&child->down->request[BROOD__WIRE_SLOT(message.where)].token,
                 1, release);
    (void)brood__os_channel_send(child->watch, &message, BROOD__OS_NO_HANDLE);
}

void brood__child_arm(brood__child_t *child)
{
    if (!(child->need & 1))
        brood__store(&child->down->need, ++child->need, relaxed);
    brood__fence(seq_cst); /* (D) */
}

void brood__child_disarm(brood__child_t *child)
{
    if (child->need & 1)
        brood__store(&child->down->need, ++child->need, relaxed);
}
