/* SPDX-License-Identifier: Apache-2.0 */

/*
 * scope.h: where a piece of work stands: a lineage node and a context, in one
 * pointer that travels with every task.
 *
 * A queued or running task holds one reference to the scope of its submitter.
 * Counting each with an atomic on a shared line costs 20 ns as soon as workers
 * submit, so references travel as credits. A thread's purse takes 2^20
 * references of one scope at a time; a submit spends one, a finish earns one in
 * the purse of the thread that ran the task. Only the sum counts:
 *
 *     scope->refs == references held by objects + credits in all purses
 *                    + tasks queued or running
 *
 * A purse is emptied when its thread turns to another scope, and before it
 * sleeps, so no scope outlives its work for longer than that.
 *
 * Memory order: a scope's fields are written before the scope is published and
 * never change; the count is acq_rel on the way down, so whoever takes it to 0
 * sees every other holder's last use.
 */

#ifndef BROOD_LINEAGE_SCOPE_H
#define BROOD_LINEAGE_SCOPE_H

#include "base/atomic.h"
#include "lineage/node.h"

struct brood__values_t;

typedef struct brood__scope_t {
    atomic_llong refs BROOD__ALIGNED(BROOD__LINE);
    brood__node_t *node;            /* holds one count of its life */
    struct brood__values_t *values; /* context variables, or NULL; counted */
} brood__scope_t;

/* A new scope with one reference. Takes over the caller's count of `node`'s
 * life and its reference to `values`, also when it fails (NULL). */
brood__scope_t *brood__scope_make(brood__node_t *node,
                                  struct brood__values_t *values);
void brood__scope_free(brood__scope_t *scope);

BROOD__INLINE void brood__scope_retain(brood__scope_t *scope)
{
    brood__add(&scope->refs, 1, relaxed);
}

BROOD__INLINE void brood__scope_release(brood__scope_t *scope, long long n)
{
    if (brood__sub(&scope->refs, n, acq_rel) == n)
        brood__scope_free(scope);
}

#define BROOD__CREDIT (1LL << 20)

/* One thread's; touched by that thread only. */
typedef struct brood__purse_t {
    brood__scope_t *scope;
    long long n;
} brood__purse_t;

BROOD__INLINE void brood__purse_empty(brood__purse_t *purse)
{
    long long n = purse->n;

    purse->n = 0;
    if (n)
        brood__scope_release(purse->scope, n);
}

/* Before running or submitting for `scope`: nothing of another one is kept. */
BROOD__INLINE void brood__purse_turn(brood__purse_t *purse,
                                     brood__scope_t *scope)
{
    if (BROOD__UNLIKELY(purse->scope != scope)) {
        brood__purse_empty(purse);
        purse->scope = scope;
    }
}

/* One reference to the scope that the purse is for, which the caller holds alive
 * by another. */
BROOD__INLINE void brood__purse_take(brood__purse_t *purse)
{
    if (BROOD__UNLIKELY(purse->n == 0)) {
        brood__add(&purse->scope->refs, BROOD__CREDIT, relaxed);
        purse->n = BROOD__CREDIT;
    }
    purse->n--;
}

/* The same for `scope`. */
BROOD__INLINE void brood__purse_spend(brood__purse_t *purse,
                                      brood__scope_t *scope)
{
    brood__purse_turn(purse, scope);
    brood__purse_take(purse);
}

/* One reference to `scope` is no longer needed. */
BROOD__INLINE void brood__purse_earn(brood__purse_t *purse,
                                     brood__scope_t *scope)
{
    brood__purse_turn(purse, scope);
    purse->n++;
}

#endif /* BROOD_LINEAGE_SCOPE_H */
