/* SPDX-License-Identifier: Apache-2.0 */

/* t_split.c: floor, what nested work costs at least. Each thread has a deque of
 * {fn, baton} whose older part thieves may take and whose younger part is its
 * own, without fence or atomic. Thieves see [top, split), in one word, and ask
 * for more through a flag. The submitting thread has one too, counts as a
 * worker, and helps while it waits. No pool can be this: an owner that blocks
 * would keep its private part to itself. */

#define PEER "floor-split"
#define PEER_TEAM
#define PEER_WAIT

#include "pb.h"

#include <linux/membarrier.h>

enum { MOST_THREADS = 16, SPIN_NS = 20000 };

static const uint32_t g_mask = (1u << 21) - 1; /* slots of a deque, less 1 */

typedef struct call {
    pb_task_fn *fn;
    void *baton;
} call;

typedef struct deque {
    uint64_t shared PB_ALIGNED(128); /* top, and split << 32 */
    int wanted PB_ALIGNED(128);      /* a thief found nothing */
    uint32_t bottom PB_ALIGNED(128); /* from here down: the owner's own */
    uint32_t split;
    uint32_t seen_top;
    call *calls;
    unsigned long done PB_ALIGNED(128);
} deque;

static deque g_deques[MOST_THREADS];
static int g_n_deques;
static unsigned long g_pushed; /* by the main thread */
static int g_sleepers PB_ALIGNED(128);
static int g_wakes PB_ALIGNED(128);
static __thread deque *tl_mine __attribute__((tls_model("local-exec")));

/* --- The owner's side ----------------------------------------------------- */

static __attribute__((noinline)) void share_half(deque *mine)
{
    const uint32_t n = (mine->bottom - mine->split + 1) / 2;

    __atomic_store_n(&mine->wanted, 0, __ATOMIC_RELAXED);
    if (n == 0)
        return;
    mine->split += n;
    __atomic_add_fetch(&mine->shared, (uint64_t)n << 32, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&g_sleepers, __ATOMIC_RELAXED)) {
        __atomic_add_fetch(&g_wakes, 1, __ATOMIC_SEQ_CST);
        pb_futex_wake(&g_wakes, 1);
    }
}

static __attribute__((noinline)) int take_back_half(deque *mine, call *out)
{
    uint64_t seen = __atomic_load_n(&mine->shared, __ATOMIC_RELAXED);

    for (;;) {
        const uint32_t top = (uint32_t)seen, split = (uint32_t)(seen >> 32);
        const uint32_t n = (split - top + 1) / 2;

        if (n == 0)
            return 0;
        if (__atomic_compare_exchange_n(&mine->shared, &seen,
                                        top | (uint64_t)(split - n) << 32, 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            mine->split = split - n;
            *out = mine->calls[--mine->bottom & g_mask];
            return 1;
        }
    }
}

static inline int pop(deque *mine, call *out)
{
    if (__atomic_load_n(&mine->wanted, __ATOMIC_RELAXED))
        share_half(mine);
    if (mine->bottom == mine->split)
        return take_back_half(mine, out);
    *out = mine->calls[--mine->bottom & g_mask];
    return 1;
}

static inline void pool_submit(pb_task_fn *fn, void *baton)
{
    deque *mine = tl_mine;
    const uint32_t bottom = mine->bottom;
    call *slot = &mine->calls[bottom & g_mask];

    if (__builtin_expect(bottom - mine->seen_top > g_mask, 0)) {
        mine->seen_top = (uint32_t)__atomic_load_n(&mine->shared,
                                                   __ATOMIC_ACQUIRE);
        PB_CHECK(bottom - mine->seen_top <= g_mask);
    }
    slot->fn = fn;
    slot->baton = baton;
    mine->bottom = bottom + 1;
    if (mine == &g_deques[g_n_deques - 1])
        g_pushed++;
    if (__builtin_expect(__atomic_load_n(&mine->wanted, __ATOMIC_RELAXED)
                             || __atomic_load_n(&g_sleepers, __ATOMIC_RELAXED),
                         0))
        share_half(mine);
}

/* --- The thief's side ----------------------------------------------------- */

static int steal(deque *theirs, call *out)
{
    uint64_t seen = __atomic_load_n(&theirs->shared, __ATOMIC_ACQUIRE);
    const uint32_t top = (uint32_t)seen, split = (uint32_t)(seen >> 32);

    if (top == split) {
        if (!__atomic_load_n(&theirs->wanted, __ATOMIC_RELAXED))
            __atomic_store_n(&theirs->wanted, 1, __ATOMIC_RELAXED);
        return 0;
    }
    *out = theirs->calls[top & g_mask];
    return __atomic_compare_exchange_n(&theirs->shared, &seen,
                                       (uint64_t)(uint32_t)(top + 1)
                                           | (uint64_t)split << 32,
                                       0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static int steal_any(deque *mine, call *out)
{
    int i;

    for (i = g_n_deques - 1; i >= 0; i--)
        if (&g_deques[i] != mine && steal(&g_deques[i], out))
            return 1;
    return 0;
}

static inline void run(deque *mine, call *what)
{
    what->fn(what->baton);
    __atomic_store_n(&mine->done, mine->done + 1, __ATOMIC_RELEASE);
}

/* Looks for a while; whether it ran something. */
static int spin(deque *mine)
{
    const uint64_t end = pb_ns() + SPIN_NS;
    call what;
    int i;

    do {
        for (i = 0; i < 64; i++) {
            if (steal_any(mine, &what)) {
                run(mine, &what);
                return 1;
            }
            pb_pause();
            pb_pause();
        }
    } while (pb_ns() < end);
    return 0;
}

static void sleep_for_work(deque *mine)
{
    const int seen = __atomic_load_n(&g_wakes, __ATOMIC_ACQUIRE);
    call what;
    int got;

    __atomic_add_fetch(&g_sleepers, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    got = steal_any(mine, &what);
    if (!got)
        pb_futex_wait(&g_wakes, seen);
    __atomic_sub_fetch(&g_sleepers, 1, __ATOMIC_SEQ_CST);
    if (got)
        run(mine, &what);
}

static void *work(void *baton)
{
    call what;

    tl_mine = baton;
    for (;;) {
        while (pop(tl_mine, &what) || steal_any(tl_mine, &what))
            run(tl_mine, &what);
        if (!spin(tl_mine))
            sleep_for_work(tl_mine);
    }
    return NULL;
}

/* --- The pool ------------------------------------------------------------- */

static void pool_start(int workers)
{
    pthread_t thread;
    int i;

    PB_CHECK(workers <= MOST_THREADS);
    PB_CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
                      0, 0));
    g_n_deques = workers;
    for (i = 0; i < workers; i++)
        g_deques[i].calls = malloc(sizeof(call) * (g_mask + 1));
    tl_mine = &g_deques[workers - 1];
    for (i = 0; i < workers - 1; i++)
        PB_CHECK(!pthread_create(&thread, NULL, work, &g_deques[i]));
}

static void pool_enter(void (*run_workload)(void))
{
    run_workload();
}

static void pool_wait(void)
{
    unsigned long done;
    call what;
    int i;

    for (;;) {
        while (pop(tl_mine, &what))
            run(tl_mine, &what);
        done = 0;
        for (i = 0; i < g_n_deques; i++)
            done += __atomic_load_n(&g_deques[i].done, __ATOMIC_ACQUIRE);
        if (done >= g_pushed)
            return;
        pb_pause();
    }
}

#include "pb_pool.h"
