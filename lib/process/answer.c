/* SPDX-License-Identifier: Apache-2.0 */

/* answer.c: the results of a worker process, and the memory for them. */

#include "process/worker.h"

#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"

#define LOOK_AGAIN INT64_C(50000000) /* 50 ms */

BROOD__THREAD_LOCAL int brood__worker_runs;

static void unplace(brood_buffer_t *buffer);
static void reclaim(void);
static apr_status_t put_result(brood__response_t *response,
                               brood_buffer_t *out);
static apr_status_t send_block(brood__response_t *response,
                               const brood_buffer_t *out);
static apr_status_t hand_over(brood__os_block_t *block);

brood_buffer_t *brood__worker_place(size_t size)
{
    uint64_t at;

    if (!brood__worker_runs || brood__worker.placed
        || size <= BROOD__WIRE_INLINE || size > BROOD__WIRE_LARGE
        || size > brood__worker.down->limit)
        return NULL;
    reclaim();
    brood__worker.before = brood__worker.arena;
    at = brood__arena_take(&brood__worker.arena, size);
    if (at == (uint64_t)-1)
        return NULL;
    brood__worker.placed = brood__buffer_around(brood__worker.up->arena + at,
                                                size, unplace, NULL);
    if (!brood__worker.placed)
        brood__worker.arena = brood__worker.before;
    return brood__worker.placed;
}

/* The task gave it up, or brood__worker_answer() did. On any thread, but only
 * the main one gives the memory back, at the end of the task. */
static void unplace(brood_buffer_t *buffer)
{
    if (brood__worker_runs && buffer == brood__worker.placed) {
        brood__worker.placed = NULL;
        brood__worker.arena = brood__worker.before;
    }
}

/* What the parent has read is free. */
static void reclaim(void)
{
    const uint64_t done = brood__load(&brood__worker.down->done, acquire);

    if (done > brood__worker.freed) {
        brood__worker.arena.tail =
            brood__worker.arena_end[BROOD__WIRE_SLOT(done - 1)];
        brood__worker.freed = done;
    }
}

void brood__worker_answer(brood__response_t *response, apr_status_t status,
                          brood_buffer_t *out)
{
    response->size = 0;
    response->where = 0;
    response->place = BROOD__WIRE_HERE;
    if (status == APR_SUCCESS && out)
        status = put_result(response, out);
    if (brood__worker.placed
        && (brood__worker.placed != out
            || response->place != BROOD__WIRE_IN_ARENA))
        brood__worker.arena = brood__worker.before;
    brood__worker.placed = NULL;
    response->status = status;
    if (status != APR_SUCCESS) {
        response->size = 0;
        response->place = BROOD__WIRE_HERE;
    }
    brood__worker_publish(
        response); /* the bytes are not ours to touch any more */
    (void)brood_buffer_release(out);
}

static apr_status_t put_result(brood__response_t *response, brood_buffer_t *out)
{
    const size_t size = out->size;
    uint64_t at = (uint64_t)-1;

    if (size > brood__worker.down->limit)
        return BROOD_ETOOBIG;
    response->size = (uint32_t)size;
    if (size <= BROOD__WIRE_INLINE) {
        if (size)
            memcpy(response->bytes, out->data, size);
        return APR_SUCCESS;
    }
    if (out == brood__worker.placed) {
        response->where = (uint64_t)((unsigned char *)out->data
                                     - brood__worker.up->arena);
        response->place = BROOD__WIRE_IN_ARENA;
        return APR_SUCCESS;
    }
    if (size <= BROOD__WIRE_LARGE) {
        if (brood__worker.placed)
            brood__worker.arena = brood__worker.before;
        brood__worker.placed = NULL;
        reclaim();
        at = brood__arena_take(&brood__worker.arena, size);
    }
    if (at == (uint64_t)-1)
        return send_block(response, out);
    memcpy(brood__worker.up->arena + at, out->data, size);
    response->where = at;
    response->place = BROOD__WIRE_IN_ARENA;
    return APR_SUCCESS;
}

static apr_status_t send_block(brood__response_t *response,
                               const brood_buffer_t *out)
{
    brood__os_block_t block;
    apr_status_t rv = brood__os_block_make(&block, out->size);

    if (rv != APR_SUCCESS)
        return rv;
    memcpy(block.base, out->data, out->size);
    rv = brood__os_block_freeze(&block);
    if (rv == APR_SUCCESS)
        rv = hand_over(&block);
    brood__os_block_free(&block);
    response->place = BROOD__WIRE_IN_BLOCK;
    return rv;
}

/* What is lent is in the list before anybody can say that it was fetched. */
static apr_status_t hand_over(brood__os_block_t *block)
{
    const brood__os_message_t message = { BROOD__WIRE_BLOCK,
                                          (uint32_t)block->size,
                                          brood__worker.next };
    brood__lent_t *lent = NULL;
    apr_status_t rv;

    if (brood__os_channel_lends()) {
        lent = brood__alloc(sizeof(*lent));
        if (!lent)
            return APR_ENOMEM;
    }
    brood__lock(&brood__worker.lock);
    rv = brood__os_channel_send(brood__os_worker_handle(BROOD__HANDLE_BLOCKS),
                                &message, block->handle);
    if (rv == APR_SUCCESS && lent) {
        lent->position = message.where;
        lent->handle = block->handle;
        lent->next = brood__worker.lent;
        brood__worker.lent = lent;
        brood__worker.lent_until = message.where + 1;
        block->handle = BROOD__OS_NO_HANDLE;
        lent = NULL;
    }
    brood__unlock(&brood__worker.lock);
    brood__free(lent);
    return rv;
}

void brood__worker_fetched(uint64_t position)
{
    brood__lent_t **at = &brood__worker.lent, *done, *next;

    brood__lock(&brood__worker.lock);
    while (*at && (*at)->position > position)
        at = &(*at)->next;
    done = *at;
    *at = NULL;
    brood__cond_wake_all(&brood__worker.fetched);
    brood__unlock(&brood__worker.lock);
    for (; done; done = next) {
        next = done->next;
        brood__os_handle_close(done->handle);
        brood__free(done);
    }
}

/*
 * The parent reads results whether or not this worker goes on, so this ends. It
 * says FETCHED before it counts a result as read, but that message may be lost
 * where there is no room for it, or the block could not be taken; hence the look
 * at `done` now and then.
 */
void brood__worker_await_fetched(void)
{
    if (!brood__worker.lent_until)
        return;
    brood__lock(&brood__worker.lock);
    while (brood__worker.lent
           && brood__load(&brood__worker.down->done, acquire)
                  < brood__worker.lent_until)
        (void)brood__cond_wait(&brood__worker.fetched, &brood__worker.lock,
                               LOOK_AGAIN);
    brood__worker.lent_until = 0;
    brood__unlock(&brood__worker.lock);
}

/* The claim of the next lap first: whoever sees `full` may use the slot. */
void brood__worker_publish(brood__response_t *response)
{
    unsigned need;

    brood__worker.arena_end[BROOD__WIRE_SLOT(brood__worker.next)] =
        brood__worker.arena.head;
    brood__store(&response->claim,
                 brood__wire_claim(brood__worker.next + BROOD__WIRE_SLOTS,
                                   BROOD__WIRE_OPEN),
                 relaxed);
    brood__store(&response->full, brood__worker.next + 1, release); /* (B) */
    brood__fence(seq_cst);                                          /* (D) */
    need = brood__load(&brood__worker.down->need, relaxed);
    if ((need & 1) && need != brood__worker.rung) {
        brood__worker.rung = need;
        brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    }
}
