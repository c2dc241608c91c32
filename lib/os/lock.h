/* SPDX-License-Identifier: Apache-2.0 */

/*
 * lock.h: mutexes with a rank.
 *
 * LOCK ORDER
 *
 * A thread that holds a lock may only take one of a higher rank. No lock is
 * ever held while user code runs. A build with BROOD_DEBUG aborts on the first
 * lock taken out of order, whether or not it would have deadlocked.
 *
 *   rank       lock                          held for
 *   ---------  ----------------------------  -------------------------------
 *   INIT       the library's start and end   initialize, terminate
 *   AFFINITY   one affinity pool             leasing and freeing threads
 *   CONTROL    one manager's start and stop  making and joining its threads
 *   REGISTRY   the family tree               get, each, collection
 *   EXECUTOR   one executor                  sleeping, waking, special queues
 *   LOOP       one loop manager              start and stop, its mailbox
 *   PROCESS    one process manager           hand-over, reading, counters
 *   SERIAL     one serial queue              one push or pop
 *   TIMERS     the deadline service          arm, disarm, expire
 *   COLLECTOR  the collector's queue         one push or pop
 *   LANES      a manager's list of lanes     adding and retiring a lane
 *   DEPOT      free futures and the like     exchanging a load
 *   OBSERVE    hooks and log                 exchanging a hook
 *   LEAF       anything that takes no other  a few instructions
 */

#ifndef BROOD_OS_LOCK_H
#define BROOD_OS_LOCK_H

#include "os/os.h"

typedef enum {
    BROOD__RANK_INIT = 1,
    BROOD__RANK_AFFINITY,
    BROOD__RANK_CONTROL,
    BROOD__RANK_REGISTRY,
    BROOD__RANK_EXECUTOR,
    BROOD__RANK_LOOP,
    BROOD__RANK_PROCESS,
    BROOD__RANK_SERIAL,
    BROOD__RANK_TIMERS,
    BROOD__RANK_COLLECTOR,
    BROOD__RANK_LANES,
    BROOD__RANK_DEPOT,
    BROOD__RANK_OBSERVE,
    BROOD__RANK_LEAF
} brood__rank_e;

typedef struct BROOD__CAPABILITY("mutex") brood__lock_t {
    brood__os_lock_t os;
    brood__rank_e rank;
} brood__lock_t;

#define BROOD__LOCK_INIT(rank)                                                 \
    {                                                                          \
        BROOD__OS_LOCK_INIT, rank                                              \
    }

void brood__lock_init(brood__lock_t *lock, brood__rank_e rank);
void brood__lock_fini(brood__lock_t *lock);
void brood__lock(brood__lock_t *lock) BROOD__ACQUIRES(*lock);
void brood__unlock(brood__lock_t *lock) BROOD__RELEASES(*lock);

/* Debug builds: abort when the calling thread holds any lock. Called before
 * user code runs. */
void brood__lock_none_held(void);

/*
 * A condition: a word to sleep on beside a lock. Monotonic time; wakes for no
 * reason are possible, so callers loop over their predicate. Wake under the
 * lock: a waiter may free the condition as soon as it has the lock. Waking
 * nobody costs a load.
 */
typedef struct brood__cond_t {
    atomic_uint turn;     /* bumped by every signal, under the lock */
    atomic_uint sleepers; /* changes under the lock */
} brood__cond_t;

#define BROOD__COND_INIT                                                       \
    {                                                                          \
        0, 0                                                                   \
    }

void brood__cond_init(brood__cond_t *cond);

/* Unlocks, sleeps at most `timeout` ns (-1: for ever), locks again. APR_TIMEUP
 * or APR_SUCCESS. */
apr_status_t brood__cond_wait(brood__cond_t *cond, brood__lock_t *lock,
                              int64_t timeout) BROOD__REQUIRES(*lock);
void brood__cond_wake_one(brood__cond_t *cond);
void brood__cond_wake_all(brood__cond_t *cond);

/*
 * A gate starts closed, is opened once, and stays open. What the opener wrote
 * before is visible to whoever passes.
 */
typedef struct brood__gate_t {
    atomic_uint state;
} brood__gate_t;

void brood__gate_init(brood__gate_t *gate);
void brood__gate_open(brood__gate_t *gate);
int brood__gate_is_open(brood__gate_t *gate);
apr_status_t brood__gate_wait(brood__gate_t *gate, int64_t timeout);

#endif /* BROOD_OS_LOCK_H */
