/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_MESH_H
#define PB_MESH_H

/*
 * pb_mesh.h: near the limit of what crosses threads; for the floors.
 *
 * One ring per (producer thread, consumer): {fn, baton} by value, the indices
 * cached on both sides. The consumer takes all there is and publishes once a
 * batch; after a batch of more than one it pauses, so that the producer keeps
 * the line of the tail. A put has no fence: the consumer pays membarrier()
 * before it sleeps.
 */

#include "pb.h"

#include <linux/membarrier.h>

enum { MESH_PRODUCERS = 8, MESH_PAUSES = 16, MESH_SPIN_NS = 20000 };

typedef struct mesh_call {
    pb_loop_fn *fn;
    void *baton;
} mesh_call;

typedef struct mesh_ring {
    unsigned long tail PB_ALIGNED(128);    /* producer writes */
    unsigned long head PB_ALIGNED(128);    /* consumer writes */
    unsigned long my_tail PB_ALIGNED(128); /* producer's own */
    unsigned long seen_head;               /* producer's own */
    unsigned long my_head PB_ALIGNED(128); /* consumer's own */
    mesh_call *calls;
} mesh_ring;

typedef struct mesh_inbox {
    int asleep PB_ALIGNED(128);
    int fd; /* an eventfd to write to, or negative: a futex on `asleep` */
    mesh_ring rings[MESH_PRODUCERS];
} mesh_inbox;

static unsigned long g_mesh_mask; /* slots of a ring, less 1 */
static int g_mesh_producers;
static __thread int tl_mesh_me = -1;

static void mesh_membarrier(int command)
{
    PB_CHECK(syscall(SYS_membarrier, command, 0, 0) == 0);
}

static void mesh_init(mesh_inbox *inbox, int fd)
{
    int i;

    inbox->fd = fd;
    for (i = 0; i < MESH_PRODUCERS; i++)
        inbox->rings[i].calls = malloc(sizeof(mesh_call) * (g_mesh_mask + 1));
    mesh_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

static inline int mesh_any(mesh_inbox *inbox)
{
    const int n = __atomic_load_n(&g_mesh_producers, __ATOMIC_RELAXED);
    int i;

    for (i = 0; i < n; i++)
        if (__atomic_load_n(&inbox->rings[i].tail, __ATOMIC_ACQUIRE)
            != inbox->rings[i].my_head)
            return 1;
    return 0;
}

static inline unsigned long mesh_run_ring(mesh_ring *ring)
{
    const unsigned long tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    unsigned long head = ring->my_head;
    const unsigned long n = tail - head;

    if (!n)
        return 0;
    do {
        mesh_call call = ring->calls[head & g_mesh_mask];

        call.fn(call.baton);
    } while (++head != tail);
    ring->my_head = head;
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
    return n;
}

/* Runs what there is; how many. */
static unsigned long mesh_run(mesh_inbox *inbox)
{
    const int n = __atomic_load_n(&g_mesh_producers, __ATOMIC_RELAXED);
    unsigned long ran = 0;
    int i;

    for (i = 0; i < n; i++)
        ran += mesh_run_ring(&inbox->rings[i]);
    return ran;
}

static inline void mesh_pause_after(unsigned long ran)
{
    int i;

    for (i = 0; ran > 1 && i < MESH_PAUSES; i++)
        pb_pause();
}

/* Looks for a while; whether something came. */
static inline int mesh_spin(mesh_inbox *inbox)
{
    uint64_t end = 0;
    int i;

    for (;;) {
        for (i = 0; i < 32; i++) {
            if (mesh_any(inbox))
                return 1;
            pb_pause();
        }
        if (!end)
            end = pb_ns() + MESH_SPIN_NS;
        else if (pb_ns() > end)
            return 0;
    }
}

/* True: nothing came, `asleep` is set, and the consumer may block. */
static inline int mesh_may_sleep(mesh_inbox *inbox)
{
    __atomic_store_n(&inbox->asleep, 1, __ATOMIC_SEQ_CST);
    mesh_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    if (!mesh_any(inbox))
        return 1;
    __atomic_store_n(&inbox->asleep, 0, __ATOMIC_RELAXED);
    return 0;
}

static inline void mesh_wake(mesh_inbox *inbox)
{
    const uint64_t one = 1;

    __atomic_store_n(&inbox->asleep, 0, __ATOMIC_RELAXED);
    if (inbox->fd < 0)
        pb_futex_wake(&inbox->asleep, 1);
    else
        PB_CHECK(write(inbox->fd, &one, sizeof(one)) == sizeof(one));
}

static inline void mesh_wait_for_room(mesh_ring *ring)
{
    int turns = 0;

    for (;;) {
        ring->seen_head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        if (ring->my_tail - ring->seen_head <= g_mesh_mask)
            return;
        pb_pause();
        if (++turns > 100)
            sched_yield();
    }
}

static inline void mesh_put(mesh_inbox *inbox, pb_loop_fn *fn, void *baton)
{
    mesh_ring *ring;
    mesh_call *call;

    if (__builtin_expect(tl_mesh_me < 0, 0))
        tl_mesh_me = __atomic_fetch_add(&g_mesh_producers, 1, __ATOMIC_SEQ_CST);
    ring = &inbox->rings[tl_mesh_me];
    if (ring->my_tail - ring->seen_head > g_mesh_mask)
        mesh_wait_for_room(ring);
    call = &ring->calls[ring->my_tail & g_mesh_mask];
    call->fn = fn;
    call->baton = baton;
    __atomic_store_n(&ring->tail, ++ring->my_tail, __ATOMIC_RELEASE);
    if (__atomic_load_n(&inbox->asleep, __ATOMIC_RELAXED))
        mesh_wake(inbox);
}

/* The thread of a consumer that sleeps on a futex. */
static void *mesh_thread(void *baton)
{
    mesh_inbox *inbox = baton;
    unsigned long ran;

    for (;;) {
        while ((ran = mesh_run(inbox)) != 0)
            mesh_pause_after(ran);
        if (!mesh_spin(inbox) && mesh_may_sleep(inbox)) {
            pb_futex_wait(&inbox->asleep, 1);
            __atomic_store_n(&inbox->asleep, 0, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

#endif /* PB_MESH_H */
