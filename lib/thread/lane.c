/* SPDX-License-Identifier: Apache-2.0 */

/* lane.c: the producers' side of an inbox: making lanes and filling them. */

#include "thread/inbox.h"

#include <string.h>

#include "base/alloc.h"
#include "thread/marks.h"

/*
 * Guards every inbox's table of lanes, every thread's list of its lanes, and
 * the counters of lanes that are gone. A lane without a thread is `orphan`: it
 * keeps its place and its tasks, and the next thread that needs a lane adopts
 * it, so lanes are as many as threads were at the same time, and none is freed
 * before its inbox is.
 */
static brood__lock_t g_lanes = BROOD__LOCK_INIT(BROOD__RANK_LANES);
static atomic_ullong g_serial;

static brood__lane_t *adopt(brood__inbox_t *inbox) BROOD__REQUIRES(g_lanes);
static brood__lane_t *make_lane(brood__inbox_t *inbox) BROOD__REQUIRES(g_lanes);
static void unlink_lane(brood__lane_t *lane) BROOD__REQUIRES(g_lanes);
static void free_lane(brood__lane_t *lane);
static brood__block_t *get_block(brood__lane_t *lane);
static void start_block(brood__lane_t *lane, brood__block_t *block);

apr_status_t brood__inbox_init(brood__inbox_t *inbox)
{
    inbox->n_words = BROOD__LANES / BROOD__WORD;
    brood__fences_init(&inbox->fences);
    inbox->serial = brood__add(&g_serial, 1, relaxed) + 1;
    inbox->lanes = brood__alloc(BROOD__LANES * sizeof(*inbox->lanes));
    inbox->active = brood__alloc(inbox->n_words * sizeof(*inbox->active));
    if (inbox->lanes && inbox->active)
        return APR_SUCCESS;
    brood__free(inbox->lanes);
    brood__free(inbox->active);
    return APR_ENOMEM;
}

void brood__inbox_fini(brood__inbox_t *inbox)
{
    unsigned n, i;

    brood__lock(&g_lanes);
    n = brood__load(&inbox->n_lanes, relaxed);
    for (i = 0; i < n; i++) {
        brood__lane_t *lane = brood__load(&inbox->lanes[i], relaxed);

        if (lane->holder)
            unlink_lane(lane);
        free_lane(lane);
    }
    brood__unlock(&g_lanes);
    brood__free(inbox->lanes);
    brood__free(inbox->active);
}

brood__lane_t *brood__inbox_lane_slow(brood__inbox_t *inbox)
{
    unsigned at = (unsigned)inbox->serial % BROOD__LANE_CACHE;
    brood__lane_t *lane;

    if (brood__self_watch() != APR_SUCCESS)
        return NULL;
    brood__lock(&g_lanes);
    for (lane = brood__self.all_lanes; lane; lane = lane->next_of_thread)
        if (lane->inbox == inbox)
            break;
    if (!lane) {
        lane = adopt(inbox);
        if (!lane)
            lane = make_lane(inbox);
        if (lane) {
            lane->holder = &brood__self;
            lane->next_of_thread = brood__self.all_lanes;
            brood__self.all_lanes = lane;
        }
    }
    brood__unlock(&g_lanes);
    if (lane) {
        brood__self.lanes[at].serial = inbox->serial;
        brood__self.lanes[at].lane = lane;
    }
    return lane;
}

void brood__lanes_exit(brood__self_t *self)
{
    brood__lane_t *lane;

    brood__lock(&g_lanes);
    while ((lane = self->all_lanes)) {
        self->all_lanes = lane->next_of_thread;
        lane->holder = NULL;
    }
    brood__unlock(&g_lanes);
    memset(self->lanes, 0, sizeof(self->lanes));
}

static void unlink_lane(brood__lane_t *lane)
{
    brood__lane_t **at = &lane->holder->all_lanes;

    while (*at != lane)
        at = &(*at)->next_of_thread;
    *at = lane->next_of_thread;
    lane->holder = NULL;
}

/* What the last thread did with it was done before it gave it up under the
 * lock, so the producer's fields are ours to read. */
static brood__lane_t *adopt(brood__inbox_t *inbox)
{
    unsigned n = brood__load(&inbox->n_lanes, relaxed), i;

    for (i = 0; i < n; i++) {
        brood__lane_t *lane = brood__load(&inbox->lanes[i], relaxed);

        if (!lane->holder)
            return lane;
    }
    return NULL;
}

static brood__lane_t *make_lane(brood__inbox_t *inbox)
{
    unsigned n = brood__load(&inbox->n_lanes, relaxed);
    brood__lane_t *lane;
    brood__block_t *block;

    if (n == BROOD__LANES)
        return NULL;
    lane = brood__alloc_aligned(sizeof(*lane), BROOD__LINE);
    if (!lane)
        return NULL;
    block = brood__alloc_aligned(sizeof(*block), BROOD__LINE);
    if (!block) {
        brood__free_aligned(lane);
        return NULL;
    }
    lane->inbox = inbox;
    lane->index = n;
    lane->block = block;
    start_block(lane, block);
    brood__store(&lane->next, block->slot, relaxed);
    /* (F) Whoever sees the new count, or a bit of the map before the count, sees
     * the lane. */
    brood__store(&inbox->lanes[n], lane, release);
    brood__store(&inbox->n_lanes, n + 1, release);
    return lane;
}

/* The link stands in one of the last three slots. */
static brood__block_t *next_block(brood__block_t *block)
{
    brood__slot_t *slot = &block->slot[BROOD__BLOCK];

    while (brood__load(&slot->fn, relaxed) != brood__mark_next)
        slot--;
    return brood__load(&slot->baton, relaxed);
}

static void free_list(brood__block_t *block)
{
    while (block) {
        brood__block_t *next = brood__load(&block->slot[0].baton, relaxed);

        brood__free_aligned(block);
        block = next;
    }
}

static void free_lane(brood__lane_t *lane)
{
    brood__block_t *block = lane->block, *next;

    /* From the consumer's block to the producer's. */
    for (; block; block = next) {
        next = block == lane->made ? NULL : next_block(block);
        brood__free_aligned(block);
    }
    free_list(lane->spare);
    free_list(brood__load(&lane->back, acquire));
    brood__free_aligned(lane);
}

static void start_block(brood__lane_t *lane, brood__block_t *block)
{
    lane->made = block;
    lane->at = block->slot;
    lane->end = block->slot + BROOD__BLOCK;
}

/* A block that came back, or a new one. Free ones are linked through the first
 * slot's baton, which no poller reads. */
static brood__block_t *get_block(brood__lane_t *lane)
{
    brood__block_t *block = lane->spare;
    unsigned i;

    if (!block)
        block = brood__swap(&lane->back, NULL, acquire); /* (B) */
    if (!block)
        return brood__alloc_aligned(sizeof(*block), BROOD__LINE);
    lane->spare = brood__load(&block->slot[0].baton, relaxed);
    for (i = 0; i <= BROOD__BLOCK; i++)
        brood__store(&block->slot[i].fn, NULL, relaxed);
    return block;
}

/* At most two slots are left before the link: skip them, so that the link may
 * stand early. The consumer follows it wherever it meets it. */
int brood__lane_reserve_slow(brood__lane_t *lane)
{
    brood__slot_t *link = lane->at;
    brood__block_t *block = get_block(lane);

    if (!block)
        return 0;
    start_block(lane, block);
    brood__store(&link->baton, block, relaxed);
    brood__store(&link->fn, brood__mark_next, release); /* (A) */
    return 1;
}

int brood__lane_reserve(brood__lane_t *lane, size_t n)
{
    /* Three slots of each block may stay empty, two hold marks at worst. */
    size_t blocks = n / (BROOD__BLOCK - 8) + 1;
    brood__block_t *list = NULL, *block;

    for (; blocks; blocks--) {
        block = get_block(lane);
        if (!block)
            break;
        brood__store(&block->slot[0].baton, list, relaxed);
        list = block;
    }
    while ((block = list)) {
        list = brood__load(&block->slot[0].baton, relaxed);
        brood__store(&block->slot[0].baton, lane->spare, relaxed);
        lane->spare = block;
    }
    return blocks == 0;
}

static void put_mark(brood__lane_t *lane, brood_task_fn *mark, void *baton)
{
    brood__slot_t *slot = lane->at++;

    brood__store(&slot->baton, baton, relaxed);
    brood__store(&slot->fn, mark, release); /* (A) */
}

void brood__lane_mark_scope(brood__lane_t *lane, brood__scope_t *scope)
{
    lane->scope = scope;
    put_mark(lane, brood__mark_scope, scope);
}

void brood__lane_mark_time(brood__lane_t *lane)
{
    put_mark(lane, brood__mark_time,
             (void *)(uintptr_t)(uint64_t)brood__os_now());
}

void brood__lane_activate(brood__lane_t *lane)
{
    brood__inbox_t *inbox = lane->inbox;

    brood__store(&lane->active, 1, relaxed);
    brood__or(&inbox->active[lane->index / BROOD__WORD],
              1ULL << (lane->index % BROOD__WORD), seq_cst);
}

void brood__inbox_settle(brood__inbox_t *inbox)
{
    unsigned n, i;

    brood__heavy_fence(&inbox->fences);        /* (D) */
    n = brood__load(&inbox->n_lanes, acquire); /* (F) */
    for (i = 0; i < n; i++) {
        brood__lane_t *lane = brood__load(&inbox->lanes[i], relaxed);

        while (brood__load(&lane->busy, acquire))
            brood__os_yield();
    }
}
