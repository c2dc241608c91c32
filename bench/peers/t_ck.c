/* SPDX-License-Identifier: Apache-2.0 */

/* t_ck.c: floor, one queue for all: Concurrency Kit's ring for many producers
 * and consumers, {fn, baton} by value; workers look at it for a while before
 * they sleep, and are woken only when one does. No pool can be this: the ring
 * has an end, and its producers commit in the order of their tickets, so one
 * that is preempted stops all others. Hence neither T3 nor more threads than
 * CPUs: either takes minutes. */

#define PEER "floor-ck-ring"

#include "pb.h"
#include "pb_ring.h"

static void look_and_sleep(void)
{
    int seen;

    if (ring_spin(ring_any))
        return;
    seen = ring_prepare_sleep();
    if (!ring_any())
        pb_futex_wait(&g_ring_wakes, seen);
    ring_end_sleep();
}

static void *work(PB_UNUSED void *baton)
{
    ring_call call;

    for (;;) {
        while (ring_get(&call))
            call.fn(call.baton);
        look_and_sleep();
    }
    return NULL;
}

static void pool_start(int workers)
{
    pthread_t thread;

    ring_init();
    while (workers-- > 0)
        PB_CHECK(!pthread_create(&thread, NULL, work, NULL));
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    ring_put(fn, baton);
}

#include "pb_pool.h"
