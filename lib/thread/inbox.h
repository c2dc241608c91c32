/* SPDX-License-Identifier: Apache-2.0 */

/*
 * inbox.h: how a task gets from any thread to those that run it.
 *
 * Each producing thread has a lane of its own to each inbox: linked blocks of
 * 16-byte slots {fn, baton}. The release store of `fn` publishes a slot; there
 * is no tail index, so one cache line carries both the signal and the data.
 * What changes seldom travels in band, as a slot whose fn is a mark: the scope
 * of what follows, the next block, the time. Consumers take turns by try-lock,
 * copy up to 64 slots, and unlock; nothing runs inside.
 *
 * An inbox is used by an executor (many consumers) and by a loop (one).
 *
 * Memory order
 *
 *   (A) producer: store baton relaxed, then fn release; consumer: fn acquire,
 *       then baton relaxed.
 *   (B) emptied blocks go back to their producer: pushed with release, taken
 *       with acquire. The producer clears a block before it uses it again; a
 *       poller that still looks at it (without the lock) sees NULL or a later
 *       fn, and only ever decides to look under the lock.
 *   (C) sleeping: a producer publishes, light fence, loads `need`. A consumer
 *       that wants to sleep stores `need`, heavy fence, looks at all lanes. One
 *       of the two sees the other (Dekker), so no task is left behind.
 *   (D) stopping: a producer stores `busy` = 1, light fence, loads `rare`; the
 *       stopper stores `rare`, heavy fence, waits until no lane is busy
 *       (acquire; `busy` = 0 is a release). After that no accepted task is
 *       still on its way.
 *   (E) the map of active lanes: a producer publishes, light fence (the one of
 *       (C)), loads lane->active, and sets the lane's bit when it is 0. A
 *       consumer clears active and the bit, heavy fence, and looks at the lane
 *       once more.
 *
 * What light and heavy are, and when: fence.h.
 */

#ifndef BROOD_THREAD_INBOX_H
#define BROOD_THREAD_INBOX_H

#include <apr_errno.h>

#include <brood/task.h>

#include "base/atomic.h"
#include "lineage/self.h"
#include "os/lock.h"
#include "thread/fence.h"

#define BROOD__BATCH      64  /* slots taken at a time */
#define BROOD__BLOCK      255 /* slots of a block; the last one links */
#define BROOD__AHEAD      6   /* calls whose futures are asked for early */
#define BROOD__STAMP_EACH 64  /* every n-th submit of a lane is timed */

typedef struct brood__slot_t {
    _Atomic(brood_task_fn *) fn;
    _Atomic(void *) baton;
} brood__slot_t;

typedef struct brood__block_t {
    brood__slot_t slot[BROOD__BLOCK + 1];
} brood__block_t;

/* What a consumer gets. */
typedef struct brood__call_t {
    brood_task_fn *fn;
    void *baton;
    brood__scope_t *scope; /* one reference, to be earned */
} brood__call_t;

typedef struct brood__inbox_t brood__inbox_t;

typedef struct brood__lane_t {
    /* The producer's own line; read by others where it says so. */
    atomic_uint busy BROOD__ALIGNED(BROOD__LINE); /* see (D) */
    brood__slot_t *at;                            /* next slot to fill */
    brood__slot_t *end;    /* the last slot that may link */
    brood__block_t *made;  /* the block that `at` is in */
    brood__scope_t *scope; /* of the last slot */
    brood__block_t *spare; /* blocks that came back */
    brood__inbox_t *inbox;
    brood__self_t *holder; /* its thread, or NULL; under the lanes' lock */
    struct brood__lane_t *next_of_thread; /* under the lanes' lock */
    atomic_ullong put;                    /* tasks; read by statistics */

    /* Emptied blocks on their way back: consumers push, the producer takes. And
     * what every submit reads, which consumers seldom write: see (E). */
    _Atomic(brood__block_t *) back BROOD__ALIGNED(BROOD__LINE);
    atomic_uint active;

    /* The consumers' line. */
    atomic_uint lock BROOD__ALIGNED(BROOD__LINE);
    _Atomic(brood__slot_t *) next; /* to take; pollers read it */
    brood__block_t *block;         /* that `next` is in; under `lock` */
    brood__scope_t *taken_scope;   /* in band; under `lock` */
    atomic_llong stamp;            /* submit time of a slot not long ago */
    int timed;                     /* `stamp` is that of the next task; under
                                      `lock` */
    atomic_ullong taken;           /* tasks; written under `lock` */

    unsigned index; /* in the inbox; fixed */
} brood__lane_t;

#define BROOD__LANES 4096 /* producers of one inbox at a time */
#define BROOD__WORD  64   /* bits of a word of the map of active lanes */

struct brood__inbox_t {
    /* Read by every submit, seldom written. */
    atomic_uint rare BROOD__ALIGNED(BROOD__LINE); /* not 0: the slow path */
    brood__fences_t fences;                       /* of (C), (D) and (E) */
    uint64_t serial; /* never reused; lane caches compare it */

    /* A sleeper wants to be told of new work. Often read, seldom written. */
    atomic_uint need BROOD__ALIGNED(BROOD__LINE);

    /* Consumers' view. */
    atomic_uint n_lanes BROOD__ALIGNED(BROOD__LINE); /* high-water mark */
    _Atomic(brood__lane_t *) *lanes;                 /* BROOD__LANES of them */
    atomic_ullong
        *active;      /* one bit a lane; BROOD__LANES / BROOD__WORD words */
    unsigned n_words; /* fixed */

    /* Called by a consumer for a sampled task: how long it was queued, ns. */
    void (*waited)(brood__inbox_t *inbox, int64_t ns);
};

apr_status_t brood__inbox_init(brood__inbox_t *inbox);

/* No producer may be inside and nothing be queued. Takes the lanes away from
 * their threads. */
void brood__inbox_fini(brood__inbox_t *inbox);

/* The calling thread's lane, made if need be; NULL when memory ran out or there
 * are BROOD__LANES already. */
brood__lane_t *brood__inbox_lane_slow(brood__inbox_t *inbox);

BROOD__INLINE brood__lane_t *brood__inbox_lane(brood__inbox_t *inbox)
{
    unsigned i = (unsigned)inbox->serial % BROOD__LANE_CACHE;

    if (BROOD__LIKELY(brood__self.lanes[i].serial == inbox->serial))
        return brood__self.lanes[i].lane;
    return brood__inbox_lane_slow(inbox);
}

/* (D), first half. The caller then loads `rare`. */
BROOD__INLINE void brood__lane_enter(brood__lane_t *lane)
{
    brood__store(&lane->busy, 1, relaxed);
    brood__light_fence(&lane->inbox->fences);
}

BROOD__INLINE void brood__lane_leave(brood__lane_t *lane)
{
    brood__store(&lane->busy, 0, release);
}

/* Blocks for n more tasks, so that as many puts cannot fail; 0 when memory ran
 * out. Inside enter and leave. */
int brood__lane_reserve(brood__lane_t *lane, size_t n);

/* A thread ends: its lanes keep their tasks and wait for another thread. */
void brood__lanes_exit(brood__self_t *self);

/* Begin a new block; 0 when memory ran out and nothing happened. */
int brood__lane_reserve_slow(brood__lane_t *lane);
void brood__lane_mark_scope(brood__lane_t *lane, brood__scope_t *scope);
void brood__lane_mark_time(brood__lane_t *lane);

/* Room for a task and the two marks it may need; the slot at `end` holds the
 * link. False: memory ran out and nothing happened. */
BROOD__INLINE int brood__lane_room(brood__lane_t *lane)
{
    return BROOD__LIKELY(lane->end - lane->at >= 3)
           || brood__lane_reserve_slow(lane);
}

/* Nothing but a task is to be written: there is room, the scope is that of the
 * last one, and no time need be marked. */
BROOD__INLINE int brood__lane_plain(brood__lane_t *lane,
                                    const brood__scope_t *scope)
{
    return lane->end - lane->at >= 3 && lane->scope == scope
           && brood__load(&lane->put, relaxed) % BROOD__STAMP_EACH;
}

/* Then write it. */
BROOD__INLINE void brood__lane_write(brood__lane_t *lane, brood_task_fn *fn,
                                     void *baton)
{
    brood__slot_t *slot = lane->at;

    lane->at = slot + 1;
    brood__store(&slot->baton, baton, relaxed);
    brood__store(&slot->fn, fn, release); /* (A) */
    brood__store(&lane->put, brood__load(&lane->put, relaxed) + 1, relaxed);
}

/* Publish a task; inside enter and leave. `scope`'s reference goes with it.
 * False: there was no room (brood__lane_room()) and nothing happened. */
BROOD__INLINE int brood__lane_put(brood__lane_t *lane, brood_task_fn *fn,
                                  void *baton, brood__scope_t *scope)
{
    if (!brood__lane_room(lane))
        return 0;
    if (BROOD__UNLIKELY(lane->scope != scope))
        brood__lane_mark_scope(lane, scope);
    if (BROOD__UNLIKELY(brood__load(&lane->put, relaxed) % BROOD__STAMP_EACH
                        == 0))
        brood__lane_mark_time(lane);
    brood__lane_write(lane, fn, baton);
    return 1;
}

/* The caller's lane, entered, when nothing is out of the ordinary and nothing
 * but a task is to be written: then its scope is paid for. Else NULL, and
 * nothing happened. */
BROOD__INLINE brood__lane_t *brood__inbox_enter_plain(brood__inbox_t *inbox)
{
    unsigned at = (unsigned)inbox->serial % BROOD__LANE_CACHE;
    brood__scope_t *scope = brood__self.now.scope;
    brood__purse_t *purse = &brood__self.purse;
    brood__lane_t *lane = brood__self.lanes[at].lane;

    if (BROOD__UNLIKELY(brood__self.lanes[at].serial != inbox->serial
                        || purse->scope != scope
                        || !brood__lane_plain(lane, scope)))
        return NULL;
    brood__lane_enter(lane);
    if (BROOD__UNLIKELY(brood__load(&inbox->rare, acquire))) {
        brood__lane_leave(lane);
        return NULL;
    }
    brood__purse_take(purse);
    return lane;
}

void brood__lane_activate(brood__lane_t *lane);

/* After the puts, before leave: (C) and (E). True: `need` is set, wake. */
BROOD__INLINE int brood__lane_publish(brood__lane_t *lane)
{
    brood__light_fence(&lane->inbox->fences); /* (C), (E) */
    if (BROOD__UNLIKELY(!brood__load(&lane->active, relaxed)))
        brood__lane_activate(lane);
    return BROOD__UNLIKELY(brood__load(&lane->inbox->need, relaxed) != 0);
}

/* The usual end of that: true if nobody need be told, and it is left. */
BROOD__INLINE int brood__lane_publish_plain(brood__lane_t *lane)
{
    brood__light_fence(&lane->inbox->fences); /* (C), (E) */
    if (BROOD__UNLIKELY(!brood__load(&lane->active, relaxed)
                        || brood__load(&lane->inbox->need, relaxed)))
        return 0;
    brood__lane_leave(lane);
    return 1;
}

/* (D), the stopper's half: `rare` was stored by the caller. Afterwards every
 * submit that did not see it has been published. */
void brood__inbox_settle(brood__inbox_t *inbox);

/* Take up to BROOD__BATCH tasks from one lane, oldest first; the search begins
 * at *turn and leaves it at where the next one should begin. */
unsigned brood__inbox_take(brood__inbox_t *inbox, brood__call_t *calls,
                           unsigned *turn);

/* Is anything queued? A guess while others work; exact in the sense of (C)
 * after a fence. */
int brood__inbox_some(brood__inbox_t *inbox);

/* The same without the map, in which a lane may be missing for the moment that
 * a consumer takes to think better of it (E). For who decides that all is done,
 * while nobody takes anything. */
int brood__inbox_any(brood__inbox_t *inbox);

/* Before sleeping, after `need` was stored: take the bits of empty lanes back
 * (E), unless they are few. Contains the heavy fence of (C). */
void brood__inbox_tidy(brood__inbox_t *inbox);

/* Tasks put and not taken, and the submit time of the oldest known one (0: no
 * task). */
unsigned long long brood__inbox_queued(brood__inbox_t *inbox, int64_t *oldest);
unsigned long long brood__inbox_put(brood__inbox_t *inbox);

#endif /* BROOD_THREAD_INBOX_H */
