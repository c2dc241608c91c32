/* SPDX-License-Identifier: Apache-2.0 */

/* inbox.c: the consumers' side: taking from lanes, and watching them. */

#include "thread/inbox.h"

#include "thread/marks.h"

#define TURNS 16 /* full batches from one lane before the others' turn */
#define FEW                                                                    \
    2 /* lanes that stay in the map: looking there costs less than
                    taking them out and putting them back */

static int lane_some(brood__lane_t *lane);
static int more_than_few(brood__inbox_t *inbox, unsigned n);
static unsigned long long clear_empty(brood__inbox_t *inbox, unsigned word);
static unsigned take_from(brood__lane_t *lane, brood__call_t *calls);
static void give_back(brood__lane_t *lane, brood__block_t *block);

/* Consumers stay where much is queued, but not for ever. */
#define HAD_ITS_TURN(lane)                                                     \
    (brood__load(&(lane)->taken, relaxed) / BROOD__BATCH % TURNS == 0)

/* From the lanes of one word of the map that `bits` has. */
BROOD__INLINE unsigned take_of(brood__inbox_t *inbox, unsigned word,
                               unsigned long long bits, brood__call_t *calls,
                               unsigned *turn)
{
    for (; bits; bits &= bits - 1) {
        unsigned i = word * BROOD__WORD + brood__lowest_bit(bits);
        brood__lane_t *lane = brood__load(&inbox->lanes[i], acquire);
        unsigned got = lane && lane_some(lane) ? take_from(lane, calls) : 0;

        if (got) {
            *turn = i + (got < BROOD__BATCH || HAD_ITS_TURN(lane));
            return got;
        }
    }
    return 0;
}

unsigned brood__inbox_take(brood__inbox_t *inbox, brood__call_t *calls,
                           unsigned *turn)
{
    unsigned n = brood__load(&inbox->n_lanes, acquire); /* (F) */
    unsigned first = *turn < n ? *turn : 0;
    unsigned word = first / BROOD__WORD;
    unsigned long long begin = ~0ULL << (first % BROOD__WORD);
    unsigned long long bits = brood__load(&inbox->active[word], relaxed);
    unsigned got = take_of(inbox, word, bits & begin, calls, turn), i;

    /* From `first` on, around, and the rest of its word at the end. */
    for (i = word + 1; !got && i * BROOD__WORD < n; i++)
        got = take_of(inbox, i, brood__load(&inbox->active[i], relaxed), calls,
                      turn);
    for (i = 0; !got && i < word; i++)
        got = take_of(inbox, i, brood__load(&inbox->active[i], relaxed), calls,
                      turn);
    return got ? got : take_of(inbox, word, bits & ~begin, calls, turn);
}

int brood__inbox_any(brood__inbox_t *inbox)
{
    unsigned n = brood__load(&inbox->n_lanes, acquire), i; /* (F) */

    for (i = 0; i < n; i++)
        if (lane_some(brood__load(&inbox->lanes[i], acquire)))
            return 1;
    return 0;
}

int brood__inbox_some(brood__inbox_t *inbox)
{
    unsigned n = brood__load(&inbox->n_lanes, acquire); /* (F) */
    unsigned word;

    for (word = 0; word * BROOD__WORD < n; word++) {
        unsigned long long bits = brood__load(&inbox->active[word], relaxed);

        for (; bits; bits &= bits - 1) {
            unsigned i = word * BROOD__WORD + brood__lowest_bit(bits);
            brood__lane_t *lane = brood__load(&inbox->lanes[i], acquire);

            if (lane && lane_some(lane))
                return 1;
        }
    }
    return 0;
}

void brood__inbox_tidy(brood__inbox_t *inbox)
{
    unsigned n = brood__load(&inbox->n_lanes, acquire); /* (F) */
    unsigned long long cleared[BROOD__LANES / BROOD__WORD];
    unsigned word;
    int many = more_than_few(inbox, n);

    for (word = 0; word * BROOD__WORD < n; word++)
        cleared[word] = many ? clear_empty(inbox, word) : 0;
    brood__heavy_fence(&inbox->fences); /* (C), (E) */
    for (word = 0; word * BROOD__WORD < n; word++) {
        unsigned long long bits = cleared[word];

        for (; bits; bits &= bits - 1) {
            unsigned i = word * BROOD__WORD + brood__lowest_bit(bits);
            brood__lane_t *lane = brood__load(&inbox->lanes[i], acquire);

            /* Or its producer set the bit before we took it away again. */
            if (lane_some(lane) || brood__load(&lane->active, relaxed))
                brood__lane_activate(lane);
        }
    }
}

static int more_than_few(brood__inbox_t *inbox, unsigned n)
{
    unsigned active = 0, word;

    for (word = 0; word * BROOD__WORD < n; word++) {
        unsigned long long bits = brood__load(&inbox->active[word], relaxed);

        for (; bits; bits &= bits - 1)
            if (++active > FEW)
                return 1;
    }
    return 0;
}

/* (E), the consumer's first half, for one word of the map. */
static unsigned long long clear_empty(brood__inbox_t *inbox, unsigned word)
{
    unsigned long long bits = brood__load(&inbox->active[word], relaxed);
    unsigned long long empty = 0;

    for (; bits; bits &= bits - 1) {
        unsigned i = word * BROOD__WORD + brood__lowest_bit(bits);
        brood__lane_t *lane = brood__load(&inbox->lanes[i], acquire);

        if (lane_some(lane))
            continue;
        brood__store(&lane->active, 0, relaxed);
        empty |= 1ULL << (i % BROOD__WORD);
    }
    if (empty)
        brood__and(&inbox->active[word], ~empty, seq_cst);
    return empty;
}

unsigned long long brood__inbox_put(brood__inbox_t *inbox)
{
    unsigned long long put = 0;
    unsigned n = brood__load(&inbox->n_lanes, acquire), i; /* (F) */

    for (i = 0; i < n; i++)
        put += brood__load(&brood__load(&inbox->lanes[i], acquire)->put,
                           relaxed);
    return put;
}

unsigned long long brood__inbox_queued(brood__inbox_t *inbox, int64_t *oldest)
{
    unsigned long long queued = 0;
    unsigned n = brood__load(&inbox->n_lanes, acquire), i; /* (F) */

    *oldest = 0;
    for (i = 0; i < n; i++) {
        brood__lane_t *lane = brood__load(&inbox->lanes[i], acquire);
        unsigned long long taken = brood__load(&lane->taken, relaxed);
        unsigned long long put = brood__load(&lane->put, relaxed);
        int64_t stamp = brood__load(&lane->stamp, relaxed);

        if (put <= taken)
            continue;
        queued += put - taken;
        if (stamp && (!*oldest || stamp < *oldest))
            *oldest = stamp;
    }
    return queued;
}

static int lane_some(brood__lane_t *lane)
{
    /* The block stays mapped while the inbox lives; see (B). */
    brood__slot_t *slot = brood__load(&lane->next, acquire);

    return brood__load(&slot->fn, relaxed) != NULL;
}

/* A mark is met: what to do, and where to go on. */
static brood__slot_t *follow(brood__lane_t *lane, brood_task_fn *mark,
                             void *baton, brood__slot_t *slot)
{
    if (mark == brood__mark_next) {
        brood__block_t *emptied = lane->block;

        lane->block = baton;
        /* Before the block goes back: a poller must not be sent into it. */
        brood__store(&lane->next, lane->block->slot, release);
        give_back(lane, emptied);
        return lane->block->slot;
    }
    if (mark == brood__mark_scope) {
        lane->taken_scope = baton;
    } else {
        brood__store(&lane->stamp, (int64_t)(uintptr_t)baton, relaxed);
        lane->timed = 1;
    }
    return slot + 1;
}

static unsigned take_from(brood__lane_t *lane, brood__call_t *calls)
{
    unsigned n = 0;
    int timed = 0;
    brood__slot_t *slot;

    if (brood__load(&lane->lock, relaxed)
        || brood__swap(&lane->lock, 1, acquire))
        return 0;
    slot = brood__load(&lane->next, relaxed);
    while (n < BROOD__BATCH) {
        brood_task_fn *fn = brood__load(&slot->fn, acquire); /* (A) */
        void *baton;

        if (!fn)
            break;
        baton = brood__load(&slot->baton, relaxed);
        if (BROOD__UNLIKELY(brood__is_mark(fn))) {
            slot = follow(lane, fn, baton, slot);
            continue;
        }
        calls[n].fn = fn;
        calls[n].baton = baton;
        calls[n++].scope = lane->taken_scope;
        slot++;
    }
    brood__store(&lane->taken, brood__load(&lane->taken, relaxed) + n, relaxed);
    brood__store(&lane->next, slot, release);
    if (BROOD__UNLIKELY(lane->timed) && n) { /* else its task is yet to come */
        lane->timed = 0;
        timed = 1;
    }
    brood__store(&lane->lock, 0, release);

    if (BROOD__UNLIKELY(timed) && lane->inbox->waited)
        lane->inbox->waited(
            lane->inbox, brood__os_now() - brood__load(&lane->stamp, relaxed));
    return n;
}

static void give_back(brood__lane_t *lane, brood__block_t *block)
{
    brood__block_t *first = brood__load(&lane->back, relaxed);

    do
        brood__store(&block->slot[0].baton, first, relaxed);
    while (!brood__cas_weak(&lane->back, &first, block, release)); /* (B) */
}
