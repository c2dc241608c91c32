/* SPDX-License-Identifier: Apache-2.0 */

/*
 * hook.h: functions of the program that can be exchanged while others call
 * them.
 *
 * A call counts itself, reads the functions, runs them, and uncounts itself.
 * Setting new ones publishes them and then waits until the calls that may have
 * read the old ones are over. Calls are counted in one of two rows; a setter
 * sends new calls to the other row before it waits for a row to be empty, so
 * it does not wait for those that keep coming.
 *
 * Memory order. (A) A call counts itself, then reads `version`; a setter writes
 * `version`, then reads the counts; all four seq_cst, so a setter that does not
 * see a call knows that the call sees the new functions. (B) The functions are
 * written between two changes of `version` and read between two equal, even
 * values of it.
 */

#ifndef BROOD_OBSERVE_HOOK_H
#define BROOD_OBSERVE_HOOK_H

#include "os/lock.h"

#define BROOD__HOOK_STRIPES 8

typedef void brood__hook_fn(void);

typedef struct brood__hook_row_t {
    struct {
        atomic_uint n BROOD__ALIGNED(BROOD__LINE); /* calls under way */
    } stripe[BROOD__HOOK_STRIPES];
} brood__hook_row_t;

typedef struct brood__hook_t {
    brood__lock_t publish; /* one writer of the next four */
    atomic_uint version;   /* odd while they are written */
    _Atomic(brood__hook_fn *) first;
    _Atomic(brood__hook_fn *) second;
    _Atomic(void *) baton;
    brood__lock_t turn; /* one setter waits at a time */
    atomic_uint row;    /* where calls count themselves */
    brood__hook_row_t rows[2];
} brood__hook_t;

#define BROOD__HOOK_INIT                                                       \
    {                                                                          \
        .publish = BROOD__LOCK_INIT(BROOD__RANK_LEAF),                         \
        .turn = BROOD__LOCK_INIT(BROOD__RANK_OBSERVE)                          \
    }

/* One call of a hook, on its caller's stack. */
typedef struct brood__hook_call_t {
    brood__hook_fn *first;
    brood__hook_fn *second;
    void *baton;
    unsigned version; /* of what was read; 0: nothing was ever set */
    atomic_uint *count;
} brood__hook_call_t;

/* Around the call of call->first or call->second, either of which may be NULL.
 * Under no lock. */
void brood__hook_enter(brood__hook_t *hook, brood__hook_call_t *call);
void brood__hook_leave(brood__hook_call_t *call);

/* Exchange the functions, then wait until no call of the old ones is under way.
 * From within any hook it does not wait: two hooks that set each other's
 * successor would wait for ever. */
void brood__hook_set(brood__hook_t *hook, brood__hook_fn *first,
                     brood__hook_fn *second, void *baton);

#endif /* BROOD_OBSERVE_HOOK_H */
