/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_RING_H
#define PB_RING_H

/*
 * pb_ring.h: one ring of {fn, baton} for all threads, Concurrency Kit's, and
 * how its consumers wait; for two of the floors. A full ring ends the program:
 * to run the task in its submit instead would be other work.
 */

#include "pb.h"

#include <ck_ring.h>

typedef struct ring_call {
    pb_task_fn *fn;
    void *baton;
} ring_call;

CK_RING_PROTOTYPE(call, ring_call)

enum { RING_SLOTS = 1 << 21, RING_SPIN_NS = 20000 };

static ck_ring_t g_ring PB_ALIGNED(128);
static ring_call *g_ring_calls;
static int g_ring_sleepers PB_ALIGNED(128);
static int g_ring_wakes PB_ALIGNED(128);

static void ring_init(void)
{
    g_ring_calls = malloc(sizeof(*g_ring_calls) * RING_SLOTS);
    ck_ring_init(&g_ring, RING_SLOTS);
}

static inline int ring_any(void)
{
    return ck_ring_size(&g_ring) != 0;
}

static inline int ring_get(ring_call *out)
{
    return CK_RING_DEQUEUE_MPMC(call, &g_ring, g_ring_calls, out);
}

/* Looks for a while; whether there is something. */
static int ring_spin(int (*any)(void))
{
    uint64_t end = 0;
    int i;

    for (;;) {
        for (i = 0; i < 64; i++) {
            if (any())
                return 1;
            pb_pause();
        }
        if (!end)
            end = pb_ns() + RING_SPIN_NS;
        else if (pb_ns() > end)
            return 0;
    }
}

/* To look once more, and then to wait for a change of g_ring_wakes. */
static int ring_prepare_sleep(void)
{
    const int seen = __atomic_load_n(&g_ring_wakes, __ATOMIC_ACQUIRE);

    __atomic_add_fetch(&g_ring_sleepers, 1, __ATOMIC_SEQ_CST);
    return seen;
}

static void ring_end_sleep(void)
{
    __atomic_sub_fetch(&g_ring_sleepers, 1, __ATOMIC_SEQ_CST);
}

static inline void ring_wake(void)
{
    if (__atomic_load_n(&g_ring_sleepers, __ATOMIC_RELAXED)) {
        __atomic_add_fetch(&g_ring_wakes, 1, __ATOMIC_SEQ_CST);
        pb_futex_wake(&g_ring_wakes, 1);
    }
}

static inline void ring_put(pb_task_fn *fn, void *baton)
{
    ring_call new_call = { fn, baton };

    PB_CHECK(CK_RING_ENQUEUE_MPMC(call, &g_ring, g_ring_calls, &new_call));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring_wake();
}

#endif /* PB_RING_H */
