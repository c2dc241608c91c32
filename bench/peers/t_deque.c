/* SPDX-License-Identifier: Apache-2.0 */

/* t_deque.c: floor, what nested work costs a pool that may be robbed at any
 * time: a deque of {fn, baton} per worker (Chase and Lev, SPAA 2005; with the
 * fences of Le, Pop, Cohen and Zappa Nardelli, PPoPP 2013), and the ring of
 * pb_ring.h for what comes from outside. A put into the own deque has no fence:
 * who goes to sleep pays membarrier(). No pool can be this: deque and ring have
 * an end. */

#define PEER "floor-deque"

#include "pb.h"
#include "pb_ring.h"

#include <linux/membarrier.h>

enum { MOST_WORKERS = 16, SLOTS = 1 << 16 };

typedef struct deque {
    long top PB_ALIGNED(128);
    long bottom PB_ALIGNED(128);
    ring_call *calls;
} deque;

static deque g_deques[MOST_WORKERS];
static int g_n_deques;
static __thread deque *tl_mine;

static int pop(deque *mine, ring_call *out)
{
    const long bottom = mine->bottom - 1;
    long top;
    int got = 1;

    __atomic_store_n(&mine->bottom, bottom, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    top = __atomic_load_n(&mine->top, __ATOMIC_RELAXED);
    if (top < bottom) {
        *out = mine->calls[bottom & (SLOTS - 1)];
        return 1;
    }
    if (top == bottom) { /* the last one: a thief may want it too */
        *out = mine->calls[bottom & (SLOTS - 1)];
        got = __atomic_compare_exchange_n(&mine->top, &top, top + 1, 0,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    } else {
        got = 0;
    }
    __atomic_store_n(&mine->bottom, bottom + 1, __ATOMIC_RELAXED);
    return got;
}

static int steal(deque *theirs, ring_call *out)
{
    long top = __atomic_load_n(&theirs->top, __ATOMIC_ACQUIRE);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (top >= __atomic_load_n(&theirs->bottom, __ATOMIC_ACQUIRE))
        return 0;
    *out = theirs->calls[top & (SLOTS - 1)];
    return __atomic_compare_exchange_n(&theirs->top, &top, top + 1, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static int find(deque *mine, ring_call *out)
{
    int i;

    if (ring_get(out))
        return 1;
    for (i = 0; i < g_n_deques; i++)
        if (&g_deques[i] != mine && steal(&g_deques[i], out))
            return 1;
    return 0;
}

static int is_any(void)
{
    int i;

    for (i = 0; i < g_n_deques; i++)
        if (__atomic_load_n(&g_deques[i].bottom, __ATOMIC_RELAXED)
            > __atomic_load_n(&g_deques[i].top, __ATOMIC_RELAXED))
            return 1;
    return ring_any();
}

static void look_and_sleep(void)
{
    int seen;

    if (ring_spin(is_any))
        return;
    seen = ring_prepare_sleep();
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    if (!is_any())
        pb_futex_wait(&g_ring_wakes, seen);
    ring_end_sleep();
}

static void *work(void *baton)
{
    ring_call call;

    tl_mine = baton;
    for (;;) {
        while (pop(tl_mine, &call) || find(tl_mine, &call))
            call.fn(call.baton);
        look_and_sleep();
    }
    return NULL;
}

static void pool_start(int workers)
{
    pthread_t thread;
    int i;

    PB_CHECK(workers <= MOST_WORKERS);
    PB_CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
                      0, 0));
    ring_init();
    g_n_deques = workers;
    for (i = 0; i < workers; i++)
        g_deques[i].calls = malloc(sizeof(ring_call) * SLOTS);
    for (i = 0; i < workers; i++)
        PB_CHECK(!pthread_create(&thread, NULL, work, &g_deques[i]));
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    deque *mine = tl_mine;
    ring_call *slot;

    if (!mine
        || mine->bottom - __atomic_load_n(&mine->top, __ATOMIC_RELAXED)
               >= SLOTS - 1) {
        ring_put(fn, baton);
        return;
    }
    slot = &mine->calls[mine->bottom & (SLOTS - 1)];
    slot->fn = fn;
    slot->baton = baton;
    __atomic_store_n(&mine->bottom, mine->bottom + 1, __ATOMIC_RELEASE);
    ring_wake();
}

#include "pb_pool.h"
