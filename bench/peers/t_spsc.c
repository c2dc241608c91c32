/* SPDX-License-Identifier: Apache-2.0 */

/* t_spsc.c: floor, what crossing threads costs at least. The rings of
 * pb_mesh.h, an inbox for each worker; a future is 16 bytes of one array. No
 * pool can be this: it has no stop, no cancel, and a task waits behind a
 * blocked worker for ever. */

#define PEER "floor-spsc"
#define PEER_WAIT
#define PEER_FUTURE

#include "pb.h"
#include "pb_mesh.h"

enum { MOST_WORKERS = 8, MOST_FUTURES = 1 << 20 };

typedef struct slot {
    int state; /* as in pb_event; 0 again when it is free */
    int set;
    void *baton;
} slot;

typedef slot *pb_future;

static mesh_inbox g_inboxes[MOST_WORKERS];
static unsigned g_n_inboxes;
static slot *g_slots;
static size_t g_slots_used, g_slots_open;
static __thread unsigned tl_turn;

/* Where memory is measured the rings hold all; else they fit into the caches,
 * and the producer waits for room. */
static void pool_start(int workers)
{
    pthread_t thread;
    int i;

    PB_CHECK(workers <= MOST_WORKERS);
    g_mesh_mask = (g_workload[1] == '6' ? 1ul << 21 : 1ul << 13) - 1;
    g_slots = calloc(MOST_FUTURES, sizeof(*g_slots));
    g_n_inboxes = (unsigned)workers;
    for (i = 0; i < workers; i++) {
        mesh_init(&g_inboxes[i], -1);
        PB_CHECK(!pthread_create(&thread, NULL, mesh_thread, &g_inboxes[i]));
    }
}

/* 64 in a row to one worker, so that fewer lines are on their way. */
static inline void pool_submit(pb_task_fn *fn, void *baton)
{
    mesh_put(&g_inboxes[(tl_turn++ >> 6) % g_n_inboxes], fn, baton);
}

/* Until all that this thread submitted is done. */
static void pool_wait(void)
{
    unsigned i;

    for (i = 0; i < g_n_inboxes; i++) {
        mesh_ring *ring = &g_inboxes[i].rings[tl_mesh_me];
        int turns = 0;

        while (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)
               != ring->my_tail) {
            pb_pause();
            if (++turns > 2000)
                sched_yield();
        }
    }
}

static void settle(void *baton)
{
    slot *self = baton;

    self->set = 1;
    if (__atomic_exchange_n(&self->state, PB_SET, __ATOMIC_ACQ_REL)
        == PB_SLEEPER)
        pb_futex_wake(&self->state, 1);
}

/* Main thread only. */
static inline pb_future pool_future(void *baton)
{
    slot *self = &g_slots[g_slots_used++];

    g_slots_open++;
    self->baton = baton;
    pool_submit(settle, self);
    return self;
}

static void sleep_until_set(slot *self)
{
    int seen = PB_UNSET;

    if (!__atomic_compare_exchange_n(&self->state, &seen, PB_SLEEPER, 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    while (__atomic_load_n(&self->state, __ATOMIC_ACQUIRE) == PB_SLEEPER)
        pb_futex_wait(&self->state, PB_SLEEPER);
}

static inline void wait_until_set(slot *self)
{
    uint64_t end = 0;
    int i;

    for (;;) {
        for (i = 0; i < 64; i++) {
            if (__atomic_load_n(&self->state, __ATOMIC_ACQUIRE) == PB_SET)
                return;
            pb_pause();
        }
        if (!end)
            end = pb_ns() + MESH_SPIN_NS;
        else if (pb_ns() > end)
            break;
    }
    sleep_until_set(self);
}

static inline void *pool_get(pb_future self)
{
    wait_until_set(self);
    PB_CHECK(self->set);
    self->state = PB_UNSET;
    self->set = 0;
    if (--g_slots_open == 0)
        g_slots_used = 0;
    return self->baton;
}

#include "pb_pool.h"
