/* SPDX-License-Identifier: Apache-2.0 */

/* handle.c: the numbers that a program knows its transactions by. */

#include "async/transaction.h"

#include <brood/errors.h>

#include "base/alloc.h"

#define BUCKETS 64 /* a power of two; open transactions are few */

/* Neighbours that are 0 stand for an empty list until the first use. */
static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__link_t g_table[BUCKETS]; /* under g_lock */
static atomic_ullong g_serial;

static void frame_ends(brood__at_end_t *at_end);
static void sweep(void);

/* 32 bits have to do where a pointer has no more; 0 is NULL. */
uint64_t brood__handle_serial(void)
{
    uint64_t serial;

    do {
        serial = (uint64_t)(uintptr_t)(brood__add(&g_serial, 1, relaxed) + 1);
    } while (!serial);
    return serial;
}

brood__handle_t *brood__handle_make(brood__tx_t *tx, uint64_t serial,
                                    int is_joined)
{
    brood__handle_t *handle = brood__alloc(sizeof(*handle));

    if (!handle)
        return NULL;
    atomic_init(&handle->refs, 1);
    brood__list_init(&handle->link);
    handle->at_end.fn = frame_ends;
    handle->serial = serial;
    handle->tx = tx;
    brood__tx_retain(tx);
    handle->is_joined = is_joined;
    return handle;
}

void brood__handle_release(brood__handle_t *handle)
{
    if (brood__sub(&handle->refs, 1, acq_rel) != 1)
        return;
    if (handle->before)
        brood__scope_release(handle->before, 1);
    if (handle->inner)
        brood__scope_release(handle->inner, 1);
    brood__tx_release(handle->tx);
    brood__free(handle);
}

static brood__link_t *bucket(uint64_t serial) BROOD__REQUIRES(g_lock)
{
    brood__link_t *list = &g_table[serial & (BUCKETS - 1)];

    if (!list->next)
        brood__list_init(list);
    return list;
}

void brood__handle_publish(brood__handle_t *handle, int in_frame)
{
    if (in_frame) {
        sweep();
        brood__add(&handle->refs, 1, relaxed);
        brood__at_end_add(&handle->at_end);
    }
    brood__lock(&g_lock);
    brood__list_append(bucket(handle->serial), &handle->link);
    brood__unlock(&g_lock);
}

static brood__handle_t *look_up(uint64_t serial) BROOD__REQUIRES(g_lock)
{
    brood__link_t *list = bucket(serial);
    brood__link_t *link;

    BROOD__LIST_EACH (list, link) {
        brood__handle_t *handle = BROOD__CONTAINER(link, brood__handle_t, link);

        if (handle->serial == serial)
            return handle;
    }
    return NULL;
}

brood__handle_t *brood__handle_take(brood_transaction_t *transaction)
{
    brood__handle_t *handle;

    brood__lock(&g_lock);
    handle = look_up(brood__handle_in(transaction));
    if (handle)
        brood__list_remove(&handle->link);
    brood__unlock(&g_lock);
    return handle;
}

brood__tx_t *brood__handle_find(brood_transaction_t *transaction,
                                int *is_joined)
{
    brood__handle_t *handle;
    brood__tx_t *tx = NULL;

    brood__lock(&g_lock);
    handle = look_up(brood__handle_in(transaction));
    if (handle) {
        tx = handle->tx;
        brood__tx_retain(tx);
        *is_joined = handle->is_joined;
    }
    brood__unlock(&g_lock);
    return tx;
}

/* Only the frame that began it has it in its list. */
void brood__handle_forget(brood__handle_t *handle)
{
    brood__at_end_t *at_end;

    for (at_end = brood__self.now.at_end; at_end; at_end = at_end->next)
        if (at_end == &handle->at_end) {
            brood__at_end_remove(at_end);
            brood__handle_release(handle);
            return;
        }
}

/* The task or thread that began it ends. */
static void frame_ends(brood__at_end_t *at_end)
{
    brood__handle_t *handle = BROOD__CONTAINER(at_end, brood__handle_t, at_end);
    brood__handle_t *taken = brood__handle_take(
        brood__handle_out(handle->serial));

    if (taken) {
        if (taken->is_joined)
            (void)brood__tx_leave(taken->tx, BROOD_EABANDONED);
        else
            (void)brood__tx_end(taken->tx, BROOD_EABANDONED);
        brood__handle_release(taken);
    }
    brood__handle_release(handle);
}

/* A thread that lives long may begin transactions that its descendants end:
 * forget those of this frame that are not in the table any more. */
static void sweep(void)
{
    brood__at_end_t *at_end = brood__self.now.at_end;

    while (at_end) {
        brood__at_end_t *next = at_end->next;
        brood__handle_t *handle = BROOD__CONTAINER(at_end, brood__handle_t,
                                                   at_end);
        int gone;

        if (at_end->fn == frame_ends) {
            brood__lock(&g_lock);
            gone = !look_up(handle->serial);
            brood__unlock(&g_lock);
            if (gone) {
                brood__at_end_remove(at_end);
                brood__handle_release(handle);
            }
        }
        at_end = next;
    }
}
