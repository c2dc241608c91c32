/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fence.h: the two fences of a store-then-load handshake, and who pays for them.
 *
 * Whoever brings something publishes it and then looks whether somebody sleeps;
 * whoever goes to sleep says so and then looks at what is there. Each needs a
 * full fence in between, or both may miss the other (Dekker).
 *
 *   LIGHT  While work streams, those that bring have a compiler fence, and who
 *          sleeps pays for both with a fence on all threads that run
 *          (brood__os_barrier(); Dice, Huang and Yang, "Asymmetric Dekker
 *          Synchronization", 2001). It interrupts every CPU that runs one:
 *          0.3 us where there is none, 20 on a virtual machine, and it disturbs
 *          more threads the more there are.
 *   FULL   While work trickles, there are as many sleeps as tasks. Then both
 *          sides have a fence of their own, 10 ns each, and nobody is
 *          interrupted.
 *
 *     LIGHT --(1)--> TURNING --(2)--> FULL --(3)--> LIGHT
 *
 *   (1) a sleeper that finds LIGHT, before its barrier; (2) the same one,
 *   afterwards; (3) a consumer that has found work CALM times without a sleep.
 *   Where there is no such barrier, all is FULL for ever.
 *
 * The handshake is P: publish, look at `kind`, fence unless LIGHT, look who
 * sleeps; and S: say so, fence, look at `kind`, barrier unless FULL, look at what
 * is there. One of the two sees the other:
 *
 *   S finds LIGHT or TURNING. Its barrier lies somewhere between two steps of P:
 *       behind the publication, then S sees it; or before, then P looks who
 *       sleeps after the barrier, so after S has said so.
 *   S finds FULL, P not LIGHT. Both have a full fence: Dekker.
 *   S finds FULL, P finds the LIGHT from before (1). P's look at `kind` comes
 *       before the barrier between (1) and (2), its publication still earlier;
 *       so whoever sees (2) sees that, too (acquire).
 *   S finds FULL, P finds the LIGHT of a later (3). What S has said reached all
 *       of memory before its fence ended, so before S looked at `kind`, so before
 *       (3) was there for anybody, so before P saw that; and P looks who sleeps
 *       later still (acquire). This is the one step that needs stores to reach
 *       all other CPUs at once, which POWER and old ARM do not promise: there
 *       (3) is never taken.
 *
 * tests/models/fences.pml states it for Spin.
 */

#ifndef BROOD_THREAD_FENCE_H
#define BROOD_THREAD_FENCE_H

#include "base/atomic.h"
#include "os/os.h"

#define BROOD__CALM 4

enum { BROOD__FENCE_LIGHT, BROOD__FENCE_TURNING, BROOD__FENCE_FULL };

/* Read by all that bring something, seldom written. */
typedef struct brood__fences_t {
    atomic_uint kind;
} brood__fences_t;

void brood__fences_init(brood__fences_t *fences);

/* P's. */
BROOD__INLINE void brood__light_fence(brood__fences_t *fences)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (BROOD__UNLIKELY(brood__load(&fences->kind, acquire)
                        != BROOD__FENCE_LIGHT))
        brood__fence(seq_cst);
}

/* S's. */
void brood__heavy_fence(brood__fences_t *fences);

void brood__fences_relax(brood__fences_t *fences);

/* A consumer has found work without a sleep; *calm: how often, since it slept
 * last, or turned this last. */
BROOD__INLINE void brood__fences_calm(brood__fences_t *fences, unsigned *calm)
{
    if (BROOD__UNLIKELY(brood__load(&fences->kind, relaxed)
                        == BROOD__FENCE_FULL)
        && ++*calm >= BROOD__CALM) {
        *calm = 0;
        brood__fences_relax(fences);
    }
}

#endif /* BROOD_THREAD_FENCE_H */
